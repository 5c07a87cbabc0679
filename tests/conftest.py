from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest
from command import PLAIN, SMALL, Analysis, call, call_process
from once import make_once

import twolevel
from twolevel.workflow.workers.fork_server import one_thread_each

# As the command does for its process; it counts when numpy is imported.
one_thread_each()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare what pytest-xdist does not: kernels, which each worker would compile, and Ctrl-C."""
    if hasattr(config, "workerinput"):  # it ignores Ctrl-C, and so would all that tests start
        signal.signal(signal.SIGINT, signal.default_int_handler)
    elif config.getoption("numprocesses", None):
        from twolevel.numerics.kernels import compile_kernels  # noqa: PLC0415  # imports numba

        compile_kernels()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference material beside the repository root; it is no part of the product."""
    path = Path(__file__).parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"the reference data are not there: {path}")
    return path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small simulated dataset; tests copy what they change."""
    make = partial(
        twolevel.simulate_dataset, n_subjects=3, n_runs=2, n_volumes=60, voxel_size_mm=6.0
    )
    return make_once(tmp_path_factory, "data", make)


@pytest.fixture(scope="session")
def analysed(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """The whole analysis of the preset, in two processes, with figures and report."""

    def analyse(folder: Path) -> None:
        words = ["run", dataset, folder / "results", "all", "-m", "balloon"]
        text = call_process(*words, "-w", folder / "work", "--nprocs", "2")
        (folder / "text").write_text(text, encoding="utf-8")

    return _analysis(make_once(tmp_path_factory, "analysed", analyse))


@pytest.fixture(scope="session")
def small(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """The whole analysis of the small model, with nothing drawn."""

    def analyse(folder: Path) -> None:
        words = ["run", dataset, folder / "results", "all", "-m", SMALL]
        text = call(*words, "-w", folder / "work", *PLAIN)
        (folder / "text").write_text(text, encoding="utf-8")

    return _analysis(make_once(tmp_path_factory, "small", analyse))


def _analysis(folder: Path) -> Analysis:
    text = (folder / "text").read_text(encoding="utf-8")
    return Analysis(folder / "results", folder / "work", text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs the internet, unless it is asked for: ``-m network``."""
    if "network" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("network") is not None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
