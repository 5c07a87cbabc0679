"""The grid, the brain, its tissues and the planted regions, from nilearn's MNI templates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from nilearn.datasets import (
    load_mni152_brain_mask,
    load_mni152_gm_template,
    load_mni152_wm_template,
)
from scipy import ndimage

from twolevel.simulate.truth import REGIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEMPLATE_MM = 2
FIELD_FWHM_MM = 24.0
FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class Anatomy:
    """One brain on one grid.

    Attributes
    ----------
    affine : ndarray of shape (4, 4)
        Voxel indices to mm (MNI).
    voxel_size_mm : float
        Edge of the cubic voxels, mm.
    brain : ndarray of shape (x, y, z), bool
        The template's brain.
    core : ndarray of shape (x, y, z), bool
        What every mask holds: the brain without its border.
    support : ndarray of shape (x, y, z), bool
        Where there is signal: the brain and a border around it.
    tissue : ndarray of shape (n_support, 3), float32
        Shares of grey matter, white matter and CSF; they add up to 1.
    labels : ndarray of shape (x, y, z), int16
        0, or 1 + the place of the planted region in ``REGIONS``.
    """

    affine: NDArray[np.float64]
    voxel_size_mm: float
    brain: NDArray[np.bool_]
    core: NDArray[np.bool_]
    support: NDArray[np.bool_]
    tissue: NDArray[np.float32]
    labels: NDArray[np.int16]


def build_anatomy(voxel_size_mm: float) -> Anatomy:
    """Resample the templates to cubic voxels and plant the regions."""
    templates, template_affine = _templates()
    inside = np.argwhere(templates[0] > 0) * TEMPLATE_MM + template_affine[:3, 3]
    # voxel centres at multiples of the voxel size, two empty voxels around the brain
    low = np.floor(inside.min(axis=0) / voxel_size_mm) - 2
    high = np.ceil(inside.max(axis=0) / voxel_size_mm) + 2
    shape = tuple(int(n) for n in high - low + 1)
    affine = np.diag([voxel_size_mm] * 3 + [1.0])
    affine[:3, 3] = low * voxel_size_mm
    head, grey, white = (_resample(data, template_affine, affine, shape) for data in templates)
    brain = head > 0.5
    neighbours = ndimage.generate_binary_structure(3, 1)
    core = ndimage.binary_erosion(brain, neighbours)
    support = ndimage.binary_dilation(brain, neighbours)
    grey, white = np.clip(grey, 0, 1), np.clip(white, 0, 1)
    tissue = np.stack([grey, white, np.clip(1 - grey - white, 0, 1)], axis=-1)[support]
    tissue /= tissue.sum(axis=1, keepdims=True)
    return Anatomy(
        affine, voxel_size_mm, brain, core, support, tissue, _plant_regions(affine, core)
    )


@cache
def _templates() -> tuple[tuple[NDArray[np.float32], ...], NDArray[np.float64]]:
    """Load brain mask, grey and white matter at 2 mm, and their affine (under 2 s, so once)."""
    loaders = (load_mni152_brain_mask, load_mni152_gm_template, load_mni152_wm_template)
    images = [load(resolution=TEMPLATE_MM) for load in loaders]
    return tuple(image.get_fdata(dtype=np.float32) for image in images), images[0].affine


def _resample(
    data: NDArray[np.float32],
    template_affine: NDArray[np.float64],
    affine: NDArray[np.float64],
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    """Linear interpolation after a blur over the new voxel, as a larger voxel averages."""
    step = affine[0, 0] / TEMPLATE_MM
    if step > 1:
        data = ndimage.gaussian_filter(data, step / FWHM_PER_SIGMA)
    resampled: NDArray[np.float32] = ndimage.affine_transform(
        data,
        np.full(3, step),
        offset=(affine[:3, 3] - template_affine[:3, 3]) / TEMPLATE_MM,
        output_shape=shape,
        order=1,
    )
    return resampled


def _plant_regions(affine: NDArray[np.float64], core: NDArray[np.bool_]) -> NDArray[np.int16]:
    labels = np.zeros(core.shape, dtype=np.int16)
    grid = np.indices(core.shape)
    for label, region in enumerate(REGIONS, start=1):
        squared = sum(
            (affine[axis, axis] * grid[axis] + affine[axis, 3] - centre) ** 2
            for axis, centre in enumerate(region.center_mm)
        )
        labels[(squared <= region.radius_mm**2) & core] = label
    return labels


def smooth_field(rng: np.random.Generator, anatomy: Anatomy) -> NDArray[np.float32]:
    """Draw a smooth Gaussian random field.

    Parameters
    ----------
    rng : numpy.random.Generator
        Stream.
    anatomy : Anatomy
        Grid.

    Returns
    -------
    ndarray of shape (x, y, z), float32
        Mean 0 and standard deviation 1 over the support.
    """
    white = rng.standard_normal(anatomy.support.shape, dtype=np.float32)
    sigma = FIELD_FWHM_MM / FWHM_PER_SIGMA / anatomy.voxel_size_mm
    field: NDArray[np.float32] = ndimage.gaussian_filter(white, sigma, mode="wrap")
    inside = field[anatomy.support]
    standard: NDArray[np.float32] = (field - inside.mean()) / inside.std()
    return standard


def draw_mask(
    anatomy: Anatomy, subject_field: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw a run's brain mask: the brain with a border of its own.

    Parameters
    ----------
    anatomy : Anatomy
        The brain.
    subject_field : ndarray of shape (x, y, z)
        What the subject's runs have in common.
    rng : numpy.random.Generator
        Stream of the run.

    Returns
    -------
    ndarray of shape (x, y, z), bool
        Holds the core, hence every planted region; lies within the support.
    """
    field = 0.8 * subject_field + 0.6 * smooth_field(rng, anatomy)
    lost = anatomy.brain & ~anatomy.core & (field < -1.2)
    gained = anatomy.support & ~anatomy.brain & (field > 1.2)
    mask: NDArray[np.bool_] = (anatomy.brain & ~lost) | gained
    return mask
