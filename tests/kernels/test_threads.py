"""Calls in threads: in order, not far ahead, and nothing left behind."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from twolevel.numerics import threads
from twolevel.numerics.threads import map_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

any_number = pytest.mark.parametrize("n_workers", [0, 1, 2, 5])


class StoppedPool:
    """Takes calls and carries out none: only the first has an outcome."""

    def __init__(self, first: int | Exception) -> None:
        self.first = first
        self.futures: list[Future[int]] = []

    def __call__(self, n_workers: int) -> StoppedPool:  # noqa: ARG002  # a pool's signature
        return self

    def __enter__(self) -> StoppedPool:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, *_: Any) -> Future[int]:
        future: Future[int] = Future()
        if not self.futures:
            if isinstance(self.first, Exception):
                future.set_exception(self.first)
            else:
                future.set_result(self.first)
        self.futures.append(future)
        return future


@any_number
def test_results_come_in_the_order_of_the_items(n_workers):
    later_is_done = [threading.Event() for _ in range(20)]

    def wait_for_the_next(i: int) -> int:
        # Even items end after the odd one behind them, wherever that one can run beside them.
        if i % 2:
            later_is_done[i].set()
        elif n_workers > 1:
            assert later_is_done[i + 1].wait(10)
        return -i

    assert list(map_ahead(wait_for_the_next, range(20), n_workers)) == [-i for i in range(20)]


@any_number
def test_no_items_give_no_results(n_workers):
    assert list(map_ahead(abs, [], n_workers)) == []


def test_without_workers_the_calling_thread_computes():
    idents = set(map_ahead(lambda _: threading.get_ident(), range(5), 0))
    assert idents == {threading.get_ident()}


@pytest.mark.parametrize("n_workers", [1, 3])
def test_with_workers_other_threads_compute_and_the_calling_one_takes_the_items(n_workers):
    takers = []

    def items() -> Iterator[int]:
        for i in range(10):
            takers.append(threading.get_ident())
            yield i

    computing = set(map_ahead(lambda _: threading.get_ident(), items(), n_workers))
    assert set(takers) == {threading.get_ident()}
    assert threading.get_ident() not in computing
    assert 1 <= len(computing) <= n_workers


@any_number
def test_items_are_taken_no_further_ahead_than_there_are_workers(n_workers):
    taken, ahead, received = 0, [], 0

    def items() -> Iterator[int]:
        nonlocal taken
        for i in range(30):
            taken += 1
            ahead.append(taken - received)
            yield i

    for _ in map_ahead(abs, items(), n_workers):
        received += 1
    assert received == 30
    assert max(ahead) == n_workers + 1


@any_number
def test_an_exception_of_the_function_comes_in_its_turn(n_workers):
    def divide(i: int) -> float:
        return 1 / (3 - i)

    results = map_ahead(divide, range(10), n_workers)
    assert [next(results) for _ in range(3)] == [1 / 3, 1 / 2, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


@any_number
def test_an_exception_of_the_items_is_passed_on(n_workers):
    def items() -> Iterator[int]:
        yield from range(4)
        raise LookupError("the file is cut short")

    with pytest.raises(LookupError, match="the file is cut short"):
        list(map_ahead(abs, items(), n_workers))
    alive = [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]
    assert alive == []


def test_calls_that_wait_are_cancelled_when_one_fails(monkeypatch):
    pool = StoppedPool(ValueError("no"))
    monkeypatch.setattr(threads, "ThreadPoolExecutor", pool)
    with pytest.raises(ValueError, match="no"):
        list(map_ahead(abs, range(10), 3))
    assert [future.cancelled() for future in pool.futures] == [False, True, True, True]


def test_calls_that_wait_are_cancelled_when_the_items_fail(monkeypatch):
    def items() -> Iterator[int]:
        yield from range(3)
        raise LookupError("the file is cut short")

    pool = StoppedPool(1)
    monkeypatch.setattr(threads, "ThreadPoolExecutor", pool)
    with pytest.raises(LookupError, match="cut short"):
        list(map_ahead(abs, items(), 3))
    assert [future.cancelled() for future in pool.futures] == [False, True, True]


def test_calls_that_wait_are_cancelled_when_nobody_wants_more(monkeypatch):
    pool = StoppedPool(1)
    monkeypatch.setattr(threads, "ThreadPoolExecutor", pool)
    results = map_ahead(abs, range(10), 2)
    assert next(results) == 1
    results.close()  # type: ignore[attr-defined]  # a generator, called an iterator
    assert [future.cancelled() for future in pool.futures] == [False, True, True]
