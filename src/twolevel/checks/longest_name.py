"""Names that a file system does not take, found before anything is computed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twolevel.bids.entities import build_name
from twolevel.derivatives.maps import folder_of
from twolevel.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from twolevel.model.spec import Contrast

FIGURES = ("unthresholded", "glassbrain")
DEEPEST = len("/cache/python-/out") + 32  # where a work folder keeps the tree of a result


def longest_name(entities: Mapping[str, str], label: str, descs: Sequence[str]) -> str:
    """Return the longest name among the files of a contrast.

    Parameters
    ----------
    entities : mapping of str to str
        Of a run, a subject or the group.
    label : str
        Of the contrast.
    descs : sequence of str
        Of the maps of the group: its tests, and what relabelings give besides.
    """
    of_contrast = {**entities, "contrast": label}
    names = [build_name({**of_contrast, "stat": "variance"}, "statmap", ".nii.gz")]
    if "sub" not in entities:
        names += [
            build_name({**of_contrast, "stat": "logp", "desc": desc}, "statmap", ".nii.gz")
            for desc in descs
        ]
        names += [
            build_name({**of_contrast, "desc": desc}, "statmap", ".png")
            for desc in (*descs, *FIGURES)
        ]
    return max(names, key=_n_bytes)


def check_name_lengths(
    written: Iterable[Mapping[str, str]],
    contrasts: Sequence[Contrast],
    descs: Sequence[str],
    folders: Sequence[Path],
) -> None:
    """Refuse contrasts whose files would have names that a file system does not take.

    Parameters
    ----------
    written : iterable of mapping of str to str
        Entities of every run, subject and group of which maps are written.
    descs : sequence of str
        Of the maps of the group: its tests, and what relabelings give besides.
    folders : sequence of Path
        Where they are written; they need not exist yet.

    Raises
    ------
    InputError
        A problem for each contrast.
    """
    written = list(written)
    limit = min(os.pathconf(_existing(folder), "PC_NAME_MAX") for folder in folders)
    path_limit = min(os.pathconf(_existing(folder), "PC_PATH_MAX") for folder in folders) - 1
    base = max(_n_bytes(str(folder)) for folder in folders) + DEEPEST
    problems = []
    for contrast in contrasts:
        names = [(longest_name(e, contrast.label, descs), e) for e in written]
        name, entities = max(names, key=lambda item: _n_bytes(item[0]), default=("", {}))
        n_bytes = _n_bytes(name)
        if n_bytes > limit:
            problems.append(
                Problem(
                    f'contrast "{contrast.name}"',
                    f"a file of it would have a name of {n_bytes} bytes: {name}",
                    f"at most {limit} bytes, the limit of the file system, of which "
                    f"{_n_bytes(contrast.label)} are the contrast's label",
                    f"give the contrast a Name that is {n_bytes - limit} letters shorter; a dummy "
                    "contrast has one when it is listed under Contrasts instead",
                )
            )
        elif name and (whole := base + _n_bytes(f"/{folder_of(entities)}/{name}")) > path_limit:
            problems.append(
                Problem(
                    f'contrast "{contrast.name}"',
                    f"a file of it would have a path of {whole} bytes, ending in {name}",
                    f"at most {path_limit} bytes, the limit of the system",
                    "give an OUTPUT_DIR and a --work-dir with shorter paths",
                )
            )
    if problems:
        raise InputError(problems)


def _existing(path: Path) -> Path:
    # Path.is_dir raises where a path is longer than the system allows.
    return next(p for p in (path, *path.parents) if os.path.isdir(p))  # noqa: PTH112


def _n_bytes(name: str) -> int:
    return len(os.fsencode(name))
