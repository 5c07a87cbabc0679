"""Calling the command as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Analysis:
    """A finished call of the command."""

    output_dir: Path
    work_dir: Path
    text: str


def call(*words: str | Path, status: int = 0, environment: dict[str, str] | None = None) -> str:
    """Call the command in a process of its own and return what it prints."""
    answer = subprocess.run(
        [sys.executable, "-m", "twolevel", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert answer.returncode == status, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file that must be the same bytes: all but logs, figures and the report."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.relative_to(folder).parts[0] not in {"logs", "figures", "report.html"}
    }
