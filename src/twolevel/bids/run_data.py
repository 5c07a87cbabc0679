"""Reading a run's time courses: down-sampled, smoothed, masked, as one matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from twolevel.bids.images import read_header, read_mask, read_volumes
from twolevel.numerics.smoothing import smooth_volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["RunData", "downsampled_affine", "read_run"]


@dataclass(frozen=True)
class RunData:
    """The time courses of a run.

    Attributes
    ----------
    data : ndarray of shape (n_rows, n_voxels), float32
        Smoothed, in units of the image.
    mask : ndarray of shape (x, y, z), bool
        Where the voxels are: the brain mask less voxels without a usable time course.
    affine : ndarray of shape (4, 4)
    n_not_finite : int
        Voxels of the brain mask left out because a value is not finite.
    n_constant : int
        Voxels of the brain mask left out because nothing changes there.
    """

    data: NDArray[np.float32]
    mask: NDArray[np.bool_]
    affine: NDArray[np.float64]
    n_not_finite: int
    n_constant: int

    def restricted_to(self, mask: NDArray[np.bool_]) -> RunData:
        """Keep only the voxels of a mask that lies within this one.

        Parameters
        ----------
        mask : ndarray of shape (x, y, z), bool

        Returns
        -------
        RunData
        """
        return replace(self, data=self.data[:, mask[self.mask]], mask=mask)


def downsampled_affine(affine: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Return the affine of an image of which every `step`-th voxel is taken, from index 0.

    Parameters
    ----------
    affine : ndarray of shape (4, 4)
    step : int

    Returns
    -------
    ndarray of shape (4, 4)
        The columns are scaled, the origin stays.
    """
    return affine @ np.diag([step, step, step, 1.0])


def read_run(
    bold: Path | str,
    brain_mask: Path | str,
    *,
    smoothing_fwhm_mm: float = 0.0,
    downsample: int = 1,
    kept: NDArray[np.intp] | None = None,
    within: NDArray[np.bool_] | None = None,
) -> RunData:
    """Read a run's image, one volume at a time.

    Every volume is down-sampled, smoothed, and reduced to the voxels of the mask, in this order.

    Parameters
    ----------
    bold : Path or str
        4-D image.
    brain_mask : Path or str
        3-D image on the same grid.
    smoothing_fwhm_mm : float
        Of the Gaussian in millimetres; 0 for none.
    downsample : int
        Every Nth voxel is taken.
    kept : ndarray of int, optional
        Volumes that become rows; default all.
    within : ndarray of shape (x, y, z), bool, optional
        Only these voxels (after down-sampling) are considered.

    Returns
    -------
    RunData

    Raises
    ------
    InputError
        A file is damaged.
    """
    every = (slice(None, None, downsample),) * 3
    brain = read_mask(brain_mask)[0][every]
    brain = brain if within is None else brain & within
    header = read_header(bold)
    affine = downsampled_affine(header.affine, downsample)
    row_of = {
        int(v): row for row, v in enumerate(np.arange(header.shape[3]) if kept is None else kept)
    }
    data = np.empty((len(row_of), int(brain.sum())), np.float32)
    finite = np.ones(data.shape[1], bool)
    for index, volume in enumerate(read_volumes(bold)):
        if index in row_of:
            small = volume[every]
            finite &= np.isfinite(small[brain])
            data[row_of[index]] = smooth_volume(small, affine, smoothing_fwhm_mm)[brain]
    constant = finite & (np.ptp(data, axis=0) == 0)
    usable = finite & ~constant
    mask = np.zeros_like(brain)
    mask[brain] = usable
    return RunData(
        data if usable.all() else data[:, usable],
        mask,
        affine,
        n_not_finite=int((~finite).sum()),
        n_constant=int(constant.sum()),
    )
