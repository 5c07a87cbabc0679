"""Downloads as a user sees them: what is needed, how far they are, what failed."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from joblib import cpu_count
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from twolevel.bids.annex import is_absent
from twolevel.bids.disk import check_space, free_bytes, readable_bytes
from twolevel.bids.needed import identities, images_of, tables_of, to_download
from twolevel.bids.programs import GIT_ANNEX, require_programs
from twolevel.bids.run_inputs import dataset_links
from twolevel.bids.selection import select_runs
from twolevel.bids.transfer import download, keys_of
from twolevel.cli.parser import JOBS
from twolevel.errors import InputError, Problems, TransferError
from twolevel.tasks.fetch_runs import JOBS_VARIABLE
from twolevel.workflow.downloads import Downloads, Images
from twolevel.workflow.submit import Fetching

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from twolevel.bids.preflight import Plan
    from twolevel.cli.checks import Request

__all__ = ["download_all", "fetch_tables", "prepare_downloads"]

SECONDS_BETWEEN_LINES = 5


def download_all(paths: Sequence[Path], root: Path, console: Console, *, jobs: int) -> int:
    """Download the content of files, showing how far it is.

    Parameters
    ----------
    paths : sequence of Path
    root : Path
        What their names are shown relative to.
    console : rich.console.Console
    jobs : int
        Downloads at the same time.

    Returns
    -------
    int
        Bytes downloaded.

    Raises
    ------
    TransferError
        Some could not be downloaded; the others are kept.
    """
    wanted = to_download(paths)
    if not wanted:
        return 0
    with _progress(wanted, console) as progress:
        failed = download(paths, jobs=jobs, progress=progress)
    if failed:
        listed = "\n".join(f"  {p.relative_to(root)}: {why}" for p, why in failed.items())
        raise TransferError(
            f"{len(failed)} of {len(paths)} files could not be downloaded:\n{listed}"
        )
    return sum(wanted.values())


@contextmanager
def _progress(wanted: dict[str, int], console: Console) -> Iterator[Callable[[str, int], None]]:
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
                    highlight=False,
                )

        yield progress


def fetch_tables(request: Request, problems: Problems, console: Console, *, jobs: int) -> None:
    """Download tables and sidecars of all runs, so that they are checked before the images.

    Parameters
    ----------
    request : Request
    problems : Problems
        Takes what is wrong.
    console : rich.console.Console
    jobs : int
        Downloads at the same time.

    Raises
    ------
    TransferError
        Some could not be downloaded.
    """
    problems.attempt(lambda: require_programs(GIT_ANNEX))
    if problems.found:
        return
    try:
        runs = select_runs(request.bids_dir, request.derivatives, request.selection)
    except InputError:
        return  # the checks that follow say so
    tables = tables_of(runs, request.bids_dir, request.derivatives)
    absent = [path for path in tables if is_absent(path)]
    if absent:
        console.print(f"fetching {len(absent)} tables and sidecars", highlight=False)
        download_all(absent, request.bids_dir, console, jobs=jobs)


def prepare_downloads(
    arguments: argparse.Namespace, request: Request, plan: Plan, console: Console
) -> Fetching:
    """Find out what is to be downloaded, and whether there is room for it.

    Parameters
    ----------
    arguments : argparse.Namespace
    request : Request
    plan : Plan
    console : rich.console.Console

    Returns
    -------
    Fetching

    Raises
    ------
    OutputError
        There is no room.
    """
    images = {subject: images_of(runs) for subject, runs in plan.runs.items()}
    tables = {
        subject: tables_of(runs, request.bids_dir, request.derivatives)
        for subject, runs in plan.runs.items()
    }
    every = [path for paths in images.values() for path in paths]
    keys = keys_of(list(dict.fromkeys([*every, *(t for paths in tables.values() for t in paths)])))
    total = sum(to_download(every).values())
    place = every[0].parent
    largest = max(sum(to_download(paths).values()) for paths in images.values())
    if arguments.drop:
        check_space(place, largest, "make room: the images of one subject must fit")
    else:
        check_space(
            place, total, "make room, or give --drop: images are dropped subject by subject"
        )
    console.print(
        f"to download: {readable_bytes(total)} of images, of one subject at most "
        f"{readable_bytes(largest)}; {readable_bytes(free_bytes(place))} free",
        highlight=False,
    )
    os.environ[JOBS_VARIABLE] = str(arguments.jobs or JOBS)
    most_runs = max(len(runs) for runs in plan.runs.values())
    n_procs = arguments.nprocs or cpu_count()
    downloads = Downloads(
        Images(images, keys),
        drop=arguments.drop,
        # Enough to keep all processes busy, and one more that is being downloaded.
        held_at_once=-(-n_procs // most_runs) + 1,
    )
    content = {s: identities(images[s], tables[s], keys) for s in plan.runs}
    return Fetching(downloads, content, dataset_links(request.bids_dir, request.derivatives))
