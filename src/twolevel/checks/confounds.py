"""That the tables of confounds which a model takes are there, and what is worth saying of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.bids.confound_columns import is_asked, takes_outliers
from twolevel.checks.absent import missing_files
from twolevel.errors import Problem, Problems
from twolevel.fetch.not_fetched import not_fetched
from twolevel.files.annex import is_absent
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twolevel.bids.confound_columns import OpenConfounds
    from twolevel.bids.runs import RunFiles
    from twolevel.model.settings import RunSettings


def present_confounds(files: RunFiles, settings: RunSettings) -> dict[str, Path]:
    """Return all tables of confounds of a run, as `open_confounds` takes them.

    Those of the preprocessing may be missing where the model names tables of its own, and takes
    nothing from them by a strategy or a threshold.

    Raises
    ------
    InputError
        A table is missing, no table fits a pattern of the model, or content is not fetched.
    """
    stated = (settings.confound_strategy, settings.fd_threshold, settings.dvars_threshold)
    needed = not settings.confounds or any(value is not None for value in stated)
    problems = Problems(missing_files(files, ["confounds"] if needed else []))
    problems.found.extend(
        Problem(
            f"{files.name}: confounds",
            f'no table that fits "{pattern}"',
            "a table of this run in the derivatives or the raw dataset",
            "correct the pattern in Confounds, or complete the dataset; leave subject or run out "
            "(--exclude-participant-label, --run-label, --bids-filter-file); or --allow-missing",
        )
        for pattern in settings.confounds
        if not files.more_confounds.get(pattern)
    )
    tables = files.confound_files
    problems.found.extend(not_fetched([path]) for path in tables.values() if is_absent(path))
    problems.stop_if_any()
    return tables


def notes_on_confounds(run: str, opened: OpenConfounds, chosen: Sequence[str]) -> list[Note]:
    """Say which confounds have another name in the tables, and what takes the place of others.

    The chosen ones are those of X.
    """
    notes = [
        Note(f"the confound {name} is called {opened.own_names[name]} in this version", run)
        for name in chosen
        if name in opened.own_names
    ]
    settings = opened.settings
    limits = {"FdThreshold": settings.fd_threshold, "DvarsThreshold": settings.dvars_threshold}
    stated = ", ".join(f"{k} {v:g}" for k, v in limits.items() if v is not None)
    if opened.n_replaced is not None:
        before, now = opened.n_replaced
        what = f"motion_outlier columns of {stated} take the place of those of the preprocessing"
        notes.append(Note(what, run, f"{now} for {before}"))
    if (
        stated
        and settings.confound_strategy != "scrubbing"
        and not takes_outliers(settings, opened.asked)
    ):
        what = (
            f"{stated}: neither motion_outlier* in X nor the strategy scrubbing: volumes over it "
            "count for --max-censored only"
        )
        notes.append(Note(what, run))
    if settings.confound_strategy == "ica_aroma" and settings.smoothing_fwhm_mm:
        what = "ICA-AROMA has smoothed the images already, by 6 mm: SmoothingFWHM adds to that"
        notes.append(Note(what, run))
    notes.extend(
        Note("the model names no column of a table of Confounds", run, table.path.name)
        for table in opened.tables
        if table.path != opened.preprocessing
        and not any(is_asked(str(column), opened.asked) for column in table.columns)
    )
    return notes
