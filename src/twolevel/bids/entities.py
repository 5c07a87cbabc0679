"""Entities in BIDS file names: parsed, compared and written, never guessed from a position."""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
# What tells runs apart beside session, task and number.
OTHER_ENTITIES = tuple(key for key in RUN_ENTITIES if key not in {"ses", "task", "run"})
NODE = "node"
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


RANKS = {key: rank for rank, key in enumerate((*ENTITY_ORDER[:-1], "", "desc"))}


class Entities(Mapping[str, str]):
    """The entities of a BIDS name: a mapping that never changes, in the order of the standard.

    Labels stay as they are written: ``run-01`` is another value than ``run-1``, and `normalised`
    makes them the same run. Entities that `ENTITY_ORDER` does not know stand before ``desc``.
    Equal entities have the same hash, and are the same input of a task, in whatever order they
    were given.

    Parameters
    ----------
    labels : mapping of str to str, or iterable of (str, str)
        ``{"sub": "01", "task": "rest", "run": "01"}``.
    """

    __slots__ = ("_labels",)
    _labels: dict[str, str]

    def __init__(self, labels: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs = dict(labels).items()
        ordered = dict(sorted(pairs, key=lambda pair: (RANKS.get(pair[0], RANKS[""]), pair[0])))
        object.__setattr__(self, "_labels", ordered)

    def __getitem__(self, key: str) -> str:
        return self._labels[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __hash__(self) -> int:
        return hash(tuple(self._labels.items()))

    def __repr__(self) -> str:
        return f"Entities({self._labels})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"entities do not change: make others by with_(), not by .{name} =")

    def __reduce__(self) -> tuple[type[Entities], tuple[dict[str, str]]]:
        return Entities, (self._labels,)

    def __bytes_repr__(self, cache: Any) -> Iterator[bytes]:
        """Say what identifies them as an input of a task; labels hold neither = nor a comma."""
        yield f"{type(self).__qualname__}:".encode()
        yield ",".join(f"{key}={label}" for key, label in self._labels.items()).encode()

    def items(self) -> ItemsView[str, str]:
        """Return the pairs; as those of a dictionary they compare quickly."""
        return self._labels.items()

    def with_(self, **labels: str) -> Entities:
        """Return these entities and others; what is given takes the place of what is there."""
        return Entities({**self._labels, **labels})

    def without(self, *keys: str) -> Entities:
        """Return these entities less some, which need not be there."""
        return Entities((k, v) for k, v in self._labels.items() if k not in keys)

    def only(self, *keys: str) -> Entities:
        """Return some of these entities, as far as they are there."""
        return Entities((k, v) for k, v in self._labels.items() if k in keys)

    def normalised(self) -> Entities:
        """Make them comparable: indices without leading zeros, so that run-01 is run-1."""
        return Entities(
            (k, str(int(v)) if k in INDEX_ENTITIES and v.isdigit() else v)
            for k, v in self._labels.items()
        )

    @staticmethod
    def shared(names: Sequence[Entities]) -> Entities:
        """Return the entities that all of some names share; there must be one name at least."""
        first, *others = names
        return Entities((k, v) for k, v in first.items() if all(o.get(k) == v for o in others))

    def in_words(self, keys: Iterable[str]) -> str:
        """Write some of them, in the order of `keys`, indices without zeros: ``sub-01 run-1``."""
        there = self.normalised()
        return " ".join(f"{key}-{there[key]}" for key in keys if key in there)

    @property
    def folder(self) -> Path:
        """Where such a file lies in a dataset: with its subject and session, or in ``group``.

        A model with several nodes for the group has a folder for each: `NODE` tells which, and
        names do not hold it.
        """
        if "sub" not in self:
            return Path("group", *([f"{NODE}-{self[NODE]}"] if NODE in self else []))
        session = [f"ses-{self['ses']}"] if "ses" in self else []
        return Path(f"sub-{self['sub']}", *session, "func")

    def path(self, suffix: str, extension: str) -> Path:
        """Return folder and name of a file of these entities in its dataset."""
        pairs = [f"{key}-{label}" for key, label in self._labels.items() if key != NODE]
        return self.folder / ("_".join([*pairs, suffix]) + extension)


@dataclass(frozen=True)
class BidsName:
    """A BIDS file name taken apart.

    Attributes
    ----------
    suffix : str
        ``bold``, ``events``, ...
    extension : str
        With its dot: ``.nii.gz``.
    """

    entities: Entities
    suffix: str
    extension: str


def parse_name(path: Path | str) -> BidsName | None:
    """Take a name ``key-value_..._suffix.extension`` apart; None where it is not of that form."""
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
    return BidsName(Entities(entities), suffix, dot + extension)


def entities_of(path: Path | str) -> Entities:
    """Return the entities of a file name; none where it is no name of the standard."""
    name = parse_name(path)
    return name.entities if name is not None else Entities()


def is_mni152(space: str | None) -> bool:
    """Tell whether a space is that of the adult MNI152 brain: its template and atlases fit."""
    return space is not None and space.startswith("MNI152")


def is_common_space(entities: Entities) -> bool:
    """Tell whether images of these entities can be compared across subjects, voxel by voxel.

    Not so the spaces of single heads (`NATIVE_SPACES`), and images without a ``space`` entity,
    which are in the space of the run itself unless the user says otherwise.
    """
    return "space" in entities and entities["space"] not in NATIVE_SPACES
