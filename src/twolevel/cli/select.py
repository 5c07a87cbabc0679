"""What the options of a command select."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twolevel.bids.confound_strategy import image_of
from twolevel.bids.entities import Entities
from twolevel.bids.filter_file import read_filter_file
from twolevel.bids.selection import nobody_left
from twolevel.bids.wanted import PREPROCESSED, PYBIDS_NAMES, Selection
from twolevel.errors import InputError, Problem
from twolevel.model.graph import run_node
from twolevel.model.nodes import ENTITY_KEYS
from twolevel.model.supported import IMAGES
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twolevel.cli.option_groups import LabelOptions
    from twolevel.model.nodes import StatsModel

INPUT = "the model's Input"
FILTER_FILE = "--bids-filter-file"
INPUT_SUBJECT = f"{INPUT}: subject"
PARTICIPANTS, EXCLUDED = "--participant-label", "--exclude-participant-label"
OPTIONS = {"ses": "--session-label", "task": "--task-id", "run": "--run-label"}


@dataclass(frozen=True)
class SubjectLabels:
    """The subjects that options and model name.

    Attributes
    ----------
    wanted, excluded : tuple of str
        Labels without ``sub-``; nobody wanted means all.
    source : str
        What names those that are wanted.
    notes : tuple of Note
        What replaces what.
    """

    wanted: tuple[str, ...]
    excluded: tuple[str, ...]
    source: str
    notes: tuple[Note, ...]


def subject_labels(options: LabelOptions, model: StatsModel | None) -> SubjectLabels:
    """Read which subjects options and model name; options come before the model's Input.

    Labels that are not separated by blanks are refused.
    """
    by_option = _labels(options.participant_label, PARTICIPANTS, "sub-")
    excluded = _labels(options.exclude_participant_label, EXCLUDED, "sub-")
    by_model = model.input_filter("subject") if model is not None else ()
    by_model = tuple(label.removeprefix("sub-") for label in by_model)
    wanted = by_option or by_model
    if wanted and set(wanted) <= set(excluded):
        raise InputError(nobody_left(wanted))
    notes = []
    if by_option and by_model and set(by_option) != set(by_model):
        notes.append(_replaced("subject", by_model, INPUT, by_option, PARTICIPANTS))
    source = PARTICIPANTS if by_option or not by_model else INPUT_SUBJECT
    return SubjectLabels(wanted, excluded, source, tuple(notes))


def of_those_there(named: SubjectLabels, there: Sequence[str]) -> SubjectLabels:
    """Leave out subjects of the model's Input whom the data lack, unless that is all of them."""
    absent = [label for label in named.wanted if label not in there]
    if named.source != INPUT_SUBJECT or not absent or len(absent) == len(named.wanted):
        return named
    what = "the model's Input names subjects whom the data lack"
    note = Note(what, detail=f"{len(absent)} of {len(named.wanted)}: {', '.join(absent)}")
    wanted = tuple(label for label in named.wanted if label in there)
    return replace(named, wanted=wanted, notes=(*named.notes, note))


def space_of(model: StatsModel | None) -> Entities | None:
    """Return the space that the model's Input selects, None where it leaves it open.

    Raises
    ------
    InputError
        It names several.
    """
    if model is None:
        return None
    stated = {key: model.input_filter(key) for key in IMAGES}
    if several := {key: labels for key, labels in stated.items() if len(labels) > 1}:
        raise InputError(
            [
                Problem(
                    f"{INPUT}: {key}",
                    ", ".join(labels),
                    "one: maps of several have no common voxels",
                    "choose one with --space",
                )
                for key, labels in several.items()
            ]
        )
    found = {key: labels[0].removeprefix(f"{key}-") for key, labels in stated.items() if labels}
    return Entities(found) if "space" in found else None


def make_selection(
    options: LabelOptions,
    model: StatsModel | None,
    subjects: tuple[str, ...],
    space: Entities | None,
) -> tuple[Selection, list[Note]]:
    """Put what options and filter file select over what the model's Input selects.

    Parameters
    ----------
    model : StatsModel, optional
    subjects : tuple of str
        As they were chosen.
    space : Entities, optional

    Returns
    -------
    notes : list of Note
        What replaces what, entity by entity.

    Raises
    ------
    InputError
        Labels are not separated by blanks, or the filter file is not as it must be.
    """
    by_model: dict[str, tuple[str, ...]] = {}
    if model is not None:
        by_model = {
            key: tuple(label.removeprefix(f"{key}-") for label in model.input_filter(name))
            for name, key in ENTITY_KEYS.items()
        }
    by_file, notes = (
        read_filter_file(options.bids_filter_file) if options.bids_filter_file else ({}, [])
    )
    given = {
        "ses": options.session_label,
        "task": (options.task_id,) if options.task_id else (),
        "run": options.run_label,
    }
    by_option = {key: _labels(given[key], OPTIONS[key], f"{key}-") for key in given}
    chosen: dict[str, tuple[str, tuple[str, ...]]] = {}
    for where, wanted in ((INPUT, by_model), (FILTER_FILE, by_file), ("", by_option)):
        for key, labels in Selection(labels=wanted).labels.items():
            source = where or OPTIONS[key]
            if key in chosen and chosen[key][1] != labels:
                earlier, replaced = chosen[key]
                notes.append(_replaced(PYBIDS_NAMES[key], replaced, earlier, labels, source))
            chosen[key] = source, labels
    labels_of = {key: labels for key, (_, labels) in chosen.items()}
    excluded = _labels(options.exclude_participant_label, EXCLUDED, "sub-")
    image = PREPROCESSED if model is None else image_of(run_node(model).run_settings)
    return Selection(subjects, labels_of, space, excluded, image), notes


def _replaced(
    entity: str, labels: Sequence[str], earlier: str, by: Sequence[str], source: str
) -> Note:
    old, new = (", ".join(label or "(none)" for label in group) for group in (labels, by))
    return Note(f"{source} replaces what {earlier} selects", entity, f"{new} instead of {old}")


def _labels(given: Sequence[str], option: str, prefix: str) -> tuple[str, ...]:
    """Take the key off labels that were given with it."""
    joined = [label for label in given if "," in label]
    if joined:
        raise InputError(
            [
                Problem(
                    f"{option} {label}",
                    "a comma, which no label holds",
                    "labels separated by blanks",
                    f"write {option} {' '.join(filter(None, label.split(',')))}",
                )
                for label in joined
            ]
        )
    return tuple(label.removeprefix(prefix) for label in given)
