"""What the machine has, and how the processes share it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from joblib import cpu_count

from twolevel.errors import OutputError, Problem
from twolevel.notes import Note
from twolevel.numerics.kernels import can_be_cached, compile_kernels, kernels_are_compiled
from twolevel.numerics.resources import Resources
from twolevel.workflow.workers.table import WORKERS

if TYPE_CHECKING:
    from twolevel.cli.console import ReportConsole
    from twolevel.cli.option_groups import MachineOptions, ProcessOptions


GB = 10**9
CGROUP = Path("/sys/fs/cgroup/memory.max")
PROCESS_BYTES = 400_000_000  # libraries, volumes and what is worked on: all but the time courses
SMALLEST_BYTES = 100_000_000


def process_count(options: ProcessOptions) -> int:
    """Return how many processes compute: one per core, unless something else is asked for."""
    if not WORKERS[options.worker].in_processes:
        return 1
    return options.nprocs or int(cpu_count())


def process_notes(options: ProcessOptions) -> list[Note]:
    """Tell that more processes were asked for than there are cores."""
    n_procs, n_cores = process_count(options), cpu_count()
    if n_procs <= n_cores:
        return []
    there = f"there {'is' if n_cores == 1 else 'are'} {n_cores} core{'s' * (n_cores != 1)}"
    return [
        Note(f"{there}: more processes need more memory and are no faster", f"--nprocs {n_procs}")
    ]


def shared_resources(options: MachineOptions) -> Resources:
    """Share cores and memory among the processes; refuse memory that is not enough for so many."""
    n_procs = process_count(options)
    n_threads = options.omp_nthreads or max(int(cpu_count()) // n_procs, 1)
    in_all = options.mem_gb * GB if options.mem_gb else 0.75 * _machine_bytes()
    each = int(in_all / n_procs) - PROCESS_BYTES
    if each < SMALLEST_BYTES:
        if options.mem_gb:
            least = n_procs * (PROCESS_BYTES + SMALLEST_BYTES) / GB
            raise OutputError(
                Problem(
                    f"--mem-gb {options.mem_gb:g}",
                    f"{n_procs} processes",
                    f"{least:g} GB or more for so many",
                    "give more memory, or a smaller --nprocs",
                )
            )
        each = SMALLEST_BYTES
    return Resources(n_threads, each)


def _machine_bytes() -> int:
    """Return the memory of the machine, or what this job may use of it."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(physical, int(CGROUP.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such limit
        return physical


def prepare_kernels(console: ReportConsole) -> None:
    """Compile what is not compiled yet, and say so, before processes that need it are started."""
    if not can_be_cached():
        text = (
            "each process compiles the numerical kernels, about 10 seconds: neither the "
            "installation nor the user's cache can be written (NUMBA_CACHE_DIR names another)"
        )
    elif not kernels_are_compiled():
        text = "compiling numerical kernels, once for this installation: about 10 seconds"
    else:
        return
    console.print(text)
    if can_be_cached():
        compile_kernels()
