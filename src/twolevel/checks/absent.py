"""Files that a run lacks, and files whose content has not been fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.errors import Problem
from twolevel.fetch.not_fetched import not_fetched
from twolevel.files.annex import is_absent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twolevel.bids.runs import RunFiles
    from twolevel.errors import Problems


def missing_files(files: RunFiles, kinds: Sequence[str]) -> list[Problem]:
    """Describe which files of these kinds (``bold``, ``mask``, ``events``, ...) a run lacks."""
    expected = {
        "bold": "*_desc-preproc_bold.nii.gz of this run and space in the derivatives",
        "mask": "*_desc-brain_mask.nii.gz of this run and space in the derivatives",
        "events": "*_events.tsv of this run in the raw dataset",
        "confounds": "*_desc-confounds_timeseries.tsv of this run in the derivatives",
    }
    return [
        Problem(
            f"{files.name}: {'BOLD image' if kind == 'bold' else kind}",
            "missing",
            expected[kind],
            "complete the dataset; leave subject or run out (--exclude-participant-label, "
            "--run-label, --bids-filter-file); or --allow-missing, which leaves out and records "
            "the runs that lack a file",
        )
        for kind in kinds
        if getattr(files, kind) is None
    ]


def present_files(files: RunFiles, kinds: Sequence[str], problems: Problems) -> dict[str, Path]:
    """Return the files that are there, and note the others."""
    problems.found.extend(missing_files(files, kinds))
    paths = {kind: path for kind in kinds if (path := getattr(files, kind)) is not None}
    problems.found.extend(not_fetched([path]) for path in paths.values() if is_absent(path))
    return {kind: path for kind, path in paths.items() if not is_absent(path)}
