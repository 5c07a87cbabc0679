"""The design of a model over maps: its rows, what explains them, what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from twolevel.errors import InputError, Problem
from twolevel.stats.contrasts import contrast_vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

INTERCEPT, ONE = "intercept", "1"
"""The column that is 1 in every row, and its name in a model's X."""

Weights = str | Mapping[str, float]
"""A contrast as `contrast_vector` takes it: an expression, or a weight per column."""


@dataclass(frozen=True)
class Exchangeability:
    """What rows may do under the null hypothesis: change places, or their sign.

    Attributes
    ----------
    scheme : {"flip", "permute"} or None
        None: by what is tested, as `make_permutation_model` tells it.
    """

    scheme: Literal["flip", "permute"] | None = None


@dataclass(frozen=True)
class MapDesign:
    """The design of a model over maps.

    Attributes
    ----------
    rows : tuple of str
        What each row is: a run, a subject.
    matrix : ndarray of shape (n_rows, n_columns), float64
    columns : tuple of str
        Names of the columns.
    contrasts : mapping of str to ndarray of shape (n_columns,) or (n_weights, n_columns)
        Weights of the columns by the contrast's name: one row of them for t, several for F.
    exchange : Exchangeability
        Of the rows.
    """

    rows: tuple[str, ...]
    matrix: NDArray[np.float64]
    columns: tuple[str, ...]
    contrasts: Mapping[str, NDArray[np.float64]]
    exchange: Exchangeability = Exchangeability()

    @property
    def is_mean(self) -> bool:
        """Tell whether nothing but the mean over rows is estimated."""
        return self.matrix.shape[1] == 1 and bool((self.matrix == 1).all())

    def keep(self, rows: Sequence[str]) -> MapDesign:
        """Return the design of some of the rows, in the order in which they are named."""
        place = {name: index for index, name in enumerate(self.rows)}
        kept = self.matrix[[place[name] for name in rows]]
        return replace(self, rows=tuple(rows), matrix=kept)

    def weights(self, contrast: str | ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the weights of the columns in a contrast.

        Parameters
        ----------
        contrast : str or array-like, optional
            The name of a contrast, or weights, which are returned. Default: the first contrast.

        Returns
        -------
        ndarray of shape (n_columns,) or (n_weights, n_columns), float64

        Raises
        ------
        InputError
            There is no such contrast, or not one weight per column.
        """
        if contrast is None:
            contrast = next(iter(self.contrasts))
        if isinstance(contrast, str):
            if contrast not in self.contrasts:
                named = ", ".join(f'"{name}"' for name in self.contrasts)
                raise _refusal("contrast", f'"{contrast}"', f"one of {named}")
            return self.contrasts[contrast]
        weights = np.asarray(contrast, np.float64)
        if weights.ndim not in (1, 2) or weights.shape[-1] != len(self.columns):
            expected = f"one weight for each of the columns {', '.join(self.columns)}"
            raise _refusal("contrast", f"weights of shape {weights.shape}", expected)
        return weights

    def row_weights(self, contrast: str | ArrayLike | None = None) -> NDArray[np.float64]:
        """Return what each row counts in the least squares estimate of a contrast: c pinv(X).

        Returns
        -------
        ndarray of shape (n_rows,) or (n_weights, n_rows), float64
        """
        of_rows: NDArray[np.float64] = self.weights(contrast) @ np.linalg.pinv(self.matrix)
        return of_rows

    def effective_n(self, contrast: str | ArrayLike | None = None) -> float:
        """Return the number of rows whose mean is estimated as precisely as a t contrast.

        ``1 / (c inv(X'X) c')``: for a mean the number of rows, for the difference of two groups
        of n and m rows ``1 / (1/n + 1/m)``.
        """
        return float(1 / np.sum(self.row_weights(contrast) ** 2))


def make_map_design(
    rows: Sequence[str] | int,
    x: Sequence[str] = (ONE,),
    table: pd.DataFrame | None = None,
    contrasts: Mapping[str, Weights | Sequence[Weights]] | None = None,
) -> MapDesign:
    """Make the design of a model over maps.

    Parameters
    ----------
    rows : sequence of str or int
        What each row is (``sub-01``, ...), or how many there are.
    x : sequence of str
        The design's columns: ``"1"`` for the intercept, others by their name in `table`.
    table : pandas.DataFrame of n_rows rows, optional
        Numbers that explain the maps, in the order of the rows.
    contrasts : mapping of str to contrast, optional
        By name: an expression in the names of the columns (``"old - young"``) or weights by
        column, for t; a list of such for F. Default: each column by itself, under its name.

    Returns
    -------
    MapDesign

    Raises
    ------
    InputError
        A column that the table does not have, or not as finite numbers; a contrast that names no
        column.
    """
    names = tuple(f"row {n + 1}" for n in range(rows)) if isinstance(rows, int) else tuple(rows)
    columns = tuple(INTERCEPT if name == ONE else name for name in x)
    values = [
        np.ones(len(names)) if name == ONE else _numbers(name, len(names), table) for name in x
    ]
    given = contrasts or {name: {name: 1.0} for name in columns}
    return MapDesign(
        names,
        np.column_stack(values),
        columns,
        {name: _weights(contrast, columns) for name, contrast in given.items()},
    )


def _weights(contrast: Weights | Sequence[Weights], columns: Sequence[str]) -> NDArray[np.float64]:
    if isinstance(contrast, (str, Mapping)):
        return contrast_vector(contrast, columns)
    return np.array([contrast_vector(row, columns) for row in contrast])


def _numbers(name: str, n_rows: int, table: pd.DataFrame | None) -> NDArray[np.float64]:
    """Take a column of the table that has a finite number for each row."""
    there = [] if table is None else [str(column) for column in table]
    if table is None or name not in there:
        expected = f'"1" or a column of the table: {", ".join(there) or "none is given"}'
        raise _refusal("column", f'"{name}"', expected)
    try:
        values = table[name].to_numpy(np.float64)
    except (TypeError, ValueError):
        values = np.full(n_rows, np.nan)
    if len(values) != n_rows or not np.isfinite(values).all():
        found = f"{len(values)} values of {table[name].dtype}, {_n_missing(values)} missing"
        raise _refusal(f'column "{name}"', found, f"{n_rows} finite numbers, one for each row")
    return values


def _n_missing(values: NDArray[np.float64]) -> int:
    return int((~np.isfinite(values)).sum())


def _refusal(where: str, found: str, expected: str) -> InputError:
    return InputError(Problem(f"design of maps: {where}", found, expected, "correct it"))
