"""Reading a run's time courses: as one matrix, or in blocks that fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twolevel.errors import AnalysisError
from twolevel.files.maps import read_mask
from twolevel.files.nifti import read_header
from twolevel.files.series import RunBlocks, RunBlocksAsNilearn
from twolevel.numerics.resources import UNLIMITED, Resources
from twolevel.space.mask import Mask
from twolevel.stats.run.unit import unit_width

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class RunData:
    """The time courses of a run.

    Attributes
    ----------
    data : ndarray of shape (n_rows, n_voxels), float32
        Smoothed, in units of the image.
    mask : Mask
        Where the voxels are: the brain mask less voxels without a usable time course.
    n_not_finite : int
        Voxels of the brain mask left out because a value is not finite.
    n_constant : int
        Voxels of the brain mask left out because nothing changes there.
    """

    data: NDArray[np.float32]
    mask: Mask
    n_not_finite: int
    n_constant: int


def run_blocks(
    bold: Path | str,
    brain_mask: Path | str,
    *,
    smoothing_fwhm_mm: float = 0.0,
    downsample: int = 1,
    kept: NDArray[np.intp] | None = None,
    within: Mask | None = None,
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
    header = read_header(bold)
    brain = Mask(header.grid, read_mask(brain_mask).inside).every(downsample)
    brain = brain if within is None else brain & within
    if not brain.n_points:
        raise AnalysisError(f"{brain_mask}: no voxel is left to be analysed")
    volumes = np.arange(header.shape[3]) if kept is None else kept
    width = unit_width(len(volumes))
    units = max(resources.memory_bytes // (len(volumes) * width * np.float32().itemsize), 1)
    return (RunBlocks if engine == "twolevel" else RunBlocksAsNilearn)(
        bold,
        brain,
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
    within: Mask | None = None,
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
    within : Mask, optional
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
    return RunData(
        block.data if block.usable.all() else block.data[:, block.usable],
        blocks.brain.keep(block.usable),
        n_not_finite=blocks.n_not_finite,
        n_constant=blocks.n_constant,
    )
