"""Publishing: whole or not at all, and nothing removed or replaced that is not ours."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twolevel.bids.entities import Entities
from twolevel.checks.output import find_in_the_way
from twolevel.derivatives.exclusions import EXCLUDED, Exclusion, read_exclusions
from twolevel.derivatives.publish import publish
from twolevel.derivatives.records import (
    GROUP,
    RECORDS,
    Publication,
    merge_exclusions,
    read_publications,
    record_failure,
)
from twolevel.errors import DamagedError, InputError, OutputError
from twolevel.files.sealed import seal
from twolevel.notes import merged

if TYPE_CHECKING:
    from collections.abc import Callable

X = Publication(
    "sub-01", Entities({"task": "x"}), {"Asked": {"task": ["x"]}, "Derivatives": ["f 1"]}
)
FUNC = "sub-01/func/sub-01_task-x"


def tree(root: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    seal(root)
    return root


def files_of(root: Path) -> dict[str, str]:
    return {
        p.relative_to(root).as_posix(): p.read_text()
        for p in root.rglob("*")
        if p.is_file() and p.relative_to(root).parts[0] != RECORDS and p.name != EXCLUDED
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def put(tmp_path: Path, out: Path) -> Callable[..., list[Path]]:
    """Publish some files as the result of one subject."""
    number = iter(range(100))

    def put(
        content: dict[str, str], record: Publication = X, *, overwrite: bool = False
    ) -> list[Path]:
        made = tree(tmp_path / f"tree{next(number)}", content)
        return publish([made], out, record, overwrite=overwrite)

    return put


def test_trees_are_merged_into_the_output(tmp_path, out):
    a = tree(tmp_path / "a", {f"{FUNC}_a.tsv": "1"})
    b = tree(tmp_path / "b", {f"{FUNC}_b.tsv": "2", "_excluded.tsv": "private"})
    files = publish([a, b], out, X)
    assert files_of(out) == {f"{FUNC}_a.tsv": "1", f"{FUNC}_b.tsv": "2"}
    assert {p.relative_to(out).as_posix() for p in files} == set(files_of(out))


def test_the_record_lists_what_was_published(put, out):
    put({f"{FUNC}_a.tsv": "1"})
    (record,) = read_publications(out)
    assert record == replace(X, files=record.files)
    assert set(record.files) == {f"{FUNC}_a.tsv"}


def test_what_an_earlier_call_made_and_this_one_did_not_is_dropped(put, out):
    put({f"{FUNC}_contrast-old_statmap.nii.gz": "old", f"{FUNC}_design.tsv": "1"})
    put({f"{FUNC}_design.tsv": "2"})
    assert files_of(out) == {f"{FUNC}_design.tsv": "2"}


def test_maps_under_a_label_of_an_earlier_version_stay_and_are_reported(put, out):
    old = f"{FUNC}_contrast-faceHouse_stat-t_statmap"
    new = f"{FUNC}_contrast-faceGtHouse_stat-t_statmap"
    said = '{"Contrast": {"Name": "face > house"}}'
    put({f"{old}.nii.gz": "map", f"{old}.json": said, f"{FUNC}_contrast-a_desc-x_mask.nii": "m"})
    for _ in range(2):
        put({f"{new}.nii.gz": "map", f"{new}.json": said})
        assert set(files_of(out)) == {f"{name}.{end}" for name in (old, new)
                                      for end in ("nii.gz", "json")}  # fmt: skip
    found = find_in_the_way(out, [X], {"sub-01": [Entities({"sub": "01", "task": "x"})]})
    assert found.strangers == []
    assert merged(found.of_old_labels()) == [
        (
            "files of contrasts whose label was another in an earlier version stay as they "
            "are: 2, "
            f"which no step reads any more: {old}.json, {old}.nii.gz"
        )
    ]


@pytest.mark.parametrize(
    "name",
    [
        f"{FUNC}_contrast-mine_statmap.nii.gz",
        f"{FUNC}_desc-denoised_bold.nii.gz",
        "sub-01/func/notes of mine.txt",
        "group/task-x_tests.tsv",
        "sub-011/func/sub-011_task-x_design.tsv",
    ],
)
def test_what_we_did_not_write_stays(put, out, name):
    put({f"{FUNC}_design.tsv": "1"})
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("precious")
    put({f"{FUNC}_design.tsv": "2"})
    put({f"{FUNC}_other.tsv": "3"})
    assert (out / name).read_text() == "precious"


def test_what_we_wrote_and_somebody_changed_is_not_removed(put, out):
    put({f"{FUNC}_design.tsv": "1", f"{FUNC}_contrast-old_statmap.json": "ours"})
    (out / f"{FUNC}_contrast-old_statmap.json").write_text("ours, with a remark")
    put({f"{FUNC}_design.tsv": "1"})
    assert files_of(out)[f"{FUNC}_contrast-old_statmap.json"] == "ours, with a remark"


def test_nothing_is_removed_behind_a_link(put, out, tmp_path):
    put({f"{FUNC}_design.tsv": "1", f"{FUNC}_old.tsv": "old"})
    (out / "sub-01").rename(tmp_path / "elsewhere")
    (out / "sub-01").symlink_to(tmp_path / "elsewhere")
    put({f"{FUNC}_design.tsv": "1"})
    assert (tmp_path / "elsewhere/func/sub-01_task-x_old.tsv").read_text() == "old"


def test_a_link_to_annexed_content_is_replaced_and_its_content_left_alone(put, out, tmp_path):
    put({f"{FUNC}_design.tsv": "1"})
    path, content = out / f"{FUNC}_design.tsv", tmp_path / "object"
    path.rename(content)
    path.symlink_to(content)
    content.chmod(0o444)
    put({f"{FUNC}_design.tsv": "2"})
    assert not path.is_symlink()
    assert (path.read_text(), content.read_text()) == ("2", "1")


def test_a_link_whose_content_was_dropped_is_filled_again(put, out):
    put({f"{FUNC}_design.tsv": "1"})
    path = out / f"{FUNC}_design.tsv"
    path.unlink()
    path.symlink_to(".git/annex/objects/nowhere")
    put({f"{FUNC}_design.tsv": "1"})
    assert path.read_text() == "1"


def test_a_file_that_is_the_same_is_not_written_again(put, out):
    names = [f"{FUNC}_a.tsv", f"{FUNC}_b.tsv"]
    put(dict.fromkeys(names, "same"))
    before = [(out / name).stat().st_ino for name in names]
    put({names[0]: "same", names[1]: "new"})
    after = [(out / name).stat().st_ino for name in names]
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


def test_a_published_file_that_was_damaged_is_written_again(put, out):
    put({f"{FUNC}_a.tsv": "whole"})
    (out / f"{FUNC}_a.tsv").write_text("w")
    put({f"{FUNC}_a.tsv": "whole"})
    assert files_of(out) == {f"{FUNC}_a.tsv": "whole"}


@pytest.mark.parametrize("damage", ["emptied", "gone", "altered", "unsealed"])
def test_of_damaged_trees_nothing_is_published_and_nothing_whole_is_replaced(
    tmp_path, put, out, damage
):
    put({f"{FUNC}_a.tsv": "old a", f"{FUNC}_b.tsv": "old b"})
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    whole = tree(tmp_path / "whole", {f"{FUNC}_a.tsv": "new a"})
    bad = tree(tmp_path / "bad", {f"{FUNC}_b.tsv": "new b"})
    path = bad / f"{FUNC}_b.tsv"
    if damage == "gone":
        path.unlink()
    elif damage == "unsealed":
        (bad / "_manifest.json").unlink()
    else:
        path.write_text({"emptied": "", "altered": "neW b"}[damage])
    with pytest.raises(DamagedError):
        publish([whole, bad], out, X)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_a_call_that_is_cut_short_is_gone_on_with(tmp_path, put, out, monkeypatch):
    put({f"{FUNC}_a.tsv": "1", f"{FUNC}_old.tsv": "1"})
    made = tree(tmp_path / "made", {f"{FUNC}_a.tsv": "2", f"{FUNC}_b.tsv": "2"})
    real = os.replace
    left = iter([True, True, False])  # the record, one file, then the disk is full

    def replacing(self: Path, target: Path) -> Path:
        if not next(left):
            raise OSError(28, "no space left")
        real(self, target)
        return target

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replacing)
        with pytest.raises(OSError, match="no space left"):
            publish([made], out, X)
    assert files_of(out) == {f"{FUNC}_a.tsv": "2", f"{FUNC}_old.tsv": "1"}
    publish([made], out, X)
    assert files_of(out) == {f"{FUNC}_a.tsv": "2", f"{FUNC}_b.tsv": "2"}


OTHER = replace(X, selection={"Asked": {"task": ["x"], "run": ["2"]}, "Derivatives": ["f 1"]})
NEWER = replace(X, selection={"Asked": {"task": ["x"]}, "Derivatives": ["f 2"]})


@pytest.mark.parametrize("other", [OTHER, NEWER])
def test_files_of_another_selection_are_not_replaced_unless_asked(put, out, other):
    put({f"{FUNC}_a.tsv": "1", f"{FUNC}_b.tsv": "1"})
    with pytest.raises(OutputError, match="--overwrite"):
        put({f"{FUNC}_a.tsv": "2"}, other)
    assert files_of(out) == {f"{FUNC}_a.tsv": "1", f"{FUNC}_b.tsv": "1"}
    assert read_publications(out)[0].selection == X.selection
    put({f"{FUNC}_a.tsv": "2"}, other, overwrite=True)
    assert files_of(out) == {f"{FUNC}_a.tsv": "2"}
    (record,) = read_publications(out)
    assert record.selection == other.selection


def test_a_file_of_the_users_under_our_name_is_not_replaced_unless_asked(put, out):
    (out / "sub-01/func").mkdir(parents=True)
    (out / f"{FUNC}_a.tsv").write_text("precious")
    with pytest.raises(OutputError, match="not of twolevel's making"):
        put({f"{FUNC}_a.tsv": "1"})
    assert files_of(out) == {f"{FUNC}_a.tsv": "precious"}
    put({f"{FUNC}_a.tsv": "1"}, overwrite=True)
    assert files_of(out) == {f"{FUNC}_a.tsv": "1"}


def test_tasks_sessions_and_spaces_lie_side_by_side(put, out):
    for task in ("x", "y", "z"):
        record = Publication("sub-01", Entities({"task": task}), {"Asked": {"task": [task]}})
        put({f"sub-01/func/sub-01_task-{task}_design.tsv": task}, record)
        put({f"sub-01/func/sub-01_task-{task}_design.tsv": task}, record)
    assert sorted(files_of(out).values()) == ["x", "y", "z"]
    assert len(read_publications(out, "sub-01")) == 3


def test_what_was_left_out_is_merged_over_tasks_and_calls(put, out):
    def record(task: str, *reasons: str) -> Publication:
        rows = tuple(Exclusion("event", reason, subject="01", run="1") for reason in reasons)
        kind = Entities({"task": task, "space": "S", "res": "2"})
        return Publication("sub-01", kind, {}, excluded=rows)

    put({"sub-01/func/sub-01_task-a_design.tsv": "a"}, record("a", "late", "later"))
    put({"sub-01/func/sub-01_task-b_design.tsv": "b"}, record("b", "early"))
    put({"sub-01/func/sub-01_task-a_design.tsv": "a"}, record("a", "late"))
    table = out / "sub-01" / EXCLUDED
    rows = [(e.task, e.space, e.reason) for e in read_exclusions(table)]
    assert rows == [("a", "S:res-2", "late"), ("b", "S:res-2", "early")]
    group = (Exclusion("subject", "no map", subject="02", contrast="c"),)
    put(
        {"group/task-a_tests.tsv": "t"},
        Publication(GROUP, Entities({"task": "a"}), {}, excluded=group),
    )
    rows = [(e.subject, e.task, e.reason) for e in read_exclusions(out / EXCLUDED)]
    assert rows == [("02", "a", "no map"), ("01", "a", "late"), ("01", "b", "early")]
    merge_exclusions(out, [GROUP, "sub-01"])
    assert len(read_exclusions(out / EXCLUDED)) == 3


def test_a_failure_keeps_the_record_of_what_lies_there(put, out):
    put({f"{FUNC}_a.tsv": "1"})
    record_failure(out, X, "killed")
    (record,) = read_publications(out)
    assert record.failed == "killed"
    assert set(record.files) == {f"{FUNC}_a.tsv"}
    put({f"{FUNC}_b.tsv": "2"})
    assert files_of(out) == {f"{FUNC}_b.tsv": "2"}
    assert read_publications(out)[0].failed == ""


def test_a_success_makes_failures_of_other_selections_forgotten(put, out):
    record_failure(out, OTHER, "killed")
    record_failure(out, replace(OTHER, kind=Entities({"task": "y"})), "killed as well")
    put({f"{FUNC}_a.tsv": "1"})
    assert [(p.kind, p.failed) for p in read_publications(out)] == [
        (Entities({"task": "x"}), ""),
        (Entities({"task": "y"}), "killed as well"),
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"Who": "sub-01", "Kind": {}}'])
def test_a_damaged_record_is_named(put, out, content):
    put({f"{FUNC}_a.tsv": "1"})
    (path,) = (out / RECORDS).glob("*.json")
    path.write_text(content)
    with pytest.raises(InputError, match=path.name):
        read_publications(out)


def test_a_record_that_another_call_takes_away_meanwhile_is_passed_over(put, out, monkeypatch):
    put({f"{FUNC}_a.tsv": "1"})
    put({"sub-01/func/sub-01_task-y_a.tsv": "1"}, replace(X, kind=Entities({"task": "y"})))
    (first, _) = sorted((out / RECORDS).glob("*.json"))
    real = Path.read_text

    def read(self: Path, **options: str) -> str:
        first.unlink(missing_ok=True)
        return real(self, **options)

    monkeypatch.setattr(Path, "read_text", read)
    assert [record.kind["task"] for record in read_publications(out)] == ["y"]


def test_the_record_of_a_long_name_can_be_written(put, out):
    kind = Entities({"task": "t" * 180, "space": "MNI152NLin2009cAsym", "res": "2"})
    put({f"{FUNC}_a.tsv": "1"}, replace(X, kind=kind))
    assert read_publications(out)[0].kind == kind
