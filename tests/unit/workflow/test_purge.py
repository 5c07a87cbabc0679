from __future__ import annotations

import os
import shutil
from pathlib import Path

import annexed
import cloudpickle
import pytest
from fileformats.generic import Directory
from filelock import FileLock
from pydra.compose import python
from pydra.engine.submitter import Submitter

from twolevel.errors import OutputError
from twolevel.fetch.transfer import drop
from twolevel.files.annex import is_absent
from twolevel.files.sealed import SEAL
from twolevel.workflow.cache import forget_damaged, locked_work_dir, purge
from twolevel.workflow.events import JobEvent
from twolevel.workflow.work_dir import make_work_dir
from twolevel.workflow.workers.serial import SerialWorker

DIGEST, HASH = "0a1b2c3d" * 4, "0a1b2c3d" * 16


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
    make_work_dir(tmp_path)
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
    job = cache / f"python-{DIGEST}"
    job.mkdir()
    (job / "out").touch()
    if content is not None:
        (job / "_result.pklz").write_bytes(content)
    clean(cache)
    assert not job.exists()


@pytest.mark.usefixtures("downloaded")
def test_locks_and_notes_of_what_was_running_are_removed_and_hashes_kept(cache):
    hashes = cache.with_name("hashes")
    for name in (f"python-{DIGEST}.lock", f"workflow-{DIGEST}_save.lock", f"{DIGEST}_info.json"):
        (cache / name).touch()
    (hashes / HASH).write_bytes(bytes(16))
    (hashes / f"{HASH}.lock").touch()
    before = results(cache)
    clean(cache)
    assert {path.name for path in cache.iterdir()} == before
    assert [path.name for path in hashes.iterdir()] == [HASH]


@pytest.mark.parametrize("content", [b"", bytes(15)])
def test_a_digest_that_was_cut_off_is_removed(cache, content):
    path = cache.with_name("hashes") / HASH
    path.write_bytes(content)
    clean(cache)
    assert not path.exists()


def test_what_is_not_ours_stays_in_the_folders_of_the_cache(cache, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "chapter").write_text("1")
    (cache / f"python-{DIGEST}").symlink_to(precious)
    (cache / "thesis").mkdir()
    (cache / "python-notes").mkdir()
    for name in ("mine.lock", "mine_info.json", "plain"):
        (cache / name).touch()
        (cache.with_name("hashes") / name).touch()
    before = {path.name for path in cache.iterdir()}
    clean(cache)
    assert {path.name for path in cache.iterdir()} == before
    assert (precious / "chapter").read_text() == "1"


@python.define(outputs={"out": Directory, "parts": list[Directory]})  # type: ignore[untyped-decorator]
def Make(text: str):  # noqa: N802
    """Leave folders of results, as the steps of an analysis do."""
    folders = [Path.cwd() / name for name in ("out", "a", "b")]
    for folder in folders:
        (folder / "func").mkdir(parents=True)
        (folder / "func" / "map.txt").write_text(text + folder.name)
    return folders[0], folders[1:]


@pytest.fixture
def made(cache: Path) -> Path:
    """The folder of a job that left three sealed trees."""
    with Submitter(cache_root=cache, worker=SerialWorker()) as submitter:
        submitter(Make(text="voxels"))
    (name,) = results(cache)
    return cache / name


def test_a_result_that_is_whole_is_kept(cache, made):
    clean(cache)
    assert results(cache) == {made.name}


@pytest.mark.parametrize("place", ["out", "a", "b"])
@pytest.mark.parametrize("how", ["emptied", "gone", "no manifest", "no folder"])
def test_a_result_that_lost_something_is_removed(cache, made, place, how):
    path = made / place / "func" / "map.txt"
    if how == "emptied":
        path.write_text("")
    elif how == "gone":
        path.unlink()
    elif how == "no manifest":
        (made / place / SEAL).unlink()
    else:
        shutil.rmtree(made / place)
    clean(cache)
    assert results(cache) == set()


def test_a_result_whose_content_was_altered_is_computed_again(cache, made):
    path = made / "b" / "func" / "map.txt"
    path.write_text("VOXELSb")
    clean(cache)
    assert results(cache) == {made.name}  # sizes only
    events: list[JobEvent] = []
    with Submitter(cache_root=cache, worker=SerialWorker(listener=events.append)) as submitter:
        submitter(Make(text="voxels"))
    assert [event.status for event in events] == ["running", "done"]
    assert path.read_text() == "voxelsb"


def test_a_work_directory_that_was_moved_keeps_its_results(cache, made, tmp_path, monkeypatch):
    moved = tmp_path / "elsewhere" / "cache"
    moved.parent.mkdir()
    cache.rename(moved)
    cache.with_name("hashes").rename(moved.with_name("hashes"))
    monkeypatch.setenv("PYDRA_HASH_CACHE", str(moved.with_name("hashes")))
    clean(moved)
    assert results(moved) == {made.name}
    with (moved / made.name / "_result.pklz").open("rb") as stream:
        outputs = cloudpickle.load(stream).outputs
    assert Path(outputs.out) == moved / made.name / "out"
    assert [Path(p) for p in outputs.parts] == [moved / made.name / n for n in "ab"]


def test_a_copy_of_a_work_directory_does_not_use_the_files_of_the_first(cache, made, tmp_path):
    copy = tmp_path / "copy" / "cache"
    shutil.copytree(cache, copy)
    shutil.copytree(cache.with_name("hashes"), copy.with_name("hashes"))
    shutil.rmtree(copy / made.name / "a")
    clean(copy)
    assert results(copy) == set()
    assert results(cache) == {made.name}


def test_what_is_forgotten_takes_with_it_all_that_is_not_whole(cache, made):
    with Submitter(cache_root=cache, worker=SerialWorker()) as submitter:
        submitter(Make(text="other"))
        submitter(Make(text="third"))
    other, third = sorted(
        (cache / name for name in results(cache) - {made.name}),
        key=lambda job: (job / "out/func/map.txt").read_text(),
    )
    (other / "a/func/map.txt").write_text("OTHERa")
    forget_damaged(cache, made / "out")
    assert results(cache) == {third.name}


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
    with locked_work_dir(tmp_path, empty=True):
        assert list(cache.iterdir()) == []
    assert all(path.exists() for path in downloaded)


def test_a_work_directory_in_use_is_refused_and_left_alone(cache, downloaded, tmp_path):
    downloaded[0].unlink()
    before = results(cache)
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(OutputError, match="in use by another run of twolevel"),
        locked_work_dir(tmp_path, empty=True),
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
