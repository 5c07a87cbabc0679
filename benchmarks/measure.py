"""Wall time, processor time and peak memory of a program with all processes it starts."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Cost", "measure"]

PAUSE_S = 0.05
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What a program took.

    Attributes
    ----------
    wall_s, cpu_s : float
        Processor time of all processes.
    peak_gb : float
        Largest amount of memory that one process held at a time.
    """

    wall_s: float
    cpu_s: float
    peak_gb: float


class _Watch(threading.Thread):
    """Looks at all processes of a session again and again."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.session = session
        self.peak_kb = 0
        self.ticks: dict[str, int] = {}
        self.others: set[str] = set()  # of other sessions: looked at once
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(PAUSE_S):
            for name in os.listdir("/proc"):  # noqa: PTH208  # names are enough
                if name.isdigit() and name not in self.others:
                    try:
                        self._look(Path("/proc", name))
                    except (OSError, ValueError, IndexError):
                        continue  # it has ended

    def _look(self, process: Path) -> None:
        stat = (process / "stat").read_text().rpartition(")")[2].split()
        if int(stat[3]) != self.session:
            self.others.add(process.name)
            return
        # A child has the memory of its parent until it is another program.
        self.ticks[process.name] = int(stat[11]) + int(stat[12])
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmHWM"):
                self.peak_kb = max(self.peak_kb, int(line.split()[1]))


def measure(words: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a program and measure it.

    Parameters
    ----------
    words : sequence of str
    environment : mapping of str to str, optional
        Besides that of this process.

    Returns
    -------
    Cost

    Raises
    ------
    subprocess.CalledProcessError
        It failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        words,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watch = _Watch(process.pid)
    watch.start()
    output, _ = process.communicate()
    wall = time.perf_counter() - started
    watch.over.set()
    watch.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words, output)
    return Cost(wall, sum(watch.ticks.values()) / TICKS, watch.peak_kb / 1e6)
