"""The autoregressive noise model: coefficients of every voxel, and groups that share them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import toeplitz
from threadpoolctl import threadpool_limits

from twolevel.errors import InputError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 100  # coefficients in steps of 1 / 100, or as many groups, as nilearn


def noise_order(noise_model: str, n_rows: int | None = None) -> int:
    """Return the order of a noise model.

    Parameters
    ----------
    noise_model : str
        ``ols`` or ``arN``.
    n_rows : int, optional
        Of the data, which must be more than the order.

    Returns
    -------
    int
        0 for independent noise.

    Raises
    ------
    InputError
        Something else, or an order that the data are too short for.
    """
    if noise_model == "ols":
        return 0
    found = re.fullmatch(r"ar([1-9]\d*)", noise_model)
    if found is None:
        raise InputError(
            Problem(
                "noise model",
                f'"{noise_model}"',
                "ols (independent), ar1, or arN of order N",
                "correct NoiseModel",
            )
        )
    order = int(found[1])
    if n_rows is not None and order >= n_rows:
        raise InputError(
            Problem(
                "noise model",
                f"order {order} for {n_rows} rows",
                "an order below the number of rows",
                "choose a smaller order: 1 is common",
            )
        )
    return order


def yule_walker(products: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Estimate autoregressive coefficients from sums of lagged products.

    Solves the Yule - Walker equations with the unbiased autocovariance
    ``r[k] = sum_t x[t] x[t - k] / (n - k)``, as nilearn. nilearn subtracts the mean over all
    voxels and volumes first, which is 0 where the design holds a constant.

    Parameters
    ----------
    products : ndarray of shape (order + 1, n_voxels)
        Of residuals, for lags 0 ... order.

    Returns
    -------
    ndarray of shape (order, n_voxels)
        0 where the residuals are 0.
    """
    order = len(products) - 1
    if order == 0:
        return np.empty((0, products.shape[1]))
    covariance = products / ((n_rows - np.arange(order + 1)) * n_rows)[:, np.newaxis]
    still = covariance[0] <= 0
    covariance[:, still] = np.eye(order + 1)[:, :1]
    if order == 1:
        coefficient: NDArray[np.float64] = covariance[1:] / covariance[0]
        return coefficient
    lags = toeplitz(np.arange(order))
    matrices = covariance[lags].transpose(2, 0, 1)
    solved: NDArray[np.float64] = np.linalg.solve(matrices, covariance[1:].T[..., np.newaxis])
    return solved[..., 0].T


def truncated(
    coefficients: NDArray[np.float64],
) -> tuple[NDArray[np.intp], dict[int, NDArray[np.float64]]]:
    """Group voxels by their first-order coefficient, cut off after two digits as nilearn does.

    Parameters
    ----------
    coefficients : ndarray of shape (order, n_voxels)
        Of order 0 or 1.

    Returns
    -------
    groups : ndarray of shape (n_voxels,), int
    shared : dict of int to ndarray of shape (order,)
        Coefficients of each group.
    """
    order, n_voxels = coefficients.shape
    if order == 0:
        return np.zeros(n_voxels, np.intp), {0: np.empty(0)}
    groups = (coefficients[0] * STEPS).astype(np.intp)
    return groups, {int(g): np.array([g * 1.0 / STEPS]) for g in np.unique(groups)}


def clustered(
    coefficients: NDArray[np.float64], usable: NDArray[np.bool_], seed: int
) -> tuple[NDArray[np.intp], dict[int, NDArray[np.float64]]]:
    """Group voxels by k-means of their coefficients, as nilearn does for higher orders.

    nilearn then names the groups by their centres in two digits and takes groups of the same name
    for one; here every group keeps its centre.

    Parameters
    ----------
    coefficients : ndarray of shape (order, n_voxels)
    usable : ndarray of shape (n_voxels,), bool
        The others form no groups, and are put into group 0.
    seed : int
        Of the choice of first centres.

    Returns
    -------
    groups : ndarray of shape (n_voxels,), int
    shared : dict of int to ndarray of shape (order,)
        The centre of each group.
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415  # takes half a second, and few need it

    groups = np.zeros(len(usable), np.intp)
    if not usable.any():
        return groups, {0: np.zeros(len(coefficients))}
    points = np.ascontiguousarray(coefficients[:, usable].T)
    n_groups = min(STEPS, len(np.unique(points, axis=0)))
    with threadpool_limits(1):  # its sums change with the number of threads
        found = KMeans(n_groups, n_init=10, random_state=seed).fit(points)
    groups[usable] = found.labels_
    return groups, dict(enumerate(found.cluster_centers_))
