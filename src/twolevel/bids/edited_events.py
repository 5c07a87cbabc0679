"""Carrying out the edits of events that a model asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twolevel.errors import InputError
from twolevel.files.tables import ROWS_OF_A_FILE, line_of, read_tsv
from twolevel.model.evaluation import as_text, evaluate, no_column, numbers_in
from twolevel.model.expression_tree import MISSING, Column, Constant, Operation
from twolevel.model.expressions import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.model.event_edits import EventEdit

    Rows = NDArray[np.bool_]

SOURCE_LINE = "source_line"


@dataclass(frozen=True)
class EditedEvents:
    """A table of events after its edits.

    Attributes
    ----------
    table : pandas.DataFrame
        Cells of text, NaN where they are missing. The index tells the line of the file that a row
        comes from (`twolevel.files.tables.line_of`); no two rows have the same.
    counts : tuple of int
        Rows that each edit changed, dropped or added.
    dropped : tuple of pandas.Index
        The rows that each edit dropped.
    """

    table: pd.DataFrame
    counts: tuple[int, ...]
    dropped: tuple[pd.Index, ...]

    def as_file(self) -> pd.DataFrame:
        """Return the table with a column more: the line of the file that a row comes from."""
        return self.table.assign(**{SOURCE_LINE: [line_of(label) for label in self.table.index]})

    def dropped_by(self, edits: Sequence[EventEdit]) -> Iterator[tuple[int, EventEdit, pd.Index]]:
        """Give each edit that dropped rows, with its number from 1 and these rows."""
        for number, (edit, rows) in enumerate(zip(edits, self.dropped, strict=True), start=1):
            if len(rows):
                yield number, edit, rows

    def typed(self, factors: Sequence[str]) -> pd.DataFrame:
        """Return the table with numbers in the columns that hold numbers and are no factors."""
        table = self.table.copy()
        for name in [str(column) for column in table if column not in factors]:
            numbers = pd.Series(numbers_in(table[name].to_numpy(object)), index=table.index)
            if numbers.notna().equals(table[name].notna()):
                table[name] = numbers
        return table


def read_edited(
    path: Path | str, edits: Sequence[EventEdit], is_used: Callable[[str], bool]
) -> EditedEvents:
    """Read the events of a run and edit them; `is_used` tells which columns matter otherwise."""
    named = {column for edit in edits for column in edit.columns}
    table = read_tsv(path, dtype=str, used=lambda column: column in named or is_used(column))
    return apply_edits(table, edits, f"events: {path}")


def apply_edits(table: pd.DataFrame, edits: Sequence[EventEdit], where: str) -> EditedEvents:
    """Carry out edits of events, one after the other.

    Rows that an edit adds are copies, with an index of their own that tells the line of the row
    they come from; after them, all rows are in the order of their onsets (those of one onset, and
    those without any, as they were, the latter last).

    Parameters
    ----------
    table : pandas.DataFrame
        As `twolevel.files.tables.read_tsv` reads it, all cells as text.
    where : str
        What the table is, for the messages: ``events: FILE``.

    Returns
    -------
    EditedEvents

    Raises
    ------
    InputError
        A column that an edit needs is missing, or a cell is no number where one is needed.
    """
    cells = table.map(as_text).astype(object)
    counts: list[int] = []
    dropped: list[pd.Index] = []
    for number, edit in enumerate(edits, start=1):
        place = f"{where}: event edit {number}"
        there = [str(column) for column in cells]
        if absent := [name for name in edit.columns if name not in there]:
            raise InputError([no_column(place, name, there, str(edit)) for name in absent])
        rows = np.ones(len(cells), bool)
        if edit.where is not None:
            rows = evaluate(parse(edit.where), cells, place).to_numpy(bool)
        before, cells, touched = cells, *_carried_out(cells, edit, rows, place)
        counts.append(int(touched.sum()))
        dropped.append(before.index[touched] if edit.drop else before.index[:0])
    return EditedEvents(cells, tuple(counts), tuple(dropped))


def _carried_out(
    cells: pd.DataFrame, edit: EventEdit, rows: Rows, place: str
) -> tuple[pd.DataFrame, Rows]:
    """Return the table after an edit, and which rows of the one before it touched."""
    if edit.drop:
        return cells[~rows], rows
    if edit.set:
        return _with_values(cells, edit.set, rows, place), rows
    if edit.add:
        copies = _with_values(cells, edit.add, rows, place)[rows]
        copies.index = _labels_of_copies(cells.index, copies.index)
        return _by_onset(pd.concat([cells, copies]), place), rows
    changed = cells.copy()
    for name, pairs in edit.recode or ():
        changed[name] = np.where(rows, _recoded(cells[name], pairs), cells[name])
    for name in edit.strip or ():
        stripped = cells[name].map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
        changed[name] = np.where(rows, stripped, cells[name])
    for name, factor in edit.scale or ():
        scaled = _times(name, factor, cells, place, rows).map(as_text)
        changed[name] = np.where(rows, scaled, cells[name])
    same = (changed == cells) | (changed.isna() & cells.isna())
    return changed, ~same.all(axis=1).to_numpy(bool)


def _with_values(
    cells: pd.DataFrame, values: Iterable[tuple[str, str]], rows: Rows, place: str
) -> pd.DataFrame:
    """Put values into some rows, all of them worked out from the table as it was."""
    changed = cells.copy()
    for name, text in values:
        new = evaluate(parse(text), cells, place, rows)
        new = (new.astype(float) if new.dtype == bool else new).map(as_text).astype(object)
        old = cells.get(name, np.nan)
        changed[name] = np.where(rows, new, old)
    return changed


def _recoded(cells: pd.Series, pairs: Iterable[tuple[str, str]]) -> NDArray[Any]:
    """Put other values in the place of those there; texts go before numbers, and numbers match."""
    new = {old: np.nan if value == MISSING else value for old, value in pairs}
    of_number = dict(zip(numbers_in(np.array(list(new), object)), new.values(), strict=True))
    numbers = numbers_in(cells.to_numpy(object))
    found = []
    for cell, number in zip(cells.astype(object).fillna(MISSING), numbers, strict=True):
        value = np.nan if cell == MISSING else cell
        found.append(new.get(cell, value if np.isnan(number) else of_number.get(number, value)))
    return np.array(found, dtype=object)


def _times(name: str, factor: float, cells: pd.DataFrame, place: str, rows: Rows) -> pd.Series:
    product = Operation("*", (Column(name), Constant(factor)), "number")
    return evaluate(product, cells, place, rows)


def _by_onset(cells: pd.DataFrame, place: str) -> pd.DataFrame:
    onsets = _times("onset", 1.0, cells, place, np.ones(len(cells), bool))
    return cells.iloc[np.argsort(onsets.to_numpy(float), kind="stable")]


def _labels_of_copies(there: pd.Index, copied: pd.Index) -> pd.Index:
    """Make labels that no row has, of the same lines."""
    last: dict[int, int] = {}
    for label in sorted(there):
        last[label % ROWS_OF_A_FILE] = label
    labels = []
    for label in copied % ROWS_OF_A_FILE:
        last[label] += ROWS_OF_A_FILE
        labels.append(last[label])
    return pd.Index(labels, dtype="int64")
