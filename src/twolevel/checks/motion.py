"""Runs that are left out because the head moved too much in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from twolevel.bids.confound_columns import DISPLACEMENT, open_confounds
from twolevel.bids.confounds import censored_volumes, framewise_displacement
from twolevel.bids.entities import OTHER_ENTITIES
from twolevel.checks.absent import present_files
from twolevel.derivatives.exclusions import Exclusion
from twolevel.errors import InputError, Problem, Problems
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twolevel.bids.runs import RunFiles
    from twolevel.bids.wanted import Selection
    from twolevel.model.settings import RunSettings


@dataclass(frozen=True)
class StillRuns:
    """Runs by how much the head moved in them.

    Attributes
    ----------
    runs : list of RunFiles
        Within the limits.
    moved : dict of str to dict of str to Exclusion
        Beyond them: for the record, by subject and by the name of the run.
    failed : list of (RunFiles, list of Problem)
        Those whose confounds do not tell.
    notes : list of Note
        On those beyond the limits.
    refusals : list of Problem
        No run is within the limits.
    """

    runs: list[RunFiles] = field(default_factory=list)
    moved: dict[str, dict[str, Exclusion]] = field(default_factory=dict)
    failed: list[tuple[RunFiles, list[Problem]]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    refusals: list[Problem] = field(default_factory=list)


def still_runs(runs: Sequence[RunFiles], settings: RunSettings, selection: Selection) -> StillRuns:
    """Set apart the runs that are beyond the limits of motion of a selection."""
    found = StillRuns()
    for files in runs:
        own = Problems()
        beyond = own.attempt(partial(_beyond_limits, files, settings, selection))
        if beyond is None:
            found.failed.append((files, own.found))
        elif not beyond:
            found.runs.append(files)
        else:
            reason, item = "; ".join(beyond), files.entities.in_words(OTHER_ENTITIES)
            exclusion = Exclusion.in_run(files.entities, "run", reason, item=item)
            found.moved.setdefault(files.entities["sub"], {})[files.name] = exclusion
            what = "left out, because the head moved too much"
            found.notes.append(Note(what, files.name, reason, loses_data=True))
    if found.moved and not found.runs and not found.failed:
        found.refusals.append(
            Problem(
                " ".join(f"{option} {limit:g}" for option, limit in selection.limits.items()),
                f"no run within that, of {len(runs)}",
                "limits that some runs keep",
                "raise them, or select other runs",
            )
        )
    return found


def _beyond_limits(files: RunFiles, settings: RunSettings, selection: Selection) -> list[str]:
    """Say by which limits a run is left out, and with which value."""
    if not selection.limits:
        return []
    problems = Problems()
    kinds = ["confounds", *(["confounds_json"] if files.confounds_json else [])]
    tables = present_files(files, kinds, problems)
    problems.stop_if_any()
    beyond = []
    if (limit := selection.max_mean_fd) is not None:
        mean = _mean_displacement(tables["confounds"])
        if mean > limit:
            what = f"mean framewise displacement {mean:.4g} mm"
            beyond.append(f"{what}, more than --max-mean-fd {limit:g}")
    if (limit := selection.max_censored) is not None:
        censored = censored_volumes(open_confounds(tables, settings))
        if censored.mean() > limit:
            what = f"{censored.sum()} of {len(censored)} volumes censored, {censored.mean():.4g}"
            beyond.append(f"{what}, more than --max-censored {limit:g}")
    return beyond


def _mean_displacement(table: Path) -> float:
    """Average the displacement over the volumes that have one, in mm."""
    values = framewise_displacement(table)
    if values is None or np.isnan(values).all():
        raise InputError(
            Problem(
                f"confounds: {table}",
                f"no column {DISPLACEMENT}" if values is None else f"no number in {DISPLACEMENT}",
                "the framewise displacement in mm, which --max-mean-fd is about",
                "take confounds of fMRIPrep, which writes it; or leave --max-mean-fd out and runs "
                "by their labels (--bids-filter-file, --run-label, --exclude-participant-label)",
            )
        )
    return float(np.nanmean(values))
