"""Trees that tell whether they are whole."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from twolevel.errors import DamagedError
from twolevel.files.sealed import (
    SEAL,
    digest_file,
    digest_of,
    has_all_bytes,
    is_whole,
    seal,
    sealed_files,
)

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = {"group/map.nii.gz": b"voxels", "_private/a.npy": b"\x00" * 5, "empty.tsv": b""}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in CONTENT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    seal(tmp_path)
    return tmp_path


def test_a_manifest_lists_every_file_with_its_size_and_digest(tree):
    files = sealed_files(tree)
    assert {n: (d.n_bytes, d.sha256) for n, d in files.items()} == {
        n: (len(c), hashlib.sha256(c).hexdigest()) for n, c in CONTENT.items()
    }
    assert has_all_bytes(tree)
    assert is_whole(tree)


def test_a_tree_may_be_sealed_again(tree):
    (tree / "empty.tsv").write_bytes(b"no more")
    assert not is_whole(tree)
    seal(tree)
    assert is_whole(tree)
    assert set(sealed_files(tree)) == set(CONTENT)


def test_a_tree_without_files_is_whole(tmp_path):
    seal(tmp_path)
    assert sealed_files(tmp_path) == {}
    assert is_whole(tmp_path)


@pytest.mark.parametrize("name", [name for name, content in CONTENT.items() if content])
@pytest.mark.parametrize("how", ["gone", "cut off", "emptied", "longer"])
def test_another_length_is_noticed_without_reading(tree, name, how):
    path, content = tree / name, CONTENT[name]
    path.unlink()
    changed = {"cut off": content[:-1], "emptied": b"", "longer": content + b"x"}
    if how in changed:
        path.write_bytes(changed[how])
    assert not has_all_bytes(tree)
    assert not is_whole(tree)


def test_other_content_of_the_same_length_is_noticed_by_reading(tree):
    (tree / "group/map.nii.gz").write_bytes(b"vOxels")
    assert has_all_bytes(tree)
    assert not is_whole(tree)


def test_what_was_added_later_does_not_matter(tree):
    (tree / "group/added.tsv").write_bytes(b"x")
    assert is_whole(tree)
    assert "group/added.tsv" not in sealed_files(tree)


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b'{"Files": 3}', b'{"Files": {"a": [1]}}', b"\xff\xfe"]
)
def test_without_a_readable_manifest_nothing_is_whole(tree, content):
    (tree / SEAL).unlink()
    if content is not None:
        (tree / SEAL).write_bytes(content)
    assert not has_all_bytes(tree)
    assert not is_whole(tree)
    with pytest.raises(DamagedError, match="no readable manifest"):
        sealed_files(tree)


def test_the_manifest_is_the_same_whatever_the_order_of_writing(tree, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    for name in reversed(CONTENT):
        (other / name).parent.mkdir(exist_ok=True)
        (other / name).write_bytes(CONTENT[name])
    seal(other)
    assert (other / SEAL).read_bytes() == (tree / SEAL).read_bytes()
    assert set(json.loads((tree / SEAL).read_text())["Files"]) == set(CONTENT)


def test_a_digest_does_not_depend_on_how_it_is_taken(tree):
    assert digest_file(tree / "group/map.nii.gz") == digest_of(b"voxels")


def test_the_error_keeps_its_folder_on_its_way_between_processes(tmp_path):
    error = copy.copy(DamagedError(tmp_path, "cut off"))  # by __reduce__, as pickle
    assert (error.tree, error.found) == (tmp_path, "cut off")
