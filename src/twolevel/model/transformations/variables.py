"""The variables that transformations work on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twolevel.files.tables import line_of

if TYPE_CHECKING:
    from collections.abc import Hashable

TRUTH = {"true": 1.0, "false": 0.0}
TIMING = ("onset", "duration")


@dataclass(frozen=True, eq=False)
class Sparse:
    """A variable with a value per event.

    Attributes
    ----------
    table : pandas.DataFrame
        ``onset`` and ``duration`` in seconds, ``value``: text, a number, or missing. The index
        holds the row labels of the events table, each once.
    """

    table: pd.DataFrame

    @property
    def cells(self) -> pd.Series:
        """The values by row label."""
        return _plain(self.table["value"])

    def with_values(self, values: pd.Series) -> Sparse:
        """Return the same events with other values; those that have none here leave."""
        return Sparse(self.table.loc[values.index, list(TIMING)].assign(value=values))

    def place_of(self, row: Hashable) -> str:
        """Say where a row is."""
        return f"line {line_of(row)}"


@dataclass(frozen=True, eq=False)
class Dense:
    """A variable with a value per volume, or per row of a table without onsets.

    Attributes
    ----------
    values : pandas.Series or numpy.ndarray
        Numbers, or text.
    """

    values: pd.Series | np.ndarray

    @cached_property
    def cells(self) -> pd.Series:
        """The values by row label."""
        return _plain(pd.Series(self.values))

    def with_values(self, values: pd.Series) -> Dense:
        """Return other values for the same rows."""
        return Dense(values.reindex(self.cells.index))

    def place_of(self, row: Hashable) -> str:
        """Say where a row is."""
        return f"row {list(self.cells.index).index(row) + 1}"


Variable = Sparse | Dense


def _plain(cells: pd.Series) -> pd.Series:
    """Hold what is neither a number nor a truth value as objects, NaN where it is missing."""
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "biuf":
        return cells
    return cells.astype(object).where(cells.notna(), math.nan)


def number(cell: Any) -> float:
    """Read a cell as a number; NaN for what is missing or none."""
    if cell is None or cell is pd.NA:
        return math.nan
    if isinstance(cell, str):
        try:
            cell = math.nan if "_" in cell else float(cell)
        except ValueError:
            return math.nan
    return float(cell) if math.isfinite(cell) else math.nan


def numbers(values: pd.Series) -> pd.Series:
    """Read cells as numbers; a column of words for true and false as 1 and 0."""
    words = values.map(lambda cell: TRUTH.get(str(cell).casefold(), math.nan))
    there = values.notna()
    if there.any() and words[there].notna().all():
        return words.astype(float)
    return values.map(number).astype(float)


def truth(values: pd.Series) -> pd.Series:
    """Tell which cells count as true: neither missing, empty, ``false`` nor 0."""

    def is_true(cell: Any) -> bool:
        if isinstance(cell, str) and math.isnan(number(cell)):
            return cell.strip().casefold() not in {"", "false"}
        return number(cell) != 0 and bool(pd.notna(cell))

    return values.map(is_true).astype(bool)


def level_name(value: Any) -> str:
    """Write a value as the name of a level: text as it stands, numbers as short as they go."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))
