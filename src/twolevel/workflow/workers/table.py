"""The workers that there are: a new one is a module and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twolevel.workflow.workers.base import JobWorker


@dataclass(frozen=True)
class WorkerKind:
    """A kind of worker, imported when it is first made: the command offers all of them.

    Attributes
    ----------
    place : str
        ``module:class``, the module in this folder.
    description : str
        For the help.
    in_processes : bool
        Jobs run in processes of their own, several at the same time.
    """

    place: str
    description: str
    in_processes: bool

    def make(self, **how: Any) -> JobWorker:
        """Make a worker."""
        module, _, name = self.place.partition(":")
        made: JobWorker = getattr(import_module(f"{__package__}.{module}"), name)(**how)
        return made


WORKERS = {
    "cf": WorkerKind("process:ProcessWorker", "a pool of processes", in_processes=True),
    "debug": WorkerKind("serial:SerialWorker", "everything in one process", in_processes=False),
}
