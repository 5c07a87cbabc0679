"""The engine that carries out workflows, as it is used here."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydra.engine  # noqa: F401  # must come before other parts of pydra
from pydra.engine.submitter import Submitter
from pydra.engine.workflow import Workflow

from twolevel.workflow.events import JobEvent, Listener
from twolevel.workflow.interruption import interrupted_between_steps
from twolevel.workflow.publisher import SubjectPublisher
from twolevel.workflow.workers.table import WORKERS


@dataclass(frozen=True)
class Execution:
    """How jobs are run.

    Attributes
    ----------
    cache_root : Path
        The engine's cache.
    output_dir : Path
        Where results are published.
    worker : str
        One of `WORKERS`.
    n_procs : int
        Size of the pool.
    listener : Listener
        Told about every job.
    overwrite : bool
        Results may take the place of those of other selections.
    """

    cache_root: Path
    output_dir: Path
    worker: str
    n_procs: int
    listener: Listener
    overwrite: bool = False


class Recorder:
    """Remembers why jobs failed, and hands every event on."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.errors: list[JobEvent] = []

    def __call__(self, event: JobEvent) -> None:
        """Keep an event of a job that failed."""
        if event.status == "failed":
            self.errors.append(event)
        self.listener(event)

    def has_failed(self, label: str) -> bool:
        """Tell whether a job failed whose label begins with `label`."""
        return any(e.label == label or e.label.startswith(f"{label} ") for e in self.errors)

    def error_of(self, label: str) -> str:
        """Return the errors of jobs whose label begins with `label`, a line each."""
        own = [
            e
            for e in self.errors
            if e.label == label or e.label.startswith(f"{label} ") or not label
        ]
        return "\n".join(f"{e.task} of {e.label}: {e.error}" for e in own) or "unknown error"


def make_submitter(
    execution: Execution, listener: Listener, publisher: SubjectPublisher | None = None
) -> Submitter:
    """Make a submitter whose worker reports to a listener."""
    # A loop of our own: newer Pythons do not make one for the asking.
    asyncio.set_event_loop(asyncio.new_event_loop())
    # Workflows of an earlier call of this process hold paths of files that may be gone since.
    Workflow.clear_cache()
    # Workers as objects: keyword arguments would be stored with every job.
    worker = WORKERS[execution.worker].make(
        n_procs=execution.n_procs, listener=listener, supervisor=publisher
    )
    return Submitter(cache_root=execution.cache_root, worker=worker)


def submit(submitter: Submitter, task: Any) -> Any:
    """Carry out a task and return its result; where that is interrupted, end all jobs first."""
    here = Path.cwd()
    logger = logging.getLogger("pydra.submitter")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it prints what is reported below, in its own words
    try:
        with (
            interrupted_between_steps(submitter.loop)
            if submitter.worker.is_async
            else nullcontext()
        ):
            return submitter(task, raise_errors=False)
    except BaseException:
        submitter.worker.kill()
        drain(submitter.loop)
        raise
    finally:
        logger.setLevel(level)
        os.chdir(here)  # the engine changes it


def drain(loop: asyncio.AbstractEventLoop) -> None:
    """End what is still pending, so that nothing complains when the loop is gone."""
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
