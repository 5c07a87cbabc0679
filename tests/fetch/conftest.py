"""A simulated dataset as two DataLad datasets, from which tests clone."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from annexed import Sources, isolated_environment, make_datasets
from command import call


@pytest.fixture(scope="session")
def sources(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Two bare repositories, served by no one; tests that change them copy them first."""
    return make_datasets(dataset, tmp_path_factory.mktemp("sources"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user without any configuration of git, and a path without git-annex or DataLad."""
    scripts = sysconfig.get_path("scripts")
    path = [p for p in os.environ["PATH"].split(os.pathsep) if p != scripts]
    return {**isolated_environment(tmp_path), "PATH": os.pathsep.join(path)}


@pytest.fixture
def fetch(environment: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """Fetch into `tmp_path/target` and return what the command prints."""

    def fetch(
        *words: str | Path, status: int = 0, target: Path = tmp_path / "target", **more: str
    ) -> str:
        return call(
            "fetch", "ds000001", target, *words, status=status,
            environment={**environment, **more},
        )  # fmt: skip

    return fetch


@pytest.fixture
def from_paths(sources: Sources) -> list[str | Path]:
    return ["--raw", sources.raw, "--derivatives", sources.derivatives]
