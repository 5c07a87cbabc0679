"""Gaussian smoothing of one volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

if TYPE_CHECKING:
    from numpy.typing import NDArray

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))
TRUNCATE = 4.0  # standard deviations, where the kernel ends


def voxel_sizes(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of a voxel.

    Parameters
    ----------
    affine : ndarray of shape (4, 4)

    Returns
    -------
    ndarray of shape (3,)
        In millimetres.
    """
    sizes: NDArray[np.float64] = np.sqrt(np.sum(affine[:3, :3] ** 2, axis=0))
    return sizes


def smooth_volume(
    volume: NDArray[np.float32], affine: NDArray[np.float64], fwhm_mm: float
) -> NDArray[np.float32]:
    """Convolve a volume with a Gaussian, axis by axis.

    Equals ``nilearn.image.smooth_img`` bit for bit: the kernel ends at 4 standard deviations, the
    volume is mirrored at its borders, and values that are not finite count as 0.

    Parameters
    ----------
    volume : ndarray of shape (x, y, z), float32
        Not changed.
    affine : ndarray of shape (4, 4)
        Gives the voxel sizes in millimetres.
    fwhm_mm : float
        Full width at half maximum of the kernel in millimetres; 0 for no smoothing.

    Returns
    -------
    ndarray of shape (x, y, z), float32
    """
    smoothed = np.where(np.isfinite(volume), volume, np.float32(0))
    for axis, sigma in enumerate(fwhm_mm / (FWHM_PER_SIGMA * voxel_sizes(affine))):
        if sigma > 0:
            smoothed = gaussian_filter1d(smoothed, sigma, axis=axis, truncate=TRUNCATE)
    return smoothed
