"""Around the engine: what is remembered of its jobs, and what is put back."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydra.engine  # noqa: F401  # must come before other parts of pydra
import pytest
from pydra.engine.workflow import Workflow

from twolevel.model.override import override
from twolevel.model.read import presets, read_model
from twolevel.workflow.engine import Execution, Recorder, make_submitter, submit
from twolevel.workflow.events import JobEvent
from twolevel.workflow.subject import is_at_once
from twolevel.workflow.submit import participant_stages


@pytest.fixture
def recorder() -> Recorder:
    """A recorder that was told of two failures."""
    recorder = Recorder(lambda _: None)
    recorder(JobEvent("FitRun", "sub-1 run-1", "done"))
    recorder(JobEvent("FitRun", "sub-10 run-2", "failed", "no voxel is left"))
    recorder(JobEvent("CombineRuns", "sub-3", "failed", "no run is left"))
    return recorder


def test_a_failure_belongs_to_the_subject_of_its_job_alone(recorder):
    assert [s for s in ("1", "10", "3", "30") if recorder.has_failed(f"sub-{s}")] == ["10", "3"]
    assert recorder.error_of("sub-10") == "FitRun of sub-10 run-2: no voxel is left"
    assert recorder.error_of("sub-3") == "CombineRuns of sub-3: no run is left"
    assert recorder.error_of("sub-1") == "unknown error"


def test_the_errors_of_a_group_are_all_that_there_are(recorder):
    assert recorder.error_of("").splitlines() == [
        "FitRun of sub-10 run-2: no voxel is left",
        "CombineRuns of sub-3: no run is left",
    ]


def test_every_event_is_handed_on():
    told: list[JobEvent] = []
    recorder = Recorder(told.append)
    events = [JobEvent("FitRun", "sub-1 run-1", status) for status in ("running", "failed")]
    for event in events:
        recorder(event)
    assert told == events


@pytest.mark.parametrize(("first_level", "at_once"), [("per-run", False), ("multi-run", True)])
def test_whether_runs_are_fitted_at_once_is_a_setting_of_the_subject(first_level, at_once):
    model = override(read_model(presets()["balloon"]), {"first_level": first_level})
    assert is_at_once(participant_stages(model)) is at_once


@pytest.mark.parametrize("worker", ["cf", "debug"])
def test_a_submitter_knows_nothing_of_an_earlier_call(tmp_path, worker):
    Workflow._constructed_cache["task"][frozenset({"x"})]["hash"] = "of an earlier call"
    execution = Execution(tmp_path, tmp_path / "out", worker, 2, lambda _: None)
    with make_submitter(execution, execution.listener) as submitter:
        assert not Workflow._constructed_cache
        assert submitter.worker.n_procs == 2
        assert submitter.loop is asyncio.get_event_loop_policy().get_event_loop()
    assert submitter.loop.is_closed()


class Engine:
    """Stands for the engine's submitter: goes elsewhere, and then does as told."""

    def __init__(self, place: Path, error: BaseException | None) -> None:
        self.loop, self.place, self.error = asyncio.new_event_loop(), place, error
        asyncio.set_event_loop(self.loop)
        self.killed = False
        self.worker = SimpleNamespace(is_async=False, kill=self._kill)
        self.level = 0

    def _kill(self) -> None:
        self.killed = True

    def __call__(self, task: Any, *, raise_errors: bool) -> Any:
        assert not raise_errors
        os.chdir(self.place)
        self.level = logging.getLogger("pydra.submitter").level
        if self.error is not None:
            raise self.error
        return task


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), OSError("no space left")])
def test_folder_and_log_are_put_back_and_no_job_outlives_an_interruption(tmp_path, error):
    engine, here = Engine(tmp_path, error), Path.cwd()
    logger = logging.getLogger("pydra.submitter")
    level = logger.level
    if error is None:
        assert submit(engine, "task") == "task"
    else:
        with pytest.raises(type(error)):
            submit(engine, "task")
    assert engine.killed is (error is not None)
    assert engine.level == logging.CRITICAL
    assert logger.level == level
    assert Path.cwd() == here
    engine.loop.close()
