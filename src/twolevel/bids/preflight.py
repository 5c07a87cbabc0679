"""Every check that can be made before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from twolevel.bids.annex import is_absent
from twolevel.bids.layout import Selection, find_runs, iter_subjects, list_subjects
from twolevel.bids.run_checks import CheckedRun, check_run, describe_grid
from twolevel.bids.run_inputs import RunInputs, dataset_links
from twolevel.bids.sidecars import read_json
from twolevel.bids.tables import read_tsv
from twolevel.errors import InputError, Problem, Problems
from twolevel.model.spec import INTERCEPT, is_wild
from twolevel.model.variables import matches
from twolevel.stats.contrasts import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.model.spec import Node, StatsModel

__all__ = ["Plan", "check_inputs", "choose_subjects"]


@dataclass(frozen=True)
class Plan:
    """What is going to be analysed.

    Attributes
    ----------
    subjects : dict of str to list of RunInputs
        Runs of each subject.
    notes : tuple of str
        What a user should know although it stops nothing.
    """

    subjects: dict[str, list[RunInputs]]
    notes: tuple[str, ...]


def choose_subjects(
    bids_dir: Path,
    derivatives: Sequence[Path],
    wanted: Sequence[str],
    *,
    n_subjects: int | None = None,
    seed: int = 0,
) -> tuple[str, ...]:
    """Choose the subjects by label, by a random draw, or all.

    Parameters
    ----------
    bids_dir : Path
    derivatives : sequence of Path
    wanted : sequence of str
        Labels with or without ``sub-``; empty for all.
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
        A label that is not there, or more subjects than there are.
    """
    there = list_subjects(bids_dir, *derivatives)
    labels = [label.removeprefix("sub-") for label in wanted]
    problems = [
        Problem(
            f"--participant-label {label}",
            "no such subject",
            f"one of: {', '.join(there) or '(there is none)'}",
            did_you_mean(label, there) or "check the label",
        )
        for label in labels
        if label not in there
    ]
    chosen = sorted(set(labels)) if labels else there
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


def check_inputs(
    bids_dir: Path,
    derivatives: Sequence[Path],
    selection: Selection,
    model: StatsModel,
    *,
    progress: Callable[[int, int], None] | None = None,
    same_grid: bool = True,
) -> Plan:
    """Find and check everything that the participant level reads.

    Parameters
    ----------
    bids_dir : Path
        The raw dataset.
    derivatives : sequence of Path
        Roots of derivative datasets in fMRIPrep layout.
    selection : Selection
    model : StatsModel
    progress : callable, optional
        Called with the number of runs checked and their total.
    same_grid : bool
        All subjects must share one grid, as the group level needs it.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        With all offenders.
    """
    node = model.node("run")
    if node is None:
        raise InputError(Problem("model", "no Run node", "a Run node", "add one"))
    problems = [
        Problem(
            str(root),
            "no such folder",
            "a dataset",
            "give the raw dataset as BIDS_DIR"
            if root == bids_dir
            else "say where the fMRIPrep derivatives are: --derivatives PATH",
        )
        for root in (bids_dir, *derivatives)
        if not root.is_dir()
    ]
    if problems:
        raise InputError(problems)
    runs, problems = find_runs(bids_dir, derivatives, selection)
    if not runs and not problems:
        problems.append(_nothing_selected(bids_dir, derivatives, selection))
    links = dataset_links(bids_dir, derivatives)
    undecided = bool(problems)  # which task or space is not clear: runs would lack files
    problems.extend(_check_descriptions(links))
    checked = []
    for index, files in enumerate(() if undecided else runs, start=1):
        try:
            checked.append(check_run(files, node, links))
        except InputError as error:
            problems.extend(error.problems)
        if progress is not None:
            progress(index, len(runs))
    if checked:
        problems.extend(_check_contrasts(checked, node))
        problems.extend(_check_grids(checked, same_grid=same_grid))
        problems.extend(_check_masks(checked))
    problems = list(dict.fromkeys(problems))  # a sidecar may serve many runs
    if problems:
        raise InputError(problems)
    plans = {run.files.bold: run.inputs for run in checked}
    subjects = {s: [plans[f.bold] for f in group] for s, group in iter_subjects(runs)}
    notes = [note for run in checked for note in run.notes]
    return Plan(subjects, (*_notes_on_subjects(bids_dir, selection, subjects), *notes))


def _nothing_selected(
    bids_dir: Path, derivatives: Sequence[Path], selection: Selection
) -> Problem:
    """Say what there is, where a selection fits nothing."""
    everything, _ = find_runs(bids_dir, derivatives, Selection(subjects=selection.subjects))
    there = {
        key: sorted({run.entities[key] for run in everything if key in run.entities})
        for key in ("task", "ses", "run")
    }
    listed = "; ".join(f"{key}: {', '.join(labels)}" for key, labels in there.items() if labels)
    return Problem(
        str(bids_dir),
        f"no run for this selection; there are {listed or 'no runs at all'}",
        "sub-*/func/*_events.tsv and, in the derivatives, *_desc-preproc_bold.nii.gz",
        "check the task (of the model's Input, or --task-id) and the labels that you selected",
    )


def _check_masks(checked: Sequence[CheckedRun]) -> list[Problem]:
    """Refuse subjects whose runs have no voxel in common."""
    shared: dict[str, tuple[list[str], NDArray[np.bool_]]] = {}
    for run in checked:
        names, mask = shared.get(run.files.entities["sub"], ([], run.mask))
        if mask.shape == run.mask.shape:
            shared[run.files.entities["sub"]] = ([*names, run.files.name], mask & run.mask)
    return [
        Problem(
            f"sub-{subject}: masks of {', '.join(names)}",
            "no voxel that all of them cover",
            "masks that overlap",
            "look at the masks; leave out a run (--run-label)",
        )
        for subject, (names, mask) in shared.items()
        if not mask.any()
    ]


def _check_descriptions(links: dict[str, Path]) -> list[Problem]:
    """Read what the outputs will say of their sources."""
    problems = Problems()
    for root in links.values():
        description = root / "dataset_description.json"
        if description.is_file() or description.is_symlink():
            problems.attempt(partial(read_json, description))
    return problems.found


def _check_contrasts(checked: Sequence[CheckedRun], node: Node) -> list[Problem]:
    """Refuse a contrast on what no run has; a run without it is only left out."""
    known = {v for run in checked for v in (*run.variables.conditions, *run.variables.confounds)}
    problems = []
    for contrast in node.contrasts:
        for name in contrast.weight_of:
            if name in known or name == INTERCEPT:
                continue
            first = checked[0]
            there = list(first.variables.conditions) or list(first.variables.available)
            problems.append(
                Problem(
                    f'contrast "{contrast.name}"',
                    f'no regressor "{name}" in any run that passed its checks, '
                    f"for example {first.files.name}",
                    f"a regressor of the design; there are: {', '.join(there)}",
                    did_you_mean(name, [*there, *first.variables.available])
                    or "correct the contrast or the model's X",
                )
            )
    unused = [x for x in node.x if x != INTERCEPT and not is_wild(x)]
    wild = [x for x in node.x if is_wild(x)]
    problems.extend(
        Problem(
            f'model: X names "{pattern}"',
            "no variable of that pattern in any run that passed its checks",
            "at least one variable of the events or column of the confounds",
            "correct the pattern or remove it",
        )
        for pattern in wild
        if not any(matches(name, pattern) for name in known)
    )
    in_contrasts = {name for contrast in node.contrasts for name in contrast.weight_of}
    problems.extend(
        Problem(
            f'model: X names "{name}"',
            "no such variable in any run that passed its checks",
            f"a variable of the events ({', '.join(checked[0].variables.available)}) "
            "or a column of the confounds",
            did_you_mean(name, checked[0].variables.available) or "correct the model's X",
        )
        for name in unused
        if name not in known and name not in in_contrasts
    )
    return problems


def _check_grids(checked: Sequence[CheckedRun], *, same_grid: bool) -> list[Problem]:
    reference: dict[str, CheckedRun] = {}
    problems = []
    for run in checked:
        first = reference.setdefault(run.files.entities["sub"] if not same_grid else "", run)
        same = first.header.shape[:3] == run.header.shape[:3] and np.allclose(
            first.header.affine, run.header.affine, atol=1e-3
        )
        if not same:
            problems.append(
                Problem(
                    f"{run.files.bold}: grid",
                    describe_grid(run.header),
                    f"that of {first.files.bold}: {describe_grid(first.header)}",
                    "analyse runs that were resampled to one grid",
                )
            )
    return problems


def _notes_on_subjects(
    bids_dir: Path, selection: Selection, subjects: dict[str, list[RunInputs]]
) -> list[str]:
    notes = []
    table = bids_dir / "participants.tsv"
    if table.is_file() and not is_absent(table):
        listed = read_tsv(table, dtype={"participant_id": str})
        labels = [str(x).removeprefix("sub-") for x in listed.get("participant_id", [])]
        without = [x for x in labels if x not in subjects and not selection.subjects]
        if without:
            notes.append(f"participants.tsv lists subjects without data: {', '.join(without)}")
    empty = [s for s in selection.subjects if s not in subjects]
    if empty:
        notes.append(f"no run of this task for: {', '.join(f'sub-{s}' for s in empty)}")
    return notes
