"""Jobs in processes, of which one may die."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import attrs
import cloudpickle

from twolevel.workflow.sealing import is_done, run_sealed
from twolevel.workflow.workers.base import JobWorker
from twolevel.workflow.workers.own_processes import OwnProcesses


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


@attrs.define(getstate_setstate=False)  # those of the base
class ProcessWorker(JobWorker):
    """Run jobs in processes.

    As many jobs are under way as there are processes, so that the first to be queued is the first
    to run, and what is reported as running does run. A job that kills its process, once among
    others and once alone, fails; the others go on.
    """

    _plugin_name = "twolevel-process"
    _processes: OwnProcesses = attrs.field(factory=OwnProcesses, init=False, eq=False, repr=False)
    _slots: asyncio.Semaphore | None = attrs.field(default=None, init=False, eq=False, repr=False)

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
            self.report(job, "cached")
            return job.result()
        self.report(job, "queued")
        try:
            async with self._slot(job):
                result = await self._processes.call(
                    _run_pickled,
                    cloudpickle.dumps(job),
                    rerun,
                    begins=lambda: self.report(job, "running"),
                    died=lambda: self.report(job, "killed"),
                    clean=lambda: _remove_remains(job),
                )
        except Exception as error:
            self.report(job, "failed", error)
            raise
        self.report(job, "done")
        return result

    def _slot(self, job: Any) -> AbstractAsyncContextManager[None]:
        """Return what a job must wait for: the turn of a download, or a free process."""
        if self.supervisor is not None and (turn := self.supervisor.slot(job.task)) is not None:
            return turn
        if self._slots is None:
            self._slots = asyncio.Semaphore(self.n_procs)
        return self._slots

    def kill(self) -> None:
        """End the processes with all that they do."""
        super().kill()
        self._processes.end()

    def close(self) -> None:
        """Let the processes go."""
        self._processes.end()
