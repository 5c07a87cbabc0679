"""What all workers have in common: they report on every job, and know who has to be told."""

from __future__ import annotations

import traceback
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import attrs
import pydra.engine  # noqa: F401  # must come before pydra.workers
from pydra.workers import base

from twolevel.errors import TwolevelError
from twolevel.workflow.events import JobEvent, Listener, Status, describe_job
from twolevel.workflow.sealing import is_leaf


def silent(_: JobEvent) -> None:
    """Listen to nothing."""


class Supervisor(Protocol):
    """Decides when downloads start, and is told when a workflow has ended."""

    @property
    def n_downloads(self) -> int:
        """How many downloads may run at the same time, beside the jobs that compute."""

    def slot(self, task: Any) -> AbstractAsyncContextManager[None] | None:
        """Return the turn of a task that must wait for it; None for one that only computes."""

    def finish(self, task: Any, result: Any | None) -> None:
        """Take the result of a workflow, None where it failed; called from any thread."""

    def release(self, task: Any) -> None:
        """Take note, in the thread of the event loop, that a workflow has ended."""


@attrs.define
class JobWorker(base.Worker):
    """A worker of Pydra that reports on its jobs.

    Attributes
    ----------
    n_procs : int
        Jobs at the same time.
    listener : Listener
        Told about every job.
    supervisor : Supervisor or None
        Told about every workflow.
    """

    n_procs: int = 1
    listener: Listener = attrs.field(default=silent, eq=False, repr=False)
    supervisor: Supervisor | None = attrs.field(default=None, eq=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what cannot go to another process: a copy is stored with every job."""
        return {"n_procs": self.n_procs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come back without a listener: a child starts no jobs of its own."""
        self.__init__(**state)  # type: ignore[misc]

    def report(self, job: Any, status: Status, error: BaseException | None = None) -> None:
        """Tell the listener about a job; workflows are told by their jobs."""
        if not is_leaf(job):
            return
        name, label = type(job.task).__name__, describe_job(job.task)
        if error is None:
            self.listener(JobEvent(name, label, status))
            return
        known = isinstance(error, TwolevelError)
        words = str(error) if known else f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
        self.listener(JobEvent(name, label, status, words, trace))

    def kill(self) -> None:
        """End all jobs at once, and tell nothing of it: what they fail of is this."""
        self.listener = silent
