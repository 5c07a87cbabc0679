"""The group model: ordinary least squares over subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from twolevel.errors import InputError, Problem
from twolevel.stats.contrasts import is_estimable
from twolevel.stats.estimates import ContrastEstimate

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fit_group(
    maps: NDArray[np.floating],
    design: NDArray[np.float64] | None = None,
    contrast: NDArray[np.float64] | None = None,
) -> ContrastEstimate:
    """Fit a linear model over subjects in every voxel and estimate a contrast.

    ``beta = pinv(X) Y``, ``effect = c beta``,
    ``variance = c inv(X'X) c' sum(residual^2) / (n - rank X)``: random effects, in which the
    spread of the subjects is the yardstick. Equals nilearn's ``SecondLevelModel``.

    Parameters
    ----------
    maps : ndarray of shape (n_subjects, n_voxels)
        One value per subject and voxel, usually the subject's effect.
    design : ndarray of shape (n_subjects, n_columns), optional
        Default: a column of ones, the one-sample model.
    contrast : ndarray of shape (n_columns,), optional
        Default: the first column.

    Returns
    -------
    ContrastEstimate

    Raises
    ------
    InputError
        There are not more subjects than the design has independent columns, or the design does
        not determine the contrast.
    """
    Y = np.asarray(maps, np.float64)
    X = np.ones((len(Y), 1)) if design is None else np.asarray(design, np.float64)
    c = np.eye(X.shape[1])[0] if contrast is None else np.asarray(contrast, np.float64)
    dof = len(Y) - int(np.linalg.matrix_rank(X))
    if dof < 1:
        raise InputError(
            Problem(
                "group",
                f"{len(Y)} subjects",
                f"at least {int(np.linalg.matrix_rank(X)) + 1} for this design",
                "add subjects",
            )
        )
    if not is_estimable(c, X):
        raise InputError(
            Problem(
                "group contrast",
                f"weights {c.tolist()}",
                "a contrast that the design determines",
                "remove columns that are sums of others",
            )
        )
    with threadpool_limits(limits=1, user_api="blas"):
        pseudo_inverse = np.linalg.pinv(X)
        beta = pseudo_inverse @ Y
        residual_variance = np.sum((Y - X @ beta) ** 2, axis=0) / dof
        per_unit = float(c @ pseudo_inverse @ pseudo_inverse.T @ c)
    return ContrastEstimate(c @ beta, per_unit * residual_variance, float(dof))
