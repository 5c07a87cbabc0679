"""Jobs in this process, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pydra.engine  # noqa: F401  # must come before other parts of pydra
import pytest
from pydra.compose import python, workflow
from pydra.engine.submitter import Submitter

from twolevel.workflow.events import JobEvent
from twolevel.workflow.workers.base import silent
from twolevel.workflow.workers.serial import SerialWorker
from twolevel.workflow.workers.table import WORKERS


@python.define(outputs={"out": str})  # type: ignore[untyped-decorator]
def Work(subject: str, wrong: bool) -> str:  # noqa: N802
    """Do what there is to do, or fail."""
    if wrong:
        raise EOFError("the file ends too early")
    return f"{subject} done"


@workflow.define(outputs={"out": list[str]})  # type: ignore[untyped-decorator]
def All(subjects: list[str], wrong: list[bool]) -> Any:  # noqa: N802
    """Do the work of all subjects."""
    work = workflow.add(
        Work().split(("subject", "wrong"), subject=subjects, wrong=wrong).combine("subject")
    )
    return work.out


class Supervisor:
    """Remembers the workflows that it was told of."""

    n_downloads = 0

    def __init__(self) -> None:
        self.finished: list[Any] = []

    def finish(self, task: Any, result: Any) -> None:
        self.finished.append((type(task).__name__, result.outputs.out))


Run = Callable[..., tuple[list[tuple[str, str]], list[JobEvent], Supervisor]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run jobs, of which some fail."""
    for name in ("cache", "hashes"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PYDRA_HASH_CACHE", str(tmp_path / "hashes"))
    monkeypatch.chdir(tmp_path)

    def run(*wrong: bool) -> tuple[list[tuple[str, str]], list[JobEvent], Supervisor]:
        events: list[JobEvent] = []
        supervisor = Supervisor()
        asyncio.set_event_loop(asyncio.new_event_loop())
        worker = WORKERS["debug"].make(n_procs=1, listener=events.append, supervisor=supervisor)
        assert isinstance(worker, SerialWorker)
        subjects = [f"{number:02d}" for number in range(1, len(wrong) + 1)]
        with Submitter(cache_root=tmp_path / "cache", worker=worker) as submitter:
            submitter(All(subjects=subjects, wrong=list(wrong)), raise_errors=False)
        return [(event.label, event.status) for event in events], events, supervisor

    return run


def test_jobs_run_one_after_the_other_and_are_found_again(run):
    told, _, supervisor = run(False, False)
    assert told == [
        ("sub-01", "running"), ("sub-01", "done"), ("sub-02", "running"), ("sub-02", "done"),
    ]  # fmt: skip
    assert supervisor.finished == [("All", ["01 done", "02 done"])]
    told, _, _ = run(False, False, False)
    assert told[:2] == [("sub-01", "cached"), ("sub-02", "cached")]
    assert told[2:] == [("sub-03", "running"), ("sub-03", "done")]


def test_an_error_is_told_with_its_trace_and_the_others_go_on(run):
    told, events, supervisor = run(True, False)
    assert ("sub-01", "failed") in told
    assert ("sub-02", "done") in told
    (failed,) = (event for event in events if event.status == "failed")
    assert failed.error == "EOFError: the file ends too early"
    assert failed.detail.startswith("Traceback")
    assert supervisor.finished == []


def test_a_copy_for_a_job_has_no_listener_and_no_supervisor():
    supervisor: Any = Supervisor()
    worker = SerialWorker(n_procs=3, listener=print, supervisor=supervisor)
    copy = cloudpickle.loads(cloudpickle.dumps(worker))
    assert copy.n_procs == 3
    assert copy.listener is silent
    assert copy.supervisor is None


def test_a_worker_that_is_told_to_stop_tells_nothing_more():
    worker = SerialWorker(listener=print)
    worker.kill()
    assert worker.listener is silent
