from __future__ import annotations

import pytest

from twolevel.errors import AbsentContent, InputError
from twolevel.files.annex import bytes_of, is_absent, key_of, real_path, require_content

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


@pytest.mark.parametrize("git_folder", [".git", "../../.git", "../.git/modules/fmriprep"])
def test_the_key_of_a_link_is_the_name_of_its_target(tmp_path, git_folder):
    link = tmp_path / "bold.nii.gz"
    link.symlink_to(f"{git_folder}/annex/objects/aB/cD/{KEY}/{KEY}")
    assert key_of(link) == KEY
    assert key_of(str(link)) == KEY


def test_a_link_has_the_same_key_with_its_content(tmp_path):
    content = tmp_path / ".git" / "annex" / "objects" / "aB" / "cD" / KEY / KEY
    content.parent.mkdir(parents=True)
    content.write_bytes(bytes(1234))
    link = tmp_path / "bold.nii.gz"
    link.symlink_to(content.relative_to(tmp_path))
    assert key_of(link) == KEY


@pytest.mark.parametrize("rest", ["", "\n", "\nmore\n", "\r\n"])
def test_the_key_of_a_pointer_file_is_in_its_first_line(tmp_path, rest):
    pointer = tmp_path / "bold.nii.gz"
    pointer.write_bytes(f"/annex/objects/{KEY}{rest}".encode())
    assert key_of(pointer) == KEY


def test_a_pointer_file_may_have_the_folders_of_an_object(tmp_path):
    pointer = tmp_path / "bold.nii.gz"
    pointer.write_text(f"/annex/objects/aB/cD/{KEY}/{KEY}\n")
    assert key_of(pointer) == KEY


def test_other_links_files_and_folders_have_no_key(tmp_path):
    (tmp_path / "file").write_bytes(b"onset\tduration\n")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("objects/nothing")
    names = ["file", "link", "dangling", "nowhere", "."]
    assert [key_of(tmp_path / name) for name in names] == [None] * 5


@pytest.mark.parametrize(
    ("key", "n_bytes"),
    [
        (KEY, 1234),
        ("MD5E-s0--d41d8cd98f00b204e9800998ecf8427e.tsv", 0),
        ("SHA256E-s407600300--0a1b.nii.gz", 407600300),
        ("WORM-s3-m1289672605--a-s5--name", 3),
        ("WORM-m1289672605-s3--name", 3),
        ("MD5E-s90-S10-C2--d41d8cd98f00b204e9800998ecf8427e", 90),
        ("URL--http&c%%example.org%a-s7--b", None),
        ("GIT--abc", None),
        ("MD5E-sx--0a1b", None),
        ("", None),
    ],
)
def test_the_size_of_content_is_read_from_its_key(key, n_bytes):
    assert bytes_of(key) == n_bytes


def test_content_is_required_of_a_link_and_not_of_a_file(tmp_path):
    link, file = tmp_path / "sub-01_bold.nii.gz", tmp_path / "file"
    link.symlink_to(f".git/annex/objects/aB/cD/{KEY}/{KEY}")
    file.touch()
    require_content(file)
    with pytest.raises(InputError) as caught:
        require_content(link)
    (problem,) = caught.value.problems
    assert isinstance(problem, AbsentContent)
    assert problem.paths == (link,)


def test_a_damaged_pointer_is_a_file_like_others(tmp_path):
    (tmp_path / "file").write_bytes(b"/annex/objects/\xff\n")
    assert not is_absent(tmp_path / "file")
