"""Spreading calls over threads."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], n_workers: int
) -> Iterator[Result]:
    """Call a function for every item, in threads, and yield the results in order.

    The items are taken in the calling thread while earlier ones are worked on, never more than
    `n_workers` ahead, so that items which hold much memory do not pile up.

    Parameters
    ----------
    function : callable
        Gives the same result in whatever thread it is called.
    n_workers : int
        Threads beside the calling one; 0: one call after the other in the calling thread.
    """
    if n_workers < 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(n_workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > n_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
