"""Jobs that die: tiny tasks that kill their own process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydra.engine  # noqa: F401  # must come before other parts of pydra
import pytest
from pydra.compose import python, workflow
from pydra.engine.submitter import Submitter

from twolevel.errors import AnalysisError
from twolevel.workflow.engine import drain
from twolevel.workflow.events import JobEvent
from twolevel.workflow.interruption import interrupted_between_steps
from twolevel.workflow.workers import own_processes
from twolevel.workflow.workers.fork_server import make_process
from twolevel.workflow.workers.own_processes import OwnProcesses
from twolevel.workflow.workers.process import ProcessWorker


@python.define(outputs={"out": str})  # type: ignore[untyped-decorator]
def Work(subject: str, how: str, folder: Path) -> str:  # noqa: N802
    """Do as the name of the subject's kind says."""
    import os  # noqa: PLC0415  # the engine runs the text of this function elsewhere
    import signal  # noqa: PLC0415
    import time  # noqa: PLC0415

    begun = sorted(path.name for path in folder.glob(f"{subject}-*"))
    (folder / f"{subject}-{len(begun)}").touch()
    if how == "always" or (how == "once" and not begun):
        (folder.parent / "half").touch()
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "exit":
        os._exit(3)
    if how == "wrong":
        raise EOFError("the file ends too early")
    time.sleep(0.1)
    return f"{subject} done"


@workflow.define(outputs={"out": list[str]})  # type: ignore[untyped-decorator]
def All(subjects: list[str], hows: list[str], folder: Path) -> Any:  # noqa: N802
    """Do the work of all subjects."""
    work = workflow.add(
        Work(folder=folder)
        .split(("subject", "how"), subject=subjects, how=hows)
        .combine("subject")
    )
    return work.out


class Events(list[JobEvent]):
    """What the worker told."""

    def count(self, status: str) -> Counter[str]:  # type: ignore[override]
        """Count the events of a status by subject."""
        return Counter(event.label for event in self if event.status == status)

    @property
    def errors(self) -> dict[str, str]:
        """The errors of the jobs that failed."""
        return {event.label: event.error for event in self if event.status == "failed"}


Run = Callable[..., Events]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run jobs of these kinds, sub-01 first."""
    for name in ("cache", "hashes", "begun"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PYDRA_HASH_CACHE", str(tmp_path / "hashes"))

    def run(*hows: str, n_procs: int) -> Events:
        events = Events()
        asyncio.set_event_loop(asyncio.new_event_loop())
        worker = ProcessWorker(n_procs=n_procs, listener=events.append)
        subjects = [f"{number:02d}" for number in range(1, len(hows) + 1)]
        task = All(subjects=subjects, hows=list(hows), folder=tmp_path / "begun")
        with Submitter(cache_root=tmp_path / "cache", worker=worker) as submitter:
            submitter(task, raise_errors=False)
            submitter.loop.close()
        assert not list((tmp_path / "cache").glob("*.lock"))
        assert not list((tmp_path / "cache").glob("*_info.json"))
        return events

    return run


@pytest.mark.parametrize(("n_procs", "place"), [(1, 0), (2, 1), (2, 3), (3, 0)])
def test_a_job_that_always_dies_fails_alone(run, n_procs, place):
    hows = ["fine"] * 4
    hows[place] = "always"
    events = run(*hows, n_procs=n_procs)
    culprit = f"sub-{place + 1:02d}"
    others = {f"sub-{number:02d}" for number in range(1, 5)} - {culprit}
    assert set(events.count("done")) == others
    assert set(events.errors) == {culprit}
    assert events.errors[culprit].startswith(
        "its process was killed twice, the second time while nothing else ran: most likely it "
        "needs more memory than there is. Give a smaller --mem-gb or --nprocs"
    )
    assert events.count("running")[culprit] == 2
    assert events.count("killed")[culprit] == 1


@pytest.mark.parametrize("n_procs", [1, 2])
def test_a_job_that_dies_once_is_done_at_the_second_time(run, n_procs):
    events = run("fine", "once", "fine", n_procs=n_procs)
    assert events.errors == {}
    assert set(events.count("done")) == {"sub-01", "sub-02", "sub-03"}
    assert events.count("running")["sub-02"] == 2


def test_two_that_always_die_are_both_named(run):
    events = run("always", "fine", "always", "fine", "once", n_procs=2)
    assert set(events.errors) == {"sub-01", "sub-03"}
    assert set(events.count("done")) == {"sub-02", "sub-04", "sub-05"}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("crash", "its process crashed (SIGSEGV) twice, the second time while nothing else ran"),
        ("exit", "its process ended (status 3) twice, the second time while nothing else ran"),
    ],
)
def test_a_crash_is_not_taken_for_want_of_memory(run, how, words):
    events = run("fine", how, n_procs=1)
    assert events.errors == {"sub-02": words}


def test_an_ordinary_error_is_not_tried_again(run):
    events = run("wrong", "fine", "once", n_procs=2)
    assert "EOFError: the file ends too early" in events.errors["sub-01"]
    assert len(events.errors) == 1


def test_jobs_that_only_waited_are_not_tried_again(run):
    events = run("once", "fine", "fine", "fine", n_procs=1)
    assert events.count("running") == {"sub-01": 2, "sub-02": 1, "sub-03": 1, "sub-04": 1}
    assert events.count("killed") == {"sub-01": 1}


# The processes by themselves.


@pytest.fixture
def processes() -> Iterator[OwnProcesses]:
    processes = OwnProcesses()
    yield processes
    processes.end()


def nothing() -> None:
    """Listen to nothing."""


async def call(processes: OwnProcesses, function: Callable[..., Any], *arguments: Any) -> Any:
    return await processes.call(function, *arguments, begins=nothing, died=nothing, clean=nothing)


def test_processes_are_used_again(processes):
    async def work() -> list[int]:
        return [await call(processes, os.getpid) for _ in range(3)]

    assert len(set(asyncio.run(work()))) == 1


@pytest.mark.parametrize("noticed", [False, True])
def test_a_process_that_dies_while_it_is_idle_harms_nobody(processes, noticed):
    async def work() -> list[int]:
        first = await call(processes, os.getpid)
        os.kill(first, signal.SIGKILL)
        while noticed and not processes._idle[0]._broken:
            await asyncio.sleep(0.01)
        later = await asyncio.gather(*(call(processes, os.getpid) for _ in range(2)))
        return [first, *later]

    first, *later = asyncio.run(work())
    assert first not in later


DIES_IN_A_RESULT = """
from multiprocessing.connection import Connection

def send_half(self, buffer, write=None):
    import os, signal
    os.write(self._handle, bytes(buffer)[: len(buffer) // 2])
    os.kill(os.getpid(), signal.SIGKILL)

Connection._send = send_half
"""


def test_a_process_that_dies_in_the_middle_of_a_result_is_not_waited_for(processes):
    async def work() -> Any:
        return await asyncio.wait_for(call(processes, exec, DIES_IN_A_RESULT), timeout=60)

    with pytest.raises(AnalysisError, match="killed"):
        asyncio.run(work())


@pytest.mark.parametrize("n_dying", [1, 2, 3])
def test_processes_that_die_while_they_start(processes, monkeypatch, n_dying):
    made = []

    def make() -> Any:
        made.append(make_process())
        if len(made) <= n_dying:  # instead of what a process does first
            made[-1]._initializer, made[-1]._initargs = signal.raise_signal, (signal.SIGKILL,)
        return made[-1]

    monkeypatch.setattr(own_processes, "make_process", make)

    async def work() -> list[Any]:
        calls = (call(processes, abs, -number) for number in range(2))
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(work())
    # The first process of each call, and then the second of the one or the other.
    failed = [answer for answer in answers if isinstance(answer, AnalysisError)]
    assert len(failed) == max(0, n_dying - 2)
    # Which of the two calls it is that the third process dies of is left to their race.
    assert [n for n, a in enumerate(answers) if a not in failed and a != n] == []


def test_the_second_time_is_alone_and_newcomers_wait(processes):
    told = []

    async def one(name: str, function: Callable[..., Any], *arguments: Any) -> None:
        with contextlib.suppress(AnalysisError):
            await processes.call(
                function,
                *arguments,
                begins=lambda: told.append(f"{name} begins"),
                died=lambda: told.append(f"{name} died"),
                clean=lambda: told.append(f"clean for {name}"),
            )
        told.append(f"{name} ends")

    async def work() -> None:
        first = [
            asyncio.create_task(one("killer", signal.raise_signal, signal.SIGKILL)),
            asyncio.create_task(one("sleeper", time.sleep, 0.3)),
        ]
        while "killer died" not in told:
            await asyncio.sleep(0.001)
        await asyncio.gather(*first, one("newcomer", abs, -1))

    asyncio.run(work())
    assert told == [
        "killer begins",
        "sleeper begins",
        "killer died",
        "sleeper ends",
        "clean for killer",
        "killer begins",
        "clean for killer",
        "killer ends",
        "newcomer begins",
        "newcomer ends",
    ]


@pytest.mark.parametrize("attempt", [1, 2])
def test_an_interruption_ends_all_at_once(processes, attempt):
    loop = asyncio.new_event_loop()
    begun = []

    def begin() -> None:
        begun.append(begin)
        if len(begun) == attempt:
            loop.call_later(0.2, os.kill, os.getpid(), signal.SIGINT)
        else:
            loop.call_later(0.5, _kill_all, processes)

    async def work() -> None:
        await processes.call(time.sleep, 600, begins=begin, died=nothing, clean=nothing)

    with pytest.raises(KeyboardInterrupt), interrupted_between_steps(loop):
        loop.run_until_complete(work())
    (busy,) = processes._busy
    (process,) = busy._processes.values()
    processes.end()
    drain(loop)
    loop.close()
    assert process.exitcode == -signal.SIGKILL


def _kill_all(processes: OwnProcesses) -> None:
    for pool in processes._busy:
        for process in pool._processes.values():
            process.kill()
