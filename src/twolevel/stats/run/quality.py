"""Quality of a run and of its design."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.stats.contrasts import is_estimable, scaled_svd

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

WHISKER = 1.5


def above_whisker(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which values are outliers: changes from volume to volume, distances of subjects.

    Those above the upper whisker of a box plot, ``P75 + 1.5 (P75 - P25)``, as
    ``fsl_motion_outliers`` of FSL does by default. Of fewer than 4 values none can be.

    Parameters
    ----------
    values : ndarray of shape (n,)
        NaN where there is none.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return np.zeros(values.shape, bool)
    low, high = np.percentile(known, [25, 75])
    outliers: NDArray[np.bool_] = values > high + WHISKER * (high - low)
    return outliers


def variance_inflation(
    design_matrix: pd.DataFrame, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute how much the correlation of regressors inflates the variance of contrasts.

    ``c (X'X)^-1 c' / c diag(X'X)^-1 c'``, where the regressors X have their means subtracted if
    the design holds a constant: the variance of the contrast divided by what it would be if no
    regressor were correlated with another. For a contrast of one regressor this is the variance
    inflation factor ``1 / (1 - R^2)``, R^2 being the share of the regressor that the others
    explain.

    Parameters
    ----------
    design_matrix : pandas.DataFrame of shape (n_rows, n_columns)
    weights : ndarray of shape (n_contrasts, n_columns)

    Returns
    -------
    ndarray of shape (n_contrasts,)
        For one regressor 1 or more; for several, correlation may also help, and it is less than 1.
        Infinite where the design does not determine the contrast; NaN for contrasts
        that weigh a constant or nothing.
    """
    X = design_matrix.to_numpy(np.float64)
    constant = np.ptp(X, axis=0) == 0
    has_constant = bool((constant & (X[0] != 0)).any())
    centred = X - X.mean(axis=0) if has_constant else X
    varying = ~constant
    result = np.full(len(weights), np.nan)
    if not varying.any():
        return result
    X, kept = centred[:, varying], weights[:, varying]
    scale, _, singular, rows = scaled_svd(X)
    for i, vector in enumerate(kept):
        if not vector.any() or weights[i, constant].any():
            continue
        if is_estimable(vector, X):
            inflated = np.sum((rows @ (vector / scale) / singular) ** 2)
            result[i] = inflated / np.sum((vector / scale) ** 2)
        else:
            result[i] = np.inf
    return result
