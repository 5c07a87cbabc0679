"""Figures for papers: as wide as two columns of a journal, PNG of 300 dpi and SVG."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: no window is ever opened

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
from matplotlib.colors import Normalize
from nilearn import plotting
from nilearn.datasets import load_mni152_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = [
    "FORMATS",
    "figure_path",
    "plot_carpet",
    "plot_coverage",
    "plot_glass_brain",
    "plot_slices",
]

FORMATS = (".png", ".svg")
WIDTH, HEIGHT = 7.2, 1.06  # inches: two columns, and a row of slices with its title
BAR = 0.085  # share of the width for the colour bar
DPI = 300
FONT_SIZE = 7.0  # points
LONGEST_TITLE = 130  # letters, at that size
MNI_CUTS = (-24, -12, 0, 12, 24, 36, 48, 60)  # mm: the same slices in every figure
N_CUTS = len(MNI_CUTS)
OUTSIDE = 1e-12  # hides the exact zeros outside the mask, and nothing else
SIGNED, COUNTS = "RdBu_r", "viridis"  # told apart by all kinds of colour blindness
STYLE = {
    "font.size": FONT_SIZE,
    "font.family": "DejaVu Sans",
    "axes.linewidth": 0.5,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "twolevel",  # the same figure is the same file
}


def figure_path(folder: Path, entities: dict[str, str], what: str) -> Path:
    """Return where a figure goes, with the ending of its PNG.

    Parameters
    ----------
    folder : Path
        The tree that is being made, or the output directory.
    entities : dict of str to str
        Of the group's maps; ``contrast`` where the figure belongs to one.
    what : str
        ``unthresholded``, the label of a test, ``tests``, ``glassbrain``, ...

    Returns
    -------
    Path
    """
    keys = ("task", "acq", "space", "cohort", "res", "contrast")
    stem = "_".join(f"{k}-{entities[k]}" for k in keys if k in entities)
    return folder / "figures" / f"{stem}_desc-{what}_statmap.png"


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
    with _figure(path, HEIGHT) as figure:
        _draw_row(figure, volume, affine, SIGNED, top, space)
        if not np.nan_to_num(volume).any():
            middle = (1 - BAR) / 2
            figure.text(middle, 0.8, "no voxel survives", ha="center", va="center")
        figure.text(0.005, 0.92, title, va="center", fontsize=_fitting(title))
        axes = figure.add_axes((1 - 0.85 * BAR, 0.08, 0.16 * BAR, 0.7))
        _colour_bar(figure, axes, SIGNED, -top, top, label)
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
        In MNI space; 0 is transparent.
    affine : ndarray of shape (4, 4)
    top, label, title
        As for `plot_slices`.

    Returns
    -------
    Path
    """
    values = np.nan_to_num(volume).astype(np.float32)
    with _figure(path, 1.9) as figure:
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
        figure.text(0.005, 0.93, title, va="center", fontsize=_fitting(title))
        if not values.any():
            figure.text((1 - BAR) / 2, 0.02, "no voxel survives", ha="center", va="bottom")
        axes = figure.add_axes((1 - 0.85 * BAR, 0.15, 0.16 * BAR, 0.65))
        _colour_bar(figure, axes, SIGNED, -top, top, label)
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
    with _figure(path, HEIGHT) as figure:
        _draw_row(figure, volume, affine, COUNTS, n_subjects, space)
        title = f"Subjects that cover a voxel ({n_subjects} in the group)"
        figure.text(0.005, 0.92, title, va="center")
        axes = figure.add_axes((1 - 0.85 * BAR, 0.08, 0.16 * BAR, 0.7))
        _colour_bar(figure, axes, COUNTS, 0, n_subjects, "subjects")
    return path


def plot_carpet(
    path: Path, carpet: NDArray[np.floating], subjects: Sequence[str], *, label: str, title: str
) -> Path:
    """Draw the effects of all subjects: one row each, voxels in the order of the group's effect.

    Parameters
    ----------
    path : Path
        PNG file; the SVG lies beside it.
    carpet : ndarray of shape (n_subjects, n_bins)
    subjects : sequence of str
    label, title
        As for `plot_slices`.

    Returns
    -------
    Path
    """
    top = max(float(np.percentile(np.abs(carpet), 98)), 1e-12)
    size = float(np.clip(len(subjects) * 0.12, 0.9, 6.0))
    height = size + 0.7
    with _figure(path, height) as figure:
        left = 0.09
        axes = figure.add_axes((left, 0.38 / height, 1 - left - 1.4 * BAR, size / height))
        axes.imshow(
            carpet, aspect="auto", cmap=SIGNED, vmin=-top, vmax=top, interpolation="nearest"
        )
        step = max(1, round(len(subjects) * 0.1 / size))
        axes.set_yticks(range(0, len(subjects), step), list(subjects)[::step])
        axes.set_xticks([])
        axes.set_xlabel("voxels, from the smallest to the largest effect of the group")
        figure.text(0.005, 1 - 0.13 / height, title, va="center", fontsize=_fitting(title))
        bar = figure.add_axes((1 - 0.9 * BAR, 0.38 / height, 0.16 * BAR, size / height))
        _colour_bar(figure, bar, SIGNED, -top, top, label)
    return path


@contextmanager
def _figure(path: Path, height: float) -> Iterator[Figure]:
    """Make a figure, and save it in all formats when it is drawn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(WIDTH, height))
        try:
            yield figure
            # No software version or date in the files: they belong to the numbers alone.
            figure.savefig(path, dpi=DPI, metadata={"Software": None})
            svg = path.with_suffix(".svg")
            figure.savefig(svg, dpi=DPI, metadata={"Date": None, "Creator": None})
        finally:
            plt.close(figure)


def _draw_row(
    figure: Figure,
    volume: NDArray[np.floating],
    affine: NDArray[np.float64],
    cmap: str,
    top: float,
    space: str | None,
) -> None:
    in_mni = space is not None and space.startswith("MNI")
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


def _fitting(title: str) -> float:
    """Return the size of the font with which a title fits above a figure."""
    return min(FONT_SIZE, FONT_SIZE * LONGEST_TITLE / len(title))


def _colour_bar(
    figure: Figure, axes: Axes, cmap: str, low: float, high: float, label: str
) -> None:
    scale = mpl.cm.ScalarMappable(Normalize(low, high), cmap)
    bar = figure.colorbar(scale, cax=axes)
    bar.set_label(label, labelpad=1, rotation=0 if len(label) == 1 else 90)
    bar.outline.set_linewidth(0.5)
    axes.tick_params(length=2, pad=1)


def _cuts(volume: NDArray[np.floating], affine: NDArray[np.float64]) -> list[float]:
    """Spread the slices evenly over the mask, without its outermost tenths."""
    inside = np.argwhere(np.isfinite(volume))
    if not len(inside):
        inside = np.array([[0, 0, 0], np.array(volume.shape) - 1])
    heights = inside @ affine[2, :3] + affine[2, 3]
    low, high = float(heights.min()), float(heights.max())
    edge = (high - low) / 10
    return [float(v) for v in np.linspace(low + edge, high - edge, N_CUTS)]
