"""What a task may use: told by environment variables, for no result depends on it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twolevel.numerics.resources import Resources

THREADS, MEMORY = "TWOLEVEL_THREADS", "TWOLEVEL_MEMORY_BYTES"
UNFINISHED = "TWOLEVEL_UNFINISHED"


def allow(resources: Resources) -> None:
    """Tell the tasks of this process, and of those it starts, what each may use."""
    os.environ[THREADS] = str(resources.n_threads)
    os.environ[MEMORY] = str(resources.memory_bytes)


def allowed() -> Resources:
    """Return what a task may use: one thread and memory without limit where nothing was told."""
    return Resources(
        int(os.environ.get(THREADS, "1")), int(os.environ.get(MEMORY, str(sys.maxsize)))
    )


def keep_unfinished_in(folder: Path) -> None:
    """Tell the tasks where to save what an interruption would lose."""
    os.environ[UNFINISHED] = str(folder)


def unfinished_folder() -> Path | None:
    """Return where a task saves what an interruption would lose; None where nothing was told."""
    folder = os.environ.get(UNFINISHED)
    return Path(folder) if folder else None
