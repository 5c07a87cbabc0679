"""The run as a stream: down-sampled, smoothed and masked volume by volume, block by block."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from twolevel.errors import InputError, Problem
from twolevel.files.nifti import open_volumes
from twolevel.numerics.masked_smoothing import MaskedSmoother
from twolevel.numerics.scaling import scaled_values
from twolevel.numerics.smoothing import smooth_volume
from twolevel.numerics.threads import map_ahead
from twolevel.numerics.unchanging import Unchanging
from twolevel.stats.run.unit import VoxelBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.files.nifti import StoredVolumes
    from twolevel.space.mask import Mask

MEAN_OF = 10  # volumes at most, evenly spaced: enough for a picture, and it costs nothing


class VolumeReducer(Protocol):
    """Reduces a stored volume to a row of voxels."""

    def __call__(
        self, volume: NDArray[np.generic], slope: float, intercept: float, out: NDArray[np.float32]
    ) -> NDArray[np.bool_] | None:
        """Fill a row; return where the volume is not finite, None if nowhere."""


class _Pass:
    """What one pass over the file finds out about voxels.

    Parameters
    ----------
    reduce : VolumeReducer
        To these voxels.
    places : tuple of 3 ndarray of shape (n_voxels,)
        Where they are in a volume.
    shape : (int, int)
        Of `data`: rows, and how many of the voxels are kept.
    first_row : int
        Row of the first volume, which is looked at before any thread compares with it.

    Attributes
    ----------
    data : ndarray of shape (n_rows, n_kept), float32
        Time courses of the first of the voxels.
    finite, changing : ndarray of shape (n_voxels,), bool
        Before smoothing; `changing` after it, too.
    total : ndarray of shape (n_voxels,), float64
        Sum over the rows that count.
    """

    def __init__(
        self,
        reduce: VolumeReducer,
        places: tuple[NDArray[np.intp], ...],
        stored: StoredVolumes,
        shape: tuple[int, int],
        first_row: int,
    ) -> None:
        self.first_row = first_row
        n_voxels = len(places[0])
        self.reduce, self.places, self.stored = reduce, places, stored
        self.data = np.empty(shape, np.float32)
        self.finite, self.total = np.ones(n_voxels, bool), np.zeros(n_voxels)
        self.before, self.after = Unchanging(n_voxels), Unchanging(n_voxels)
        self.n_filled = 0

    @property
    def changing(self) -> NDArray[np.bool_]:
        return ~(self.before.so_far | self.after.so_far)

    def look(self, volume: NDArray[np.generic]) -> None:
        """Compare a volume with the first one that was looked at, before smoothing."""
        slope, intercept = self.stored.slope, self.stored.intercept

        def values_of(candidates: NDArray[np.intp]) -> NDArray[np.float32]:
            places = tuple(axis[candidates] for axis in self.places)
            return scaled_values(volume[places], slope, intercept)

        self.before.see(values_of)

    def fill(
        self, item: tuple[int, NDArray[np.generic]]
    ) -> tuple[int, NDArray[np.float32], NDArray[np.bool_] | None]:
        """Make a volume a row, in whatever thread; return it, and where it is not finite."""
        row, volume = item
        if row != self.first_row:
            self.look(volume)
        n_voxels, n_kept = len(self.finite), self.data.shape[1]
        values = self.data[row] if n_kept == n_voxels else np.empty(n_voxels, np.float32)
        not_finite = self.reduce(volume, self.stored.slope, self.stored.intercept, values)
        if n_kept < n_voxels:
            self.data[row] = values[:n_kept]
        return row, values, not_finite

    def take(
        self, values: NDArray[np.float32], not_finite: NDArray[np.bool_] | None, *, counts: bool
    ) -> None:
        """Go through the rows in order."""
        self.n_filled += 1
        self.after.see(values.__getitem__)
        if not_finite is not None:
            self.finite &= ~not_finite
        if counts:
            self.total += values


@dataclass
class RunBlocks:
    """The time courses of a run's voxels, block by block; every block is a pass over the file.

    Every volume is down-sampled, smoothed, and reduced to the voxels of the block, in this order.
    Whether a voxel has a usable time course is told from its values before smoothing, into which
    nothing of its neighbours has leaked: they are finite, and something changes.

    Attributes
    ----------
    bold : Path
        4-D image.
    brain : Mask
        Voxels to be read, after down-sampling; at least one.
    rows : dict of int to int
        Volume and the row it becomes.
    n_threads : int
        For a compressed file one decompresses and the others smooth; with 1, in turn.
    usable : ndarray of shape (n_voxels,), bool
        Which of the voxels, of all blocks gone through, have a usable time course.
    n_not_finite, n_constant : int
        How many have none, and why.
    mean : ndarray of shape (x, y, z), float32
        Of `MEAN_OF` of the volumes, as stored: the whole field of view, not smoothed.
    """

    bold: Path | str
    brain: Mask
    rows: dict[int, int]
    smoothing_fwhm_mm: float = 0.0
    downsample: int = 1
    voxels_per_block: int = sys.maxsize
    n_threads: int = 1
    usable: NDArray[np.bool_] = field(init=False)
    n_not_finite: int = field(init=False)
    n_constant: int = field(init=False)
    mean: NDArray[np.float32] = field(init=False)
    _first: _Pass | None = field(init=False, default=None, repr=False)

    def __len__(self) -> int:
        """Return how many blocks there are."""
        return len(range(0, self.brain.n_points, self.voxels_per_block))

    def __iter__(self) -> Iterator[VoxelBlock]:
        """Read one block after the other."""
        n_voxels = self.brain.n_points
        self.usable = np.zeros(n_voxels, bool)
        self.n_not_finite = self.n_constant = 0
        for start in range(0, n_voxels, self.voxels_per_block):
            found, self._first = self._first or self._read(start), None
            data = found.data
            finite, changing = (a[: data.shape[1]] for a in (found.finite, found.changing))
            del found
            self.usable[start : start + data.shape[1]] = usable = finite & changing
            self.n_not_finite += int((~finite).sum())
            self.n_constant += int((finite & ~changing).sum())
            yield VoxelBlock(data, usable)
            del data  # before the next ones are read

    def means(self, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Compute the mean over some rows of the usable voxels of all blocks.

        In the pass over the file that reads the first block, which is kept until it is asked for:
        there is no pass more than without.

        Parameters
        ----------
        counted : ndarray of shape (n_rows,), bool

        Returns
        -------
        ndarray of shape (n_usable,), float64
        """
        self._first = found = self._read(0, counted)
        means: NDArray[np.float64] = found.total[found.finite & found.changing] / counted.sum()
        return means

    def _read(self, start: int, counted: NDArray[np.bool_] | None = None) -> _Pass:
        """Read a block; with `counted`, look at the voxels of all blocks on the way."""
        n_voxels = self.brain.n_points
        n_block = min(self.voxels_per_block, n_voxels - start)
        stop = start + n_block if counted is None else n_voxels
        numbers = np.arange(n_voxels)
        part = self.brain.keep((start <= numbers) & (numbers < stop))
        stored = open_volumes(self.bold)
        found = _Pass(
            self.reducer(part),
            np.nonzero(part.inside),
            stored,
            (len(self.rows), n_block),
            self.rows[min(self.rows)],
        )
        # This thread decompresses; where there is nothing to decompress, it only hands out.
        n_busy = int(stored.compressed or self.n_threads == 1)
        wanted = self._wanted(stored, found)
        for row, values, not_finite in map_ahead(found.fill, wanted, self.n_threads - n_busy):
            found.take(values, not_finite, counts=counted is not None and bool(counted[row]))
        if found.n_filled < len(self.rows):
            raise InputError(
                Problem(
                    str(self.bold),
                    f"{found.n_filled} of the {len(self.rows)} volumes that are wanted",
                    f"a volume {max(self.rows)}, counted from 0",
                    "check which volumes are kept; do not change the file while it is read",
                )
            )
        return found

    def _wanted(
        self, stored: StoredVolumes, found: _Pass
    ) -> Iterator[tuple[int, NDArray[np.generic]]]:
        """Go through the volumes that become rows, and take the mean of some on the way."""
        every = (slice(None, None, self.downsample),) * 3
        order = sorted(self.rows)
        chosen = set(order[:: -(-len(order) // MEAN_OF)])
        total = np.zeros(self.brain.space.shape)
        for index, whole in enumerate(stored.volumes):
            volume = whole[every]
            if index in chosen:
                total += scaled_values(volume, stored.slope, stored.intercept)
            if index == order[0]:
                found.look(volume)
            if index in self.rows:
                yield self.rows[index], volume
        self.mean = (total / len(chosen)).astype(np.float32)

    def reducer(self, part: Mask) -> VolumeReducer:
        """Return what reduces a volume to the voxels of a block."""
        return MaskedSmoother(part.inside, part.space.affine, self.smoothing_fwhm_mm)


class RunBlocksAsNilearn(RunBlocks):
    """The same, smoothed volume by volume by the function that nilearn calls, to the last bit."""

    def reducer(self, part: Mask) -> VolumeReducer:
        """Return what smooths a whole volume and takes the voxels of a block from it."""

        def reduce(
            volume: NDArray[np.generic], slope: float, intercept: float, out: NDArray[np.float32]
        ) -> NDArray[np.bool_] | None:
            values = scaled_values(volume, slope, intercept)
            smoothed = smooth_volume(values, part.space.affine, self.smoothing_fwhm_mm)
            out[:] = part.take(smoothed)
            not_finite: NDArray[np.bool_] = ~np.isfinite(part.take(values))
            return not_finite if not_finite.any() else None

        return reduce
