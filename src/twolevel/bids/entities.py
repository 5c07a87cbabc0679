"""Entities in BIDS file names: parsed, compared and written, never guessed from a position."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENTITY_ORDER = (
    "sub",
    "ses",
    "task",
    "acq",
    "ce",
    "rec",
    "dir",
    "run",
    "echo",
    "part",
    "space",
    "cohort",
    "res",
    "den",
    "contrast",
    "stat",
    "label",
    "desc",
)
# What tells the runs of a subject apart.
RUN_ENTITIES = ENTITY_ORDER[ENTITY_ORDER.index("ses") : ENTITY_ORDER.index("space")]
INDEX_ENTITIES = frozenset({"run", "echo"})
# Spaces of one head: a voxel is not the same place in two subjects.
NATIVE_SPACES = frozenset(
    {
        "T1w",
        "T2w",
        "anat",
        "individual",
        "orig",
        "scanner",
        "fsnative",
        "func",
        "bold",
        "boldref",
        "sbref",
        "run",
    }
)


@dataclass(frozen=True)
class BidsName:
    """A BIDS file name taken apart.

    Attributes
    ----------
    entities : dict of str to str
        As written in the name (``{"sub": "01", "run": "01"}``).
    suffix : str
        ``bold``, ``events``, ...
    extension : str
        With its dot: ``.nii.gz``.
    """

    entities: dict[str, str]
    suffix: str
    extension: str


def parse_name(path: Path | str) -> BidsName | None:
    """Take a file name apart.

    Returns
    -------
    BidsName or None
        None where the name is not of the form ``key-value_..._suffix.extension``.
    """
    stem, dot, extension = Path(path).name.partition(".")
    *pairs, suffix = stem.split("_")
    if not dot or not re.fullmatch(r"[A-Za-z0-9]+", suffix):
        return None
    entities = {}
    for pair in pairs:
        match = re.fullmatch(r"([a-z]+)-([A-Za-z0-9+]+)", pair)
        if match is None or match[1] in entities:
            return None
        entities[match[1]] = match[2]
    return BidsName(entities, suffix, dot + extension)


def is_mni152(space: str | None) -> bool:
    """Tell whether a space is that of the adult MNI152 brain: its template and atlases fit.

    Parameters
    ----------
    space : str or None
        Label, as in ``space-MNI152NLin2009cAsym``.
    """
    return space is not None and space.startswith("MNI152")


def is_common_space(entities: Mapping[str, str]) -> bool:
    """Tell whether images of these entities can be compared across subjects, voxel by voxel.

    Returns
    -------
    bool
        False for the spaces of single heads (`NATIVE_SPACES`), and without a ``space`` entity,
        which means the space of the run itself unless the user says otherwise.
    """
    return "space" in entities and entities["space"] not in NATIVE_SPACES


def normalised(entities: Mapping[str, str]) -> dict[str, str]:
    """Make entities comparable: ``run-01`` and ``run-1`` are the same run.

    Returns
    -------
    dict of str to str
        Index entities without leading zeros.
    """
    return {
        key: str(int(value)) if key in INDEX_ENTITIES and value.isdigit() else value
        for key, value in entities.items()
    }


def build_name(entities: Mapping[str, str], suffix: str, extension: str) -> str:
    """Write a file name, entities in the order of the standard, ``desc`` last.

    Parameters
    ----------
    extension : str
        With its dot.
    """
    parts = [f"{key}-{entities[key]}" for key in ENTITY_ORDER if key in entities]
    return "_".join([*parts, suffix]) + extension


def describe(entities: Mapping[str, str], keys: Sequence[str]) -> str:
    """Write some entities in words: ``sub-01 run-1``.

    Parameters
    ----------
    keys : sequence of str
        Which, in this order.
    """
    there = normalised(entities)
    return " ".join(f"{key}-{there[key]}" for key in keys if key in there)


def other_entities(entities: Mapping[str, str]) -> str:
    """Write what tells a run from others beside its session, task and number: ``dir-AP``.

    Returns
    -------
    str
        Empty where there is nothing.
    """
    return describe(entities, [k for k in RUN_ENTITIES if k not in {"ses", "task", "run"}])
