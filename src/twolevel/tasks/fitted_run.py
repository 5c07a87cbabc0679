"""A run that was read and fitted: what its maps and its quality are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twolevel.errors import AnalysisError
from twolevel.files.run_data import run_blocks
from twolevel.stats.run.fit import fit_blocks
from twolevel.stats.run.nilearn import fit_blocks_as_nilearn
from twolevel.tasks.resources import allowed

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from twolevel.model.stages import Stage
    from twolevel.space.mask import Mask
    from twolevel.stats.run.result import RunFit


@dataclass(frozen=True)
class FittedRun:
    """A run, read and fitted.

    Attributes
    ----------
    fit : RunFit
        Over the voxels of `mask`.
    mask : Mask
        The brain mask less voxels without a usable time course.
    n_brain, n_not_finite, n_constant : int
        Voxels of the brain mask, and of those without a usable time course.
    mean_bold : ndarray of shape (x, y, z), float32
        See `RunBlocks`.
    """

    fit: RunFit
    mask: Mask
    n_brain: int
    n_not_finite: int
    n_constant: int
    mean_bold: NDArray[np.float32]


def fit_image(
    stage: Stage,
    files: dict[str, Path],
    design: tuple[pd.DataFrame, NDArray[np.intp]],
    within: Mask | None = None,
) -> FittedRun:
    """Read a run's image and fit its model, in as many passes as the memory asks for.

    The design is what `load_design` returns; the contrasts are those of the model that this run
    determines. Only voxels `within` a mask are considered, if one is given.

    Raises
    ------
    AnalysisError
        No voxel is usable, or the data have no mean (see `percent_signal_change`).
    """
    settings = stage.node.run_settings
    matrix, kept = design
    resources = allowed()
    blocks = run_blocks(
        files["bold"],
        files["mask"],
        smoothing_fwhm_mm=settings.smoothing_fwhm_mm,
        downsample=settings.downsample,
        kept=kept,
        within=within,
        engine=settings.engine,
        resources=resources,
    )
    fit_blocks_with = fit_blocks if settings.engine == "twolevel" else fit_blocks_as_nilearn
    fit = fit_blocks_with(
        blocks,
        matrix,
        {
            c.label: c.column_rows if c.test == "F" else c.column_weights
            for c in stage.node.contrasts
            if set(c.columns) <= set(matrix)
        },
        noise_model=settings.noise_model,
        percent=True,
        n_threads=resources.n_threads,
        seed=stage.node.seed,
    )
    usable = blocks.usable
    if not usable.any():
        raise AnalysisError("no voxel of the brain mask has a usable time course")
    fit = fit.within(usable)
    return FittedRun(
        fit,
        blocks.brain.keep(usable),
        len(usable),
        blocks.n_not_finite,
        blocks.n_constant,
        blocks.mean,
    )
