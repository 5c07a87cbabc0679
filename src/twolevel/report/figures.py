"""Figures of maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from nilearn import plotting
from nilearn.datasets import load_mni152_template

from twolevel.bids.entities import is_mni152
from twolevel.report.paper import BAR, FONT_SIZE, SIGNED, colour_bar, fitting, paper_figure

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["plot_coverage", "plot_glass_brain", "plot_slices"]

HEIGHT = 1.06  # inches: a row of slices with its title
MNI_CUTS = (-24, -12, 0, 12, 24, 36, 48, 60)  # mm: the same slices in every figure
N_CUTS = len(MNI_CUTS)
OUTSIDE = 1e-12  # hides the exact zeros outside the mask, and nothing else
COUNTS = "viridis"


def plot_slices(
    path: Path,
    volume: NDArray[np.floating],
    affine: NDArray[np.float64],
    *,
    top: float,
    label: str,
    title: str,
    space: str | None,
) -> Path:
    """Draw axial slices on a colour scale that is symmetric about 0.

    Parameters
    ----------
    path : Path
        PNG file; its folder is made. The SVG lies beside it.
    volume : ndarray of shape (x, y, z)
        NaN outside the mask; 0 in it is transparent.
    affine : ndarray of shape (4, 4)
    top : float
        End of the colour scale.
    label : str
        Of the colour bar: quantity and unit.
    title : str
        What is shown, and with which threshold.
    space : str or None
        Template; the MNI brain is the background where it fits.

    Returns
    -------
    Path
    """
    with paper_figure(path, HEIGHT) as figure:
        _draw_row(figure, volume, affine, SIGNED, top, space)
        if not np.nan_to_num(volume).any():
            middle = (1 - BAR) / 2
            figure.text(middle, 0.8, "no voxel survives", ha="center", va="center")
        figure.text(0.005, 0.92, title, va="center", fontsize=fitting(title))
        axes = figure.add_axes((1 - 0.85 * BAR, 0.08, 0.16 * BAR, 0.7))
        colour_bar(figure, axes, SIGNED, -top, top, label)
    return path


def plot_glass_brain(
    path: Path,
    volume: NDArray[np.floating],
    affine: NDArray[np.float64],
    *,
    top: float,
    label: str,
    title: str,
) -> Path:
    """Draw a map as seen through the brain: the largest |value| along each line of sight.

    Parameters
    ----------
    path : Path
        PNG file; the SVG lies beside it.
    volume : ndarray of shape (x, y, z)
        In MNI152 space; 0 is transparent.
    affine : ndarray of shape (4, 4)
    top, label, title
        As for `plot_slices`.

    Returns
    -------
    Path
    """
    values = np.nan_to_num(volume).astype(np.float32)
    with paper_figure(path, 1.9) as figure:
        display = plotting.plot_glass_brain(
            nib.Nifti1Image(values, affine) if values.any() else None,
            display_mode="lyrz",
            threshold=OUTSIDE,
            cmap=SIGNED,
            vmin=-top,
            vmax=top,
            plot_abs=False,
            symmetric_cbar=True,
            colorbar=False,
            annotate=False,
            figure=figure,
            axes=(0, 0, 1 - BAR, 0.84),
        )
        display.annotate(size=FONT_SIZE)
        figure.text(0.005, 0.93, title, va="center", fontsize=fitting(title))
        if not values.any():
            figure.text((1 - BAR) / 2, 0.02, "no voxel survives", ha="center", va="bottom")
        axes = figure.add_axes((1 - 0.85 * BAR, 0.15, 0.16 * BAR, 0.65))
        colour_bar(figure, axes, SIGNED, -top, top, label)
    return path


def plot_coverage(
    path: Path,
    counts: NDArray[np.integer],
    affine: NDArray[np.float64],
    *,
    n_subjects: int,
    space: str | None,
) -> Path:
    """Draw how many subjects cover each voxel.

    Parameters
    ----------
    path : Path
        PNG file; the SVG lies beside it.
    counts : ndarray of shape (x, y, z), int
    affine : ndarray of shape (4, 4)
    n_subjects : int
    space : str or None

    Returns
    -------
    Path
    """
    volume = np.where(counts > 0, counts, np.nan)
    with paper_figure(path, HEIGHT) as figure:
        _draw_row(figure, volume, affine, COUNTS, n_subjects, space)
        title = f"Subjects that cover a voxel ({n_subjects} in the group)"
        figure.text(0.005, 0.92, title, va="center")
        axes = figure.add_axes((1 - 0.85 * BAR, 0.08, 0.16 * BAR, 0.7))
        colour_bar(figure, axes, COUNTS, 0, n_subjects, "subjects")
    return path


def _draw_row(
    figure: Figure,
    volume: NDArray[np.floating],
    affine: NDArray[np.float64],
    cmap: str,
    top: float,
    space: str | None,
) -> None:
    in_mni = is_mni152(space)
    # Without a template, the brain is the mask.
    mask = nib.Nifti1Image(0.8 * np.isfinite(volume).astype(np.float32), affine)
    brain = load_mni152_template(resolution=2) if in_mni else mask
    overlay = nib.Nifti1Image(np.nan_to_num(volume).astype(np.float32), affine)
    empty = not np.nan_to_num(volume).any()  # then the brain alone: nilearn warns of empty maps
    low = 0 if empty or cmap != SIGNED else -top
    display = plotting.plot_stat_map(
        brain if empty else overlay,
        bg_img=None if empty else brain,
        display_mode="z",
        cut_coords=MNI_CUTS if in_mni else _cuts(volume, affine),
        threshold=OUTSIDE,
        cmap="gray" if empty else cmap,
        vmin=low,
        vmax=1 if empty else top,
        symmetric_cbar=low < 0,
        colorbar=False,
        annotate=False,
        draw_cross=False,
        black_bg=False,
        resampling_interpolation="nearest",
        figure=figure,
        axes=(0, 0, 1 - BAR, 0.8),
    )
    display.annotate(size=FONT_SIZE - 1)


def _cuts(volume: NDArray[np.floating], affine: NDArray[np.float64]) -> list[float]:
    """Spread the slices evenly over the mask, without its outermost tenths."""
    inside = np.argwhere(np.isfinite(volume))
    if not len(inside):
        inside = np.array([[0, 0, 0], np.array(volume.shape) - 1])
    heights = inside @ affine[2, :3] + affine[2, 3]
    low, high = float(heights.min()), float(heights.max())
    edge = (high - low) / 10
    return [float(v) for v in np.linspace(low + edge, high - edge, N_CUTS)]
