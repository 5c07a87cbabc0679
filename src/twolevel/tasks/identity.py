"""What makes a file the same file for the engine's cache: its content, however it is dated.

The engine's own rule remembers a digest by path and time stamp. A file that was corrected under
its old time stamp (``cp -p``, ``rsync -t``, a mount with fixed times) would count as the old one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fileformats.core.fileset import FileSet
from pydra.utils.hash import CacheKey, register_serializer

from twolevel.files.sealed import SEAL, digest_file

SMALL = 2**20  # bytes: read again and again, rather than remembered
EDGE = 2**16  # bytes: of a gzip file the last ones are a checksum of all


def is_remembered(path: Path) -> bool:
    """Tell whether the digest of a file is kept from call to call: reading it takes a while."""
    return path.stat().st_size > SMALL


@register_serializer(FileSet)
def bytes_repr_fileset(files: FileSet, cache: Any) -> Iterator[CacheKey | bytes]:
    """Say what identifies files; the first item, where it is a key, finds a digest taken before.

    A large file is the one that was read before as long as its place on the disk, its size, both
    its time stamps (of which that of the last change cannot be set by hand) and its two ends are
    the same. A sealed folder is identified by its manifest.
    """
    paths = sorted(Path(path) for path in files.fspaths)
    if all(path.is_file() and is_remembered(path) for path in paths):
        yield CacheKey(tuple(item for path in paths for item in _fast_identity(path)))
    yield f"{type(files).__module__}.{type(files).__name__}:".encode()
    for path in paths:
        for inner in [path] if path.is_file() else _files_that_tell(path):
            name = inner.relative_to(path).as_posix()
            yield f",{name}={digest_file(inner).sha256}".encode()


def _fast_identity(path: Path) -> tuple[Any, ...]:
    found = path.stat()
    with path.open("rb") as stream:
        first = stream.read(EDGE)
        stream.seek(-EDGE, 2)
        edges = hashlib.sha256(first + stream.read()).hexdigest()
    stamps = (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return (str(path), found.st_dev, found.st_ino, *stamps, edges)


def _files_that_tell(folder: Path) -> list[Path]:
    sealed = folder / SEAL
    return [sealed] if sealed.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
