"""Which runs are wanted, and in which space."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolevel.bids.entities import RUN_ENTITIES, Entities
from twolevel.errors import InputError, Problem
from twolevel.model.nodes import ENTITY_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ABSENT = ""  # among the labels that a selection takes: files without the entity
ANY = "*"  # files with the entity, whatever its label
PREPROCESSED, BY_AROMA = "preproc", "smoothAROMAnonaggr"  # labels of `desc` of images
PYBIDS_NAMES = {key: name for name, key in ENTITY_KEYS.items()}


@dataclass(frozen=True)
class Selection:
    """Which runs are wanted.

    Attributes
    ----------
    subjects : tuple of str
        Labels without ``sub-``; empty for all.
    labels : dict of str to tuple of str
        By the key of an entity (``ses``, ``task``, ``acq``, ...), the labels that are taken, of
        any run where the key is not there. `ABSENT` takes files without the entity, `ANY` those
        with it. Kept sorted, indices without leading zeros.
    space : dict of str to str, or None
        ``{"space": "MNI152NLin2009cAsym", "res": "2"}``; empty for images without a space entity;
        None to choose by what is there.
    excluded : tuple of str
        Subjects that the user leaves out; they are not among `subjects`.
    image : str
        Label of ``desc`` of the images.
    max_mean_fd : float or None
        Runs with a larger mean framewise displacement, in mm, are left out.
    max_censored : float or None
        Runs of whose volumes a larger share is censored are left out.
    """

    subjects: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    space: Mapping[str, str] | None = field(default=None, hash=False)
    excluded: tuple[str, ...] = ()
    image: str = PREPROCESSED
    max_mean_fd: float | None = None
    max_censored: float | None = None

    def __post_init__(self) -> None:
        """Write the labels in one way, so that selections of the same runs are equal."""
        labels = {
            key: tuple(
                sorted({Entities({key: value}).normalised()[key] for value in self.labels[key]})
            )
            for key in RUN_ENTITIES
            if self.labels.get(key)
        }
        object.__setattr__(self, "labels", labels)

    def admits(self, entities: Entities) -> bool:
        """Tell whether a file of these entities is wanted, space aside."""
        if self.subjects and entities.get("sub") not in self.subjects:
            return False
        there = entities.normalised()
        return all(
            _is_among(key, there.get(key, ABSENT), values) for key, values in self.labels.items()
        )

    @property
    def limits(self) -> dict[str, float]:
        """The limits of motion, by the name of the option."""
        given = {"--max-mean-fd": self.max_mean_fd, "--max-censored": self.max_censored}
        return {option: float(limit) for option, limit in given.items() if limit is not None}

    def asked(self) -> dict[str, list[Any]]:
        """Return what was asked for beside subjects and space, to be recorded and compared.

        The keys are pybids's names of the entities, in their order, and then options that are
        limits; None stands for files without the entity.
        """
        labels = {
            PYBIDS_NAMES[key]: [None if value == ABSENT else value for value in values]
            for key, values in self.labels.items()
        }
        return {**labels, **{option.lstrip("-"): [limit] for option, limit in self.limits.items()}}


def _is_among(key: str, label: str, wanted: Sequence[str]) -> bool:
    if label == ABSENT:
        # Images without `part` are magnitudes.
        return ABSENT in wanted or (key == "part" and "mag" in wanted)
    return label in wanted or ANY in wanted


def parse_space(text: str) -> Entities:
    """Read ``MNI152NLin2009cAsym:res-2`` as fMRIPrep writes output spaces.

    Returns
    -------
    Entities
        ``{"space": ..., "res": ...}``; empty for ``none``: images without a space entity, which
        the user says to be in a common space.

    Raises
    ------
    InputError
        The text is not of that form.
    """
    if text == "none":
        return Entities()
    space, *modifiers = text.split(":")
    entities = Entities({"space": space.removeprefix("space-")})
    for modifier in modifiers:
        key, dash, value = modifier.partition("-")
        if key not in {"res", "cohort"} or not dash or not value:
            raise InputError(
                Problem(
                    f"--space {text}",
                    f'"{modifier}"',
                    "res-LABEL or cohort-LABEL",
                    "write it as MNI152NLin2009cAsym:res-2",
                )
            )
        entities = entities.with_(**{key: value})
    return entities
