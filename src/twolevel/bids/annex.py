"""git-annex: files whose content has not been fetched."""

from __future__ import annotations

from pathlib import Path

from twolevel.errors import InputError, Problem

__all__ = ["is_absent", "not_fetched", "real_path", "require_content"]

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


def not_fetched(path: Path | str) -> Problem:
    """Describe a file whose content has not been fetched.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    Problem
    """
    return Problem(
        str(path),
        "not fetched yet: a git-annex file without its content",
        "the content",
        f"get it with: datalad get {path}",
    )


def require_content(path: Path | str) -> None:
    """Refuse a file whose content has not been fetched.

    Parameters
    ----------
    path : Path or str

    Raises
    ------
    InputError
    """
    if is_absent(path):
        raise InputError(not_fetched(path))
