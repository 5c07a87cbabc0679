"""Writing a file so that it is either whole or absent."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_bytes(path: Path | str, content: bytes, *, sync: bool = False) -> Path:
    """Write a file under a temporary name beside its place, then rename it.

    Parameters
    ----------
    path : Path or str
        Final name; missing folders are made.
    content : bytes
        What the file holds.
    sync : bool
        It is on the disk when this returns: a loss of power leaves the old file or the new one.

    Returns
    -------
    Path
        The file written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            if sync:
                stream.flush()
                os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files that only the owner can read
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path
