"""Gaussian smoothing of a volume, only where a mask needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.numerics.compiled import kernel
from twolevel.numerics.scaling import scaled_values
from twolevel.numerics.smoothing import FWHM_PER_SIGMA, TRUNCATE, voxel_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def _smooth_planes(volume, sources, weights, plane):  # type: ignore[no-untyped-def]
    """Weigh planes of a volume: ``plane = sum_k weights[|k|] volume[sources[k]]``."""
    radius = weights.size - 1
    n_lines, n_columns = plane.shape
    middle = volume[sources[radius]]
    for y in range(n_lines):
        for x in range(n_columns):
            plane[y, x] = weights[0] * middle[y, x]
    for k in range(1, radius + 1):
        weight = weights[k]
        below, above = volume[sources[radius - k]], volume[sources[radius + k]]
        for y in range(n_lines):
            for x in range(n_columns):
                plane[y, x] += weight * (below[y, x] + above[y, x])


@kernel
def _smooth_lines(plane, sources, weights, line):  # type: ignore[no-untyped-def]
    """Weigh lines of a plane."""
    radius = weights.size - 1
    middle = plane[sources[radius]]
    for x in range(line.size):
        line[x] = weights[0] * middle[x]
    for k in range(1, radius + 1):
        weight = weights[k]
        before, behind = plane[sources[radius - k]], plane[sources[radius + k]]
        for x in range(line.size):
            line[x] += weight * (before[x] + behind[x])


@kernel
def _smooth_columns(line, sources, weights, padded, out):  # type: ignore[no-untyped-def]
    """Weigh the voxels of a line."""
    radius = weights.size - 1
    for x in range(sources.size):
        padded[x] = line[sources[x]]
    for x in range(out.size):
        out[x] = weights[0] * padded[x + radius]
    for k in range(1, radius + 1):
        weight = weights[k]
        for x in range(out.size):
            out[x] += weight * (padded[x + radius - k] + padded[x + radius + k])


@kernel
def smooth_and_gather(volume, weights, sources, places, out):  # type: ignore[no-untyped-def]
    """Smooth along z, y and x, and keep the voxels of a mask.

    One plane at a time, so that all that is in between stays in the processor's cache. The
    innermost loops run along x, where neighbours lie side by side in memory.

    Parameters
    ----------
    volume : ndarray of shape (z, y, x), float32
        The part of a volume that the mask needs, C-contiguous.
    weights : tuple of 3 ndarray of shape (radius + 1,), float32
        One half of the kernel, from its centre, along z, y and x.
    sources : tuple of 3 ndarray of int
        Planes of `volume` that go into each plane of the result, shape (n_planes, 2 radius + 1);
        the same for lines; and, for voxels along x, those of a line mirrored at the border.
    places : tuple of 5 ndarray of int
        Of a row, which is a line that holds voxels of the mask: the first one of each plane, and
        one more; its line; its first voxel, and one more. Of a voxel: where it is along x, and
        where it goes in `out`.
    out : ndarray of shape (n_voxels,), float32
        Is filled.
    """
    planes, lines, columns = sources
    first_row, line_of_row, first_voxel, column_of_voxel, place_of_voxel = places
    plane = np.empty(volume.shape[1:], np.float32)
    line = np.empty(volume.shape[2], np.float32)
    padded = np.empty(columns.size, np.float32)
    smoothed = np.empty(columns.size - 2 * (weights[2].size - 1), np.float32)
    for z in range(planes.shape[0]):
        if first_row[z] == first_row[z + 1]:
            continue
        _smooth_planes(volume, planes[z], weights[0], plane)
        for row in range(first_row[z], first_row[z + 1]):
            _smooth_lines(plane, lines[line_of_row[row]], weights[1], line)
            _smooth_columns(line, columns, weights[2], padded, smoothed)
            for voxel in range(first_voxel[row], first_voxel[row + 1]):
                out[place_of_voxel[voxel]] = smoothed[column_of_voxel[voxel]]


class MaskedSmoother:
    """Smooths volumes and keeps the voxels of a mask; prepared once, called for every volume.

    Equals `twolevel.numerics.smoothing.smooth_volume` followed by ``[mask]``, up to the rounding
    of single precision. Only the mask's bounding box, and around it what the kernel reaches, is
    looked at.

    Parameters
    ----------
    mask : ndarray of shape (x, y, z), bool
        At least one voxel.
    affine : ndarray of shape (4, 4)
        Gives the voxel sizes in millimetres.
    fwhm_mm : float
        Full width at half maximum of the Gaussian in millimetres; 0 for none.
    """

    def __init__(
        self, mask: NDArray[np.bool_], affine: NDArray[np.float64], fwhm_mm: float
    ) -> None:
        weights = [_half_kernel(s) for s in fwhm_mm / FWHM_PER_SIGMA / voxel_sizes(affine)]
        radius = np.array([len(w) - 1 for w in weights])
        self.weights = tuple(weights[::-1])
        voxels = np.argwhere(mask)
        low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
        start, stop = np.maximum(low - radius, 0), np.minimum(high + radius, mask.shape)
        self.part = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        reached = [np.arange(a - r, b + r) for a, b, r in zip(low, high, radius, strict=True)]
        x, y, z = (
            _mirrored(positions, n) - first
            for positions, n, first in zip(reached, mask.shape, start, strict=True)
        )
        windows = [
            np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(axis, 2 * r + 1))
            for axis, r in ((z, radius[2]), (y, radius[1]))
        ]
        self.sources = (*windows, x)
        self.places = _places(voxels - low, high - low)

    def __call__(
        self, volume: NDArray[np.generic], slope: float, intercept: float, out: NDArray[np.float32]
    ) -> NDArray[np.bool_] | None:
        """Smooth a volume.

        Parameters
        ----------
        volume : ndarray of shape (x, y, z)
            Of any type of number, fastest in Fortran order; not changed.
        slope, intercept : float
            Turn stored numbers into values: ``slope * number + intercept``.
        out : ndarray of shape (n_voxels,), float32
            Is filled, in the order of ``volume[mask]``.

        Returns
        -------
        ndarray of shape (n_voxels,), bool, or None
            Where the volume itself is not finite (there it counts as 0); None if nowhere near.
        """
        values = np.ascontiguousarray(scaled_values(volume[self.part].T, slope, intercept))
        with np.errstate(over="ignore", invalid="ignore"):
            has_holes = not np.isfinite(values.sum())  # or the sum is too large: looked at below
        not_finite = None
        if has_holes:
            holes = ~np.isfinite(values)
            values[holes] = 0
            not_finite = np.empty(out.size, bool)
            self._gather(holes, not_finite)
        smooth_and_gather(values, self.weights, self.sources, self.places, out)
        return not_finite

    def _gather(self, part: NDArray[np.bool_], out: NDArray[np.bool_]) -> None:
        """Keep the voxels of the mask as they are, by a kernel that is 1 at its centre."""
        alone = tuple(np.zeros_like(weights) for weights in self.weights)
        for weights in alone:
            weights[0] = 1
        result = np.empty(out.size, np.float32)
        smooth_and_gather(part.astype(np.float32), alone, self.sources, self.places, result)
        out[:] = result != 0


def _half_kernel(sigma: float) -> NDArray[np.float32]:
    """Return a Gaussian from its centre to its end, normalised as a whole (as scipy's)."""
    if sigma == 0:
        return np.ones(1, np.float32)
    half = np.exp(-0.5 * (np.arange(int(TRUNCATE * sigma + 0.5) + 1) / sigma) ** 2)
    normalised: NDArray[np.float32] = (half / (half[0] + 2 * half[1:].sum())).astype(np.float32)
    return normalised


def _mirrored(positions: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Map positions beyond the border of n voxels to those they mirror: c b a | a b c | c b a."""
    wrapped = positions % (2 * n)
    return np.where(wrapped < n, wrapped, 2 * n - 1 - wrapped)


def _places(voxels: NDArray[np.intp], shape: NDArray[np.intp]) -> tuple[NDArray[np.intp], ...]:
    """Sort the voxels of a mask by plane and line: see `smooth_and_gather`."""
    x, y, z = voxels.T
    order = np.lexsort((x, y, z))
    key = (z * shape[1] + y)[order]
    rows, first = np.unique(key, return_index=True)
    rows_of_plane = np.searchsorted(rows, np.arange(shape[2] + 1) * shape[1])
    return (
        rows_of_plane,
        rows % shape[1],
        np.append(first, len(order)),
        np.ascontiguousarray(x[order]),
        order,
    )
