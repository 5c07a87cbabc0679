"""The general linear model of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from nilearn.glm.contrasts import compute_contrast
from nilearn.glm.first_level import run_glm
from threadpoolctl import threadpool_limits

from twolevel.errors import InputError, Problem
from twolevel.stats.contrasts import contrast_vector, is_estimable
from twolevel.stats.estimates import ContrastEstimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["RunFit", "fit_run", "percent_signal_change"]


@dataclass(frozen=True)
class RunFit:
    """What the fit of a run gives.

    Attributes
    ----------
    estimates : dict of str to ContrastEstimate
        One per contrast that the design determines.
    not_estimable : tuple of str
        Names of the other contrasts.
    dof : int
        Rows of the design minus its rank.
    """

    estimates: dict[str, ContrastEstimate]
    not_estimable: tuple[str, ...]
    dof: int


def percent_signal_change(data: NDArray[np.floating]) -> NDArray[np.float64]:
    """Express each voxel's time course as percent of its mean.

    ``100 (y / max(mean, 1) - 1)``, as nilearn's ``mean_scaling``: the floor keeps voxels with a
    mean near 0 from exploding. In double precision, so that the result does not depend on the
    order in which the image happens to lie in memory.

    Parameters
    ----------
    data : ndarray of shape (n_rows, n_voxels)

    Returns
    -------
    ndarray of shape (n_rows, n_voxels), float64
    """
    mean = np.maximum(data.mean(axis=0, dtype=np.float64), 1)
    scaled: NDArray[np.float64] = 100 * (data / mean - 1)
    return scaled


def fit_run(
    data: NDArray[np.floating],
    design_matrix: pd.DataFrame,
    contrasts: Mapping[str, str | Mapping[str, float]],
    *,
    noise_model: str = "ar1",
) -> RunFit:
    """Fit the general linear model of a run and estimate contrasts.

    The noise is first-order autoregressive: ordinary least squares gives each voxel's coefficient
    (Yule - Walker, truncated to 1/100), whitening with it the final estimate. Equals nilearn's
    ``run_glm`` and ``compute_contrast``, except where the design lacks full rank: the variance is
    the residual sum of squares divided by ``rows - rank``, where nilearn divides by
    ``rows - columns``.

    Parameters
    ----------
    data : ndarray of shape (n_rows, n_voxels)
        Percent signal change (see `percent_signal_change`).
    design_matrix : pandas.DataFrame of shape (n_rows, n_columns)
        The same rows as the data.
    contrasts : mapping of str to contrast
        Expressions or weights by name (see `contrast_vector`).
    noise_model : {"ar1", "ols"}
        Autoregressive or independent noise.

    Returns
    -------
    RunFit

    Raises
    ------
    InputError
        The design has no fewer columns than rows, or a contrast names no column.
    """
    X = design_matrix.to_numpy(np.float64)
    n_rows, n_columns = X.shape
    if n_rows <= n_columns:
        raise InputError(
            Problem(
                "design",
                f"{n_columns} columns for {n_rows} rows",
                "more rows than columns",
                "choose fewer confounds",
            )
        )
    columns = [str(column) for column in design_matrix]
    vectors = {name: contrast_vector(c, columns) for name, c in contrasts.items()}
    estimable = {name: vector for name, vector in vectors.items() if is_estimable(vector, X)}
    with threadpool_limits(limits=1, user_api="blas"):
        labels, results = run_glm(data, X, noise_model=noise_model)
        dof = int(next(iter(results.values())).df_residuals)
        per_rank = (n_rows - n_columns) / dof
        estimates = {}
        for name, vector in estimable.items():
            contrast = compute_contrast(labels, results, vector, stat_type="t")
            estimates[name] = ContrastEstimate(
                contrast.effect, contrast.variance * per_rank, float(dof)
            )
    return RunFit(estimates, tuple(name for name in vectors if name not in estimable), dof)
