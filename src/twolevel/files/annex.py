"""git-annex: what a file's link or pointer tells, without calling git-annex."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from twolevel.errors import AbsentContent, InputError, Problem

POINTER_LIMIT = 32_768  # git-annex never writes a longer pointer file
ESCAPED = {"&a": "&", "&c": ":", "&s": "%", "%": "/"}
OBJECTS = "/annex/objects/"


def key_of(path: Path | str) -> str | None:
    """Return the key under which git-annex keeps the content of a file.

    None for a file that git-annex does not keep, and for an unlocked one that has its content.
    """
    path = Path(path)
    if path.is_symlink():
        target = path.readlink().as_posix()
        return _unescaped(target.rpartition("/")[2]) if OBJECTS in target else None
    if not path.is_file() or path.stat().st_size > POINTER_LIMIT:
        return None
    with path.open("rb") as stream:
        if stream.read(len(OBJECTS)) != OBJECTS.encode():
            return None
        try:
            return _unescaped(stream.readline().decode().strip().rpartition("/")[2])
        except UnicodeDecodeError:
            return None  # no key looks like that


def _unescaped(name: str) -> str:
    """Read a key from the name of its file, in which git-annex escapes a few characters."""
    return re.sub(r"&[acs]|%", lambda m: ESCAPED[m[0]], name)


def bytes_of(key: str) -> int | None:
    """Read the size of the content from its key.

    Parameters
    ----------
    key : str
        ``MD5E-s1234--d41d8cd98f00b204e9800998ecf8427e.nii.gz``: backend, fields, name.

    Returns
    -------
    int or None
        Bytes; None where the key does not tell (content known by its address only).
    """
    fields = key.partition("--")[0].split("-")[1:]
    sizes = [int(field[1:]) for field in fields if re.fullmatch(r"s\d+", field)]
    return sizes[0] if sizes else None


def is_absent(path: Path | str) -> bool:
    """Tell whether a file is a git-annex link or pointer without its content."""
    path = Path(path)
    if path.is_symlink():
        return not path.exists()
    return key_of(path) is not None


def real_path(path: Path | str) -> Path:
    """Follow links to the file that holds the content, and return its absolute path.

    An annex link that starts to point to other content keeps its name and time; its target, named
    by the content's key, does not. What caches by path must see the target.
    """
    return Path(path).resolve()


def require_content(path: Path | str) -> None:
    """Refuse what cannot be read as a file: content not fetched, folders, pipes, devices."""
    path = Path(path)
    if is_absent(path):
        # `fetch.not_fetched` knows the command that gets it with all others; this one is simpler.
        command = shlex.join(["datalad", "get", str(path)])
        found = "not fetched yet: a git-annex file without its content"
        raise InputError(
            AbsentContent(str(path), found, "the content", f"get it with: {command}", (path,))
        )
    if path.exists() and not path.is_file():
        found = "a folder" if path.is_dir() else "no file that can be read to its end"
        raise InputError(Problem(str(path), found, "a file", "put the file there"))
