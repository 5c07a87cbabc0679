"""The engine's cache: one run at a time, and nothing broken left from the last."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import cloudpickle
from fileformats.generic import Directory, File
from filelock import FileLock, Timeout
from pydra.utils.hash import hash_function

from twolevel.errors import OutputError, Problem
from twolevel.files.annex import is_absent
from twolevel.files.atomic import write_bytes
from twolevel.files.sealed import has_all_bytes, is_whole
from twolevel.numerics.threads import map_ahead
from twolevel.tasks.identity import is_remembered
from twolevel.tasks.resources import keep_unfinished_in
from twolevel.workflow.sealing import RESULT, folders_of
from twolevel.workflow.work_dir import CACHE, HASHES, LOCK, UNFINISHED, clean, make_work_dir, own

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DIGEST_BYTES = 16  # of the engine; a file of hashes that is shorter was cut off


@contextmanager
def locked_work_dir(work_dir: Path, *, empty: bool = False) -> Iterator[Path]:
    """Hold a work directory for one run, cleaned of what an interrupted one left.

    Parameters
    ----------
    work_dir : Path
        Made if missing.
    empty : bool
        Forget all earlier results; nothing but what this program made is removed.

    Yields
    ------
    Path
        The folder for the engine's cache.

    Raises
    ------
    OutputError
        Another run holds the directory, or it is not ours.
    """
    make_work_dir(work_dir)
    # Hashes of files must not go to a place that all runs of this user share: see `purge`.
    os.environ["PYDRA_HASH_CACHE"] = str(work_dir / HASHES)
    lock = FileLock(work_dir / LOCK)
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
        if empty:
            clean(work_dir)
        purge(work_dir / CACHE, work_dir / HASHES)
        keep_unfinished_in(work_dir / UNFINISHED)
        yield work_dir / CACHE
    finally:
        lock.release()


def digest_files(paths: Iterable[Path], n_threads: int) -> None:
    """Take the digests of files that a result's place in the cache depends on, several at a time.

    The engine takes them one after the other before the first job starts; it finds them in its
    cache of hashes then. A work directory is held.
    """
    slow = (File(path) for path in paths if is_remembered(path))
    for _ in map_ahead(hash_function, slow, n_threads):
        pass


def purge(cache_root: Path, hashes: Path) -> None:
    """Remove locks and results that an interrupted or failed run left, and results not whole.

    The engine waits for a lock without end, and takes an interrupted job for one that succeeded
    without outputs; both would have to be deleted by hand. A failed result is not computed again
    in every nesting level once its cause is gone. A download whose files were dropped since has to
    be done again, and so has what lost files, or what a loss of power cut short. A result
    remembers where it lay: after a move it is told where it lies now. The caller holds the work
    directory, so that every lock in it is stale.
    """
    jobs = []
    for path in [*own(cache_root), *own(hashes)]:
        if path.is_dir():
            jobs.append(path)
        elif path.suffix in {".lock", ".json"} or path.stat().st_size != DIGEST_BYTES:
            path.unlink(missing_ok=True)
    for job in jobs:
        if not _succeeded(job):
            shutil.rmtree(job)


def forget_damaged(cache_root: Path, tree: Path) -> None:
    """Remove a result that is not whole, and all that was made of it, to be computed again."""
    name = tree.relative_to(cache_root).parts[0]
    shutil.rmtree(cache_root / name)
    # A workflow's folder holds the same files under other names.
    for job in own(cache_root):
        if job.is_dir():
            result = _load(job)
            trees = folders_of(result.outputs) if result is not None else []
            if not trees or not all(map(is_whole, trees)):
                shutil.rmtree(job)


def _succeeded(job: Path) -> bool:
    result = _load(job)
    if result is None or result.errored or result.outputs is None:
        return False
    if result.cache_dir != job:
        result = _moved(result, job)
    # Only downloads have files that lie outside the cache.
    downloaded = getattr(result.outputs, "files", [])
    paths = [Path(path) for files in downloaded for path in files.values()]
    there = all(path.exists() and not is_absent(path) for path in paths)
    trees = folders_of(result.outputs)
    return there and all(tree.parent == job and has_all_bytes(tree) for tree in trees)


def _load(job: Path) -> Any | None:
    try:
        with (job / RESULT).open("rb") as stream:
            return cloudpickle.load(stream)
    except Exception:  # noqa: BLE001  # whatever cannot be loaded is of no use
        return None


def _moved(result: Any, job: Path) -> Any:
    """Tell a result that the work directory has another place now."""
    before = Path(result.cache_dir)

    def here(value: Any) -> Any:
        if isinstance(value, Directory):
            place = Path(value)
            there = job / place.relative_to(before) if before in place.parents else place
            return type(value)(there) if there.is_dir() else value
        return type(value)(map(here, value)) if isinstance(value, (list, tuple)) else value

    for field in attrs.fields(type(result.outputs)):
        setattr(result.outputs, field.name, here(getattr(result.outputs, field.name)))
    result.cache_dir = job
    write_bytes(job / RESULT, cloudpickle.dumps(result))
    return result
