"""What figures for papers have in common: two columns wide, PNG of 300 dpi and SVG, small type."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: no window is ever opened

import matplotlib.pyplot as plt
from matplotlib.colors import Normalize

from twolevel.bids.entities import NODE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from twolevel.bids.entities import Entities

WIDTH = 7.2  # inches: two columns of a journal
BAR = 0.085  # share of the width for the colour bar
DPI = 300
FONT_SIZE = 7.0  # points
LONGEST_TITLE = 130  # letters, at that size
SIGNED = "RdBu_r"  # told apart by all kinds of colour blindness
STYLE = {
    "font.size": FONT_SIZE,
    "font.family": "DejaVu Sans",
    "axes.linewidth": 0.5,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "text.parse_math": False,  # a dollar in the name of a contrast is a dollar
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "twolevel",  # the same figure is the same file
}


def figure_path(folder: Path, entities: Entities, what: str) -> Path:
    """Return where a figure goes, with the ending of its PNG.

    It shows ``unthresholded``, ``tests``, ``glassbrain``, the label of a test, ...
    """
    place = entities.with_(desc=what).path("statmap", ".png")
    node = [place.parent.name] if NODE in entities else []
    return folder.joinpath("figures", *node, place.name)


@contextmanager
def paper_figure(path: Path, height: float) -> Iterator[Figure]:
    """Make a figure of a height in inches, and save it as PNG and SVG when it is drawn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(WIDTH, height))
        try:
            yield figure
            # No software version or date in the files: they belong to the numbers alone.
            quick = {"compress_level": 3}  # a third of the time, a tenth more bytes
            figure.savefig(path, dpi=DPI, metadata={"Software": None}, pil_kwargs=quick)
            svg = path.with_suffix(".svg")
            figure.savefig(svg, dpi=DPI, metadata={"Date": None, "Creator": None})
        finally:
            plt.close(figure)


def colour_bar(figure: Figure, axes: Axes, cmap: str, low: float, high: float, label: str) -> None:
    """Draw a colour bar, which fills the axes, with its quantity or unit as label."""
    scale = mpl.cm.ScalarMappable(Normalize(low, high), cmap)
    bar = figure.colorbar(scale, cax=axes)
    bar.set_label(label, labelpad=1, rotation=0 if len(label) == 1 else 90)
    bar.outline.set_linewidth(0.5)
    axes.tick_params(length=2, pad=1)


def fitting(title: str) -> float:
    """Return the size in points of the font with which a title fits above a figure."""
    return min(FONT_SIZE, FONT_SIZE * LONGEST_TITLE / len(title))
