"""Small pictures that are part of the page itself, from arrays of numbers."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# The ends and the middle of ColorBrewer's RdBu, which matplotlib has too.
STOPS = np.array([[5, 48, 97], [247, 247, 247], [103, 0, 31]], float)
FIGURE_SHARE = 2  # of the width of a figure for papers: sharp enough for a screen
QUALITY = 80


def diverging(values: NDArray[np.floating], top: float) -> NDArray[np.uint8]:
    """Colour a matrix, blue below 0, white at 0, red above, with an axis of 3 uint8 added.

    The colours end at `top`.
    """
    place = np.clip(values / top if top else values * 0, -1, 1)
    channels = [np.interp(place, [-1, 0, 1], STOPS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def gray(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.uint8]:
    """Make a matrix shades of gray, from black to white, with an axis of 3 uint8 added.

    What is not finite becomes black.
    """
    scaled = np.clip((np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-12), 0, 1)
    return np.repeat((255 * scaled).astype(np.uint8)[..., None], 3, axis=-1)


def pixel_uri(pixels: NDArray[np.uint8]) -> str:
    """Return cells of shape (rows, columns, 3) as a data URI, a pixel each, without loss."""
    return _uri(Image.fromarray(pixels), "webp", lossless=True)


def photo_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a picture of a brain (rows, columns, 3) as a data URI.

    Every voxel becomes four pixels: the format keeps colours at half of the resolution.
    """
    fourfold = pixels.repeat(2, axis=0).repeat(2, axis=1)
    return _uri(Image.fromarray(fourfold), "webp", quality=QUALITY)


def figure_uri(path: Path) -> str:
    """Return a figure, a PNG file, as a data URI, as large as a page shows it."""
    with Image.open(path) as figure:
        small = figure.convert("RGB").reduce(FIGURE_SHARE)
    return _uri(small, "webp", quality=QUALITY, method=2)  # half the time for a tenth more bytes


def svg_uri(text: str) -> str:
    """Return an SVG image as a data URI: no script in it would run."""
    return f"data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode()}"


def _uri(image: Image.Image, kind: str, **options: object) -> str:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"
