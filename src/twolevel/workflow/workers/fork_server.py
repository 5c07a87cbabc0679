"""Where processes come from."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PRELOADED = ["twolevel.workflow.workers.preloaded"]
TO_DRAW = ["twolevel.workflow.workers.preloaded_to_draw"]
# Work is spread over processes; a library that starts threads in each of them only slows all down,
# and the last bits of a matrix product depend on their number.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def one_thread_each() -> None:
    """Have libraries that are still to be loaded, here and in new processes, use one thread."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))


def start_server(*, draws: bool = True) -> None:
    """Start the server from which processes are forked; it imports what they need meanwhile.

    It forks from a clean state: no thread of this process (progress display) can hold a lock
    there, and the libraries are imported once. A server that runs already is left as it is.
    Processes that draw figures too need what takes longest to import.
    """
    forkserver.set_forkserver_preload([*TO_DRAW, *PRELOADED] if draws else PRELOADED)
    forkserver.ensure_running()


def make_process() -> ProcessPoolExecutor:
    """Make a pool of one process, which ends with this one, and leaves Ctrl-C to it."""
    start_server()
    return ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("forkserver"),
        initializer=_start_child,
        initargs=(dict(os.environ),),
    )


def _start_child(environment: Mapping[str, str]) -> None:
    """Take on the environment, which is younger than the server; do not outlive the parent."""
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent, killed without a chance to say so, is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # a pipe that the parent's death closes, reaped or not
        os._exit(1)
