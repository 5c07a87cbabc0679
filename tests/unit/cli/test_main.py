from __future__ import annotations

import os
from pathlib import Path

import pytest

from twolevel.cli.main import _find_place_for_matplotlib


@pytest.fixture
def environment(monkeypatch):
    for name in ("MPLCONFIGDIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("home", ["/proc/nowhere", "/dev/null", "/dev/null/below"])
def test_without_a_home_matplotlib_gets_a_folder(environment, home):
    environment.setenv("HOME", home)
    _find_place_for_matplotlib()
    folder = Path(os.environ["MPLCONFIGDIR"])
    assert folder.is_dir()
    folder.rmdir()


def test_with_a_home_matplotlib_keeps_its_own(environment, tmp_path):
    environment.setenv("HOME", str(tmp_path))
    _find_place_for_matplotlib()
    assert "MPLCONFIGDIR" not in os.environ


def test_what_the_user_says_is_left_alone(environment):
    environment.setenv("MPLCONFIGDIR", "/somewhere")
    environment.setenv("HOME", "/proc/nowhere")
    _find_place_for_matplotlib()
    assert os.environ["MPLCONFIGDIR"] == "/somewhere"
