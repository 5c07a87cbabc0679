"""Reading the confounds of a run: by strategy, or by name, from one table or several."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.bids.confound_names import new_name, other_name
from twolevel.bids.confound_strategy import confounds_by_strategy
from twolevel.errors import InputError, Problem
from twolevel.files.tables import line_of, read_tsv
from twolevel.model.nodes import matches
from twolevel.model.settings import RunSettings
from twolevel.stats.run.design import cosines_among

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FEWEST = 2  # rows: what is missing in the first is taken from the second
DISPLACEMENT, DVARS = "framewise_displacement", "std_dvars"
OUTLIER = "motion_outlier"
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


@dataclass(frozen=True)
class ConfoundTable:
    """One table of confounds.

    Attributes
    ----------
    columns : pandas.DataFrame of shape (n_volumes, n_columns)
        As they stand in the file.
    lines : list of int
        Of the file, for each row.
    """

    path: Path
    columns: pd.DataFrame
    lines: list[int]


@dataclass(frozen=True)
class OpenConfounds:
    """All confounds of a run that a model can name, from all its tables.

    Attributes
    ----------
    tables : tuple of ConfoundTable
        Their columns have the names by which the model calls them.
    own_names : dict of str to str
        By that name, the one in the file, where it is another.
    settings : RunSettings
    preprocessing, metadata : Path or None
        The table of the preprocessing, from which a strategy takes confounds, and its JSON.
    n_replaced : (int, int) or None
        Columns ``motion_outlier*`` of the preprocessing that others took the place of, and the
        number of these, where they differ.
    """

    tables: tuple[ConfoundTable, ...]
    own_names: dict[str, str] = field(default_factory=dict)
    settings: RunSettings = field(default_factory=RunSettings)
    preprocessing: Path | None = None
    metadata: Path | None = None
    n_replaced: tuple[int, int] | None = None

    @property
    def names(self) -> list[str]:
        """The names of all columns, as the model calls them."""
        return [str(column) for table in self.tables for column in table.columns]

    @property
    def n_volumes(self) -> int:
        """Rows of each table."""
        return len(self.tables[0].columns)


def open_confounds(
    files: Mapping[str, Path], settings: RunSettings, asked: Sequence[str] = ()
) -> OpenConfounds:
    """Read all tables of confounds of a run.

    A column that the model asks for under the name that an older or a newer fMRIPrep gave it
    has that name here. Where the settings state thresholds, the columns ``motion_outlier*`` are
    made of them, in the place of those that the preprocessing wrote: one for each volume over a
    threshold; where the displacement is n/a, a volume is not over it.

    Parameters
    ----------
    files : mapping of str to Path
        As `RunFiles.confound_files` names them: ``confounds``, ``confounds_json``, and
        ``confounds_1`` and so on for further tables.
    settings : RunSettings
    asked : sequence of str
        What the model names: its X, wildcards included.

    Raises
    ------
    InputError
        Tables have less than two rows, or not as many as the others; two have a column of one
        name; or what a threshold is about is missing.
    """
    preprocessing, metadata = files.get("confounds"), files.get("confounds_json")
    paths = [path for kind, path in files.items() if kind not in {"confounds", "confounds_json"}]
    tables = [_read(path) for path in ([preprocessing] if preprocessing else []) + paths]
    _refuse_lengths(tables)
    n_replaced = None
    if preprocessing and takes_outliers(settings, asked):
        tables[0], n_replaced = _with_outliers(tables[0], settings)
    _refuse_clashes(tables)
    there = {str(column) for table in tables for column in table.columns}
    as_asked = {
        name: other
        for name in there
        if (other := other_name(name)) and other not in there and not _is_asked(name, asked)
        if _is_asked(other, asked)
    }
    named = [
        ConfoundTable(table.path, table.columns.rename(columns=as_asked), table.lines)
        for table in tables
    ]
    own = {other: name for name, other in as_asked.items()}
    return OpenConfounds(tuple(named), own, settings, preprocessing, metadata, n_replaced)


def takes_outliers(settings: RunSettings, asked: Sequence[str]) -> bool:
    """Tell whether thresholds are stated, and the model asks for columns made of them."""
    stated = settings.fd_threshold is not None or settings.dvars_threshold is not None
    return stated and any(x.startswith(OUTLIER) or matches(f"{OUTLIER}00", x) for x in asked)


def read_confounds(opened: OpenConfounds, names: Sequence[str] = ()) -> RunConfounds:
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
    limits = _thresholds(settings) or {DISPLACEMENT: FD_THRESHOLD_MM, DVARS: DVARS_THRESHOLD}
    censored = _over(opened.tables[0], limits)
    outside = np.ones(len(censored), bool)
    outside[read_confounds(opened).kept] = False
    result: NDArray[np.bool_] = censored | outside
    return result


def _read(path: Path) -> ConfoundTable:
    raw = read_tsv(path)
    if len(raw) < FEWEST:
        raise InputError(
            Problem(
                f"confounds: {path}",
                f"{len(raw)} rows",
                "a row for each volume",
                "restore the file if it is damaged",
            )
        )
    return ConfoundTable(path, raw.reset_index(drop=True), [line_of(row) for row in raw.index])


def _refuse_lengths(tables: Sequence[ConfoundTable]) -> None:
    """Refuse tables that do not have as many rows as the first: rows are volumes."""
    if problems := [
        Problem(
            f"confounds: {table.path}",
            f"{len(table.columns)} rows",
            f"{len(tables[0].columns)}, as {tables[0].path} has: one per volume",
            "take both from one run of the preprocessing, volumes at the start included",
        )
        for table in tables[1:]
        if len(table.columns) != len(tables[0].columns)
    ]:
        raise InputError(problems)


def _refuse_clashes(tables: Sequence[ConfoundTable]) -> None:
    """Refuse a name that two tables have: nobody could tell which of them is meant."""
    if problems := [
        Problem(
            f"confounds: {table.path}",
            f"column {_shortened(both)}, which {earlier.path} has too",
            "a name of its own for each column of all tables",
            "rename or remove it in one of them, or leave the table out of Confounds",
        )
        for earlier, table in combinations(tables, 2)
        if (both := [str(c) for c in table.columns if c in earlier.columns])
    ]:
        raise InputError(problems)


def _is_asked(name: str, asked: Iterable[str]) -> bool:
    return any(matches(name, pattern) for pattern in asked)


def _thresholds(settings: RunSettings) -> dict[str, float]:
    """Return the thresholds that settings state, by column."""
    limits = {DISPLACEMENT: settings.fd_threshold, DVARS: settings.dvars_threshold}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _over(table: ConfoundTable, limits: Mapping[str, float]) -> NDArray[np.bool_]:
    """Tell which volumes are over one of the thresholds, by column; n/a is not over any."""
    columns = table.columns.rename(columns=new_name)
    if missing := [name for name in limits if name not in columns]:
        raise InputError(
            Problem(
                f"confounds: {table.path}",
                f"no column {', '.join(missing)}",
                f"the columns that motion is measured by: {', '.join(limits)}",
                "have fMRIPrep write them, or leave out what asks for them (FdThreshold, "
                "DvarsThreshold, --max-mean-fd, --max-censored)",
            )
        )
    numbers = _numbers(ConfoundTable(table.path, columns, table.lines), list(limits))
    over: NDArray[np.bool_] = (numbers > pd.Series(limits)).any(axis=1).to_numpy()
    return over


def _with_outliers(
    table: ConfoundTable, settings: RunSettings
) -> tuple[ConfoundTable, tuple[int, int] | None]:
    """Put a column for each volume over a threshold in the place of those that are there."""
    over = np.flatnonzero(_over(table, _thresholds(settings)))
    there = [str(c) for c in table.columns if str(c).startswith(OUTLIER)]
    names = [f"{OUTLIER}{number:02d}" for number in range(len(over))]
    made = pd.DataFrame(np.eye(len(table.columns))[:, over], table.columns.index, names)
    columns = pd.concat([table.columns.drop(columns=there), made], axis=1)
    marked = np.sort(_numbers(table, there).fillna(0.0).to_numpy().argmax(axis=0))
    replaced = None if not there or np.array_equal(marked, over) else (len(there), len(over))
    return ConfoundTable(table.path, columns, table.lines), replaced


def _by_name(table: ConfoundTable, chosen: list[str]) -> pd.DataFrame:
    """Take columns as they are, but for what the first row lacks."""
    by_name = _numbers(table, chosen)
    by_name.iloc[:1] = by_name.iloc[:1].fillna(by_name.iloc[1:2].squeeze(axis=0))
    return by_name


def _numbers(table: ConfoundTable, chosen: list[str]) -> pd.DataFrame:
    """Read columns as numbers; refuse text."""
    raw = table.columns[chosen]
    numbers: pd.DataFrame = raw.apply(pd.to_numeric, errors="coerce").astype(float)
    _refuse_cells(table, numbers.isna() & raw.notna(), raw)
    return numbers


def _refuse_incomplete(
    table: ConfoundTable, regressors: pd.DataFrame, kept: NDArray[np.intp]
) -> None:
    """Refuse regressors that are missing or infinite in a volume that enters the fit."""
    finite = pd.DataFrame(
        np.isfinite(regressors.to_numpy(np.float64)), regressors.index, regressors.columns
    )
    infinite = ~finite & regressors.notna()
    _refuse_cells(table, infinite.iloc[kept], regressors)
    missing = regressors.iloc[kept].isna()
    if missing.to_numpy().any():
        columns = [str(c) for c in regressors.columns[missing.any()]]
        wrong = [str(table.lines[row]) for row in missing.index[missing.any(axis=1)]]
        raise InputError(
            Problem(
                f"confounds: {table.path}",
                f"no number in column {_shortened(columns)}: line {_shortened(wrong)}",
                "a number in every row but the first",
                "restore the file if it is damaged, or choose confounds that are complete",
            )
        )


def _refuse_cells(table: ConfoundTable, wrong: pd.DataFrame, content: pd.DataFrame) -> None:
    """Refuse cells that are neither finite numbers nor missing."""
    cells = [
        f'column {column}, line {table.lines[row]} ("{content.loc[row, column]}")'
        for column in wrong.columns[wrong.any()]
        for row in wrong.index[wrong[column]]
    ]
    if cells:
        raise InputError(
            Problem(
                f"confounds: {table.path}",
                f"no finite number in {_shortened(cells)}",
                "numbers, and n/a where there is none",
                "restore the file if it is damaged, or choose other confounds",
            )
        )


def _shortened(words: Sequence[str], limit: int = 6) -> str:
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more
