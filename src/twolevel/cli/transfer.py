"""A download as a user sees it: how far it is, and what failed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from twolevel.errors import TransferError
from twolevel.fetch.disk import readable_bytes
from twolevel.fetch.needed import to_download
from twolevel.fetch.transfer import download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from twolevel.cli.console import ReportConsole


SECONDS_BETWEEN_LINES = 5


def download_all(paths: Sequence[Path], root: Path, console: ReportConsole, *, jobs: int) -> int:
    """Download the content of files, showing how far it is, and return the number of bytes.

    Raises
    ------
    TransferError
        Some could not be downloaded; the others are kept.
    """
    wanted = to_download(paths)
    if not wanted:
        return 0

    def waiting(repository: Path) -> None:
        console.print(
            f"waiting: another twolevel is downloading into {repository}",
        )

    with _progress(wanted, console) as progress:
        failed = download(paths, jobs=jobs, progress=progress, waiting=waiting)
    if failed:
        listed = "\n".join(f"  {p.relative_to(root)}: {why}" for p, why in failed.items())
        raise TransferError(
            f"{len(failed)} of {len(paths)} files could not be downloaded:\n{listed}"
        )
    return sum(wanted.values())


@contextmanager
def _progress(
    wanted: dict[str, int], console: ReportConsole
) -> Iterator[Callable[[str, int], None]]:
    """Show a bar in bytes on a terminal, a line now and then elsewhere."""
    total = sum(wanted.values())
    here: dict[str, int] = {}
    shown = time.monotonic()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(f"downloading {len(wanted)} files", total=total)

        def progress(key: str, n_bytes: int) -> None:
            nonlocal shown
            here[key] = max(n_bytes, here.get(key, 0))
            done = sum(here.values())
            bar.update(task, completed=done)
            if not console.is_terminal and time.monotonic() > shown + SECONDS_BETWEEN_LINES:
                shown = time.monotonic()
                console.print(
                    f"downloaded {readable_bytes(done)} of {readable_bytes(total)}",
                )

        yield progress
