"""Figures of maps."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import matplotlib as mpl
import nibabel as nib
import numpy as np
from nilearn import plotting
from nilearn.datasets import load_mni152_template

from twolevel.bids.entities import is_mni152
from twolevel.report.paper import BAR, FONT_SIZE, SIGNED, colour_bar, fitting, paper_figure
from twolevel.space.grid import Grid

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

HEIGHT = 1.06  # inches: a row of slices with its title
MNI_CUTS = (-24.0, -12.0, 0.0, 12.0, 24.0, 36.0, 48.0, 60.0)  # mm: the same slices in every figure
MNI_VIEW = np.arange(-92.0, 93), np.arange(-112.0, 79)  # mm in x and y: they fill the figure
N_CUTS = len(MNI_CUTS)
MARGIN = 5.0  # mm around a mask
OUTSIDE = 1e-12  # hides the exact zeros outside the mask, and nothing else
COUNTS = "viridis"


def plot_slices(
    path: Path,
    volume: NDArray[np.floating],
    grid: Grid,
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
    volume : ndarray of the shape of the grid
        NaN outside the mask; 0 in it is transparent.
    top : float
        End of the colour scale.
    label : str
        Of the colour bar: quantity and unit.
    title : str
        What is shown, and with which threshold.
    space : str or None
        Template; the MNI brain is the background where it fits.
    """
    with paper_figure(path, HEIGHT) as figure:
        _draw_row(figure, volume, grid, SIGNED, top, space)
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
    grid: Grid,
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
    volume : ndarray of the shape of the grid
        In MNI152 space; 0 is transparent.
    top, label, title
        As for `plot_slices`.
    """
    values = np.nan_to_num(volume).astype(np.float32)
    with paper_figure(path, 1.9) as figure:
        display = plotting.plot_glass_brain(
            nib.Nifti1Image(values, grid.affine) if values.any() else None,
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
    grid: Grid,
    *,
    n_subjects: int,
    space: str | None,
) -> Path:
    """Draw how many subjects cover each voxel; the SVG lies beside the PNG file."""
    volume = np.where(counts > 0, counts, np.nan)
    with paper_figure(path, HEIGHT) as figure:
        _draw_row(figure, volume, grid, COUNTS, n_subjects, space)
        title = f"Subjects that cover a voxel ({n_subjects} in the group)"
        figure.text(0.005, 0.92, title, va="center")
        axes = figure.add_axes((1 - 0.85 * BAR, 0.08, 0.16 * BAR, 0.7))
        colour_bar(figure, axes, COUNTS, 0, n_subjects, "subjects")
    return path


def _draw_row(
    figure: Figure,
    volume: NDArray[np.floating],
    grid: Grid,
    cmap: str,
    top: float,
    space: str | None,
) -> None:
    """Draw slices as one picture: axes for each of them would take ten times as long."""
    if is_mni152(space):
        brain, shown = _template()
        cuts, (xs, ys) = list(MNI_CUTS), MNI_VIEW
    else:  # without a template, the brain is the mask
        brain, shown = np.where(np.isfinite(volume), 0.7, 0), grid
        cuts, xs, ys = _view_of(volume, grid)
    colours, low = mpl.colormaps[cmap], -top if cmap == SIGNED else 0
    slices = []
    for z in cuts:
        shade = np.nan_to_num(_sample(brain, shown, xs, ys, z))
        pixels = np.repeat((0.35 + 0.6 * shade)[..., None], 3, axis=-1)
        pixels[shade == 0] = 1
        values = np.nan_to_num(_sample(volume, grid, xs, ys, z))
        painted = values != 0
        pixels[painted] = colours((values[painted] - low) / (top - low))[:, :3]
        slices.append(pixels)
    axes = figure.add_axes((0, 0, 1 - BAR, 0.8))
    axes.axis("off")
    picture = (255 * np.concatenate(slices, axis=1)).astype(np.uint8)
    axes.imshow(picture, interpolation="none")  # the SVG holds it pixel by pixel
    for index, z in enumerate(cuts):
        left, right = index * len(xs), (index + 1) * len(xs)
        size = FONT_SIZE - 1
        axes.text(left + 0.06 * len(xs), 0, "L", fontsize=size, va="top")
        axes.text(right - 0.06 * len(xs), 0, "R", fontsize=size, va="top", ha="right")
        axes.text(left + 0.02 * len(xs), len(ys), f"z={z:.0f}", fontsize=size, va="bottom")


@cache
def _template() -> tuple[NDArray[np.float32], Grid]:
    """Return the MNI152 brain, from 0 to 1."""
    image = load_mni152_template(resolution=1)
    return np.asarray(image.dataobj, np.float32), Grid(image.shape, image.affine)


def _sample(
    volume: NDArray[np.floating],
    grid: Grid,
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    z: float,
) -> NDArray[np.floating]:
    """Take the nearest voxel for every place of a plane; rows from the front to the back."""
    across = np.linalg.inv(grid.affine)
    y, x = np.meshgrid(ys[::-1], xs, indexing="ij")
    places = np.stack([x, y, np.full(x.shape, z)])
    indices = np.einsum("ij,jrc->irc", across[:3, :3], places) + across[:3, 3, None, None]
    voxels = np.rint(indices).astype(int)
    inside = ((voxels >= 0) & (voxels < np.array(volume.shape)[:, None, None])).all(axis=0)
    plane = np.full(x.shape, np.nan)
    plane[inside] = volume[tuple(voxels[:, inside])]
    return plane


def _view_of(
    volume: NDArray[np.floating], grid: Grid
) -> tuple[list[float], NDArray[np.float64], NDArray[np.float64]]:
    """Spread slices evenly over the mask, without its outermost tenths; frame it in x and y."""
    inside = np.flatnonzero(np.isfinite(volume))
    places = grid.coordinates(inside if len(inside) else np.array([0, grid.n_points - 1]))
    low, high = places.min(axis=0) - MARGIN, places.max(axis=0) + MARGIN
    edge = (high[2] - low[2]) / 10
    cuts = [float(v) for v in np.linspace(low[2] + edge, high[2] - edge, N_CUTS)]
    return cuts, np.arange(low[0], high[0]), np.arange(low[1], high[1])
