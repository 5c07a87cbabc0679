"""How well the subjects of a group go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

N_BINS = 300  # columns of a carpet


def carpet(
    blocks: Iterable[NDArray[np.floating]], effect: NDArray[np.floating], n_bins: int = N_BINS
) -> NDArray[np.float64]:
    """Reduce the maps of all subjects to a few columns, in the order of the group's effect.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (n_subjects, n_voxels_of_block)
        The maps, voxels in their order.
    effect : ndarray of shape (n_voxels,)
        The group's.
    n_bins : int
        Columns at most; each is the mean over as many voxels, those of similar effect.

    Returns
    -------
    ndarray of shape (n_subjects, n_bins)
    """
    n_bins = min(n_bins, len(effect))
    rank = np.empty(len(effect), np.int64)
    rank[np.argsort(effect, kind="stable")] = np.arange(len(effect))
    bins = rank * n_bins // len(effect)
    sums, start = None, 0
    for block in blocks:
        of_block = bins[start : start + block.shape[1]]
        part = np.array([np.bincount(of_block, row, n_bins) for row in block])
        sums = part if sums is None else sums + part
        start += block.shape[1]
    if sums is None:
        raise ValueError("no block of voxels")
    means: NDArray[np.float64] = sums / np.bincount(bins)
    return means


def cohens_d(t: NDArray[np.float64] | float, n: float) -> NDArray[np.float64]:
    """Compute the standardised effect of a contrast over subjects from its t.

    ``d = effect / standard deviation of the residuals = t / sqrt(n)``. At a peak, which was chosen
    for its large t, it overestimates the effect that a new sample would have.

    Parameters
    ----------
    t : float or ndarray
    n : float
        The number of subjects for a mean; for any contrast, `MapDesign.effective_n`.

    Returns
    -------
    ndarray
        Of the shape of `t`.

    References
    ----------
    Cohen J (1988). Statistical power analysis for the behavioral sciences, 2nd ed. Section 2.3.
    """
    d: NDArray[np.float64] = np.asarray(t, np.float64) / np.sqrt(n)
    return d


def distance_to_others(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute how far each subject's map lies from the mean map of all others.

    The root mean square over voxels of ``map - mean of the others``. Since
    ``mean of the others = (n mean - map) / (n - 1)``, that is ``n / (n - 1)`` times the distance
    to the mean of all.

    Parameters
    ----------
    maps : ndarray of shape (n_subjects, n_voxels)
        At least two subjects and one voxel.

    Returns
    -------
    ndarray of shape (n_subjects,)
        In the units of the maps.
    """
    n = len(maps)
    mean = maps.mean(axis=0, dtype=np.float64)
    squares = [float(np.mean((row - mean) ** 2)) for row in maps]  # one row at a time in memory
    distances: NDArray[np.float64] = np.sqrt(squares) * n / (n - 1)
    return distances
