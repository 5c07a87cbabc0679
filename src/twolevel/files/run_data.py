"""Reading a run's time courses: down-sampled, smoothed, masked, as one matrix."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from twolevel.errors import AnalysisError, InputError, Problem
from twolevel.files.images import open_volumes, read_header, read_mask
from twolevel.numerics.masked_smoothing import MaskedSmoother
from twolevel.numerics.resources import UNLIMITED, Resources
from twolevel.numerics.scaling import scaled_values
from twolevel.numerics.smoothing import smooth_volume
from twolevel.numerics.threads import map_ahead
from twolevel.numerics.unchanging import Unchanging
from twolevel.stats.run.unit import VoxelBlock, unit_width

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.files.images import StoredVolumes

MEAN_OF = 10  # volumes at most, evenly spaced: enough for a picture, and it costs nothing


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


def downsampled_affine(affine: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Return the affine of an image of which every `step`-th voxel is taken, from index 0.

    Parameters
    ----------
    affine : ndarray of shape (4, 4)

    Returns
    -------
    ndarray of shape (4, 4)
        The columns are scaled, the origin stays.
    """
    return affine @ np.diag([step, step, step, 1.0])


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
    brain : ndarray of shape (x, y, z), bool
        Voxels to be read, after down-sampling; at least one.
    affine : ndarray of shape (4, 4)
        After down-sampling.
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
    brain: NDArray[np.bool_]
    affine: NDArray[np.float64]
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
        return int(np.ceil(self.brain.sum() / self.voxels_per_block))

    def __iter__(self) -> Iterator[VoxelBlock]:
        """Read one block after the other."""
        n_voxels = int(self.brain.sum())
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
        voxels = np.flatnonzero(self.brain)[start:]
        n_block = min(self.voxels_per_block, len(voxels))
        voxels = voxels[:n_block] if counted is None else voxels
        part = np.zeros(self.brain.size, bool)
        part[voxels] = True
        reduce = self.reducer(part.reshape(self.brain.shape))
        stored = open_volumes(self.bold)
        found = _Pass(
            reduce,
            np.unravel_index(voxels, self.brain.shape),
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
        total = np.zeros(self.brain.shape)
        for index, whole in enumerate(stored.volumes):
            volume = whole[every]
            if index in chosen:
                total += scaled_values(volume, stored.slope, stored.intercept)
            if index == order[0]:
                found.look(volume)
            if index in self.rows:
                yield self.rows[index], volume
        self.mean = (total / len(chosen)).astype(np.float32)

    def reducer(self, part: NDArray[np.bool_]) -> VolumeReducer:
        """Return what reduces a volume to the voxels of a block.

        Parameters
        ----------
        part : ndarray of shape (x, y, z), bool
        """
        return MaskedSmoother(part, self.affine, self.smoothing_fwhm_mm)


class RunBlocksAsNilearn(RunBlocks):
    """The same, smoothed volume by volume by the function that nilearn calls, to the last bit."""

    def reducer(self, part: NDArray[np.bool_]) -> VolumeReducer:
        """Return what smooths a whole volume and takes the voxels of a block from it."""

        def reduce(
            volume: NDArray[np.generic], slope: float, intercept: float, out: NDArray[np.float32]
        ) -> NDArray[np.bool_] | None:
            values = scaled_values(volume, slope, intercept)
            out[:] = smooth_volume(values, self.affine, self.smoothing_fwhm_mm)[part]
            not_finite: NDArray[np.bool_] = ~np.isfinite(values[part])
            return not_finite if not_finite.any() else None

        return reduce


def run_blocks(
    bold: Path | str,
    brain_mask: Path | str,
    *,
    smoothing_fwhm_mm: float = 0.0,
    downsample: int = 1,
    kept: NDArray[np.intp] | None = None,
    within: NDArray[np.bool_] | None = None,
    engine: str = "twolevel",
    resources: Resources = UNLIMITED,
) -> RunBlocks:
    """Prepare the reading of a run's image in blocks that fit into memory.

    Parameters
    ----------
    bold, brain_mask, smoothing_fwhm_mm, downsample, kept, within, engine
        As for `read_run`.
    resources : Resources
        A block holds `unit_width` voxels at least.

    Raises
    ------
    InputError
        A file is damaged, or the mask is empty.
    """
    brain = read_mask(brain_mask)[0][(slice(None, None, downsample),) * 3]
    brain = brain if within is None else brain & within
    if not brain.any():
        raise AnalysisError(f"{brain_mask}: no voxel is left to be analysed")
    header = read_header(bold)
    volumes = np.arange(header.shape[3]) if kept is None else kept
    width = unit_width(len(volumes))
    units = max(resources.memory_bytes // (len(volumes) * width * np.float32().itemsize), 1)
    return (RunBlocks if engine == "twolevel" else RunBlocksAsNilearn)(
        bold,
        brain,
        downsampled_affine(header.affine, downsample),
        {int(volume): row for row, volume in enumerate(volumes)},
        smoothing_fwhm_mm,
        downsample,
        units * width,
        resources.n_threads,
    )


def read_run(
    bold: Path | str,
    brain_mask: Path | str,
    *,
    smoothing_fwhm_mm: float = 0.0,
    downsample: int = 1,
    kept: NDArray[np.intp] | None = None,
    within: NDArray[np.bool_] | None = None,
    engine: str = "twolevel",
    n_threads: int = 1,
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
    engine : {"twolevel", "nilearn"}
        ``nilearn`` smooths whole volumes with the function that nilearn calls: the same numbers
        up to the rounding of single precision, in twenty times the time.
    n_threads : int
        One of them decompresses, the others smooth.

    Returns
    -------
    RunData

    Raises
    ------
    InputError
        A file is damaged.
    AnalysisError
        No voxel is left.
    """
    blocks = run_blocks(
        bold,
        brain_mask,
        smoothing_fwhm_mm=smoothing_fwhm_mm,
        downsample=downsample,
        kept=kept,
        within=within,
        engine=engine,
        resources=Resources(n_threads),
    )
    (block,) = blocks
    mask = np.zeros_like(blocks.brain)
    mask[blocks.brain] = block.usable
    return RunData(
        block.data if block.usable.all() else block.data[:, block.usable],
        mask,
        blocks.affine,
        n_not_finite=blocks.n_not_finite,
        n_constant=blocks.n_constant,
    )
