"""Calls in processes of which one may die."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from twolevel.errors import AnalysisError
from twolevel.workflow.workers.fork_server import make_process

START_ERRORS = (ConnectionError, EOFError)  # a process that dies before it begins


class _DiedError(Exception):
    """The process of a call died; `args` hold its exit code, None where it is not known."""


class OwnProcesses:
    """Makes each call in a process of its own; one that its process does not survive, twice.

    A pool of several processes ends with any of them, and does not tell which call is to blame.
    Here every process is a pool by itself: its death is told of its own call, and the others go
    on. The second time a call is alone: it waits until the others have ended, none begins, and
    processes that are idle have gone, so that there is as much memory for it as there can be.
    One whose process dies then too has failed.

    As many calls are under way as the caller makes. All methods belong to the thread of the event
    loop.
    """

    def __init__(self) -> None:
        self._idle: list[ProcessPoolExecutor] = []
        self._busy: set[ProcessPoolExecutor] = set()
        self._under_way = 0
        self._suspects = 0  # calls whose process died, until the second attempt has ended
        self._changed = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    async def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        begins: Callable[[], None],
        died: Callable[[], None],
        clean: Callable[[], None],
    ) -> Any:
        """Make a call in a process.

        Parameters
        ----------
        *arguments
            Like the function, they go to the process.
        begins : callable
            Told before each attempt.
        died : callable
            Told that the process died, so that there will be a second attempt.
        clean : callable
            Takes away what the dead process left; no other process works meanwhile.

        Returns
        -------
        object
            What the function returned.

        Raises
        ------
        AnalysisError
            The process of the second attempt died as well.
        """
        await self._until(lambda: not self._suspects)
        self._under_way += 1
        try:
            begins()
            return await self._attempt(function, *arguments)
        except _DiedError:
            self._suspects += 1
        finally:
            self._under_way -= 1
            self._changed.set()
        try:
            died()
            async with self._one_at_a_time:
                await self._until(lambda: not self._under_way)
                self.end()
                clean()
                begins()
                try:
                    return await self._attempt(function, *arguments)
                except _DiedError as error:
                    clean()
                    raise AnalysisError(_why(*error.args)) from error
        finally:
            self._suspects -= 1
            self._changed.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _attempt(self, function: Callable[..., Any], *arguments: Any) -> Any:
        future = None
        while future is None:
            pool = self._idle.pop() if self._idle else make_process()
            try:
                future = pool.submit(function, *arguments)
                _leave_results_to(pool)
            except BrokenProcessPool:  # it died while it was idle: take another
                pool.shutdown(wait=False)
            except START_ERRORS as error:
                _kill(pool)
                pool.shutdown(wait=False)
                raise _DiedError(None) from error
        (process,) = _processes_of(pool) or [None]
        self._busy.add(pool)
        try:
            answer = await asyncio.wrap_future(future)
        except BrokenProcessPool as error:
            self._busy.remove(pool)
            await asyncio.to_thread(pool.shutdown)
            raise _DiedError(process and process.exitcode) from error
        except Exception:  # of the function itself
            self._let_go(pool)
            raise
        self._let_go(pool)
        return answer

    def _let_go(self, pool: ProcessPoolExecutor) -> None:
        self._busy.remove(pool)
        self._idle.append(pool)

    def end(self) -> None:
        """End all processes at once; those that are idle have nothing to lose."""
        pools = [*self._idle, *self._busy]
        self._idle.clear()
        for pool in pools:
            _kill(pool)
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def _processes_of(pool: ProcessPoolExecutor) -> list[Any]:
    return list((pool._processes or {}).values())  # noqa: SLF001  # no public way before 3.14


def _leave_results_to(pool: ProcessPoolExecutor) -> None:
    """Close this process's own end of the pipe for results, once the other process has it.

    Else the pipe has no end when that process dies in the middle of a result, and whoever waits
    for the rest of it waits for ever.
    """
    pool._result_queue._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001


def _kill(pool: ProcessPoolExecutor) -> None:
    for process in _processes_of(pool):
        process.kill()


def _why(exit_code: int | None) -> str:
    """Say what a call died of, and what can be done about it."""
    if exit_code is not None and exit_code != -signal.SIGKILL:
        how = (
            f"crashed ({signal.Signals(-exit_code).name})"
            if exit_code < 0
            else f"ended (status {exit_code})"
        )
        return f"its process {how} twice, the second time while nothing else ran"
    return (
        "its process was killed twice, the second time while nothing else ran: most likely it "
        "needs more memory than there is. Give a smaller --mem-gb or --nprocs, so that a run is "
        "read in smaller parts, or a machine with more memory"
    )
