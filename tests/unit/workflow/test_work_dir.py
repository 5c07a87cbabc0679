"""The work directory: ours by its mark, closed to others, nothing in it removed but our own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from twolevel.errors import OutputError
from twolevel.workflow.work_dir import (
    CACHE,
    HASHES,
    UNFINISHED,
    check_work_dir,
    clean,
    make_work_dir,
    own,
)

DIGEST, HASH = "0a1b2c3d" * 4, "0a1b2c3d" * 16
OWN = [
    f"cache/python-{DIGEST}/_result.pklz",
    f"cache/workflow-{DIGEST}.lock",
    f"cache/{DIGEST}_info.json",
    f"hashes/{HASH}",
    f"hashes/{HASH}.lock",
    f"unfinished/python-{DIGEST}.npz",
    f"unfinished/python-{DIGEST}.share",
    "lock",
]


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("precious")


def files_of(root: Path) -> set[str]:
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if not p.is_dir()}


def refusal(work: Path) -> str:
    before = files_of(work)
    with pytest.raises(OutputError) as caught:
        check_work_dir(work)
    with pytest.raises(OutputError):
        make_work_dir(work)
    assert files_of(work) == before
    (problem, *_) = caught.value.problems
    return problem.found


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_what_is_made_is_closed_to_others_whatever_the_umask(work, umask):
    before = os.umask(umask)
    try:
        make_work_dir(work)
    finally:
        os.umask(before)
    for folder in (work, work / CACHE, work / HASHES, work / UNFINISHED):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o711])
def test_the_mode_of_a_folder_that_was_there_is_not_changed(work, mode):
    work.mkdir()
    work.chmod(mode)
    make_work_dir(work)
    make_work_dir(work)
    assert stat.S_IMODE(work.stat().st_mode) == mode
    assert stat.S_IMODE((work / CACHE).stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o1777])
@pytest.mark.parametrize("folder", [".", CACHE, HASHES, UNFINISHED])
def test_a_folder_that_others_can_write_to_is_refused_with_the_command_that_helps(
    work, folder, mode
):
    make_work_dir(work)
    (work / folder).chmod(mode)
    assert refusal(work) == f"others can write to it (mode {mode:o})"
    with pytest.raises(OutputError, match="chmod go-w"):
        check_work_dir(work)
    assert stat.S_IMODE((work / folder).stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", [".", CACHE, HASHES, UNFINISHED, "lock"])
def test_what_belongs_to_another_user_is_refused(work, name):
    make_work_dir(work)
    touch(work, "lock")
    os.chown(work / name, 65534, 65534)
    assert refusal(work) == "it belongs to nobody"


@pytest.mark.parametrize(
    "name",
    [
        "thesis.tex",
        ".hidden",
        "cache/thesis/chapter1.txt",
        "cache/python-analysis/a.txt",
        "hashes/db.lock",
        "unfinished/draft.npz",
        f"cache/{DIGEST}.json",
        f"other/python-{DIGEST}",
    ],
)
def test_a_folder_with_files_of_somebody_else_is_refused(work, name):
    touch(work, *OWN, name)
    assert refusal(work).startswith("files that twolevel did not write: ")


def test_a_work_directory_of_an_earlier_version_is_recognised_and_marked(work):
    touch(work, *OWN)
    check_work_dir(work)
    make_work_dir(work)
    assert files_of(work) == {*OWN, ".twolevel-work"}
    touch(work, "notes.txt", "cache/notes.txt")  # from now on it is known to be ours
    check_work_dir(work)


@pytest.mark.parametrize("name", [CACHE, HASHES, UNFINISHED])
def test_a_link_in_the_place_of_a_folder_is_refused(work, tmp_path, name):
    make_work_dir(work)
    (work / name).rmdir()
    (tmp_path / "elsewhere").mkdir()
    (work / name).symlink_to(tmp_path / "elsewhere")
    assert refusal(work) == "a link"


@pytest.mark.parametrize("name", ["lock", ".twolevel-work"])
def test_a_link_in_the_place_of_a_file_is_refused(work, tmp_path, name):
    work.mkdir()
    touch(tmp_path, "note.txt")
    (work / name).symlink_to(tmp_path / "note.txt")
    assert refusal(work) == "a link"
    assert (tmp_path / "note.txt").read_text() == "precious"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_something_else_in_the_place_of_the_lock_is_refused(work, make):
    work.mkdir()
    make(work / "lock")
    assert refusal(work) == "something else"


def test_cleaning_removes_what_is_ours_and_nothing_else(work, tmp_path):
    make_work_dir(work)
    touch(tmp_path, "elsewhere/chapter.txt")
    theirs = ["cache/notes.txt", "cache/python-x/a", "hashes/db", "unfinished/a.npz", "b/c"]
    touch(work, *OWN, *theirs)
    (work / CACHE / f"python-{'f' * 32}").symlink_to(tmp_path / "elsewhere")
    clean(work)
    assert files_of(work) == {*theirs, "lock", ".twolevel-work"}
    assert (work / CACHE / f"python-{'f' * 32}").is_symlink()
    assert files_of(tmp_path / "elsewhere") == {"chapter.txt"}
    assert list(own(work / CACHE)) == []
