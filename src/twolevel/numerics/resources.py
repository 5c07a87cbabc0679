"""What a computation may use."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Resources:
    """Threads and memory; no result depends on them.

    Attributes
    ----------
    memory_bytes : int
        For the time courses that are held at a time.
    """

    n_threads: int = 1
    memory_bytes: int = sys.maxsize


UNLIMITED = Resources()
