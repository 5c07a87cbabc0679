"""Everything in one process."""

from __future__ import annotations

from typing import Any

import attrs

from twolevel.workflow.sealing import is_done, is_leaf, run_sealed
from twolevel.workflow.workers.base import JobWorker


@attrs.define(getstate_setstate=False)  # those of the base
class SerialWorker(JobWorker):
    """Run every job in this process, one after the other."""

    _plugin_name = "twolevel-serial"

    def run(self, job: Any, rerun: bool = False) -> Any:
        """Run a job; an error is stored with it and does not stop the others."""
        if is_done(job):
            self.report(job, "cached")
            return job.result()
        self.report(job, "running")
        try:
            result = run_sealed(job, rerun)
        except Exception as error:  # noqa: BLE001  # kept in the job's result, shown at the end
            job._errored = True  # noqa: SLF001  # the engine's own mark, see its NodeExecution
            self.report(job, "failed", error)
            return job.result()
        self.report(job, "done")
        if self.supervisor is not None and not is_leaf(job):
            self.supervisor.finish(job.task, result)
        return result
