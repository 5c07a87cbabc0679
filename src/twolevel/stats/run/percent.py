"""Percent signal change: what it is taken of, and when it has no meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.errors import AnalysisError
from twolevel.numerics.unchanging import unchanging

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOOR = 1e-3  # of the median over voxels of their means: what percent is taken of at least
LEAST_TSNR = 1.0  # a median below it: magnitude images have 1.9 where they hold noise alone


def percent_signal_change(
    data: NDArray[np.floating],
    *,
    counted: NDArray[np.bool_] | None = None,
    floor: float | None = None,
) -> NDArray[np.float64]:
    """Express each voxel's time course as percent of its mean.

    ``100 (y / max(mean, floor) - 1)``, ``floor = median(mean) / 1000``: it keeps voxels with a
    mean near 0 from exploding, and in whatever units an image is stored, it is out of the way of
    others. nilearn's ``mean_scaling`` is ``floor=1`` with all rows. In double precision, so that
    the result does not depend on the order in which the image happens to lie in memory.

    Parameters
    ----------
    data : ndarray of shape (n_rows, n_voxels)
    counted : ndarray of shape (n_rows,), bool, optional
        Rows that enter the mean; default all. See `steady_rows`.
    floor : float, optional
        In units of the data, above 0. By default 1/1000 of the median of the means of those voxels
        in which something changes.

    Returns
    -------
    ndarray of shape (n_rows, n_voxels), float64

    Raises
    ------
    AnalysisError
        The data have no mean: the median over voxels of the mean is not above 0, or not above the
        standard deviation over time. Not with a `floor`.
    """
    scaled: NDArray[np.float64] = data.astype(np.float64)
    rows = scaled if counted is None else scaled[counted]
    mean = rows.mean(axis=0)
    if floor is None:
        changing = ~unchanging(data)
        floor = mean_floor(mean[changing])
        if changing.any():
            require_mean(mean[changing], mean[changing] / rows[:, changing].std(axis=0))
    scaled *= 100 / np.maximum(mean, floor)
    scaled -= 100
    return scaled


def mean_floor(means: NDArray[np.float64]) -> float:
    """Return the floor under the means, given those of the usable voxels."""
    means = means[np.isfinite(means)]
    if not means.size:
        return 1.0  # nothing to be scaled
    median = float(np.median(means))
    if median <= 0:
        raise _demeaned(median, len(means))
    return FLOOR * median


def require_mean(means: NDArray[np.float64], tsnr: NDArray[np.float64]) -> None:
    """Refuse data of which no percent can be taken.

    Parameters
    ----------
    means, tsnr : ndarray of shape (n_voxels,)
        Of usable voxels: mean over time, and this divided by the standard deviation over time.

    Raises
    ------
    AnalysisError
        The median of the ratios is below 1.
    """
    known = np.isfinite(means)
    if known.any() and np.median(tsnr[known]) < LEAST_TSNR:
        raise _demeaned(float(np.median(means[known])), int(known.sum()))


def _demeaned(median: float, n_voxels: int) -> AnalysisError:
    return AnalysisError(
        f"the mean over time is {median:.3g} in the median of {n_voxels} voxels, not above what "
        "changes over time: they look demeaned, and percent signal change has no meaning there; "
        "take images with their mean"
    )
