from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from command import SMALL, Answer, answer
from once import make_once

import twolevel

TASK = "task-balloonanalogrisktask"
SPACE = "space-MNI152NLin2009cAsym_res-2"


@dataclass(frozen=True)
class Data:
    """A dataset that may be spoiled, with the names of its files."""

    root: Path

    @property
    def prepared(self) -> Path:
        return self.root / "derivatives" / "fmriprep"

    def events(self, subject: int, run: int) -> Path:
        name = f"sub-{subject:02d}_{TASK}_run-{run:02d}_events.tsv"
        return self.root / f"sub-{subject:02d}" / "func" / name

    def _prepared(self, subject: int, run: int, ending: str) -> Path:
        stem = f"sub-{subject:02d}_{TASK}_run-{run}"
        return self.prepared / f"sub-{subject:02d}" / "func" / f"{stem}_{ending}"

    def bold(self, subject: int, run: int) -> Path:
        return self._prepared(subject, run, f"{SPACE}_desc-preproc_bold.nii.gz")

    def mask(self, subject: int, run: int) -> Path:
        return self._prepared(subject, run, f"{SPACE}_desc-brain_mask.nii.gz")

    def sidecar(self, subject: int, run: int) -> Path:
        return self._prepared(subject, run, f"{SPACE}_desc-preproc_bold.json")

    def confounds(self, subject: int, run: int) -> Path:
        return self._prepared(subject, run, "desc-confounds_timeseries.tsv")


def own(path: Path) -> Path:
    """Give a file content of its own, before it is changed: the copies are hard links."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    return path


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    make = partial(
        twolevel.simulate_dataset, n_subjects=2, n_runs=2, n_volumes=60, voxel_size_mm=6.0
    )
    return make_once(tmp_path_factory, "pristine", make)


@pytest.fixture
def data(pristine: Path, tmp_path: Path) -> Data:
    shutil.copytree(pristine, tmp_path / "data", copy_function=os.link)
    return Data(tmp_path / "data")


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Call the command line in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return answer


@pytest.fixture
def refused(command, tmp_path):
    """Call the command line and expect a refusal that leaves no trace."""

    def refused(*words: object, output: Path | None = None, level: str = "all") -> str:
        output = output or tmp_path / "out"
        existed = output.exists()
        answer = command(
            "run", tmp_path / "data", output, level, "-m", "balloon", *words,
            "-w", tmp_path / "work",
        )  # fmt: skip
        assert answer.status == 3, answer
        assert output.exists() == existed
        assert not (tmp_path / "work").exists()
        message: str = answer.err
        check_message(message)
        return message

    return refused


@pytest.fixture
def refused_everywhere(command, refused, tmp_path):
    """Expect the same refusal of ``run`` and of ``validate``."""

    def refused_everywhere(*words: object) -> str:
        message: str = refused(*words)
        answer = command("validate", tmp_path / "data", "-m", "balloon", *words)
        assert answer.status == 3
        assert answer.err == message
        return message

    return refused_everywhere


def check_message(text: str) -> None:
    first, *_ = text.splitlines()
    assert first.startswith("Refused: ")
    assert first.endswith("Nothing was computed.")
    count = int(first.split()[1])
    for part in ("  found:    ", "  expected: ", "  do:       "):
        assert text.count(f"\n{part}") == count, text
    assert "Traceback" not in text


@pytest.fixture
def analyse(command, tmp_path):
    """Run the participant level with the small model, job after job, without figures."""

    def analyse(data: Data, *words: object) -> Answer:
        answered: Answer = command(
            "run", data.root, tmp_path / "out", "participant", "-m", SMALL, "-w",
            tmp_path / "work", "--worker", "debug", "--no-figures", *words,
        )  # fmt: skip
        return answered

    return analyse


@pytest.fixture
def own_copy():
    """Give a file content of its own before it is changed."""
    return own
