"""The work directory: one run at a time, and nothing broken left from the last."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cloudpickle
from fileformats.generic import File
from filelock import FileLock, Timeout
from pydra.utils.hash import hash_function

from twolevel.bids.annex import is_absent
from twolevel.errors import OutputError, Problem
from twolevel.numerics.threads import map_ahead
from twolevel.tasks.resources import keep_unfinished_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["UNFINISHED", "digest_files", "locked_work_dir", "purge"]

RESULT = "_result.pklz"
UNFINISHED = "unfinished"


@contextmanager
def locked_work_dir(work_dir: Path, *, clean: bool = False) -> Iterator[Path]:
    """Hold a work directory for one run, cleaned of what an interrupted one left.

    Parameters
    ----------
    work_dir : Path
        Made if missing.
    clean : bool
        Forget all earlier results; nothing but this program's own folders is removed.

    Yields
    ------
    Path
        The folder for the engine's cache.

    Raises
    ------
    OutputError
        Another run holds the directory.
    """
    cache_root, hashes = work_dir / "cache", work_dir / "hashes"
    unfinished = work_dir / UNFINISHED
    work_dir.mkdir(parents=True, exist_ok=True)
    # Hashes of files must not go to a place that all runs of this user share: see `purge`.
    os.environ["PYDRA_HASH_CACHE"] = str(hashes)
    lock = FileLock(work_dir / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError(
            Problem(
                f"--work-dir {work_dir}",
                "in use by another run of twolevel",
                "a work directory of its own for each run",
                "wait for the other run, or give another one with --work-dir",
            )
        ) from error
    try:
        for folder in (cache_root, hashes, unfinished):
            if clean:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(exist_ok=True)
        purge(cache_root, hashes)
        keep_unfinished_in(unfinished)
        yield cache_root
    finally:
        lock.release()


def digest_files(paths: Iterable[Path], n_threads: int) -> None:
    """Take the digests of files that a result's place in the cache depends on, several at a time.

    The engine takes them one after the other before the first job starts; it finds them in its
    cache of hashes then. A work directory is held.

    Parameters
    ----------
    paths : iterable of Path
    n_threads : int
    """
    for _ in map_ahead(hash_function, map(File, paths), n_threads):
        pass


def purge(cache_root: Path, hashes: Path) -> None:
    """Remove locks and results that an interrupted or failed run left.

    The engine waits for a lock without end, and takes an interrupted job for one that succeeded
    without outputs; both would have to be deleted by hand. A failed result is not computed again
    in every nesting level once its cause is gone. A download whose files were dropped since has
    to be done again. The caller holds the work directory, so that every lock in it is stale.

    Parameters
    ----------
    cache_root : Path
        The engine's cache.
    hashes : Path
        Its cache of the hashes of files.
    """
    for folder in (cache_root, hashes):
        for lock in folder.glob("*.lock"):
            lock.unlink(missing_ok=True)
    for info in cache_root.glob("*_info.json"):
        info.unlink(missing_ok=True)
    for job in cache_root.iterdir():
        if job.is_dir() and not _succeeded(job / RESULT):
            shutil.rmtree(job)


def _succeeded(result_file: Path) -> bool:
    try:
        with result_file.open("rb") as stream:
            result = cloudpickle.load(stream)
    except Exception:  # noqa: BLE001  # whatever cannot be loaded is of no use
        return False
    if result.errored or result.outputs is None:
        return False
    # Only downloads have files that lie outside the cache.
    downloaded = getattr(result.outputs, "files", [])
    paths = [Path(path) for files in downloaded for path in files.values()]
    return all(path.exists() and not is_absent(path) for path in paths)
