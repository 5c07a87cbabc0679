"""Downloading and dropping the content of annexed files, with git-annex."""

from __future__ import annotations

import json
import re
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from twolevel.errors import TransferError
from twolevel.fetch.disk import free_bytes, readable_bytes
from twolevel.fetch.git import git_folder, origin_of, repository_of
from twolevel.fetch.programs import GIT_ANNEX, started
from twolevel.files.annex import bytes_of, is_absent, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

BUSY = "transfer already in progress"
PAUSES_S = (0, 1, 2, 4)  # before each attempt
UNCLEAR = "failed to retrieve content from remote"
UNCLEAR_IN_WORDS = "the source cannot deliver it, or what it delivers does not fit its checksum"


def download(
    paths: Sequence[Path],
    *,
    jobs: int = 1,
    progress: Callable[[str, int], None] | None = None,
    waiting: Callable[[Path], None] | None = None,
) -> dict[Path, str]:
    """Get the content of files that lack it.

    One git-annex works in a repository at a time and downloads `jobs` files at once; it resumes
    what was interrupted and refuses content that does not fit its checksum.

    Parameters
    ----------
    paths : sequence of Path
        Absolute; those that have their content are passed over.
    jobs : int
        Downloads at the same time.
    progress : callable, optional
        Called with a key and the number of its bytes that are here.
    waiting : callable, optional
        Called with a repository in which another process of this program is at work.

    Returns
    -------
    dict of Path to str
        The files that could not be got, and why.

    Raises
    ------
    TransferError
        git-annex cannot work in a repository at all.
    """
    absent = {path: key_of(path) for path in paths if is_absent(path)}
    # One file for each content.
    wanted = {key: path for path, key in reversed(absent.items()) if key is not None}
    reasons: dict[str, str] = {}
    for pause in PAUSES_S:
        time.sleep(pause)
        reasons.update(_get(wanted, 1 if pause else jobs, progress, waiting))
        # Another git-annex gets the same file, or one that was killed has not quite ended.
        wanted = {key: path for key, path in wanted.items() if BUSY in reasons.get(key, "")}
        if not wanted:
            break
    return {
        path: "a link to nothing" if key is None else _why(path, key, reasons.get(key, ""))
        for path, key in absent.items()
        if is_absent(path)
    }


def _why(path: Path, key: str, reason: str) -> str:
    """Say why a file was not got; on a full disk git-annex blames the source."""
    free, needed = free_bytes(path.parent), bytes_of(key) or 0
    if needed > free:
        return f"no room: {readable_bytes(max(free, 0))} free, {readable_bytes(needed)} needed"
    return reason or "git-annex did not get it"


def _get(
    wanted: Mapping[str, Path],
    jobs: int,
    progress: Callable[[str, int], None] | None,
    waiting: Callable[[Path], None] | None,
) -> dict[str, str]:
    """Get content by key, and return why it could not be got: empty where it was."""
    reasons = {}
    for repository, group in _by_repository(wanted.values()):
        words = ["get", f"-J{jobs}", "--json-progress"]
        for record in _records(repository, words, group, waiting):
            action = record.get("action", record)
            key = action.get("key") if isinstance(action, dict) else None
            if key is None:
                continue
            if "success" in record:
                reasons[key] = "" if record["success"] else _reason(record)
            elif progress is not None:
                progress(key, int(record.get("byte-progress") or 0))
    return reasons


def drop(paths: Sequence[Path]) -> dict[Path, str]:
    """Drop the content of files that can be got again.

    git-annex makes sure that enough copies exist elsewhere, and refuses otherwise.

    Parameters
    ----------
    paths : sequence of Path
        Absolute; those that are not annexed, or have no content here, are passed over.

    Returns
    -------
    dict of Path to str
        The files that were kept, and why.

    Raises
    ------
    TransferError
        git-annex cannot work in a repository at all.
    """
    kept = {}
    for repository, group in _by_repository(path for path in paths if not is_absent(path)):
        for record in _records(repository, ["drop"], group):
            if record.get("success") is False:
                kept[repository / record["file"]] = _reason(record)
    return kept


def keys_of(paths: Sequence[Path]) -> dict[Path, str]:
    """Ask git-annex for the keys of files, with or without content, locked or unlocked.

    Files that git-annex does not keep are left out.
    """
    keys = {}
    for repository, group in _by_repository(paths):
        with _running(repository, ["lookupkey", "--batch"], group) as (lines, _):
            found: list[str | None] = [line.strip() for line in lines]
        if len(found) != len(group):  # git without git-annex, or a clone that was not used yet
            found = [key_of(path) for path in group]
        keys.update({path: key for path, key in zip(group, found, strict=True) if key})
    return keys


def _by_repository(paths: Iterable[Path]) -> Iterator[tuple[Path, list[Path]]]:
    groups: dict[Path, list[Path]] = {}
    for path in paths:
        repository = repository_of(path)
        if repository is not None:
            groups.setdefault(repository, []).append(path)
    yield from groups.items()


def _records(
    repository: Path,
    words: Sequence[str],
    paths: Sequence[Path],
    waiting: Callable[[Path], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Call git-annex for files of a repository and yield what it reports."""
    words = [*words, "--batch", "--json", "--json-error-messages"]
    silent = True
    with _alone_in(repository, waiting), _running(repository, words, paths) as (lines, log):
        for line in lines:
            if line.startswith("{"):
                silent = False
                yield json.loads(line)
    said = log()
    if silent and said:
        raise TransferError(f"git-annex cannot work in {repository}: {' '.join(said.split())}")


@contextmanager
def _running(
    repository: Path, words: Sequence[str], paths: Sequence[Path]
) -> Iterator[tuple[Iterable[str], Callable[[], str]]]:
    """Call git-annex for files; yield the lines that it prints, and why it failed if it did."""
    said = ""
    with tempfile.TemporaryFile() as names:
        for path in paths:
            names.write(path.relative_to(repository).as_posix().encode() + b"\0")
        names.seek(0)
        with started(
            [GIT_ANNEX, *words, "-z"], cwd=repository, url=origin_of(repository), stdin=names
        ) as (process, log):
            yield process.stdout or (), lambda: said
            # It has still to write down what is where.
            said = log() if process.wait() != 0 else ""


@contextmanager
def _alone_in(repository: Path, waiting: Callable[[Path], None] | None) -> Iterator[None]:
    """Wait until no other process of this program works in a repository."""
    folder = git_folder(repository)
    lock = FileLock(folder / "twolevel.lock")
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting is not None:
                waiting(repository)
            lock.acquire()
    except OSError as error:
        raise TransferError(f"{folder} cannot be written: {error}") from error
    try:
        yield
    finally:
        lock.release()


def _reason(record: dict[str, Any]) -> str:
    """Say in one line why git-annex failed."""
    said = (" ".join(message.split()) for message in record.get("error-messages", ()))
    messages = list(dict.fromkeys(said))
    notes = [
        line
        for line in str(record.get("note", "")).splitlines()
        if not line.startswith(("(Note that", "(Use --force"))
    ]
    telling = [m for m in messages if m != UNCLEAR]
    if UNCLEAR in messages and not telling:
        telling = [UNCLEAR_IN_WORDS]
    words = telling or notes or ["git-annex gives no reason"]
    text = "; ".join(" ".join(word.split()) for word in words)
    return re.sub(r" \(use --force[^)]*\)", "", text)  # nothing that can be done from here
