"""Disk space: what is free, and what git-annex keeps free."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from twolevel.errors import OutputError, Problem
from twolevel.fetch.git import git

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_RESERVE = 100_000_000  # git-annex's own: it downloads nothing that would leave less
UNITS = ("B", "kB", "MB", "GB", "TB")


def free_bytes(folder: Path) -> int:
    """Return the bytes that downloads into the repository of a folder may take.

    The free space of the file system less what git-annex keeps free (``annex.diskreserve``);
    negative where there is less.
    """
    stated = re.fullmatch(
        r"([\d.]+)\s*([kmgt]?)\w*", git(folder, "config", "annex.diskreserve"), re.IGNORECASE
    )
    reserve = DEFAULT_RESERVE
    if stated is not None:
        reserve = int(float(stated[1]) * 1000 ** " kmgt".index(stated[2].lower() or " "))
    return shutil.disk_usage(folder).free - reserve


def readable_bytes(n_bytes: int) -> str:
    """Write a number of bytes as people say it: ``1.3 GB``, a GB being 10^9 bytes."""
    value, unit = float(n_bytes), UNITS[0]
    for unit in UNITS:
        if abs(value) < 1000 or unit == UNITS[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == UNITS[0] else f"{value:.1f} {unit}"


def check_space(folder: Path, needed: int, remedy: str) -> None:
    """Refuse downloads of so many bytes where they do not fit on the disk."""
    free = free_bytes(folder)
    if 0 < needed > free:
        raise OutputError(
            Problem(
                f"disk of {folder}",
                f"{readable_bytes(max(free, 0))} free, after what git-annex keeps free "
                "(annex.diskreserve)",
                f"{readable_bytes(needed)} for what is to be downloaded",
                remedy,
            )
        )
