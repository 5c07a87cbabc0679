"""Reading the confounds of a run: by strategy, or by name, from one table or several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from twolevel.bids.confound_columns import (
    DISPLACEMENT,
    DVARS,
    ConfoundTable,
    OpenConfounds,
    numbers_of,
    open_confounds,
    over_thresholds,
    refuse_cells,
    shortened,
    thresholds_of,
)
from twolevel.bids.confound_names import new_name
from twolevel.bids.confound_strategy import confounds_by_strategy
from twolevel.errors import InputError, Problem
from twolevel.files.tables import read_tsv
from twolevel.model.confound_options import unfit_confounds
from twolevel.model.declared import checker
from twolevel.model.schema_messages import schema_problems
from twolevel.model.settings import RunSettings
from twolevel.stats.run.filters import cosines_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FD_THRESHOLD_MM, DVARS_THRESHOLD = 0.5, 1.5  # fMRIPrep's own, and nilearn's


@dataclass(frozen=True)
class RunConfounds:
    """The confounds that enter a run's design.

    Attributes
    ----------
    regressors : pandas.DataFrame of shape (n_volumes, n_regressors)
    kept : ndarray of shape (n_kept,), int
        Indices of the volumes that enter the fit; the others are non-steady states or scrubbed.
    high_pass : bool
        The regressors hold fMRIPrep's cosines; `make_design_matrix` then adds no drift, or takes
        it in their place.
    """

    regressors: pd.DataFrame
    kept: NDArray[np.intp]
    high_pass: bool


def read_confounds(
    table: Path | str,
    metadata: Path | str | None = None,
    *,
    strategy: str | None = None,
    names: Sequence[str] = (),
    further: Sequence[Path | str] = (),
    **options: Any,
) -> RunConfounds:
    """Read the confounds of a run.

    Parameters
    ----------
    table : Path or str
        ``*_desc-confounds_timeseries.tsv`` (``_regressors`` of older versions).
    metadata : Path or str, optional
        Its JSON; the strategy ``compcor`` needs it.
    strategy : str, optional
        A strategy of nilearn's ``load_confounds_strategy``, with its sample mask. The regressors
        are demeaned, as there.
    names : sequence of str
        Further columns, taken as they are, a missing value in the first row replaced by that of
        the second.
    further : sequence of Path or str
        Other tables in which these columns are, with a row for each volume too.
    **options
        Of the strategy, and thresholds of motion: ``motion="basic"``, ``fd_threshold=0.9``. They
        are fields of `RunSettings`.

    Returns
    -------
    RunConfounds

    Raises
    ------
    InputError
        The tables lack columns, or values; there is no such strategy or option, or they do not go
        together.
    """
    given = {"confound_strategy": strategy, **options}
    try:
        settings = checker(RunSettings).validate_python(given, by_alias=False, by_name=True)
    except ValidationError as error:
        raise InputError(list(schema_problems("confounds: ", given, error))) from error
    if unfit := list(unfit_confounds(settings, "confounds: ")):
        raise InputError(unfit)
    files = {"confounds": Path(table)}
    files |= {"confounds_json": Path(metadata)} if metadata is not None else {}
    files |= {f"confounds_{number}": Path(path) for number, path in enumerate(further, start=1)}
    return take_confounds(open_confounds(files, settings, names), names)


def take_confounds(opened: OpenConfounds, names: Sequence[str] = ()) -> RunConfounds:
    """Take the confounds of a run that enter its design.

    Parameters
    ----------
    opened : OpenConfounds
        Where its settings have a strategy of nilearn's ``load_confounds_strategy``, the
        regressors of that come first, demeaned unless the settings say otherwise, and its sample
        mask tells which volumes stay.
    names : sequence of str
        Further columns, taken as they are, a missing value in the first row replaced by that of
        the second.

    Returns
    -------
    RunConfounds

    Raises
    ------
    InputError
        The tables lack columns, or values.
    """
    kept = np.arange(opened.n_volumes)
    parts: list[pd.DataFrame] = []
    if opened.settings.confound_strategy is not None and opened.preprocessing is not None:
        by_strategy, sample_mask = confounds_by_strategy(
            opened.preprocessing, opened.metadata, opened.settings
        )
        kept = kept if sample_mask is None else np.asarray(sample_mask)
        _refuse_incomplete(opened.tables[0], by_strategy, kept)
        parts.append(by_strategy)
    taken = set(parts[0]) if parts else set()
    chosen = [n for n in names if not {n, new_name(opened.own_names.get(n, n))} & taken]
    if unknown := [name for name in chosen if name not in opened.names]:
        raise InputError(
            Problem(
                f"confounds: {', '.join(str(table.path) for table in opened.tables)}",
                f"no column {', '.join(unknown)}",
                f"columns of the table: {', '.join(opened.names)}",
                "correct the names in the model's X",
            )
        )
    by_name = []
    for table in opened.tables:
        by_name.append(_by_name(table, [name for name in chosen if name in table.columns]))
        _refuse_incomplete(table, by_name[-1], kept)
    parts.append(pd.concat(by_name, axis=1)[chosen])
    # Volumes that do not enter the fit may lack values; the design is computed over all of them.
    regressors = pd.concat(parts, axis=1).fillna(0.0)
    return RunConfounds(regressors, kept, bool(cosines_among(regressors)))


def framewise_displacement(table: Path | str) -> NDArray[np.float64] | None:
    """Read how far the head moved from volume to volume, in mm, as the preprocessing computed it.

    NaN where it is missing, as in the first volume; None where there is no such column.
    """
    raw = read_tsv(table).rename(columns=new_name)
    if DISPLACEMENT not in raw:
        return None
    return pd.to_numeric(raw[DISPLACEMENT], errors="coerce").to_numpy(np.float64)


def censored_volumes(opened: OpenConfounds) -> NDArray[np.bool_]:
    """Tell which volumes moved too much, or are left out of the fit.

    Those outside the sample mask of the strategy, and those over the thresholds of the settings;
    where these state none, over 0.5 mm or 1.5 standardised DVARS, as fMRIPrep has it.

    Returns
    -------
    ndarray of shape (n_volumes,), bool

    Raises
    ------
    InputError
        The table lacks the columns for that.
    """
    settings = opened.settings
    limits = thresholds_of(settings) or {DISPLACEMENT: FD_THRESHOLD_MM, DVARS: DVARS_THRESHOLD}
    censored = over_thresholds(opened.tables[0], limits)
    outside = np.ones(len(censored), bool)
    outside[take_confounds(opened).kept] = False
    result: NDArray[np.bool_] = censored | outside
    return result


def _by_name(table: ConfoundTable, chosen: list[str]) -> pd.DataFrame:
    """Take columns as they are, but for what the first row lacks."""
    by_name = numbers_of(table, chosen)
    by_name.iloc[:1] = by_name.iloc[:1].fillna(by_name.iloc[1:2].squeeze(axis=0))
    return by_name


def _refuse_incomplete(
    table: ConfoundTable, regressors: pd.DataFrame, kept: NDArray[np.intp]
) -> None:
    """Refuse regressors that are missing or infinite in a volume that enters the fit."""
    finite = pd.DataFrame(
        np.isfinite(regressors.to_numpy(np.float64)), regressors.index, regressors.columns
    )
    infinite = ~finite & regressors.notna()
    refuse_cells(table, infinite.iloc[kept], regressors)
    missing = regressors.iloc[kept].isna()
    if missing.to_numpy().any():
        columns = [str(c) for c in regressors.columns[missing.any()]]
        wrong = [str(table.lines[row]) for row in missing.index[missing.any(axis=1)]]
        raise InputError(
            Problem(
                f"confounds: {table.path}",
                f"no number in column {shortened(columns)}: line {shortened(wrong)}",
                "a number in every row but the first",
                "restore the file if it is damaged, or choose confounds that are complete",
            )
        )
