from __future__ import annotations

import pytest

from twolevel.bids.annex import is_absent, real_path

KEY = "MD5E-s1234--d41d8cd98f00b204e9800998ecf8427e.nii.gz"


def test_a_dangling_link_is_absent(tmp_path):
    link = tmp_path / "bold.nii.gz"
    link.symlink_to(f"../.git/annex/objects/aB/cD/{KEY}/{KEY}")
    assert is_absent(link)


def test_a_link_to_content_is_there(tmp_path):
    content = tmp_path / ".git" / "annex" / "objects" / KEY
    content.parent.mkdir(parents=True)
    content.write_bytes(b"content")
    link = tmp_path / "bold.nii.gz"
    link.symlink_to(content)
    assert not is_absent(link)
    assert real_path(link) == content.resolve()


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_pointer_file_is_absent(tmp_path, ending):
    pointer = tmp_path / "bold.nii.gz"
    pointer.write_text(f"/annex/objects/{KEY}{ending}")
    assert is_absent(pointer)


@pytest.mark.parametrize(
    "content", [b"", b"/annex/object", b"see /annex/objects/x", b"\x1f\x8b\x08\x00"]
)
def test_a_file_with_other_content_is_there(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert not is_absent(path)


def test_a_large_file_that_begins_like_a_pointer_is_there(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"/annex/objects/" + bytes(40_000))
    assert not is_absent(path)


def test_a_file_that_does_not_exist_is_no_annex_file(tmp_path):
    assert not is_absent(tmp_path / "nowhere")


def test_a_folder_is_no_annex_file(tmp_path):
    assert not is_absent(tmp_path)


def test_links_are_followed_to_their_end(tmp_path):
    content = tmp_path / "content"
    content.touch()
    (tmp_path / "first").symlink_to(content)
    (tmp_path / "second").symlink_to(tmp_path / "first")
    assert real_path(tmp_path / "second") == content.resolve()
    assert real_path(str(content)).is_absolute()
