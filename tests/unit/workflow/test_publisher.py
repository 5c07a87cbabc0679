"""Each subject is published when its workflow is done, and then its images are dropped."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from twolevel.bids.entities import Entities
from twolevel.derivatives.exclusions import Exclusion, read_exclusions, write_exclusions
from twolevel.derivatives.records import Publication, read_publications
from twolevel.errors import TransferError
from twolevel.files.sealed import seal
from twolevel.notes import merged
from twolevel.tasks.handoff import EXCLUSIONS
from twolevel.workflow.publisher import SubjectPublisher

FUNC = "sub-{0}/func/sub-{0}_task-x"
LEFT_OUT = Exclusion("run", "no events", subject="02", run="1", task="x")


@dataclass(frozen=True)
class Level:
    """The workflow of a subject, as far as publishing is concerned."""

    subject: str


@dataclass
class Dropping:
    """Downloads that remember what was asked of them."""

    kept: dict[Path, str] = field(default_factory=dict)
    error: str = ""
    dropped: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    def drop(self, subject: str) -> dict[Path, str]:
        self.dropped.append(subject)
        if self.error:
            raise TransferError(self.error)
        return self.kept

    def release(self, subject: str) -> None:
        self.released.append(subject)


@pytest.fixture
def results(tmp_path: Path):
    """Make what the workflow of a subject leaves."""

    def make(subject: str) -> Any:
        trees = []
        for what in ("design", "run", "subject"):
            tree = tmp_path / f"{what}-{subject}"
            path = tree / f"{FUNC.format(subject)}_{what}.tsv"
            path.parent.mkdir(parents=True)
            path.write_text(what)
            trees.append(tree)
        write_exclusions(trees[2] / EXCLUSIONS, [LEFT_OUT] if subject == "02" else [])
        for tree in trees:
            seal(tree)
        design, run, whole = trees
        outputs = SimpleNamespace(designs=[design], maps=[run], subject_maps=whole)
        return SimpleNamespace(errored=False, outputs=outputs)

    return make


@pytest.fixture
def make(tmp_path: Path):
    """Make a publisher of two subjects."""

    def make(downloads: Any = None, *, overwrite: bool = False) -> SubjectPublisher:
        planned = {s: Publication(f"sub-{s}", Entities({"task": "x"}), {}) for s in ("01", "02")}
        out = tmp_path / "out"
        return SubjectPublisher(Level, out, planned, downloads, overwrite=overwrite)

    return make


def test_a_subject_that_is_done_is_published_with_its_record(make, results, tmp_path):
    publisher = make()
    publisher.finish(Level("02"), results("02"))
    assert publisher.outcome.done == ["02"]
    assert publisher.has_seen("02")
    assert not publisher.has_seen("01")
    names = {f"{FUNC.format('02')}_{what}.tsv" for what in ("design", "run", "subject")}
    out = tmp_path / "out"
    assert {path.relative_to(out).as_posix() for path in publisher.outcome.files} == names
    (record,) = read_publications(out)
    assert set(record.files) == names
    assert record.excluded == (LEFT_OUT,)
    assert list(read_exclusions(out / "sub-02" / "excluded.tsv")) == [LEFT_OUT]


@pytest.mark.parametrize(
    "result",
    [
        None,
        SimpleNamespace(errored=True, outputs=object()),
        SimpleNamespace(errored=False, outputs=None),
    ],
)
def test_what_failed_is_not_published_and_its_images_stay(make, result, tmp_path):
    downloads = Dropping()
    publisher = make(downloads)
    publisher.finish(Level("01"), result)
    assert not publisher.has_seen("01")
    assert downloads.dropped == []
    assert not (tmp_path / "out").exists()


def test_other_workflows_are_nothing_to_publish(make, results):
    publisher = make(downloads := Dropping())
    task = SimpleNamespace(subject="01")
    publisher.finish(task, results("01"))
    publisher.release(task)
    assert not publisher.has_seen("01")
    assert downloads.released == []


def test_a_damaged_result_is_neither_done_nor_failed_and_its_images_stay(make, results):
    publisher = make(downloads := Dropping())
    result = results("01")
    (damaged,) = result.outputs.maps
    (damaged / f"{FUNC.format('01')}_run.tsv").write_text("run, but not as it was sealed")
    publisher.finish(Level("01"), result)
    assert publisher.damaged == {"01": damaged}
    assert not publisher.has_seen("01")
    assert downloads.dropped == []


def test_a_file_of_somebody_else_in_the_way_fails_the_subject_and_no_other(
    make, results, tmp_path
):
    theirs = tmp_path / "out" / f"{FUNC.format('01')}_run.tsv"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    publisher = make(downloads := Dropping())
    publisher.finish(Level("01"), results("01"))
    publisher.finish(Level("02"), results("02"))
    assert publisher.outcome.done == ["02"]
    (error,) = publisher.outcome.failed.values()
    assert error.startswith("its maps could not be published: ")
    assert theirs.name in error
    assert theirs.read_text() == "theirs"
    assert downloads.dropped == ["02"]


def test_images_that_are_kept_are_noted_once_for_each_reason(make, results):
    kept = {Path("a.nii.gz"): "no other copy", Path("b.nii.gz"): "no other copy",
            Path("c.nii.gz"): "not kept by git-annex"}  # fmt: skip
    publisher = make(downloads := Dropping(kept))
    publisher.finish(Level("01"), results("01"))
    publisher.release(Level("01"))
    assert merged(publisher.outcome.notes) == [
        "sub-01: images not dropped: no other copy: 2: a.nii.gz, ...",
        "sub-01: images not dropped: not kept by git-annex: 1: c.nii.gz",
    ]
    assert downloads.dropped == downloads.released == ["01"]


def test_images_that_cannot_be_dropped_are_noted_and_the_maps_are_there(make, results):
    publisher = make(Dropping(error="the repository is locked"))
    publisher.finish(Level("01"), results("01"))
    assert publisher.outcome.done == ["01"]
    assert merged(publisher.outcome.notes) == [
        "sub-01: images not dropped: the repository is locked"
    ]
