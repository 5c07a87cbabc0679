from __future__ import annotations

import os
from pathlib import Path

import annexed
import cloudpickle
import pytest
from filelock import FileLock
from pydra.compose import python

from twolevel.bids.annex import is_absent
from twolevel.bids.transfer import drop
from twolevel.errors import OutputError
from twolevel.workflow.cache import locked_work_dir, purge


@python.define(outputs={"specs": list[str], "files": list[dict[str, Path]]})  # type: ignore[untyped-decorator]
def Download(paths: list[dict[str, Path]]):  # noqa: N802
    """Do what a download does at its end: tell where the files are."""
    return ["run"] * len(paths), paths


@python.define(outputs={"out": Path})  # type: ignore[untyped-decorator]
def Compute(path: Path):  # noqa: N802
    """Name a file that a result is not about."""
    if path.name == "damaged":
        raise ValueError("damaged")
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cache").mkdir()
    (tmp_path / "hashes").mkdir()
    monkeypatch.setenv("PYDRA_HASH_CACHE", str(tmp_path / "hashes"))
    return tmp_path / "cache"


@pytest.fixture
def downloaded(tmp_path: Path, cache: Path) -> list[Path]:
    """The files of two runs that were downloaded."""
    files = [tmp_path / f"sub-01_run-{run}_{kind}" for run in "12" for kind in ("bold", "mask")]
    for file in files:
        file.touch()
    first, second, third, fourth = files
    runs = [{"bold": first, "mask": second}, {"bold": third, "mask": fourth}]
    Download(paths=runs)(cache_root=cache, worker="debug")
    return files


def results(cache: Path) -> set[str]:
    """Return the names of the folders that have a result."""
    return {path.parent.name for path in cache.glob("*/_result.pklz")}


def clean(cache: Path) -> None:
    purge(cache, cache.with_name("hashes"))


@pytest.mark.usefixtures("downloaded")
def test_a_download_whose_files_are_here_is_kept(cache):
    before = results(cache)
    assert len(before) == 1
    clean(cache)
    assert results(cache) == before


@pytest.mark.parametrize("gone", range(4))
def test_a_download_of_which_a_file_is_gone_is_done_again(cache, downloaded, gone):
    downloaded[gone].unlink()
    clean(cache)
    assert not list(cache.glob("python-*"))


def test_a_download_of_which_a_link_leads_nowhere_is_done_again(cache, downloaded):
    downloaded[0].unlink()
    downloaded[0].symlink_to(".git/annex/objects/aB/cD/MD5E-s5--0/MD5E-s5--0")
    clean(cache)
    assert not list(cache.glob("python-*"))


def test_other_results_are_kept_when_a_download_is_gone(cache, downloaded):
    download = results(cache)
    Compute(path=downloaded[0])(cache_root=cache, worker="debug")
    (computed,) = results(cache) - download
    downloaded[0].unlink()
    clean(cache)
    assert results(cache) == {computed}


def test_what_failed_is_removed(cache, tmp_path):
    with pytest.raises(ValueError, match="damaged"):
        Compute(path=tmp_path / "damaged")(cache_root=cache, worker="debug")
    assert len(results(cache)) == 1
    clean(cache)
    assert not list(cache.glob("python-*"))


@pytest.mark.usefixtures("downloaded")
@pytest.mark.parametrize(("name", "value"), [("outputs", None), ("errored", True)])
def test_a_result_without_outputs_or_with_an_error_is_removed(cache, name, value):
    (path,) = cache.glob("*/_result.pklz")
    with path.open("rb") as stream:
        result = cloudpickle.load(stream)
    setattr(result, name, value)
    with path.open("wb") as stream:
        cloudpickle.dump(result, stream)
    clean(cache)
    assert not list(cache.glob("python-*"))


@pytest.mark.parametrize("content", [None, b"", b"half"])
def test_what_is_missing_or_half_written_is_removed(cache, content):
    job = cache / "python-0a1b"
    job.mkdir()
    (job / "out").touch()
    if content is not None:
        (job / "_result.pklz").write_bytes(content)
    clean(cache)
    assert not job.exists()


@pytest.mark.usefixtures("downloaded")
def test_locks_and_notes_of_what_was_running_are_removed_and_hashes_kept(cache):
    hashes = cache.with_name("hashes")
    for name in ("python-0a1b.lock", "python-0a1b_info.json"):
        (cache / name).touch()
    for name in ("0a1b", "0a1b.lock"):
        (hashes / name).touch()
    before = results(cache)
    clean(cache)
    assert {path.name for path in cache.iterdir()} == before
    assert [path.name for path in hashes.iterdir()] == ["0a1b"]


def test_a_work_directory_is_purged_when_it_is_taken(cache, downloaded, tmp_path):
    before = results(cache)
    with locked_work_dir(tmp_path) as taken:
        assert taken == cache
        assert os.environ["PYDRA_HASH_CACHE"] == str(tmp_path / "hashes")
        assert results(cache) == before
    downloaded[0].unlink()
    with locked_work_dir(tmp_path):
        assert results(cache) == set()


def test_a_clean_work_directory_has_no_results(cache, downloaded, tmp_path):
    with locked_work_dir(tmp_path, clean=True):
        assert list(cache.iterdir()) == []
    assert all(path.exists() for path in downloaded)


def test_a_work_directory_in_use_is_refused_and_left_alone(cache, downloaded, tmp_path):
    downloaded[0].unlink()
    before = results(cache)
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(OutputError, match="in use by another run of twolevel"),
        locked_work_dir(tmp_path, clean=True),
    ):
        pass
    assert results(cache) == before


@pytest.mark.usefixtures("newcomer")
def test_a_pointer_without_content_is_a_download_that_is_gone(tmp_path, cache):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "bold.nii.gz").write_bytes(b"image")
    annexed.make_dataset(tmp_path / "plain", tmp_path / "raw.git", annexed.RAW_ATTRIBUTES)
    annexed.git(tmp_path, "clone", "--quiet", "raw.git", "clone")
    clone = tmp_path / "clone"
    annexed.git(clone, "annex", "init", "--quiet")
    annexed.make_unlocked(clone, adjusted=True)
    annexed.git(clone, "annex", "get", "--quiet", ".")
    path = clone / "bold.nii.gz"
    Download(paths=[{"bold": path}])(cache_root=cache, worker="debug")
    assert drop([path]) == {}
    assert is_absent(path)
    purge(cache, tmp_path / "hashes")
    assert not list(cache.glob("python-*"))
