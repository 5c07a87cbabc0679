"""Downloading the images of a subject, the first step of its analysis."""

from __future__ import annotations

import os
from pathlib import Path

from pydra.compose import python

from twolevel.bids.run_inputs import RunInputs, RunSpec
from twolevel.bids.runs import RunFiles
from twolevel.checks.dataset import check_subject
from twolevel.errors import TransferError
from twolevel.fetch.needed import images_of
from twolevel.fetch.transfer import download
from twolevel.model.stages import Stage

# How many files are downloaded at once changes no result: it is no input of the task.
JOBS_VARIABLE = "TWOLEVEL_JOBS"


def fetch_runs(
    runs: list[RunFiles], run_stage: Stage, links: dict[str, Path], *, jobs: int = 1
) -> list[RunInputs]:
    """Download the images of a subject's runs, and make the checks that need them.

    Raises
    ------
    TransferError
        A file could not be downloaded.
    InputError
        What was downloaded is refused.
    """
    images = images_of(runs)
    failed = download(images, jobs=jobs)
    if failed:
        listed = "\n".join(f"  {path}: {reason}" for path, reason in failed.items())
        raise TransferError(
            f"{len(failed)} of {len(images)} images could not be downloaded; the others "
            f"are kept, and the same command tries again\n{listed}"
        )
    return check_subject(runs, run_stage.node, links)


@python.define(outputs={"specs": list[RunSpec], "files": list[dict[str, Path]]})
def FetchRuns(
    subject: str,
    run_stage: Stage,
    runs: list[RunFiles],
    links: dict[str, Path],
    content: dict[str, str],
    software: str,
):
    """Download the images of a subject."""
    # Paths, not files: the engine keeps copies of files, and these may be dropped.
    inputs = fetch_runs(runs, run_stage, links, jobs=int(os.environ.get(JOBS_VARIABLE, "1")))
    return [run.spec for run in inputs], [dict(run.files) for run in inputs]
