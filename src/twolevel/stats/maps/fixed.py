"""Fixed effects: estimates from those of runs, whose own errors are the yardstick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.errors import InputError, Problem
from twolevel.stats.estimates import FEstimate, TEstimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twolevel.stats.estimates import Estimate
    from twolevel.stats.maps.design import MapDesign
    from twolevel.stats.maps.rows import Rows

# nilearn's floor under the variances of runs.
SMALLEST_VARIANCE = 1e-16
NOTHING = 1e-12
"""Share of the largest weight of a row below which a row takes no part in a contrast."""


def equal_weights(rows: Rows, design: MapDesign, weights: NDArray[np.float64]) -> Estimate:
    """Combine the estimates of rows by least squares that gives every row the same weight.

    With effects e_i and variances v_i of the rows, and ``a = c pinv(X)``:
    ``effect = sum(a_i e_i)``, ``variance = sum(a_i^2 v_i)``; for the mean of n rows
    ``sum(e_i) / n`` and ``sum(v_i) / n^2`` (nilearn's default). For F with q rows of weights,
    ``A = C pinv(X)`` and ``F = (A e)' inv(A diag(v) A') (A e) / q``. The degrees of freedom are
    the sum of those of the rows that take part in the contrast.

    Parameters
    ----------
    rows : Rows
        With variances and degrees of freedom.
    weights : ndarray of shape (n_columns,) or (n_weights, n_columns)
        A contrast that the design determines.

    Raises
    ------
    InputError
        The rows have no variances, or no degrees of freedom.
    """
    variances, dofs = _errors(rows)
    if _is_mean(design, weights):
        variance = variances.sum(axis=0) / len(variances) ** 2
        return TEstimate(rows.effects.mean(axis=0), variance, float(sum(dofs.tolist())))
    of_rows = np.atleast_2d(weights) @ np.linalg.pinv(design.matrix)
    return _combined(rows.effects, variances, dofs, of_rows[:, :, np.newaxis], weights.ndim)


def precision_weights(rows: Rows, design: MapDesign, weights: NDArray[np.float64]) -> Estimate:
    """Combine the estimates of rows with the inverse of their variances as weights.

    With effects e_i and variances v_i of the rows, and ``W = diag(1 / v)``:
    ``beta = inv(X' W X) X' W e`` with the covariance ``inv(X' W X)`` (FSL's fixed effects,
    Beckmann et al. 2003, doi:10.1016/S1053-8119(03)00435-X); for the mean of the rows
    ``effect = sum(e_i / v_i) / sum(1 / v_i)`` and ``variance = 1 / sum(1 / v_i)``. For F with q
    rows of weights, ``F = (C beta)' inv(C inv(X' W X) C') (C beta) / q``. The degrees of freedom
    are the sum of those of the rows that take part in the contrast.

    Parameters
    ----------
    rows : Rows
        With variances and degrees of freedom.
    weights : ndarray of shape (n_columns,) or (n_weights, n_columns)
        A contrast that the design determines.

    Raises
    ------
    InputError
        The rows have no variances, or no degrees of freedom.
    """
    variances, dofs = _errors(rows)
    precisions = 1 / variances
    if _is_mean(design, weights):
        variance = 1 / precisions.sum(axis=0)
        effect = (rows.effects * precisions).sum(axis=0) * variance
        return TEstimate(effect, variance, float(sum(dofs.tolist())))
    # Columns that are sums of others make X' W X singular: its independent directions do not.
    u, s, vt = np.linalg.svd(design.matrix, full_matrices=False)
    rank = int(np.linalg.matrix_rank(design.matrix))
    columns, directions = u[:, :rank] * s[:rank], np.atleast_2d(weights) @ vt[:rank].T
    weighted = columns.T[:, :, np.newaxis] * precisions  # (rank, n_rows, n_points)
    normal = np.einsum("inp,nj->pij", weighted, columns)
    solved = np.linalg.solve(normal, np.moveaxis(weighted, -1, 0))  # (n_points, rank, n_rows)
    of_rows = np.einsum("qi,pin->qnp", directions, solved)
    return _combined(rows.effects, variances, dofs, of_rows, weights.ndim)


def _combined(
    effects: NDArray[np.float64],
    variances: NDArray[np.float64],
    dofs: NDArray[np.float64],
    of_rows: NDArray[np.float64],
    n_dimensions: int,
) -> Estimate:
    """Estimate a contrast from what each row counts in it, of shape (n_weights, n_rows, ...)."""
    largest = np.abs(of_rows).max(axis=(0, 2))
    dof = float(sum(dofs[largest > NOTHING * largest.max()].tolist()))
    found = (of_rows * effects).sum(axis=1)
    if n_dimensions == 1:
        return TEstimate(found[0], (of_rows[0] ** 2 * variances).sum(axis=0), dof)
    weighted = of_rows * variances
    covariance = np.moveaxis((weighted[:, np.newaxis] * of_rows).sum(axis=2), -1, 0)
    explained = np.linalg.solve(covariance, found.T[..., np.newaxis])[..., 0]
    return FEstimate((found.T * explained).sum(axis=1) / len(found), len(found), dof)


def _is_mean(design: MapDesign, weights: NDArray[np.float64]) -> bool:
    return design.is_mean and weights.tolist() == [1.0]


def _errors(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variances of the rows and their degrees of freedom."""
    if rows.variances is None or rows.dofs is None:
        raise InputError(
            Problem(
                "fixed effects",
                "effects without variances or degrees of freedom",
                "both for each row",
                "give variances and dofs",
            )
        )
    return np.maximum(rows.variances, SMALLEST_VARIANCE), rows.dofs
