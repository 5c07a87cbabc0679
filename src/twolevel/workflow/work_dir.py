"""The work directory: ours by its mark, safe from others, and nothing in it removed but our own.

What lies in it is unpickled, which executes it, and is removed where it is of no use any more. So
it has to be this user's, closed to others, and made by this program.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from twolevel.errors import OutputError, Problem
from twolevel.files.atomic import write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK, LOCK = ".twolevel-work", "lock"
CACHE, HASHES, UNFINISHED = "cache", "hashes", "unfinished"
# The engine's names, and those of `twolevel.files.checkpoint`.
OWN_NAMES = {
    CACHE: r"(python|workflow)-[0-9a-f]{32}(_save)?(\.lock)?|[0-9a-f]{32}_info\.json",
    HASHES: r"[0-9a-f]{128}(\.lock)?",
    UNFINISHED: r"(python|workflow)-[0-9a-f]{32}\.(npz|share)|\..*\.part",
}
MARKED = {"Name": "work directory of twolevel", "Format": 1}


def check_work_dir(work_dir: Path) -> None:
    """Refuse a work directory that is not ours, or that others can write to; it need not exist."""
    if not work_dir.exists():
        return
    problems = [p for path in _inhabited(work_dir) if (p := _not_safe(path)) is not None]
    if not problems and (strangers := _strangers(work_dir)):
        problems = [
            _problem(
                work_dir,
                f"files that twolevel did not write: {', '.join(strangers[:5])}"
                + (" ..." if len(strangers) > 5 else ""),
                "a new or empty folder, or a work directory of an earlier call",
                "give another --work-dir; nothing in this one was touched",
            )
        ]
    if problems:
        raise OutputError(problems)


def _inhabited(work_dir: Path) -> Iterator[Path]:
    """List the folder and those in it that are used; a link is nothing that can be used."""
    yield work_dir
    for name in (CACHE, HASHES, UNFINISHED, LOCK, MARK):
        if os.path.lexists(work_dir / name):
            yield work_dir / name


def _not_safe(path: Path) -> Problem | None:
    """Say why what lies in a folder must not be trusted, if so."""
    found = path.lstat()
    a_file = path.name in {LOCK, MARK}
    is_right = stat.S_ISREG(found.st_mode) if a_file else stat.S_ISDIR(found.st_mode)
    if not is_right:
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "something else"
        wanted = "a file" if a_file else "a folder"
        return _problem(path, kind, f"{wanted} of its own", "give another --work-dir")
    if found.st_uid != os.geteuid():
        return _problem(
            path,
            f"it belongs to {_user(found.st_uid)}",
            f"a work directory of {_user(os.geteuid())}: what lies in it is executed",
            "give another --work-dir",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not a_file:
        return _problem(
            path,
            f"others can write to it (mode {stat.S_IMODE(found.st_mode):o})",
            "a work directory that its owner alone can write to: what lies in it is executed",
            f"chmod go-w '{path}', or give another --work-dir (on another file system, where this "
            "one has no such permissions)",
        )
    return None


def _strangers(work_dir: Path) -> list[str]:
    """List what is not of our making in a folder without our mark."""
    if (work_dir / MARK).exists():
        return []
    found = []
    for path in sorted(work_dir.iterdir()):
        if path.name in OWN_NAMES:
            found += [
                f"{path.name}/{inner.name}"
                for inner in sorted(path.iterdir())
                if inner.is_symlink() or not re.fullmatch(OWN_NAMES[path.name], inner.name)
            ]
        elif path.name != LOCK:
            found.append(path.name)
    return found


def _problem(path: Path, found: str, expected: str, remedy: str) -> Problem:
    return Problem(f"--work-dir {path}", found, expected, remedy)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def make_work_dir(work_dir: Path) -> None:
    """Make a work directory, or take one that `check_work_dir` accepts, and mark it as ours.

    What is made is closed to others, whatever the umask; what is there keeps its mode.
    """
    work_dir.parent.mkdir(parents=True, exist_ok=True)
    _make_private(work_dir)
    check_work_dir(work_dir)  # again: it is about to be used
    if not (work_dir / MARK).exists():
        write_bytes(work_dir / MARK, json.dumps(MARKED).encode())
    for name in OWN_NAMES:
        _make_private(work_dir / name)


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    folder.chmod(0o700)


def own(folder: Path) -> Iterator[Path]:
    """List what is of our making, no link, in one of the folders of a work directory."""
    pattern = re.compile(OWN_NAMES[folder.name])
    for path in folder.iterdir():
        if pattern.fullmatch(path.name) and not path.is_symlink():
            yield path


def clean(work_dir: Path) -> None:
    """Remove all results, and nothing that is not of our making."""
    for name in OWN_NAMES:
        for path in list(own(work_dir / name)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
