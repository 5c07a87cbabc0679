"""Jobs whose results can be told from damaged ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import attrs
from fileformats.generic import Directory

from twolevel.files.sealed import is_whole, seal
from twolevel.tasks import identity  # noqa: F401  # for every process that runs a job

RESULT = "_result.pklz"


def is_leaf(job: Any) -> bool:
    """Tell a job that computes from a workflow of jobs."""
    return not hasattr(job.task, "constructor")


def folders_of(value: Any) -> list[Path]:
    """List the folders among a job's outputs, however they are nested."""
    if isinstance(value, Directory):
        return [Path(value)]
    if attrs.has(type(value)):
        value = [getattr(value, field.name) for field in attrs.fields(type(value))]
    return [f for v in value for f in folders_of(v)] if isinstance(value, (list, tuple)) else []


def run_sealed(job: Any, rerun: bool) -> Any:
    """Run a job and seal the folders that it leaves, before the engine notes that it succeeded.

    What a workflow leaves are its jobs' folders under other names, sealed already.
    """
    if is_leaf(job):
        job.hooks.post_run_task = _seal_outputs
    result = job.run(rerun=rerun)
    with (job.cache_dir / RESULT).open("rb") as stream:
        os.fsync(stream.fileno())
    return result


def _seal_outputs(_job: Any, result: Any) -> None:
    for tree in folders_of(result.outputs):
        seal(tree)


def is_done(job: Any) -> bool:
    """Tell whether a job's result is there and whole; one that is not is forgotten."""
    result = job.result()
    if result is None or result.errored:
        return False
    if is_leaf(job) and not all(map(is_whole, folders_of(result.outputs))):
        shutil.rmtree(job.cache_dir)
        return False
    return True
