from __future__ import annotations

import os

import pytest
from annexed import isolated_environment


@pytest.fixture
def newcomer(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """Take away what the user of this machine has told git, in variables too."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, text in isolated_environment(tmp_path_factory.mktemp("newcomer")).items():
        monkeypatch.setenv(name, text)
    return monkeypatch
