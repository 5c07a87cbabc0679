from __future__ import annotations

import io
import re
import time
from typing import TYPE_CHECKING

import pytest

from twolevel.cli.console import ReportConsole
from twolevel.cli.progress import StageProgress, format_seconds
from twolevel.workflow.events import JobEvent

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.6, "60 s"),
        (99.4, "99 s"),
        (100, "2 min"),
        (150, "2 min"),
        (3600, "60 min"),
        (5940, "99 min"),
        (6000, "1.7 h"),
        (36_000, "10.0 h"),
    ],
)
def test_durations_are_written_as_people_say_them(seconds, text):
    assert format_seconds(seconds) == text


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("twolevel.cli.progress.time.monotonic", clock)
    return clock


class Shown:
    """Progress of a stage, and what it wrote."""

    def __init__(self, folder: Path, *, terminal: bool = False, **totals: int) -> None:
        self.screen = io.StringIO()
        self.log = folder / "log.txt"
        console = ReportConsole(file=self.screen, force_terminal=terminal, width=200)
        self.progress = StageProgress(console, "participant level", totals, self.log)

    @property
    def lines(self) -> list[str]:
        return self.screen.getvalue().splitlines()


@pytest.fixture
def shown(clock, tmp_path) -> Shown:
    assert clock.now == 1000.0
    return Shown(tmp_path, run=4, subject=2)


def done(label: str, task: str = "FitRun") -> JobEvent:
    return JobEvent(task, label, "done")


def test_each_finished_job_is_a_plain_line_with_the_time_left(shown, clock):
    with shown.progress as progress:
        clock.now += 10
        progress(JobEvent("FitRun", "sub-01 run-1", "queued"))
        progress(JobEvent("FitRun", "sub-01 run-1", "running"))
        progress(done("sub-01 run-1"))
        clock.now += 2
        progress(done("sub-01 run-2"))
    assert shown.lines == [
        "participant level 1/6  run sub-01 run-1: done  (about 50 s left)",
        "participant level 2/6  run sub-01 run-2: done  (about 24 s left)",
    ]


def test_quick_steps_go_to_the_log_only(shown):
    shown.progress(JobEvent("DesignRun", "sub-01 run-1", "done"))
    assert shown.lines == []
    assert "DesignRun of sub-01 run-1: done" in shown.log.read_text()


def test_figures_are_counted_by_the_steps_that_draw(tmp_path):
    shown = Shown(tmp_path, drawing=3)
    shown.progress(done("the group", "DrawDesign"))
    shown.progress(JobEvent("DrawContrast", "pumps", "cached"))
    shown.progress(JobEvent("DrawTest", "pumps fdr", "failed"))
    assert [line.partition("  ")[2] for line in shown.lines] == [
        "drawing the group: done  (about 0 s left)",
        "drawing pumps: cached  (about 0 s left)",
        "drawing pumps fdr: failed",
    ]
    assert shown.progress.summary() == "3 drawings (1 done, 1 cached, 1 failed)"


def test_every_event_goes_to_the_log_with_its_time(shown, clock):
    clock.now += 1.5
    shown.progress(JobEvent("FitRun", "sub-01 run-1", "running"))
    clock.now += 2
    shown.progress(JobEvent("FitRun", "sub-01 run-1", "failed", "too short", "Traceback: ..."))
    assert [line.split() for line in shown.log.read_text().splitlines()] == [
        ["1.5", "s", "FitRun", "of", "sub-01", "run-1:", "running"],
        ["3.5", "s", "FitRun", "of", "sub-01", "run-1:", "failed", "Traceback:", "..."],
    ]
    assert shown.lines == ["participant level 1/6  run sub-01 run-1: failed"]


def test_jobs_that_were_cached_do_not_count_as_fast(shown, clock):
    for run in (1, 2, 3):
        shown.progress(JobEvent("FitRun", f"sub-01 run-{run}", "cached"))
    assert shown.progress.time_left(1.0) == ""
    clock.now += 10
    shown.progress(done("sub-01 run-4"))
    assert shown.lines[-1] == "participant level 4/6  run sub-01 run-4: done  (about 20 s left)"


def test_there_is_no_time_left_before_the_first_and_after_the_last(clock, tmp_path):
    shown = Shown(tmp_path, run=1)
    assert shown.progress.time_left(5.0) == ""
    clock.now += 5
    shown.progress(done("sub-01 run-1"))
    assert shown.progress.time_left(5.0) == ""
    assert shown.lines == ["participant level 1/1  run sub-01 run-1: done"]


def test_the_end_counts_what_was_done_cached_and_failed(shown, clock):
    shown.progress(JobEvent("FitRun", "sub-01 run-1", "cached"))
    shown.progress(done("sub-01 run-2"))
    shown.progress(done("sub-01", "FitSubject"))
    shown.progress(JobEvent("FitRun", "sub-02 run-1", "failed", "damaged", "..."))
    clock.now += 130
    shown.progress.finish(ok=False)
    assert shown.lines[-1] == (
        "participant level: 4 runs (1 done, 1 cached, 1 failed), 2 subjects (1 done) in 2 min"
    )


def test_what_was_not_looked_at_was_cached_when_nothing_failed(shown, clock):
    clock.now += 3
    shown.progress(done("sub-02 run-1"))
    shown.progress.finish(ok=True)
    assert shown.lines[-1] == (
        "participant level: 4 runs (1 done, 3 cached), 2 subjects (2 cached) in 3 s"
    )


def test_nothing_seen_and_something_failed_is_said_so(shown):
    shown.progress.finish(ok=False)
    assert shown.lines == ["participant level: 4 runs (none yet), 2 subjects (none yet) in 0 s"]


def test_units_without_jobs_are_not_counted(clock, tmp_path):
    clock.now += 1
    shown = Shown(tmp_path, run=0, subject=2)
    shown.progress.finish(ok=True)
    assert shown.lines == ["participant level: 2 subjects (2 cached) in 0 s"]


def test_no_control_characters_are_written_where_there_is_no_terminal(shown):
    with shown.progress as progress:
        progress(done("sub-01 run-1"))
        progress.finish(ok=True)
    assert re.fullmatch(r"[ -~\n]+", shown.screen.getvalue())


def test_a_terminal_shows_a_bar_and_no_lines(clock, tmp_path):
    shown = Shown(tmp_path, terminal=True, run=2)
    with shown.progress as progress:
        progress(JobEvent("FitRun", "sub-01 run-1", "running"))
        clock.now += 4
        progress(done("sub-01 run-1"))
        progress.finish(ok=False)
    text = shown.screen.getvalue()
    assert "1/2" in text
    assert "run sub-01 run-1: done" not in text
    assert "about 4 s left" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_the_share_of_a_long_step_is_shown_while_it_runs(tmp_path, monkeypatch, terminal):
    monkeypatch.setattr("twolevel.cli.progress.SECONDS_PER_LOOK", 0.01)
    monkeypatch.setattr("twolevel.cli.progress.SECONDS_PER_LINE", 0.01)
    expected = "running pumps (34%)" if terminal else "group level 0/1  permutations of pumps: 34%"
    screen = io.StringIO()
    console = ReportConsole(file=screen, force_terminal=terminal, width=200)
    watched = StageProgress(
        console, "group level", {"contrast": 1}, tmp_path / "log", lambda: [("pumps", 0.34)]
    )
    with watched as progress:
        progress(JobEvent("PermuteGroup", "pumps", "running"))
        give_up = time.monotonic() + 10
        while expected not in screen.getvalue() and time.monotonic() < give_up:
            time.sleep(0.02)
    assert expected in screen.getvalue()


def test_a_bar_is_as_wide_as_the_terminal_and_shows_names_as_they_are(tmp_path):
    screen = io.StringIO()
    console = ReportConsole(file=screen, force_terminal=True, width=70)
    with StageProgress(console, "group level", {"contrast": 1}, tmp_path / "log") as progress:
        progress(JobEvent("FitMaps", "[a]" + 30 * "b", "running"))
        progress.bar.refresh()
    lines = re.split(r"\x1b\[[0-9;?]*[a-zA-Z]|[\r\n]", screen.getvalue())
    assert any("[a]bb" in line for line in lines)
    wide = "".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue()))
    assert max(len(line) for line in re.split(r"[\r\n]", wide)) <= 70


def test_a_killed_job_is_told_and_not_counted(shown):
    shown.progress(JobEvent("FitRun", "sub-01 run-1", "running"))
    shown.progress(JobEvent("FitRun", "sub-01 run-1", "killed"))
    (line,) = shown.lines
    assert line == (
        "FitRun of sub-01 run-1: its process was killed, most likely for want of memory; "
        "it is tried once more, alone"
    )
    assert shown.progress.running == {}
    shown.progress(JobEvent("FitRun", "sub-01 run-1", "done"))
    assert shown.progress.summary() == "4 runs (1 done), 2 subjects (none yet)"
