"""A file is known by its content, whatever its time stamps say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from fileformats.generic import Directory, File
from pydra.utils.hash import PersistentCache, hash_function

from twolevel.files.sealed import seal
from twolevel.tasks.identity import SMALL, is_remembered

if TYPE_CHECKING:
    from pathlib import Path

LARGE = b"v" * (SMALL + 1)


@pytest.fixture(autouse=True)
def hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hashes"
    folder.mkdir()
    monkeypatch.setenv("PYDRA_HASH_CACHE", str(folder))
    return folder


def identity(path: Path) -> str:
    return str(hash_function(File(path)))


def rewrite(path: Path, content: bytes) -> None:
    """Change a file in place and set its time stamp back, as ``cp -p`` and ``rsync -t`` do."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"face", b"FACE"),
        (b"face", b"faces"),
        (b"x", b""),
        (LARGE, b"V" + LARGE[1:]),
        (LARGE, LARGE[:-1] + b"V"),
        (LARGE, LARGE[: SMALL // 2] + b"V" + LARGE[SMALL // 2 + 1 :]),
    ],
)
def test_a_file_changed_under_its_old_time_stamp_is_another_file(tmp_path, before, after):
    path = tmp_path / "events.tsv"
    path.write_bytes(before)
    first = identity(path)
    rewrite(path, after)
    assert identity(path) != first
    rewrite(path, before)
    assert identity(path) == first


@pytest.mark.parametrize("content", [b"same", LARGE])
def test_the_same_content_is_the_same_file_wherever_it_lies(tmp_path, content):
    for name in ("a.tsv", "b.tsv"):
        (tmp_path / name).write_bytes(content)
    assert identity(tmp_path / "a.tsv") == identity(tmp_path / "b.tsv")


def test_only_large_files_are_remembered(tmp_path, hashes):
    (tmp_path / "small").write_bytes(LARGE[:SMALL])
    (tmp_path / "large").write_bytes(LARGE)
    assert [is_remembered(tmp_path / n) for n in ("small", "large")] == [False, True]
    identity(tmp_path / "small")
    assert list(hashes.iterdir()) == []
    first = identity(tmp_path / "large")
    assert len(list(hashes.glob("*[!k]"))) == 1
    assert identity(tmp_path / "large") == first
    assert PersistentCache().location == hashes


def test_a_sealed_folder_is_known_by_its_manifest(tmp_path):
    trees = [tmp_path / name for name in ("a", "b")]
    for tree in trees:
        tree.mkdir()
        (tree / "map.txt").write_text("voxels")
        seal(tree)
    first, second = (hash_function(Directory(tree)) for tree in trees)
    assert first == second
    (trees[1] / "map.txt").write_text("other")
    seal(trees[1])
    assert hash_function(Directory(trees[1])) != first


def test_a_folder_without_a_manifest_is_known_by_its_files(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "map.txt").write_text("voxels")
    first = hash_function(Directory(folder))
    rewrite(folder / "map.txt", b"VOXELS")
    assert hash_function(Directory(folder)) != first
