"""Folders of results that tell whether they are whole: each holds a manifest of its files."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, NamedTuple

from twolevel.errors import DamagedError

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = "_"  # what begins so at the root of a tree is for the next step, and never published
SEAL = f"{PRIVATE}manifest.json"


class FileDigest(NamedTuple):
    """What a file holds, in brief.

    Attributes
    ----------
    sha256 : str
        Hexadecimal.
    """

    n_bytes: int
    sha256: str


def digest_of(content: bytes) -> FileDigest:
    """Return the digest of what a file is going to hold."""
    return FileDigest(len(content), hashlib.sha256(content).hexdigest())


def digest_file(path: Path) -> FileDigest:
    """Return the digest of what a file holds, without holding it."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return FileDigest(stream.tell(), sha256)


def seal(tree: Path) -> None:
    """Write the manifest of a finished tree; it is on the disk when this returns."""
    paths = sorted(p for p in tree.rglob("*") if p.is_file() and p != tree / SEAL)
    files = {path.relative_to(tree).as_posix(): digest_file(path) for path in paths}
    with (tree / SEAL).open("w", encoding="utf-8") as stream:
        json.dump({"Files": files}, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())


def sealed_files(tree: Path) -> dict[str, FileDigest]:
    """Return the files that a tree was sealed with.

    Returns
    -------
    dict of str to FileDigest
        By their place in the tree.

    Raises
    ------
    DamagedError
        The manifest is missing or damaged.
    """
    try:
        content = json.loads((tree / SEAL).read_text(encoding="utf-8"))
        return {str(name): FileDigest(*digest) for name, digest in content["Files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(tree, f"no readable manifest ({type(error).__name__})") from error


def has_all_bytes(tree: Path) -> bool:
    """Tell whether every file of a sealed tree is there with its length; quick."""
    try:
        files = sealed_files(tree)
        return all((tree / name).stat().st_size == d.n_bytes for name, d in files.items())
    except (DamagedError, OSError):
        return False


def is_whole(tree: Path) -> bool:
    """Tell whether every file of a sealed tree holds what it held; reads all of it."""
    try:
        return all(digest_file(tree / name) == d for name, d in sealed_files(tree).items())
    except (DamagedError, OSError):
        return False
