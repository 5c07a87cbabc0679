"""All tables of confounds of a run as one: names, lengths, volumes over thresholds of motion."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.bids.confound_names import new_name, other_name
from twolevel.errors import InputError, Problem
from twolevel.files.tables import line_of, read_tsv
from twolevel.model.nodes import matches
from twolevel.model.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FEWEST = 2  # rows: what is missing in the first is taken from the second
DISPLACEMENT, DVARS = "framewise_displacement", "std_dvars"
OUTLIER = "motion_outlier"


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
    asked : tuple of str
        What the model names, wildcards included.
    preprocessing, metadata : Path or None
        The table of the preprocessing, from which a strategy takes confounds, and its JSON.
    n_replaced : (int, int) or None
        Columns ``motion_outlier*`` of the preprocessing that others took the place of, and the
        number of these, where they differ.
    """

    tables: tuple[ConfoundTable, ...]
    own_names: dict[str, str] = field(default_factory=dict)
    settings: RunSettings = field(default_factory=RunSettings)
    asked: tuple[str, ...] = ()
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
        What the model names, in X and in its instructions, wildcards included.

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
        if (other := other_name(name)) and other not in there and not is_asked(name, asked)
        if is_asked(other, asked)
    }
    named = [
        ConfoundTable(table.path, table.columns.rename(columns=as_asked), table.lines)
        for table in tables
    ]
    own = {other: name for name, other in as_asked.items()}
    return OpenConfounds(
        tuple(named), own, settings, tuple(asked), preprocessing, metadata, n_replaced
    )


def takes_outliers(settings: RunSettings, asked: Sequence[str]) -> bool:
    """Tell whether thresholds are stated, and the model asks for columns made of them."""
    stated = settings.fd_threshold is not None or settings.dvars_threshold is not None
    return stated and any(x.startswith(OUTLIER) or matches(f"{OUTLIER}00", x) for x in asked)


def thresholds_of(settings: RunSettings) -> dict[str, float]:
    """Return the thresholds that settings state, by column."""
    limits = {DISPLACEMENT: settings.fd_threshold, DVARS: settings.dvars_threshold}
    return {name: limit for name, limit in limits.items() if limit is not None}


def over_thresholds(table: ConfoundTable, limits: Mapping[str, float]) -> NDArray[np.bool_]:
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
    numbers = numbers_of(ConfoundTable(table.path, columns, table.lines), list(limits))
    over: NDArray[np.bool_] = (numbers > pd.Series(limits)).any(axis=1).to_numpy()
    return over


def numbers_of(table: ConfoundTable, chosen: list[str]) -> pd.DataFrame:
    """Read columns as numbers; refuse text."""
    raw = table.columns[chosen]
    numbers: pd.DataFrame = raw.apply(pd.to_numeric, errors="coerce").astype(float)
    refuse_cells(table, numbers.isna() & raw.notna(), raw)
    return numbers


def refuse_cells(table: ConfoundTable, wrong: pd.DataFrame, content: pd.DataFrame) -> None:
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
                f"no finite number in {shortened(cells)}",
                "numbers, and n/a where there is none",
                "restore the file if it is damaged, or choose other confounds",
            )
        )


def shortened(words: Sequence[str], limit: int = 6) -> str:
    """List words, those beyond the limit as a number."""
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more


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
            f"column {shortened(both)}, which {earlier.path} has too",
            "a name of its own for each column of all tables",
            "rename or remove it in one of them, or leave the table out of Confounds",
        )
        for earlier, table in combinations(tables, 2)
        if (both := [str(c) for c in table.columns if c in earlier.columns])
    ]:
        raise InputError(problems)


def is_asked(name: str, asked: Iterable[str]) -> bool:
    """Tell whether a model names a column, perhaps by a wildcard."""
    return any(matches(name, pattern) for pattern in asked)


def _with_outliers(
    table: ConfoundTable, settings: RunSettings
) -> tuple[ConfoundTable, tuple[int, int] | None]:
    """Put a column for each volume over a threshold in the place of those that are there."""
    over = np.flatnonzero(over_thresholds(table, thresholds_of(settings)))
    there = [str(c) for c in table.columns if str(c).startswith(OUTLIER)]
    names = [f"{OUTLIER}{number:02d}" for number in range(len(over))]
    made = pd.DataFrame(np.eye(len(table.columns))[:, over], table.columns.index, names)
    columns = pd.concat([table.columns.drop(columns=there), made], axis=1)
    marked = np.sort(numbers_of(table, there).fillna(0.0).to_numpy().argmax(axis=0))
    replaced = None if not there or np.array_equal(marked, over) else (len(there), len(over))
    return ConfoundTable(table.path, columns, table.lines), replaced
