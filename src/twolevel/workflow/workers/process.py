"""Pydra workers that report on every job, survive failures, and stop when told to."""

from __future__ import annotations

import asyncio
import os
import shutil
import traceback
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import attrs
import cloudpickle
import pydra.engine  # noqa: F401  # must come before pydra.workers
from pydra.workers import base

from twolevel.errors import TwolevelError
from twolevel.workflow.events import JobEvent, Listener, Status, describe_job
from twolevel.workflow.sealing import is_done, is_leaf, run_sealed
from twolevel.workflow.workers.own_processes import OwnProcesses


def _silent(_: JobEvent) -> None:
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


def _report(
    listener: Listener, job: Any, status: Status, error: BaseException | None = None
) -> None:
    if not is_leaf(job):
        return
    name, label = type(job.task).__name__, describe_job(job.task)
    if error is None:
        listener(JobEvent(name, label, status))
        return
    words = str(error) if isinstance(error, TwolevelError) else f"{type(error).__name__}: {error}"
    listener(JobEvent(name, label, status, words, "".join(traceback.format_exception(error))))


@attrs.define
class SerialWorker(base.Worker):
    """Run every job in this process, one after the other."""

    _plugin_name = "twolevel-serial"
    listener: Listener = attrs.field(default=_silent, eq=False, repr=False)
    supervisor: Supervisor | None = attrs.field(default=None, eq=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the listener behind: the engine stores a copy of the worker with every job."""
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come back without a listener."""
        self.__init__(**state)  # type: ignore[misc]

    def run(self, job: Any, rerun: bool = False) -> Any:
        """Run a job; an error is stored with it and does not stop the others."""
        if is_done(job):
            _report(self.listener, job, "cached")
            return job.result()
        _report(self.listener, job, "running")
        try:
            result = run_sealed(job, rerun)
        except Exception as error:  # noqa: BLE001  # kept in the job's result, shown at the end
            job._errored = True  # noqa: SLF001  # the engine's own mark, see its NodeExecution
            _report(self.listener, job, "failed", error)
            return job.result()
        _report(self.listener, job, "done")
        if self.supervisor is not None and not is_leaf(job):
            self.supervisor.finish(job.task, result)
        return result


def _run_pickled(pickled: bytes, rerun: bool) -> Any:
    return run_sealed(cloudpickle.loads(pickled), rerun)


def _remove_remains(job: Any) -> None:
    """Remove what a dead process left of a job: locks without an owner, and half a result.

    No other process works while that is done.
    """
    job.lockfile.unlink(missing_ok=True)
    (job.cache_root / f"{job.uid}_info.json").unlink(missing_ok=True)
    if job.cache_dir.exists():
        shutil.rmtree(job.cache_dir)
    for lock in Path(os.environ["PYDRA_HASH_CACHE"]).glob("*.lock"):
        lock.unlink(missing_ok=True)


@attrs.define
class ProcessWorker(base.Worker):
    """Run jobs in processes.

    As many jobs are under way as there are processes, so that the first to be queued is the first
    to run, and what is reported as running does run. A job that kills its process, once among
    others and once alone, fails; the others go on.
    """

    _plugin_name = "twolevel-process"
    n_procs: int = 1
    listener: Listener = attrs.field(default=_silent, eq=False, repr=False)
    supervisor: Supervisor | None = attrs.field(default=None, eq=False, repr=False)
    _processes: OwnProcesses = attrs.field(factory=OwnProcesses, init=False, eq=False, repr=False)
    _slots: asyncio.Semaphore | None = attrs.field(default=None, init=False, eq=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what cannot go to another process."""
        return {"n_procs": self.n_procs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come back without pool and listener: a child starts no jobs of its own."""
        self.__init__(**state)  # type: ignore[misc]

    async def submit(self, job: Any, rerun: bool = False) -> Any:
        """Run a workflow here, its jobs in processes."""
        if not job.is_async:
            return await self.run(job, rerun)
        result = None
        try:
            result = await job.run_async(rerun=rerun)
        finally:
            if self.supervisor is not None:
                await asyncio.to_thread(self.supervisor.finish, job.task, result)
                self.supervisor.release(job.task)
        return result

    async def run(self, job: Any, rerun: bool = False) -> Any:
        """Run a job in a process, unless its result is there."""
        if is_done(job):
            _report(self.listener, job, "cached")
            return job.result()
        _report(self.listener, job, "queued")
        try:
            async with self._slot(job):
                result = await self._processes.call(
                    _run_pickled,
                    cloudpickle.dumps(job),
                    rerun,
                    begins=lambda: _report(self.listener, job, "running"),
                    died=lambda: _report(self.listener, job, "killed"),
                    clean=lambda: _remove_remains(job),
                )
        except Exception as error:
            _report(self.listener, job, "failed", error)
            raise
        _report(self.listener, job, "done")
        return result

    def _slot(self, job: Any) -> AbstractAsyncContextManager[None]:
        """Return what a job must wait for: the turn of a download, or a free process."""
        if self.supervisor is not None and (turn := self.supervisor.slot(job.task)) is not None:
            return turn
        if self._slots is None:
            self._slots = asyncio.Semaphore(self.n_procs)
        return self._slots

    def kill(self) -> None:
        """End all jobs at once, and tell nothing of it: what they fail of is this."""
        self.listener = _silent
        self._processes.end()

    def close(self) -> None:
        """Let the processes go."""
        self._processes.end()
