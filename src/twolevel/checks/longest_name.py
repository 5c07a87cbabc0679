"""Names that a file system does not take, found before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from twolevel.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twolevel.bids.entities import Entities
    from twolevel.model.nodes import ContrastName

FIGURES = ("unthresholded", "glassbrain")
DEEPEST = len("/cache/python-/out") + 32  # where a work folder keeps the tree of a result


def longest_path(entities: Entities, label: str, descs: Sequence[str]) -> Path:
    """Return the place of that file of a contrast which has the longest name.

    `descs` are those of the maps of the group: its tests, and what relabelings give besides.
    """
    names = entities.with_(contrast=label)
    paths = [names.with_(stat="variance").path("statmap", ".nii.gz")]
    if "sub" not in entities:
        paths += [names.with_(stat="logp", desc=d).path("statmap", ".nii.gz") for d in descs]
        paths += [names.with_(desc=d).path("statmap", ".png") for d in (*descs, *FIGURES)]
    return max(paths, key=lambda path: _n_bytes(path.name))


def check_name_lengths(
    written: Iterable[Entities],
    contrasts: Sequence[ContrastName],
    descs: Sequence[str],
    folders: Sequence[Path],
) -> None:
    """Refuse contrasts whose files would have names that a file system does not take.

    Parameters
    ----------
    written : iterable of Entities
        Those of every run, subject and group of which maps are written.
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
        paths = [longest_path(entities, contrast.label, descs) for entities in written]
        path = max(paths, key=lambda p: _n_bytes(p.name), default=Path())
        name = path.name
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
        elif name and (whole := base + _n_bytes(f"/{path}")) > path_limit:
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
