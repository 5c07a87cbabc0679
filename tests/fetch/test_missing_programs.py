"""Where DataLad and git-annex are not installed."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from twolevel.cli.main import main
from twolevel.fetch import programs

pytestmark = pytest.mark.usefixtures("without")


@pytest.fixture
def without(monkeypatch, tmp_path):
    """Take DataLad and git-annex away, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setattr(programs, "_search_path", lambda: str(folder))
    monkeypatch.chdir(tmp_path)
    # The command sets variables and a handler for its process, which is that of the tests here.
    before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    yield
    os.environ.clear()
    os.environ.update(before)
    signal.signal(signal.SIGTERM, handler)


def test_fetch_says_which_extra_to_install(capsys, tmp_path):
    assert main(["fetch", "ds000001", str(tmp_path / "target")]) == 3
    said = capsys.readouterr().err
    assert said.startswith("Refused: 2 problems.")
    for program in ("datalad", "git-annex"):
        assert f"\n{program}\n  found:    not installed\n" in said
    assert said.count('do:       install the extra "fetch": pip install "twolevel[fetch]"') == 2
    assert not (tmp_path / "target").exists()


def test_run_with_fetch_says_so_too_and_without_it_works(capsys, tmp_path, dataset):
    words = ["run", str(dataset), str(tmp_path / "out"), "participant", "-m", "balloon"]
    assert main([*words, "--fetch"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("Refused: 1 problem.")
    assert "\ngit-annex\n  found:    not installed\n" in said
    assert main(["validate", str(dataset), "-m", "balloon"]) == 0
    assert "All checks passed: 3 subjects, 6 runs" in capsys.readouterr().out
