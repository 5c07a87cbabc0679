"""Runs that are left out because the head moved too much in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twolevel.bids.entities import Entities
from twolevel.bids.runs import RunFiles
from twolevel.bids.wanted import Selection
from twolevel.checks.motion import StillRuns, still_runs
from twolevel.checks.output import selection_in_words
from twolevel.model.settings import RunSettings
from twolevel.notes import merged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def run(folder: Path, number: int, displacement: Sequence[object] | None) -> RunFiles:
    """Write the confounds of a run, 1.0 for DVARS and the displacement where it is given."""
    path = folder / f"run-{number}.tsv"
    values = displacement or ["n/a", 0, 0, 0]
    name = "framewise_displacement" if displacement else "rmsd"
    rows = [f"std_dvars\t{name}", *(f"{1 if i else 'n/a'}\t{v}" for i, v in enumerate(values))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return RunFiles(Entities({"sub": "01", "task": "t", "run": str(number)}), confounds=path)


def still(*runs: RunFiles, **limits: float) -> StillRuns:
    return still_runs(runs, RunSettings(), Selection(**limits))  # type: ignore[arg-type]


def test_without_limits_nothing_is_read(tmp_path):
    files = RunFiles(Entities({"sub": "01"}), confounds=tmp_path / "nowhere.tsv")
    assert still(files) == StillRuns(runs=[files])


MEAN = "mean framewise displacement 0.4 mm, more than --max-mean-fd 0.3"
SHARE = "1 of 4 volumes censored, 0.25, more than --max-censored 0.2"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_mean_fd": 0.3}, MEAN),
        ({"max_censored": 0.2}, SHARE),
        ({"max_mean_fd": 0.3, "max_censored": 0.2}, f"{MEAN}; {SHARE}"),
    ],
)
def test_a_run_beyond_a_limit_is_recorded_with_value_and_limit(tmp_path, limits, reason):
    calm = run(tmp_path, 1, ["n/a", 0.1, 0.1, 0.1])
    wild = run(tmp_path, 2, ["n/a", 0.9, 0.2, 0.1])
    found = still(calm, wild, **limits)
    assert found.runs == [calm]
    exclusion = found.moved["01"]["sub-01 task-t run-2"]
    assert (exclusion.kind, exclusion.run, exclusion.reason) == ("run", "2", reason)
    what = "left out, because the head moved too much"
    assert merged(found.notes) == [f"sub-01 task-t run-2: {what}: {reason}"]
    assert found.notes[0].loses_data


def test_a_run_on_the_limit_stays(tmp_path):
    files = run(tmp_path, 1, ["n/a", 0.75, 0.5, 0.25])
    assert still(files, max_mean_fd=0.5, max_censored=0.25).runs == [files]


@pytest.mark.parametrize(
    ("displacement", "found"),
    [(None, "no column framewise_displacement"), (["n/a"] * 4, "no number in framewise_displ")],
)
def test_confounds_that_do_not_tell_are_refused_with_what_to_do(tmp_path, displacement, found):
    files = run(tmp_path, 1, displacement)
    ((failed, (problem,)),) = still(files, max_mean_fd=0.5).failed
    assert failed is files
    assert problem.found.startswith(found)
    assert "leave --max-mean-fd out" in problem.remedy


def test_censoring_without_displacement_is_refused_with_what_to_do(tmp_path):
    ((_, (problem,)),) = still(run(tmp_path, 1, None), max_censored=0.5).failed
    assert problem.found == "no column framewise_displacement"
    assert "--max-censored" in problem.remedy


def test_a_run_without_confounds_is_refused():
    files = RunFiles(Entities({"sub": "01", "run": "1"}))
    ((_, (problem,)),) = still(files, max_mean_fd=0.5).failed
    assert (problem.where, problem.found) == ("sub-01 run-1: confounds", "missing")


def test_where_no_run_is_left_that_is_refused(tmp_path):
    runs = [run(tmp_path, n, ["n/a", 1, 1, 1]) for n in (1, 2)]
    (refusal,) = still(*runs, max_mean_fd=0.5, max_censored=0.1).refusals
    assert refusal.where == "--max-mean-fd 0.5 --max-censored 0.1"
    assert refusal.found == "no run within that, of 2"


def test_limits_are_part_of_what_was_asked_for():
    asked = Selection(labels={"task": ("t",)}, max_mean_fd=0.5, max_censored=0).asked()
    assert asked == {"task": ["t"], "max-mean-fd": [0.5], "max-censored": [0.0]}
    words = selection_in_words({"Asked": asked})
    assert words == "task t, max-mean-fd 0.5, max-censored 0.0, all sessions, all runs"
