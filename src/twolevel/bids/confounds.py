"""Reading fMRIPrep's confounds: by strategy, or by name."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.errors import InputError, Problem
from twolevel.files.tables import line_of, read_tsv
from twolevel.stats.run.design import cosines_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEWEST = 2  # rows: what is missing in the first is taken from the second
DISPLACEMENT = "framewise_displacement"


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


def confound_names(path: Path | str) -> list[str]:
    """List the columns of a confounds table."""
    return [str(column) for column in read_tsv(path)]


def read_confounds(
    table: Path | str,
    metadata: Path | str | None = None,
    *,
    strategy: str | None = None,
    names: Sequence[str] = (),
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

    Returns
    -------
    RunConfounds

    Raises
    ------
    InputError
        The table lacks columns, or values.
    """
    raw = read_tsv(table)
    lines = [line_of(row) for row in raw.index]
    raw = raw.reset_index(drop=True)
    if len(raw) < FEWEST:
        raise InputError(
            Problem(
                f"confounds: {table}",
                f"{len(raw)} rows",
                "a row for each volume",
                "restore the file if it is damaged",
            )
        )
    kept = np.arange(len(raw))
    parts = []
    if strategy is not None:
        by_strategy, sample_mask = _by_strategy(Path(table), metadata, strategy)
        kept = kept if sample_mask is None else np.asarray(sample_mask)
        parts.append(by_strategy)
    chosen = [name for name in names if not parts or name not in parts[0]]
    if chosen:
        parts.append(_by_name(table, raw, chosen, lines))
    regressors = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=raw.index)
    _refuse_incomplete(table, regressors, kept, lines)
    # Volumes that do not enter the fit may lack values; the design is computed over all of them.
    regressors = regressors.fillna(0.0)
    return RunConfounds(regressors, kept, bool(cosines_among(regressors)))


def _by_name(
    table: Path | str, raw: pd.DataFrame, chosen: list[str], lines: Sequence[int]
) -> pd.DataFrame:
    """Take columns as they are, but for what the first row lacks; refuse those not there."""
    if unknown := [name for name in chosen if name not in raw]:
        raise InputError(
            Problem(
                f"confounds: {table}",
                f"no column {', '.join(unknown)}",
                f"columns of the table: {', '.join(map(str, raw))}",
                "correct the names in the model's X",
            )
        )
    by_name: pd.DataFrame = raw[chosen].apply(pd.to_numeric, errors="coerce").astype(float)
    _refuse_cells(table, by_name.isna() & raw[chosen].notna(), raw, lines)
    by_name.iloc[:1] = by_name.iloc[:1].fillna(by_name.iloc[1:2].squeeze(axis=0))
    return by_name


def _refuse_incomplete(
    table: Path | str, regressors: pd.DataFrame, kept: NDArray[np.intp], lines: Sequence[int]
) -> None:
    """Refuse regressors that are missing or infinite in a volume that enters the fit."""
    finite = pd.DataFrame(
        np.isfinite(regressors.to_numpy(np.float64)), regressors.index, regressors.columns
    )
    infinite = ~finite & regressors.notna()
    _refuse_cells(table, infinite.iloc[kept], regressors, lines)
    missing = regressors.iloc[kept].isna()
    if missing.to_numpy().any():
        columns = [str(c) for c in regressors.columns[missing.any()]]
        wrong = [str(lines[row]) for row in missing.index[missing.any(axis=1)]]
        raise InputError(
            Problem(
                f"confounds: {table}",
                f"no number in column {_shortened(columns)}: line {_shortened(wrong)}",
                "a number in every row but the first",
                "restore the file if it is damaged, or choose confounds that are complete",
            )
        )


def _refuse_cells(
    table: Path | str, wrong: pd.DataFrame, content: pd.DataFrame, lines: Sequence[int]
) -> None:
    """Refuse cells that are neither finite numbers nor missing."""
    cells = [
        f'column {column}, line {lines[row]} ("{content.loc[row, column]}")'
        for column in wrong.columns[wrong.any()]
        for row in wrong.index[wrong[column]]
    ]
    if cells:
        raise InputError(
            Problem(
                f"confounds: {table}",
                f"no finite number in {_shortened(cells)}",
                "numbers, and n/a where there is none",
                "restore the file if it is damaged, or choose other confounds",
            )
        )


def framewise_displacement(table: Path | str) -> NDArray[np.float64] | None:
    """Read how far the head moved from volume to volume, in mm, as the preprocessing computed it.

    NaN where it is missing, as in the first volume; None where there is no such column.
    """
    raw = read_tsv(table)
    if DISPLACEMENT not in raw:
        return None
    return pd.to_numeric(raw[DISPLACEMENT], errors="coerce").to_numpy(np.float64)


def _by_strategy(
    table: Path, metadata: Path | str | None, strategy: str
) -> tuple[pd.DataFrame, NDArray[np.intp] | None]:
    """Call nilearn's loader, which looks for files by name: lay them side by side for it."""
    # These imports take most of a second, and not every model has a strategy.
    from nilearn.interfaces.fmriprep import load_confounds_strategy  # noqa: PLC0415
    from nilearn.interfaces.fmriprep.load_confounds_utils import (  # noqa: PLC0415
        MissingConfoundError,
    )

    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder)
        (beside / "sub-1_task-t_desc-confounds_timeseries.tsv").symlink_to(table.resolve())
        if metadata is not None:
            link = beside / "sub-1_task-t_desc-confounds_timeseries.json"
            link.symlink_to(Path(metadata).resolve())
        try:
            confounds, sample_mask = load_confounds_strategy(
                str(beside / "sub-1_task-t_desc-preproc_bold.nii.gz"), denoise_strategy=strategy
            )
        except (
            ValueError, KeyError, TypeError, RecursionError, MissingConfoundError
        ) as error:  # fmt: skip
            text = str(error).replace(str(beside / "sub-1_task-t_desc-confounds_timeseries"), "")
            raise InputError(
                Problem(
                    f"confounds: {table}",
                    " ".join(text.split()),
                    f'the columns that the strategy "{strategy}" takes, as numbers',
                    "choose another strategy, or name the confounds in the model's X",
                )
            ) from error
    return confounds, sample_mask


def _shortened(words: Sequence[str], limit: int = 6) -> str:
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more
