from __future__ import annotations

from pathlib import Path

import pytest
from command import Analysis, call

import twolevel


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
    folder = tmp_path_factory.mktemp("simulated") / "data"
    return twolevel.simulate_dataset(
        folder, n_subjects=3, n_runs=2, n_volumes=60, voxel_size_mm=6.0
    )


@pytest.fixture(scope="session")
def analysed(dataset: Path) -> Analysis:
    """The whole analysis, with two processes."""
    output_dir, work_dir = dataset.parent / "results", dataset.parent / "work"
    text = call(
        "run", dataset, output_dir, "all", "-m", "balloon", "-w", work_dir, "--nprocs", "2"
    )
    return Analysis(output_dir, work_dir, text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs the internet, unless it is asked for: ``-m network``."""
    if "network" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("network") is not None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
