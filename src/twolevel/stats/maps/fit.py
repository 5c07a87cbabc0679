"""A model over maps: rows, design and estimator give the estimate of a contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from twolevel.errors import InputError, Problem
from twolevel.stats.contrasts import is_estimable
from twolevel.stats.estimates import joined
from twolevel.stats.maps.design import MapDesign, make_map_design
from twolevel.stats.maps.fixed import equal_weights, precision_weights
from twolevel.stats.maps.ols import ordinary_least_squares
from twolevel.stats.maps.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from twolevel.stats.estimates import Estimate
    from twolevel.stats.maps.rows import Maps

# Of one width whatever the memory: a matrix product differs in its last bits with its shape.
POINTS_PER_BLOCK = 16_384


class Estimator(NamedTuple):
    """How a contrast is estimated.

    Attributes
    ----------
    fit : callable
        Takes rows, design and the weights of the contrast, and returns an `Estimate`.
    needs_variances : bool
        It takes the variances of the rows and their degrees of freedom.
    """

    fit: Callable[[Rows, MapDesign, NDArray[np.float64]], Estimate]
    needs_variances: bool


ESTIMATORS = {
    "ols": Estimator(ordinary_least_squares, needs_variances=False),
    "fixed": Estimator(equal_weights, needs_variances=True),
    "precision": Estimator(precision_weights, needs_variances=True),
}


def fit_maps(
    effects: Maps,
    design: MapDesign | ArrayLike | None = None,
    contrast: str | ArrayLike | None = None,
    *,
    estimator: str = "ols",
    variances: Maps | None = None,
    dofs: Sequence[float] | NDArray[np.floating] | None = None,
) -> Estimate:
    """Fit a linear model over maps in every point and estimate a contrast.

    Parameters
    ----------
    effects : array-like of shape (n_rows, n_points)
        One value per row (run, subject) and point, usually the row's effect. Blocks
        ``effects[:, start:stop]`` are taken of it.
    design : MapDesign or array-like of shape (n_rows, n_columns), optional
        Default: a column of ones, the mean over rows.
    contrast : str or array-like of shape (n_columns,) or (n_weights, n_columns), optional
        The name of a contrast of the design, or weights: one row of them for t, several for F.
        Default: the first contrast, which for a matrix is its first column.
    estimator : {"ols", "fixed", "precision"}
        ``ols``: random effects by ordinary least squares (`ordinary_least_squares`); ``fixed``
        and ``precision``: fixed effects, from the variances of the rows (`equal_weights`,
        `precision_weights`).
    variances : array-like of shape (n_rows, n_points), optional
        Sampling variances of `effects`.
    dofs : sequence of n_rows float, optional
        Degrees of freedom of `variances`.

    Returns
    -------
    Estimate
        A `TEstimate`, or an `FEstimate` for several rows of weights.

    Raises
    ------
    InputError
        Shapes that do not go together; no such estimator, or one that lacks its variances; a
        contrast that the design does not determine; too few rows.
    """
    if estimator not in ESTIMATORS:
        named = ", ".join(f'"{name}"' for name in ESTIMATORS)
        raise _refusal("estimator", f"{estimator!r}", f"one of {named}", "choose one of these")
    n_rows, n_points = effects.shape
    model = _design(design, n_rows)
    weights = model.weights(contrast)
    _check(model, weights, n_rows, None if variances is None else variances.shape, effects.shape)
    fit, needs_variances = ESTIMATORS[estimator]
    of_rows = None if dofs is None else np.asarray(dofs, np.float64)
    parts = []
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, max(n_points, 1), POINTS_PER_BLOCK):
            block = (slice(None), slice(start, start + POINTS_PER_BLOCK))
            own = None
            if variances is not None and needs_variances:
                own = np.asarray(variances[block], np.float64)
            rows = Rows(np.asarray(effects[block], np.float64), own, of_rows)
            parts.append(fit(rows, model, weights))
    return joined(parts)


def _design(design: MapDesign | ArrayLike | None, n_rows: int) -> MapDesign:
    """Complete a matrix to a design: its columns get numbers, and are a contrast each."""
    if isinstance(design, MapDesign):
        return design
    if design is None:
        return make_map_design(n_rows)
    matrix = np.asarray(design, np.float64)
    names = tuple(str(number + 1) for number in range(matrix.shape[1]))
    contrasts = dict(zip(names, np.eye(len(names)), strict=True))
    return MapDesign(tuple(f"row {n + 1}" for n in range(len(matrix))), matrix, names, contrasts)


def _check(
    design: MapDesign,
    weights: NDArray[np.float64],
    n_rows: int,
    shape_of_variances: tuple[int, ...] | None,
    shape: tuple[int, ...],
) -> None:
    if len(design.matrix) != n_rows or shape_of_variances not in (None, shape):
        raise _refusal(
            "maps",
            f"effects of shape {shape}, variances of shape {shape_of_variances}, "
            f"a design of {len(design.matrix)} rows",
            "as many rows in each, and as many points",
            "give effects, variances and design of the same rows",
        )
    by_row = np.atleast_2d(weights)
    if not all(is_estimable(row, design.matrix) for row in by_row):
        raise _refusal(
            "group contrast",
            f"weights {weights.tolist()}",
            "a contrast that the design determines",
            "remove columns that are sums of others",
        )
    if np.linalg.matrix_rank(by_row) < len(by_row):
        raise _refusal(
            "group contrast",
            f"weights {weights.tolist()}, rows that depend on one another",
            "independent rows",
            "leave out rows that are sums of others",
        )


def _refusal(where: str, found: str, expected: str, remedy: str) -> InputError:
    return InputError(Problem(where, found, expected, remedy))
