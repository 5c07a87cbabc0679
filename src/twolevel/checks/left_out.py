"""Runs and subjects that are not analysed: recorded and said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.bids.entities import OTHER_ENTITIES
from twolevel.bids.selection import EXCLUDED
from twolevel.derivatives.exclusions import Exclusion
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.runs import RunFiles
    from twolevel.errors import Problem


def left_out_runs(
    failed: Iterable[tuple[RunFiles, Sequence[Problem]]], roots: Sequence[Path]
) -> dict[str, dict[str, Exclusion]]:
    """Record the runs that failed their checks, by subject and by the name of the run.

    Paths are written relative to the datasets' roots: no record holds the path of a machine.
    """
    found: dict[str, dict[str, Exclusion]] = {}
    for files, problems in failed:
        reason = "; ".join(f"{_without_run(p.where, files)}: {p.found}" for p in problems)
        for root in roots:
            reason = reason.replace(f"{root}/", "")
        item = files.entities.in_words(OTHER_ENTITIES)
        run = Exclusion.in_run(files.entities, "run", " ".join(reason.split()), item=item)
        found.setdefault(files.entities["sub"], {})[files.name] = run
    return found


def _without_run(where: str, files: RunFiles) -> str:
    return where.removeprefix(f"{files.name}: ").replace(f" of {files.name}", "")


def left_out_subjects(
    runs: Mapping[str, Mapping[str, Exclusion]], analysed: Container[str], excluded: Sequence[str]
) -> dict[str, str]:
    """Say which subjects are left out, and why: excluded by the user, or no run is analysed."""
    subjects = dict.fromkeys(excluded, EXCLUDED)
    for subject, of_subject in runs.items():
        if subject not in analysed:
            listed = "; ".join(f"{name}: {run.reason}" for name, run in of_subject.items())
            subjects[subject] = f"none of its runs can be analysed ({listed})"
    return subjects


def notes_on_left_out(
    runs: Mapping[str, Mapping[str, Exclusion]], subjects: Mapping[str, str]
) -> list[Note]:
    """Say which runs failed their checks, and which subjects are left out."""
    notes = [
        Note("left out, because it lacks a file or fails its checks", name, run.reason, True)
        for of_subject in runs.values()
        for name, run in of_subject.items()
    ]
    for subject, reason in subjects.items():
        what = "left out, because none of its runs can be analysed"
        shown = reason if reason == EXCLUDED else what
        notes.append(Note(shown, f"sub-{subject}", loses_data=True))
    return notes
