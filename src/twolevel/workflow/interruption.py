"""Interruptions that come between two steps of an event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupted_between_steps(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have a signal raise KeyboardInterrupt out of the loop, between two of its steps.

    Python raises it wherever the main thread happens to be: half-way through the start of a
    process, which nobody would know of then, or in a destructor, where it is lost. A second
    signal is not as patient. Outside the main thread, which alone gets signals, nothing changes.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        It has not been started yet.

    Raises
    ------
    KeyboardInterrupt
        A signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def take(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        loop.call_soon_threadsafe(_interrupt)

    # What is ignored stays ignored: nohup asks for that.
    heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, take) for number in heard}
    try:
        yield
        if asked:  # too late for the loop
            _interrupt()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt() -> None:
    raise KeyboardInterrupt
