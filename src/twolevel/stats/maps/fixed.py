"""Fixed effects: one estimate from those of a subject's runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.errors import InputError, Problem
from twolevel.stats.estimates import TEstimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twolevel.stats.estimates import Estimate
    from twolevel.stats.maps.design import MapDesign
    from twolevel.stats.maps.rows import Rows

# nilearn's floor under the variances of runs.
SMALLEST_VARIANCE = 1e-16


def equal_weights(rows: Rows, design: MapDesign, weights: NDArray[np.float64]) -> Estimate:
    """Combine the estimates of rows with equal weights (nilearn's default).

    With n rows, effects e_i and variances v_i: ``effect = sum(e_i) / n``,
    ``variance = sum(v_i) / n^2``. The degrees of freedom are the sum of those of the rows.

    Parameters
    ----------
    rows : Rows
        With variances and degrees of freedom.
    design : MapDesign
        The mean over rows.
    weights : ndarray of shape (1,)

    Returns
    -------
    TEstimate

    Raises
    ------
    InputError
        A design with other columns, or a contrast other than the mean itself.
    """
    variances, dof = _errors_of_mean(rows, design, weights)
    return TEstimate(rows.effects.mean(axis=0), variances.sum(axis=0) / len(variances) ** 2, dof)


def precision_weights(rows: Rows, design: MapDesign, weights: NDArray[np.float64]) -> Estimate:
    """Combine the estimates of rows with the inverse of their variances as weights.

    With effects e_i and variances v_i: ``w_i = 1 / v_i``, ``effect = sum(w_i e_i) / sum(w_i)``,
    ``variance = 1 / sum(w_i)`` (FSL's fixed effects, Beckmann et al. 2003,
    doi:10.1016/S1053-8119(03)00435-X). The degrees of freedom are the sum of those of the rows.

    Parameters
    ----------
    rows : Rows
        With variances and degrees of freedom.
    design : MapDesign
        The mean over rows.
    weights : ndarray of shape (1,)

    Returns
    -------
    TEstimate

    Raises
    ------
    InputError
        A design with other columns, or a contrast other than the mean itself.
    """
    variances, dof = _errors_of_mean(rows, design, weights)
    precisions = 1 / variances
    variance = 1 / precisions.sum(axis=0)
    return TEstimate((rows.effects * precisions).sum(axis=0) * variance, variance, dof)


def _errors_of_mean(
    rows: Rows, design: MapDesign, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the variances of the rows, and the degrees of freedom of their mean."""
    if not design.is_mean or weights.tolist() != [1.0]:
        raise InputError(
            Problem(
                "fixed effects",
                f"columns {', '.join(design.columns)}, weights {weights.tolist()}",
                "one column of ones with the weight 1: the mean over rows",
                "take the estimator ols for other designs",
            )
        )
    if rows.variances is None or rows.dofs is None:
        raise InputError(
            Problem(
                "fixed effects",
                "effects without variances or degrees of freedom",
                "both for each row",
                "give variances and dofs",
            )
        )
    return np.maximum(rows.variances, SMALLEST_VARIANCE), float(sum(rows.dofs.tolist()))
