"""One small simulated dataset, analysed once; tests copy what they change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import Analysis, call

import twolevel

SUBJECTS = 3
RUNS = 2


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "data"
    return twolevel.simulate_dataset(
        folder, n_subjects=SUBJECTS, n_runs=RUNS, n_volumes=60, voxel_size_mm=6.0
    )


@pytest.fixture(scope="session")
def analysed(dataset: Path) -> Analysis:
    """The whole analysis, with two processes."""
    output_dir, work_dir = dataset.parent / "results", dataset.parent / "work"
    text = call(
        "run", dataset, output_dir, "all", "-m", "balloon", "-w", work_dir, "--nprocs", "2"
    )
    return Analysis(output_dir, work_dir, text)


@pytest.fixture
def copied(dataset: Path, tmp_path: Path) -> tuple[Path, Analysis]:
    """A dataset and its analysis that a test may change."""
    data = tmp_path / "data"
    shutil.copytree(dataset, data)
    work = tmp_path / "work"
    output_dir = tmp_path / "results"
    text = call("run", data, output_dir, "all", "-m", "balloon", "-w", work, "--nprocs", "2")
    return data, Analysis(output_dir, work, text)
