"""How well the subjects of a group go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cohens_d", "distance_to_others"]


def cohens_d(t: NDArray[np.float64] | float, n_subjects: int) -> NDArray[np.float64]:
    """Compute the standardised effect of a one-sample model from its t.

    ``d = effect / standard deviation over subjects = t / sqrt(n_subjects)``. At a peak, which was
    chosen for its large t, it overestimates the effect that a new sample would have.

    Parameters
    ----------
    t : float or ndarray
    n_subjects : int

    Returns
    -------
    ndarray
        Of the shape of `t`.

    References
    ----------
    Cohen J (1988). Statistical power analysis for the behavioral sciences, 2nd ed. Section 2.3.
    """
    d: NDArray[np.float64] = np.asarray(t, np.float64) / np.sqrt(n_subjects)
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
