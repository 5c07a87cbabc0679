"""git-annex: files whose content has not been fetched."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_absent", "real_path"]

POINTER_LIMIT = 32_768  # git-annex never writes a longer pointer file


def is_absent(path: Path | str) -> bool:
    """Tell whether a file is a git-annex link or pointer without its content.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    bool
    """
    path = Path(path)
    if path.is_symlink() and not path.exists():
        return True
    if not path.is_file() or path.stat().st_size > POINTER_LIMIT:
        return False
    with path.open("rb") as stream:
        return stream.read(15) == b"/annex/objects/"


def real_path(path: Path | str) -> Path:
    """Follow links to the file that holds the content.

    An annex link that starts to point to other content keeps its name and time; its target, named
    by the content's key, does not. What caches by path must see the target.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    Path
        Absolute.
    """
    return Path(path).resolve()
