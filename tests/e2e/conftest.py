from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import Analysis


@pytest.fixture
def copied(dataset: Path, small: Analysis, tmp_path: Path) -> tuple[Path, Analysis]:
    """A dataset and its analysis with the small model, which a test may change."""
    shutil.copytree(dataset, tmp_path / "data")
    folder = tmp_path / "small"
    shutil.copytree(small.output_dir.parent, folder)
    return tmp_path / "data", Analysis(folder / "results", folder / "work", small.text)
