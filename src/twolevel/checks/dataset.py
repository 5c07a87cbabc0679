"""Every check that can be made before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from twolevel.bids.confound_tables import attach_confounds
from twolevel.bids.entities import is_common_space
from twolevel.bids.folders import missing_folders, no_images
from twolevel.bids.run_inputs import RunInputs, dataset_links
from twolevel.bids.runs import averaged_sessions, iter_subjects
from twolevel.bids.selection import select_runs
from twolevel.checks.absent import missing_files
from twolevel.checks.found_contrasts import found_contrasts
from twolevel.checks.left_out import left_out_runs, left_out_subjects, notes_on_left_out
from twolevel.checks.model import check_model
from twolevel.checks.motion import still_runs
from twolevel.checks.run import (
    check_run,
    check_tables,
    describe_grid,
)
from twolevel.errors import AbsentContent, InputError, Problem, Problems
from twolevel.fetch.not_fetched import absent_together
from twolevel.files.annex import is_absent
from twolevel.files.sidecars import read_json
from twolevel.files.tables import read_tsv
from twolevel.model.graph import estimated, nodes_of_participants, run_node, with_found
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.entities import Entities
    from twolevel.bids.runs import RunFiles
    from twolevel.bids.wanted import Selection
    from twolevel.checks.checked import CheckedRun, CheckedTables
    from twolevel.derivatives.exclusions import Exclusion
    from twolevel.model.nodes import Contrast, ContrastName, Node, StatsModel
    from twolevel.space.mask import Mask


@dataclass(frozen=True)
class Plan:
    """What is going to be analysed.

    Attributes
    ----------
    runs : dict of str to list of RunFiles
        Runs of each subject.
    inputs : dict of str to list of RunInputs
        The same, ready to be computed; empty where the images are still to be downloaded.
    left_out_runs : dict of str to list of Exclusion
        Runs of these subjects that are left out, for the record.
    left_out : dict of str to str
        Subjects that are left out, and why.
    contrasts : mapping of Entities to tuple of ContrastName
        What the tables of each run determine.
    found : tuple of Contrast
        Those of what wildcards of X matched, in any run.
    """

    runs: dict[str, list[RunFiles]]
    inputs: dict[str, list[RunInputs]]
    notes: tuple[Note, ...]
    left_out_runs: dict[str, list[Exclusion]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    contrasts: Mapping[Entities, tuple[ContrastName, ...]] = field(default_factory=dict)
    found: tuple[Contrast, ...] = ()


@dataclass(frozen=True)
class Checks:
    """Which checks are made.

    Attributes
    ----------
    with_group : bool
        All subjects must share one grid in a common space.
    images : bool
        The images are there; without them, tables and sidecars are checked.
    allow_missing : bool
        Runs that lack a file or fail their own checks are left out and recorded; files whose
        content is not fetched are a problem all the same.
    """

    with_group: bool = True
    images: bool = True
    allow_missing: bool = False


def check_inputs(
    bids_dir: Path,
    derivatives: Sequence[Path],
    selection: Selection,
    model: StatsModel,
    *,
    links: dict[str, Path] | None = None,
    progress: Callable[[int, int], None] | None = None,
    which: Checks | None = None,
) -> Plan:
    """Find and check everything that the participant level reads, and raise all offenders at once.

    Sources are named by `links`, by default those of `dataset_links`; `progress` is called with
    the number of runs checked and their total.
    """
    which = which or Checks()
    if (node := model.node("run")) is None:
        raise InputError(Problem("model", "no Run node", "a Run node", "add one"))
    links = links or dataset_links(bids_dir, derivatives)
    runs, problems = _find_runs(bids_dir, derivatives, selection, links, model)
    if which.with_group and selection.space != {}:
        problems.found.extend(_check_common_space(runs))
    still = still_runs(runs, node.run_settings, selection)
    problems.found.extend(still.refusals)
    checked, tables, failed = _check_runs(still.runs, node, links, which, progress)
    failed += still.failed
    allowed = which.allow_missing and bool(tables)
    left_out = [(files, own) for files, own in failed if allowed and not _is_absent(own)]
    problems.found += [p for _, own in failed if not allowed or _is_absent(own) for p in own]
    found, of_model = check_model(tables, node) if tables else ([], [])
    problems.found.extend(found)
    problems.found.extend(_check_together(checked, same_grid=which.with_group))
    # A sidecar may serve many runs.
    problems.found = absent_together(dict.fromkeys(problems.found))
    problems.stop_if_any()
    by_subject = dict(iter_subjects(run.files for run in tables))
    ready = {run.tables.files.bold: run.inputs for run in checked}
    inputs = {s: [ready[f.bold] for f in group] for s, group in by_subject.items() if which.images}
    failing = left_out_runs(left_out, (bids_dir, *derivatives))
    without = {s: {**failing.get(s, {}), **still.moved.get(s, {})} for s in failing | still.moved}
    subjects = left_out_subjects(without, by_subject, selection.excluded)
    recorded = {s: list(of_s.values()) for s, of_s in without.items() if s in by_subject}
    notes = [
        *_notes_on_subjects(bids_dir, selection, {*by_subject, *without}),
        *still.notes,
        *notes_on_left_out(failing, subjects),
        *_notes_on_sessions(by_subject, model),
        *of_model,
        *(note for run in tables for note in run.notes),
    ]
    found_too = found_contrasts(tables, node)
    whole = run_node(with_found(model, found_too))
    contrasts = {run.files.entities: _determined(run, whole) for run in tables}
    return Plan(by_subject, inputs, tuple(notes), recorded, subjects, contrasts, found_too)


def _determined(run: CheckedTables, node: Node) -> tuple[ContrastName, ...]:
    """Name the contrasts whose variables a run has."""
    there = run.variables.columns
    named = zip(node.contrasts, estimated(node, ()), strict=True)
    return tuple(name for contrast, name in named if set(contrast.variables) <= there)


def _find_runs(
    bids_dir: Path,
    derivatives: Sequence[Path],
    selection: Selection,
    links: dict[str, Path],
    model: StatsModel,
) -> tuple[list[RunFiles], Problems]:
    """Find the runs and what is wrong so far; refuse at once what leaves nothing to check."""
    problems = Problems(missing_folders(bids_dir, derivatives))
    problems.stop_if_any()
    runs = problems.attempt(lambda: select_runs(bids_dir, derivatives, selection)) or []
    attach_confounds(runs, model, (*derivatives, bids_dir))
    problems.found.extend(_check_descriptions(links))
    if runs and all(files.bold is None for files in runs):
        problems.found.extend(no_images(derivatives, selection.image))
        problems.stop_if_any()
    return runs, problems


def _check_runs(
    runs: Sequence[RunFiles],
    node: Node,
    links: dict[str, Path],
    which: Checks,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[CheckedRun], list[CheckedTables], list[tuple[RunFiles, list[Problem]]]]:
    """Check each run by itself; return those that passed, and those that failed."""
    checked: list[CheckedRun] = []
    tables: list[CheckedTables] = []
    failed: list[tuple[RunFiles, list[Problem]]] = []
    for index, files in enumerate(runs, start=1):
        own = Problems()
        if not which.images:
            read = own.attempt(partial(_check_without_images, files, node))
            tables += [read] if read is not None else []
        elif (run := own.attempt(partial(check_run, files, node, links))) is not None:
            checked.append(run)
            tables.append(run.tables)
        if own.found:
            failed.append((files, own.found))
        if progress is not None:
            progress(index, len(runs))
    return checked, tables, failed


def _is_absent(problems: Sequence[Problem]) -> bool:
    """Tell whether content that is not fetched is among the problems: that is not missing."""
    return any(isinstance(problem, AbsentContent) for problem in problems)


def _notes_on_sessions(runs: Mapping[str, Sequence[RunFiles]], model: StatsModel) -> list[Note]:
    """Say that sessions are averaged, unless a node keeps them apart."""
    if any("ses" in node.keys for node in nodes_of_participants(model)):
        return []
    sessions = [[f.entities.get("ses", "") for f in of_subject] for of_subject in runs.values()]
    what = averaged_sessions(sessions)
    return [Note(what)] if what else []


def _check_common_space(runs: Sequence[RunFiles]) -> list[Problem]:
    """Refuse images in the space of single heads where a group is to be analysed."""
    first = next((files for files in runs if files.bold is not None), None)
    if first is None or is_common_space(first.entities):
        return []
    space = first.entities.get("space")
    remedy = "give another --space, or analyse the participant level only"
    if space is None:
        remedy += "; --space none says that images without a space entity are in a common space"
    return [
        Problem(
            f"space of the images, as {first.bold}",
            f"{space}: each subject's own" if space else "no space entity: each run's own",
            "a space that all subjects share, for the group level",
            remedy,
        )
    ]


def check_subject(runs: Sequence[RunFiles], node: Node, links: dict[str, Path]) -> list[RunInputs]:
    """Check the runs of a subject once their images are there, and raise all offenders at once."""
    problems = Problems()
    attempts = [problems.attempt(partial(check_run, files, node, links)) for files in runs]
    checked = [run for run in attempts if run is not None]
    problems.found.extend(_check_together(checked, same_grid=True))
    problems.found = absent_together(dict.fromkeys(problems.found))
    problems.stop_if_any()
    return [run.inputs for run in checked]


def _check_without_images(files: RunFiles, node: Node) -> CheckedTables:
    """Check what can be read before the images of a run are downloaded."""
    problems = Problems()
    problems.found.extend(missing_files(files, ["bold", "mask"]))
    tables = problems.attempt(lambda: check_tables(files, node))
    if tables is None or problems.found:
        raise InputError(problems.found)
    return tables


def _check_together(checked: Sequence[CheckedRun], *, same_grid: bool) -> list[Problem]:
    return [*_check_grids(checked, same_grid=same_grid), *_check_masks(checked)]


def _check_masks(checked: Sequence[CheckedRun]) -> list[Problem]:
    """Refuse subjects whose runs have no voxel in common."""
    shared: dict[str, tuple[list[str], Mask]] = {}
    for run in checked:
        names, mask = shared.get(run.tables.files.entities["sub"], ([], run.mask))
        if mask.space.matches(run.mask.space):
            shared[run.tables.files.entities["sub"]] = (
                [*names, run.tables.files.name],
                mask & run.mask,
            )
    return [
        Problem(
            f"sub-{subject}: masks of {', '.join(names)}",
            "no voxel that all of them cover",
            "masks that overlap",
            "look at the masks; leave out a run (--run-label)",
        )
        for subject, (names, mask) in shared.items()
        if not mask.n_points
    ]


def _check_descriptions(links: dict[str, Path]) -> list[Problem]:
    """Read what the outputs will say of their sources."""
    problems = Problems()
    for root in links.values():
        description = root / "dataset_description.json"
        if description.is_file() or description.is_symlink():
            problems.attempt(partial(read_json, description))
    return problems.found


def _check_grids(checked: Sequence[CheckedRun], *, same_grid: bool) -> list[Problem]:
    reference: dict[str, CheckedRun] = {}
    problems = []
    for run in checked:
        first = reference.setdefault(
            run.tables.files.entities["sub"] if not same_grid else "", run
        )
        if not first.header.grid.matches(run.header.grid):
            problems.append(
                Problem(
                    f"{run.tables.files.bold}: grid",
                    describe_grid(run.header.grid),
                    f"that of {first.tables.files.bold}: {describe_grid(first.header.grid)}",
                    "analyse runs that were resampled to one grid",
                )
            )
    return problems


def _notes_on_subjects(
    bids_dir: Path, selection: Selection, subjects: Container[str]
) -> list[Note]:
    notes = []
    table = bids_dir / "participants.tsv"
    if table.is_file() and not is_absent(table):
        notes += _notes_on_participants(table, selection, subjects)
    empty = [s for s in selection.subjects if s not in subjects]
    if empty:
        what = "subjects that were selected have no run of this task"
        notes.append(Note(what, detail=", ".join(f"sub-{s}" for s in empty), loses_data=True))
    return notes


def _notes_on_participants(
    table: Path, selection: Selection, subjects: Container[str]
) -> list[Note]:
    try:
        listed = read_tsv(
            table, dtype={"participant_id": str}, used=lambda name: name == "participant_id"
        )
    except InputError as error:  # nothing but this note depends on the table
        found = "; ".join(problem.found for problem in error.problems)
        return [Note("participants.tsv cannot be read; no result depends on it", detail=found)]
    labels = [str(x).removeprefix("sub-") for x in listed.get("participant_id", [])]
    without = [x for x in labels if x not in subjects and not selection.subjects]
    what = "participants.tsv lists subjects without data"
    return [Note(what, detail=", ".join(without))] if without else []
