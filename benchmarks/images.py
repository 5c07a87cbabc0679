"""Runs of real size, simulated once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pandas as pd
from isal import igzip
from scipy.ndimage import gaussian_filter

from twolevel.files.nifti import write_image
from twolevel.stats.run.design import frame_times_of, make_design_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["CONTRASTS", "REAL", "Grid", "design_matrix", "make_bold", "make_mask"]

REPETITION_TIME = 2.0
CONDITIONS = ("pumps", "control", "cash", "explode")
CONTRASTS = {
    "pumpsMinusControl": "pumps - control",
    "controlMinusPumps": "control - pumps",
    "pumps": "pumps",
    "cash": "cash",
    "explode": "explode",
}
MEAN, NOISE, AUTOCORRELATION = 8000.0, 0.06, 0.35


@dataclass(frozen=True)
class Grid:
    """Size of a run.

    Attributes
    ----------
    shape : tuple of int
        Voxels along x, y, z.
    n_volumes : int
    n_mask : int
        Voxels of the brain mask.
    """

    shape: tuple[int, int, int]
    n_volumes: int
    n_mask: int

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxels of 2 mm, the centre at the origin."""
        affine = np.diag([2.0, 2.0, 2.0, 1.0])
        affine[:3, 3] = -np.array(self.shape)
        return affine

    def brain(self, n_voxels: int) -> NDArray[np.bool_]:
        """Return the ellipsoid of so many voxels in the middle of the grid."""
        axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in self.shape), indexing="ij")
        distance = np.sum([axis**2 for axis in axes], axis=0)
        inside: NDArray[np.bool_] = distance < np.partition(distance.ravel(), n_voxels)[n_voxels]
        return inside


REAL = Grid((97, 115, 97), 300, 235_375)  # as fMRIPrep writes ds000001


def make_mask(path: Path, grid: Grid, n_voxels: int | None = None) -> Path:
    """Write a brain mask."""
    return write_image(path, grid.brain(n_voxels or grid.n_mask), grid.affine)


def make_bold(path: Path, grid: Grid, dtype: str = "float32") -> Path:
    """Write a run: a third of the voxels hold signal, as in real images; noise with AR(1).

    Parameters
    ----------
    path : Path
        ``.nii.gz`` or ``.nii``.
    grid : Grid
    dtype : str
        What is stored; int16 with a slope.
    """
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    inside = grid.brain(min(int(1.66 * grid.n_mask), int(0.9 * np.prod(grid.shape))))
    texture = gaussian_filter(rng.normal(size=grid.shape), 3)
    mean = np.where(inside, MEAN * (1 + 0.2 * texture / texture.std()).clip(0.3), 0)
    slope = 0.5 if dtype == "int16" else 1.0
    header = nib.Nifti1Header()
    header.set_data_shape((*grid.shape, grid.n_volumes))
    header.set_data_dtype(dtype)
    header.set_sform(grid.affine, 4)
    header.set_zooms((2, 2, 2, REPETITION_TIME))
    header.set_xyzt_units("mm", "sec")
    header["magic"], header["vox_offset"] = b"n+1", 352
    header["scl_slope"], header["scl_inter"] = slope, 0
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"partial-{path.name}")
    opened = igzip.open(partial, "wb", 2) if path.suffix == ".gz" else partial.open("wb")
    noise = np.zeros(grid.shape, np.float32)
    with opened as stream:
        stream.write(header.binaryblock + bytes(4))
        for _ in range(grid.n_volumes):
            noise = AUTOCORRELATION * noise + rng.standard_normal(grid.shape, np.float32)
            stored = (mean * (1 + NOISE * noise) / slope).astype(dtype)
            stream.write(stored.tobytes(order="F"))
    partial.rename(path)
    return path


def design_matrix(n_volumes: int) -> pd.DataFrame:
    """Return a design of 51 regressors: 4 conditions, 38 confounds, cosines, a constant."""
    rng = np.random.default_rng(1)
    length = n_volumes * REPETITION_TIME
    onsets = np.sort(rng.uniform(0, length - 10, 100))
    events = pd.DataFrame(
        {"onset": onsets, "duration": 2.0, "trial_type": np.resize(CONDITIONS, len(onsets))}
    )
    times = frame_times_of(n_volumes, REPETITION_TIME, 0.0)
    high_pass_hz = min(1 / 128, 4.7 / length)  # 9 cosines, however long the run
    design = make_design_matrix(events, times, high_pass_hz=high_pass_hz)
    n_confounds = 51 - design.shape[1]
    steps = rng.normal(size=(n_volumes, n_confounds))
    confounds = pd.DataFrame(
        steps + 0.3 * steps.cumsum(axis=0), columns=[f"confound_{i}" for i in range(n_confounds)]
    )
    return make_design_matrix(events, times, confounds=confounds, high_pass_hz=high_pass_hz)
