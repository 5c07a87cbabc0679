"""What the workers tell about jobs while they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from twolevel.bids.run_inputs import RunSpec

# "killed" is not the end: the job is tried once more.
Status = Literal["queued", "running", "killed", "done", "failed", "cached"]


@dataclass(frozen=True)
class JobEvent:
    """A job changed its state.

    Attributes
    ----------
    task : str
        Name of its task: ``FitRun``, ...
    label : str
        What it works on: ``sub-01 run-1``, a contrast, ...
    error : str
        Of a failed job, for the user.
    detail : str
        Its traceback, for the log.
    """

    task: str
    label: str
    status: Status
    error: str = ""
    detail: str = ""


Listener = Callable[[JobEvent], None]


def describe_job(task: Any) -> str:
    """Say what a task works on, from its inputs."""
    if isinstance(spec := getattr(task, "spec", None), RunSpec):
        return spec.name
    if isinstance(subject := getattr(task, "subject", None), str):
        return f"sub-{subject}"
    if (contrast := getattr(task, "contrast", None)) is not None:
        test = getattr(task, "test", None)
        return f"{contrast.label} {test.test}" if test is not None else str(contrast.label)
    return "the group"
