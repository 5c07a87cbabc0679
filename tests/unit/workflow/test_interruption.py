from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from twolevel.workflow.interruption import interrupted_between_steps


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_step_is_finished_before_the_interruption_is_taken(loop, number):
    before = signal.getsignal(number)
    finished = []

    async def step() -> None:
        os.kill(os.getpid(), number)
        time.sleep(0.01)  # the handler has had its chance
        finished.append("first")
        await asyncio.sleep(5)
        finished.append("second")

    with pytest.raises(KeyboardInterrupt), interrupted_between_steps(loop):
        loop.run_until_complete(step())
    assert finished == ["first"]
    assert signal.getsignal(number) is before
    (pending,) = asyncio.all_tasks(loop)
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(pending)


def test_a_waiting_loop_wakes_up(loop):
    loop.call_later(0.01, os.kill, os.getpid(), signal.SIGTERM)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), interrupted_between_steps(loop):
        loop.run_until_complete(asyncio.Event().wait())
    assert time.monotonic() - started < 30
    for pending in asyncio.all_tasks(loop):
        pending.cancel()


def test_a_second_signal_is_taken_at_once(loop):
    reached = []

    async def step() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        reached.append("first")
        os.kill(os.getpid(), signal.SIGTERM)
        reached.append("second")

    with pytest.raises(KeyboardInterrupt), interrupted_between_steps(loop):
        loop.run_until_complete(step())
    assert reached == ["first"]


def test_a_signal_in_the_last_step_is_not_lost(loop):
    finished = asyncio.sleep(0)

    def work() -> None:
        with interrupted_between_steps(loop):
            loop.run_until_complete(finished)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_without_a_signal_nothing_happens(loop):
    with interrupted_between_steps(loop):
        assert loop.run_until_complete(asyncio.sleep(0, result=3)) == 3


def test_outside_the_main_thread_signals_are_left_alone():
    async def work() -> bool:
        return await asyncio.to_thread(in_thread)

    def in_thread() -> bool:
        before = signal.getsignal(signal.SIGTERM)
        own = asyncio.new_event_loop()
        with interrupted_between_steps(own):
            inside = signal.getsignal(signal.SIGTERM)
        own.close()
        return inside is before

    assert asyncio.run(work())


def test_a_signal_that_is_ignored_stays_ignored(loop):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupted_between_steps(loop):
            os.kill(os.getpid(), signal.SIGHUP)
            assert loop.run_until_complete(asyncio.sleep(0, result=3)) == 3
    finally:
        signal.signal(signal.SIGHUP, before)
