"""Head motion: six parameters and what is derived from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

AXES = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
STEP_MM = 0.03  # standard deviation of one parameter's step, rotations at 50 mm
SPIKE_MM = 0.12
POWER_RADIUS_MM = 50.0
JENKINSON_RADIUS_MM = 80.0


def simulate_motion(rng: np.random.Generator, n_volumes: int) -> NDArray[np.float64]:
    """Draw a random walk that is pulled back to zero, with one to three short jerks.

    Parameters
    ----------
    rng : numpy.random.Generator
        Stream of the run.
    n_volumes : int
        Number of volumes.

    Returns
    -------
    ndarray of shape (n_volumes, 6)
        Translations in mm, rotations in radians, in the order of ``AXES``; the first row is 0.
    """
    steps = STEP_MM * rng.standard_normal((n_volumes, 6))
    steps[:, 3:] *= 0.5
    millimetres = np.zeros((n_volumes, 6))
    for volume in range(1, n_volumes):
        millimetres[volume] = 0.99 * millimetres[volume - 1] + steps[volume]
    # from the second volume after the reference on, for one or two volumes each
    for start in rng.choice(np.arange(3, n_volumes - 2), size=rng.integers(1, 4), replace=False):
        stop = start + rng.integers(1, 3)
        millimetres[start:stop] += SPIKE_MM * rng.standard_normal(6)
    millimetres[:, 3:] /= POWER_RADIUS_MM
    return millimetres


def framewise_displacement(motion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of the parameters' absolute changes, rotations at 50 mm (Power).

    Parameters
    ----------
    motion : ndarray of shape (n_volumes, 6)
        From `simulate_motion`.

    Returns
    -------
    ndarray of shape (n_volumes,)
        mm; NaN in the first place.
    """
    change = np.abs(np.diff(motion, axis=0))
    change[:, 3:] *= POWER_RADIUS_MM
    return np.concatenate([[np.nan], change.sum(axis=1)])


def root_mean_square_displacement(motion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Jenkinson's displacement, averaged over a sphere of 80 mm.

    With the rigid motion T between two volumes, M = T - I, its 3 x 3 part A and its translation
    t: ``sqrt(R^2 / 5 * trace(A' A) + t' t)``.

    Parameters
    ----------
    motion : ndarray of shape (n_volumes, 6)
        From `simulate_motion`.

    Returns
    -------
    ndarray of shape (n_volumes,)
        mm; NaN in the first place.
    """
    rotations = Rotation.from_euler("xyz", motion[:, 3:]).as_matrix()
    between = rotations[1:] @ rotations[:-1].transpose(0, 2, 1)
    shift = motion[1:, :3] - np.einsum("vij,vj->vi", between, motion[:-1, :3])
    squared = (between - np.eye(3)) ** 2
    rms = np.sqrt(JENKINSON_RADIUS_MM**2 / 5 * squared.sum(axis=(1, 2)) + (shift**2).sum(axis=1))
    return np.concatenate([[np.nan], rms])
