"""What an expression is for each row of a table."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twolevel.errors import InputError, Problem, did_you_mean
from twolevel.files.tables import line_of
from twolevel.model.expression_tree import MISSING, Column, Constant
from twolevel.model.expressions import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from twolevel.model.expression_tree import Operation, Tree

    Cells = NDArray[Any]
    Rows = NDArray[np.bool_]

SHOWN = 5
NUMERIC: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "negative": operator.neg,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def evaluate(
    tree: Tree, table: pd.DataFrame, where: str, rows: NDArray[np.bool_] | None = None
) -> pd.Series:
    """Work out an expression for each row of a table.

    A comparison with a number compares numbers (``"01"`` equals 1), one with text compares text;
    two columns are compared as numbers in rows where both are numbers. ``n/a`` compares false with
    everything, also by ``!=`` and ``not in``; ``not`` of that is true. Text that is no number is
    unequal to every number, and refused where a number is needed: in arithmetic and by ``<``.
    Arithmetic with ``n/a`` gives ``n/a``, and so does what is not finite. ``+`` joins texts where
    one side is a quoted text: ``emotion + "_" + gender``. ``previous(x)`` is the row above,
    ``n/a`` in the first row. ``and`` and ``or`` look at the right side only where it
    matters.

    Parameters
    ----------
    tree : Tree
        Of `twolevel.model.expressions.parse`.
    table : pandas.DataFrame
        Cells of text, or numbers; missing values are ``n/a``.
    where : str
        What the table is, for the messages: ``events: FILE``.
    rows : ndarray of bool, optional
        The rows that matter; in the others nothing is refused, and the value is arbitrary.

    Returns
    -------
    pandas.Series
        A value for each row, by the index of the table: bool for a condition, float64 for a
        number, otherwise text (or cells as they are), NaN where it is missing.

    Raises
    ------
    InputError
        A column is missing, or a cell is no number where one is needed; with column and line.
    """
    there = [str(column) for column in table]
    if absent := [name for name in columns_of(tree) if name not in there]:
        raise InputError([no_column(where, name, there, f"of {tree}") for name in absent])
    rows = np.ones(len(table), bool) if rows is None else np.asarray(rows, bool)
    return pd.Series(_Evaluation(table, where).of(tree, rows), index=table.index)


def no_column(where: str, name: str, there: list[str], use: str) -> Problem:
    """Describe a column that is not there."""
    return Problem(
        where,
        f'no column "{name}" ({use})',
        f"one of the columns {', '.join(there)}",
        did_you_mean(name, there) or f"correct the name; if it is a text, quote it: '{name}'",
    )


def numbers_in(cells: Cells) -> NDArray[np.float64]:
    """Read cells as numbers; NaN for what is missing, no number, or not finite."""
    numbers = pd.to_numeric(pd.Series(cells), errors="coerce").to_numpy(float)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def as_text(value: Any) -> Any:
    """Write a value as a cell; numbers in the shortest form that is read back as the same."""
    if isinstance(value, float | np.floating):
        return np.nan if np.isnan(value) else repr(float(value)).removesuffix(".0")
    return value if pd.isna(value) else str(value)


class _Evaluation:
    """The walk through a tree."""

    def __init__(self, table: pd.DataFrame, where: str) -> None:
        self.table, self.where = table, where
        self.operations: dict[str, Callable[[Operation, Rows], Cells]] = {
            **dict.fromkeys(NUMERIC, self._of_numbers),
            **dict.fromkeys(("and", "or"), self._and_or),
            **dict.fromkeys(("==", "!=", "in", "not in"), self._equality),
            **dict.fromkeys(("join", "contains"), self._of_texts),
            "not": self._not,
            "isna": self._isna,
            "previous": self._previous,
        }

    def of(self, tree: Tree, rows: Rows) -> Cells:
        """Give a value for each row; `rows` are those that matter."""
        if isinstance(tree, Column):
            return self.table[tree.name].to_numpy(object)
        if isinstance(tree, Constant):
            value = np.nan if tree.value == MISSING else tree.value
            kind = object if tree.kind == "text" else float
            return np.full(len(self.table), value, dtype=kind)
        return self.operations[tree.name](tree, rows)

    def _of_numbers(self, tree: Operation, rows: Rows) -> Cells:
        """Compare numbers, or reckon with them; n/a compares false."""
        numbers = [self._numbers(part, rows) for part in tree.parts]
        with np.errstate(all="ignore"):
            values = np.asarray(NUMERIC[tree.name](*numbers))
        return values if tree.kind == "truth" else _finite(values)

    def _not(self, tree: Operation, rows: Rows) -> Rows:
        return ~self.of(tree.parts[0], rows)

    def _isna(self, tree: Operation, rows: Rows) -> Rows:
        return np.asarray(pd.isna(self.of(tree.parts[0], rows)))

    def _and_or(self, tree: Operation, rows: Rows) -> Rows:
        holds = self.of(tree.parts[0], rows)
        for part in tree.parts[1:]:
            if tree.name == "and":
                holds = holds & self.of(part, rows & holds)
            else:
                holds = holds | self.of(part, rows & ~holds)
        return holds

    def _equality(self, tree: Operation, rows: Rows) -> Rows:
        first, *others = tree.parts
        cells = self.of(first, rows)
        equal = np.zeros(len(cells), bool)
        there = ~pd.isna(cells)
        for other in others:
            values = self.of(other, rows)
            there &= ~pd.isna(values)
            numbers = numbers_in(cells) == numbers_in(values)
            same = np.array([as_text(a) == as_text(b) for a, b in zip(cells, values, strict=True)])
            if "text" in {first.kind, other.kind}:
                equal |= same.astype(bool)
            elif "number" in {first.kind, other.kind}:
                equal |= numbers
            else:
                equal |= numbers | same.astype(bool)
        return there & (equal if tree.name in {"==", "in"} else ~equal)

    def _previous(self, tree: Operation, rows: Rows) -> Cells:
        values = self.of(tree.parts[0], np.append(rows[1:], False)[: len(rows)])
        shifted = values.copy()
        shifted[1:] = values[:-1]
        shifted[:1] = np.nan
        return shifted

    def _of_texts(self, tree: Operation, rows: Rows) -> Cells:
        left, right = (map(as_text, self.of(part, rows)) for part in tree.parts)
        pairs = [(a, b, pd.isna(a) or pd.isna(b)) for a, b in zip(left, right, strict=True)]
        if tree.name == "contains":
            return np.array([not absent and b in a for a, b, absent in pairs], bool)
        return np.array([np.nan if absent else a + b for a, b, absent in pairs], object)

    def _numbers(self, tree: Tree, rows: Rows) -> NDArray[np.float64]:
        cells = self.of(tree, rows)
        numbers = numbers_in(cells)
        if (wrong := np.flatnonzero(rows & ~pd.isna(cells) & np.isnan(numbers))).size:
            labels = self.table.index
            shown = ", ".join(f'line {line_of(labels[i])} ("{cells[i]}")' for i in wrong[:SHOWN])
            more = f" and {wrong.size - SHOWN} more" if wrong.size > SHOWN else ""
            raise InputError(
                Problem(
                    self.where,
                    f"no number in {tree}: {shown}{more}",
                    "numbers, and n/a where there is no value",
                    "make n/a of these cells first (Recode), ask for text with == and quotes, or "
                    'join texts with + "" +',
                )
            )
        return numbers


def _finite(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(numbers), numbers, np.nan)
