"""A dataset and its analysis that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import Analysis, call


@pytest.fixture
def copied(dataset: Path, tmp_path: Path) -> tuple[Path, Analysis]:
    """A dataset and its analysis that a test may change."""
    data = tmp_path / "data"
    shutil.copytree(dataset, data)
    work = tmp_path / "work"
    output_dir = tmp_path / "results"
    text = call("run", data, output_dir, "all", "-m", "balloon", "-w", work, "--nprocs", "2")
    return data, Analysis(output_dir, work, text)
