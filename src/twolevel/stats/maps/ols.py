"""Ordinary least squares over rows: random effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.errors import InputError, Problem
from twolevel.stats.estimates import SMALLEST_VARIANCE, FEstimate, TEstimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twolevel.stats.estimates import Estimate
    from twolevel.stats.maps.design import MapDesign
    from twolevel.stats.maps.rows import Rows


def ordinary_least_squares(
    rows: Rows, design: MapDesign, weights: NDArray[np.float64]
) -> Estimate:
    """Estimate a contrast by ordinary least squares.

    ``beta = pinv(X) Y``, ``residual variance = sum(residual^2) / (n - rank X)``. For t,
    ``effect = c beta`` and ``variance = c inv(X'X) c' residual variance``: random effects, in
    which the spread of the rows is the yardstick. For F with q rows of weights C,
    ``F = (C beta)' inv(C inv(X'X) C') (C beta) / q / residual variance``. Equals nilearn's
    ``SecondLevelModel``.

    Parameters
    ----------
    rows : Rows
        Their variances do not matter.
    design : MapDesign
    weights : ndarray of shape (n_columns,) or (n_weights, n_columns)
        A contrast that the design determines.

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        There are not more rows than the design has independent columns.
    """
    Y, X = rows.effects, design.matrix
    rank = int(np.linalg.matrix_rank(X))
    dof = len(Y) - rank
    if dof < 1:
        raise InputError(
            Problem(
                "group",
                f"{len(Y)} subjects",
                f"at least {rank + 1} for this design",
                "add subjects",
            )
        )
    pseudo_inverse = np.linalg.pinv(X)
    beta = pseudo_inverse @ Y
    residual_variance = np.sum((Y - X @ beta) ** 2, axis=0) / dof
    effect = weights @ beta
    per_unit = weights @ pseudo_inverse @ pseudo_inverse.T @ weights.T
    if weights.ndim == 1:
        return TEstimate(effect, float(per_unit) * residual_variance, float(dof))
    explained = np.sum(effect * np.linalg.solve(per_unit, effect), axis=0) / len(weights)
    f = explained / np.maximum(residual_variance, SMALLEST_VARIANCE)
    return FEstimate(f, len(weights), float(dof))
