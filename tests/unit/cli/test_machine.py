from __future__ import annotations

import io
import os

import pytest

from twolevel.cli import machine
from twolevel.cli.console import ReportConsole
from twolevel.cli.machine import (
    prepare_kernels,
    process_count,
    process_notes,
    shared_resources,
)
from twolevel.cli.option_groups import MachineOptions
from twolevel.errors import OutputError
from twolevel.notes import merged
from twolevel.numerics.resources import Resources

GB = 10**9
COMPILING = "compiling numerical kernels, once for this installation: about 10 seconds\n"
NOWHERE_TO_WRITE = (
    "each process compiles the numerical kernels, about 10 seconds: neither the installation nor "
    "the user's cache can be written (NUMBA_CACHE_DIR names another)\n"
)


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(machine, "cpu_count", lambda: 8)
    monkeypatch.setattr(machine, "_machine_bytes", lambda: 16 * GB)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 8),
        ({"nprocs": 3}, 3),
        ({"nprocs": 20}, 20),
        ({"worker": "debug"}, 1),
        ({"worker": "debug", "nprocs": 5}, 1),
    ],
)
def test_a_process_per_core_computes_unless_something_else_is_asked_for(given, expected):
    assert process_count(MachineOptions(**given)) == expected


@pytest.mark.parametrize(
    ("given", "n_threads"),
    [
        ({}, 1),
        ({"nprocs": 1}, 8),
        ({"nprocs": 2}, 4),
        ({"nprocs": 3}, 2),
        ({"nprocs": 20}, 1),
        ({"worker": "debug"}, 8),
        ({"nprocs": 2, "omp_nthreads": 3}, 3),
        ({"omp_nthreads": 16}, 16),
    ],
)
def test_the_cores_are_shared_among_the_processes(given, n_threads):
    assert shared_resources(MachineOptions(**given)).n_threads == n_threads


@pytest.mark.parametrize(
    ("given", "memory_bytes"),
    [
        ({}, 1_100_000_000),  # three quarters of 16 GB, an eighth of it, less what a process needs
        ({"nprocs": 1}, 11_600_000_000),
        ({"mem_gb": 8.0}, 600_000_000),
        ({"nprocs": 4, "mem_gb": 10}, 2_100_000_000),
        ({"worker": "debug", "mem_gb": 2.5}, 2_100_000_000),
        ({"nprocs": 2, "mem_gb": 1.0}, 100_000_000),
    ],
)
def test_the_memory_is_shared_among_the_processes(given, memory_bytes):
    assert shared_resources(MachineOptions(**given)).memory_bytes == memory_bytes


def test_memory_that_is_asked_for_may_be_more_than_the_machine_says_it_has():
    assert shared_resources(MachineOptions(nprocs=1, mem_gb=100)) == Resources(8, 99_600_000_000)


def test_too_little_memory_for_so_many_processes_is_refused():
    with pytest.raises(OutputError) as error:
        shared_resources(MachineOptions(nprocs=3, mem_gb=1.4))
    assert str(error.value) == (
        "--mem-gb 1.4\n"
        "  found:    3 processes\n"
        "  expected: 1.5 GB or more for so many\n"
        "  do:       give more memory, or a smaller --nprocs"
    )


@pytest.mark.parametrize("nprocs", [1, 2, 3, 7, 8])
def test_the_memory_that_the_refusal_names_is_enough(nprocs):
    with pytest.raises(OutputError) as error:
        shared_resources(MachineOptions(nprocs=nprocs, mem_gb=0.1))
    least = float(error.value.problems[0].expected.split()[0])
    assert least == nprocs / 2
    assert shared_resources(MachineOptions(nprocs=nprocs, mem_gb=least)).memory_bytes == 10**8


def test_a_machine_with_little_memory_is_used_nevertheless(monkeypatch):
    monkeypatch.setattr(machine, "_machine_bytes", lambda: GB)
    assert shared_resources(MachineOptions(nprocs=8)) == Resources(1, 10**8)


@pytest.mark.parametrize("text", ["max\n", "", None, str(2**62)])
def test_without_a_limit_of_the_job_the_machines_memory_counts(monkeypatch, tmp_path, text):
    monkeypatch.undo()
    limit = tmp_path / "memory.max"
    if text is not None:
        limit.write_text(text)
    monkeypatch.setattr(machine, "CGROUP", limit)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine._machine_bytes() == physical


def test_a_limit_of_the_job_counts_instead_of_the_machines_memory(monkeypatch, tmp_path):
    monkeypatch.undo()
    limit = tmp_path / "memory.max"
    limit.write_text("536870912\n")
    monkeypatch.setattr(machine, "CGROUP", limit)
    assert machine._machine_bytes() == 2**29


@pytest.mark.parametrize(
    ("cacheable", "compiled", "printed", "n_compilations"),
    [(True, True, "", 0), (True, False, COMPILING, 1), (False, False, NOWHERE_TO_WRITE, 0)],
)
def test_kernels_are_compiled_before_processes_need_them_and_it_is_said(
    monkeypatch, cacheable, compiled, printed, n_compilations
):
    calls: list[None] = []
    monkeypatch.setattr(machine, "can_be_cached", lambda: cacheable)
    monkeypatch.setattr(machine, "kernels_are_compiled", lambda: compiled)
    monkeypatch.setattr(machine, "compile_kernels", lambda: calls.append(None))
    output = io.StringIO()
    prepare_kernels(ReportConsole(file=output, width=60))
    assert output.getvalue() == printed
    assert len(calls) == n_compilations


@pytest.mark.parametrize("given", [{}, {"nprocs": 8}, {"nprocs": 1}, {"worker": "debug"}])
def test_as_many_processes_as_cores_are_no_news(given):
    assert process_notes(MachineOptions(**given)) == []


@pytest.mark.parametrize(
    ("n_cores", "n_procs", "said"),
    [(8, 9, "there are 8 cores"), (2, 1000, "there are 2 cores"), (1, 2, "there is 1 core")],
)
def test_more_processes_than_cores_are_told(monkeypatch, n_cores, n_procs, said):
    monkeypatch.setattr(machine, "cpu_count", lambda: n_cores)
    (note,) = process_notes(MachineOptions(nprocs=n_procs))
    assert merged([note]) == [
        f"--nprocs {n_procs}: {said}: more processes need more memory and are no faster"
    ]
