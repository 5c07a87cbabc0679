"""Which subjects and runs a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.bids.entities import RUN_ENTITIES
from twolevel.bids.index import list_subjects
from twolevel.bids.layout import find_runs
from twolevel.bids.runs import RunFiles, iter_subjects
from twolevel.bids.wanted import Selection
from twolevel.errors import InputError, Problem, did_you_mean
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


EXCLUDED = "excluded by --exclude-participant-label"


def choose_subjects(
    bids_dir: Path,
    derivatives: Sequence[Path],
    wanted: Sequence[str],
    *,
    excluded: Sequence[str] = (),
    source: str = "--participant-label",
    n_subjects: int | None = None,
    seed: int = 0,
) -> tuple[str, ...]:
    """Choose the subjects by label, by a random draw, or all.

    Parameters
    ----------
    wanted : sequence of str
        Labels with or without ``sub-``; empty for all.
    excluded : sequence of str
        Labels of subjects that are not taken, whoever else names them; likewise.
    source : str
        What names those that are wanted, for the messages.
    n_subjects : int, optional
        Draw that many of them.
    seed : int
        Of the draw.

    Returns
    -------
    tuple of str
        Sorted; the subjects with a folder in the raw dataset or in the derivatives.

    Raises
    ------
    InputError
        A label that is not there, more subjects than there are, or none left.
    """
    there = list_subjects(bids_dir, *derivatives)
    labels = [label.removeprefix("sub-") for label in wanted]
    without = [label.removeprefix("sub-") for label in excluded]
    problems = [
        *_unknown(source, labels, there),
        *_unknown("--exclude-participant-label", without, there),
    ]
    chosen = sorted(set(labels or there) - set(without))
    if without and not chosen:
        problems.append(nobody_left(labels or there))
    if n_subjects is not None and n_subjects > len(chosen):
        problems.append(
            Problem(
                f"--n-subjects {n_subjects}",
                f"{len(chosen)} subjects",
                "no more than there are",
                "lower the number",
            )
        )
    if problems:
        raise InputError(problems)
    if n_subjects is not None:
        drawn = np.random.default_rng(seed).choice(len(chosen), n_subjects, replace=False)
        chosen = sorted(chosen[i] for i in drawn)
    return tuple(chosen)


def _unknown(asked: str, labels: Sequence[str], there: Sequence[str]) -> list[Problem]:
    """Refuse labels of subjects that are not there."""
    return [
        Problem(
            f"{asked} {label}",
            "no such subject",
            f"one of: {', '.join(there) or '(there is none)'}",
            did_you_mean(label, there) or "check the label",
        )
        for label in labels
        if label not in there
    ]


def nobody_left(subjects: Iterable[str]) -> Problem:
    """Say that every subject is excluded."""
    return Problem(
        "--exclude-participant-label",
        "every subject is excluded",
        f"at least one of: {', '.join(subjects)}",
        "exclude fewer subjects",
    )


def select_runs(
    bids_dir: Path, derivatives: Sequence[Path], selection: Selection
) -> list[RunFiles]:
    """Find the runs of a selection, one at least.

    Raises
    ------
    InputError
        The selection fits nothing, or leaves task or space open.
    """
    runs, problems = find_runs(bids_dir, derivatives, selection)
    if not runs and not problems:
        problems.append(_nothing_selected(bids_dir, derivatives, selection))
    if problems:
        raise InputError(problems)
    return runs


def runs_with_images(
    runs: Sequence[RunFiles], *, named: Sequence[str] = (), there: Sequence[str] = ()
) -> tuple[list[RunFiles], list[Note]]:
    """Set apart the runs without a preprocessed image.

    Parameters
    ----------
    named : sequence of str
        Subjects that were asked for by name.
    there : sequence of str
        Subjects that the derivatives hold, for the message.

    Returns
    -------
    complete : list of RunFiles
        Those with image and mask.
    notes : list of Note
        What the others lack.

    Raises
    ------
    InputError
        No run is complete, or none of a subject that was asked for by name.
    """
    complete = [run for run in runs if run.bold is not None and run.mask is not None]
    with_images = [subject for subject, _ in iter_subjects(complete)]
    wanted = named or [subject for subject, _ in iter_subjects(runs) if not with_images]
    problems = [
        Problem(
            f"sub-{subject}",
            "no preprocessed image with its mask in this space",
            "*_desc-preproc_bold.nii.gz and *_desc-brain_mask.nii.gz in the derivatives; "
            f"subjects in the derivatives: {', '.join(there or with_images) or '(none)'}",
            "choose among these, or another --space",
        )
        for subject in wanted
        if subject not in with_images
    ]
    if problems:
        raise InputError(problems)
    notes = [
        Note(
            f"no {'preprocessed image' if run.bold is None else 'mask'} in this space",
            run.name,
            loses_data=True,
        )
        for run in runs
        if run.bold is None or run.mask is None
    ]
    return complete, notes


def _nothing_selected(
    bids_dir: Path, derivatives: Sequence[Path], selection: Selection
) -> Problem:
    """Say what there is, where a selection fits nothing."""
    everything, _ = find_runs(bids_dir, derivatives, Selection(subjects=selection.subjects))
    there = {
        key: sorted({run.entities[key] for run in everything if key in run.entities})
        for key in RUN_ENTITIES
    }
    listed = "; ".join(f"{key}: {', '.join(labels)}" for key, labels in there.items() if labels)
    return Problem(
        str(bids_dir),
        f"no run for this selection; there are {listed or 'no runs at all'}",
        "sub-*/func/*_events.tsv and, in the derivatives, *_desc-preproc_bold.nii.gz",
        "check the labels that you selected: in the model's Input, in the filter file, by options",
    )
