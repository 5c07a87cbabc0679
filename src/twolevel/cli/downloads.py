"""Downloads of ``twolevel run --fetch``: tables at once, images subject by subject."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twolevel.bids.confound_tables import attach_confounds
from twolevel.bids.selection import select_runs
from twolevel.cli.machine import process_count
from twolevel.cli.option_groups import JOBS
from twolevel.cli.transfer import download_all
from twolevel.errors import InputError, Problems
from twolevel.fetch.disk import free_bytes, readable_bytes
from twolevel.fetch.needed import identities, images_of, tables_of, to_download
from twolevel.fetch.programs import GIT_ANNEX, require_programs
from twolevel.fetch.transfer import keys_of
from twolevel.files.annex import is_absent
from twolevel.tasks.fetch_runs import JOBS_VARIABLE
from twolevel.workflow.downloads import Downloads, Images
from twolevel.workflow.submit import Fetching

if TYPE_CHECKING:
    from twolevel.checks.dataset import Plan
    from twolevel.cli.checks import Request
    from twolevel.cli.console import ReportConsole
    from twolevel.cli.options import RunOptions


def fetch_tables(
    request: Request, problems: Problems, console: ReportConsole, *, jobs: int
) -> None:
    """Download tables and sidecars of all runs, so that they are checked before the images.

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
    attach_confounds(runs, request.model, (*request.derivatives, request.bids_dir))
    tables = tables_of(runs, request.bids_dir, request.derivatives)
    absent = [path for path in tables if is_absent(path)]
    if absent:
        console.print(f"fetching {len(absent)} tables and sidecars")
        download_all(absent, request.bids_dir, console, jobs=jobs)


def prepare_downloads(
    options: RunOptions, request: Request, plan: Plan, console: ReportConsole
) -> Fetching:
    """Find out what is to be downloaded."""
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
    console.print(
        f"images that are not here: {readable_bytes(total)}, of one subject at most "
        f"{readable_bytes(largest)}; {readable_bytes(free_bytes(place))} free",
    )
    os.environ[JOBS_VARIABLE] = str(options.jobs or JOBS)
    most_runs = max(len(runs) for runs in plan.runs.values())
    n_procs = process_count(options)
    downloads = Downloads(
        Images(images, keys),
        drop=options.drop,
        # Enough to keep all processes busy, and one more that is being downloaded.
        held_at_once=-(-n_procs // most_runs) + 1,
    )
    content = {s: identities(images[s], tables[s], keys) for s in plan.runs}
    return Fetching(downloads, content, request.links)
