"""A figure of all subjects of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.report.paper import BAR, SIGNED, colour_bar, fitting, paper_figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def plot_carpet(
    path: Path, carpet: NDArray[np.floating], subjects: Sequence[str], *, label: str, title: str
) -> Path:
    """Draw the effects of all subjects: one row each, voxels in the order of the group's effect.

    Parameters
    ----------
    path : Path
        PNG file; the SVG lies beside it.
    carpet : ndarray of shape (n_subjects, n_bins)
    label, title
        Of the colour bar, and above the figure.
    """
    top = max(float(np.percentile(np.abs(carpet), 98)), 1e-12)
    size = float(np.clip(len(subjects) * 0.12, 0.9, 6.0))
    height = size + 0.7
    with paper_figure(path, height) as figure:
        left = 0.02 + 0.0085 * max(map(len, subjects))  # of the width: a letter at that size
        axes = figure.add_axes((left, 0.38 / height, 1 - left - 1.4 * BAR, size / height))
        axes.imshow(
            carpet, aspect="auto", cmap=SIGNED, vmin=-top, vmax=top, interpolation="nearest"
        )
        step = max(1, round(len(subjects) * 0.1 / size))
        axes.set_yticks(range(0, len(subjects), step), list(subjects)[::step])
        axes.set_xticks([])
        axes.set_xlabel("voxels, from the smallest to the largest effect of the group")
        figure.text(0.005, 1 - 0.13 / height, title, va="center", fontsize=fitting(title))
        bar = figure.add_axes((1 - 0.9 * BAR, 0.38 / height, 0.16 * BAR, size / height))
        colour_bar(figure, bar, SIGNED, -top, top, label)
    return path
