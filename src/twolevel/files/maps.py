"""Images of one volume: maps and masks, with the grid that they lie on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.errors import InputError, Problem
from twolevel.files.nifti import open_volumes, read_header
from twolevel.numerics.scaling import scaled_values
from twolevel.space.mask import Mask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.space.grid import Grid


def read_volumes(path: Path | str) -> Iterator[NDArray[np.float32]]:
    """Stream an image volume by volume.

    Parameters
    ----------
    path : Path or str
        A 3-D or 4-D image.

    Yields
    ------
    ndarray of shape (x, y, z), float32
        Scaled by the header's slope and intercept; Fortran order, as in the file.

    Raises
    ------
    InputError
        As `open_volumes`.
    """
    stored = open_volumes(path)
    for volume in stored.volumes:
        yield scaled_values(volume, stored.slope, stored.intercept)


def read_map(path: Path | str) -> tuple[NDArray[np.float32], Grid]:
    """Read a 3-D image.

    Parameters
    ----------
    path : Path or str
        The image; a 4-D image of one volume counts as 3-D.

    Returns
    -------
    data : ndarray of shape (x, y, z), float32
    grid : Grid

    Raises
    ------
    InputError
        The file is damaged or holds more than one volume.
    """
    header = read_header(path)
    volumes = list(read_volumes(path)) if np.prod(header.shape[3:], dtype=int) == 1 else []
    if len(volumes) != 1:
        raise InputError(
            Problem(
                str(path), f"an image of shape {header.shape}", "one volume", "give a 3-D image"
            )
        )
    return volumes[0], header.grid


def read_mask(path: Path | str) -> Mask:
    """Read a mask: True where the image is finite and not zero.

    Parameters
    ----------
    path : Path or str
        A 3-D image that holds 0 and one other number; what is not finite counts as 0.

    Returns
    -------
    Mask

    Raises
    ------
    InputError
        As `read_map`, or there are several numbers beside 0: a map of probabilities, labels.
    """
    data, grid = read_map(path)
    mask = np.isfinite(data) & (data != 0)
    inside = data[mask]
    if inside.size and inside.min() != inside.max():
        raise InputError(
            Problem(
                str(path),
                f"{len(np.unique(inside))} different numbers beside 0, from {inside.min():g} to "
                f"{inside.max():g}: probabilities or labels",
                "a mask: 0 and one other number",
                "choose a threshold and make a mask of it, for example with "
                "nilearn.image.binarize_img(image, threshold=0.5) or fslmaths IMAGE -thr 0.5 -bin "
                "MASK",
            )
        )
    return Mask(grid, mask)
