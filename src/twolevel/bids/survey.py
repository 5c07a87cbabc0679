"""What a dataset offers to a model: tasks, events, confounds, sessions, participants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from twolevel.bids.confound_names import new_name
from twolevel.bids.index import files_of_runs
from twolevel.bids.layout import find_runs
from twolevel.bids.wanted import Selection
from twolevel.errors import InputError, Problem
from twolevel.files.annex import is_absent
from twolevel.files.tables import read_tsv
from twolevel.model.starter.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from twolevel.bids.runs import RunFiles


def survey(
    bids_dir: Path,
    derivatives: Sequence[Path],
    task: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Read what there is of one task: tables only, no image.

    Parameters
    ----------
    task : str, optional
        Needed where several tasks have events.
    progress : callable, optional
        Called with the number of runs read and of all runs.

    Raises
    ------
    InputError
        There are no events, several tasks to choose from, or tables that cannot be read.
    """
    task, others = _task(bids_dir, derivatives, task)
    labels = {"task": (task,)} if task else {}
    runs, _ = find_runs(bids_dir, derivatives, Selection(labels=labels))  # any space will do
    has_images = any(run.bold for run in runs)
    runs = [run for run in runs if run.events and (run.bold or not has_images)]
    if not runs:
        raise InputError(_no_events(bids_dir, task))
    events, confounds = [], []
    for number, run in enumerate(runs, start=1):
        events.append(_read_text(run.events))
        if run.confounds is not None and not is_absent(run.confounds):
            confounds.append(read_tsv(run.confounds).rename(columns=new_name))
        if progress is not None:
            progress(number, len(runs))
    common = [c for c in events[0] if all(c in table for table in events)]
    every = _usable(confounds) if len(confounds) == len(runs) else ()
    return Survey(
        task=task,
        other_tasks=others,
        runs=tuple((run.entities["sub"], run.entities.get("ses", "")) for run in runs),
        events=pd.concat([table[common] for table in events], keys=range(len(runs))),
        confounds=every,
        some_confounds=tuple(sorted({c for t in confounds for c in map(str, t)} - {*every})),
        n_without_confounds=len(runs) - len(confounds),
        n_volumes=min(map(len, confounds), default=0),
        participants=_participants(bids_dir, runs),
        has_images=has_images,
    )


def _task(
    bids_dir: Path, derivatives: Sequence[Path], wanted: str | None
) -> tuple[str, tuple[str, ...]]:
    """Choose the task: the one that is wanted, or the only one with events."""
    every = [*files_of_runs(bids_dir, ()), *(f for d in derivatives for f in files_of_runs(d, ()))]
    there = {name.entities["task"] for _, name in every if "task" in name.entities}
    found = [name for _, name in every if name.suffix == "events"]
    with_events = {name.entities.get("task", "") for name in found}
    if not with_events:  # they may lie at the root, for all runs
        at_root = {path.name.partition("task-")[2].partition("_")[0] for path in
                   bids_dir.glob("task-*_events.tsv")}  # fmt: skip
        with_events = at_root & there
    if wanted is not None and wanted not in with_events:
        raise InputError(
            Problem(
                f"--task-id {wanted}",
                "no events of this task",
                f"one of: {', '.join(sorted(with_events)) or '(no task has events)'}",
                "check the label",
            )
        )
    if wanted is None and len(with_events) > 1:
        listed = ", ".join(sorted(with_events))
        raise InputError(
            Problem(
                "--task-id",
                f"{len(with_events)} tasks with events: {listed}",
                "one task for one model",
                "write a model for each: twolevel model BIDS_DIR --task-id "
                f"{min(with_events)} --output {min(with_events)}_smdl.json",
            )
        )
    task = wanted if wanted is not None else next(iter(with_events), "")
    return task, tuple(sorted(there - {task}))


def _no_events(bids_dir: Path, task: str) -> Problem:
    return Problem(
        str(bids_dir),
        f"no events{f' of task {task}' if task else ''} that belong to a run",
        "sub-*/func/*_events.tsv",
        "give the raw dataset as BIDS_DIR; resting state has no events, and no model here",
    )


def _read_text(path: Path | None) -> pd.DataFrame:
    """Read events with every cell as text: "01" is not 1."""
    if path is None:
        raise TypeError("a run without events")
    columns = map(str, read_tsv(path, used=lambda _: False))
    return read_tsv(path, dtype=dict.fromkeys(columns, str), used=lambda _: False)


def _usable(tables: Sequence[pd.DataFrame]) -> tuple[str, ...]:
    """List the confounds that every run has, with a number for each volume but the first."""
    return tuple(
        str(column)
        for column in tables[0]
        if all(
            column in table
            and pd.to_numeric(table[column], errors="coerce").iloc[1:].notna().all()
            for table in tables
        )
    )


def _participants(bids_dir: Path, runs: Sequence[RunFiles]) -> pd.DataFrame:
    """Read participants.tsv, of the subjects of these runs; empty where it is not there."""
    path = bids_dir / "participants.tsv"
    if not path.is_file() or is_absent(path):
        return pd.DataFrame()
    table = _read_text(path)
    subjects = {f"sub-{run.entities['sub']}" for run in runs}
    if "participant_id" not in table:
        return pd.DataFrame()
    of_runs = table[table["participant_id"].isin(subjects)]
    return of_runs.drop(columns="participant_id")
