"""A mask that a user gives for the group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.errors import InputError, Problem
from twolevel.files.images import read_header, read_mask
from twolevel.files.run_data import downsampled_affine

if TYPE_CHECKING:
    from pathlib import Path


def check_group_mask(group_mask: Path | None, like: Path | None, downsample: int = 1) -> None:
    """Check a mask that a user gives for the group.

    Parameters
    ----------
    group_mask : Path or None
        None is right.
    like : Path or None
        An image on the grid of the maps before down-sampling; None where it is not here yet.

    Raises
    ------
    InputError
        The mask cannot be read, is on another grid, holds no voxel, or is not of 0 and one number.
    """
    if group_mask is None:
        return
    where = f"--group-mask {group_mask}"
    if not group_mask.is_file():
        raise InputError(Problem(where, "no such file", "a 3-D image", "check the path"))
    if like is not None:
        header, reference = read_header(group_mask), read_header(like)
        shape = tuple(-(-n // downsample) for n in reference.shape[:3])
        affine = downsampled_affine(reference.affine, downsample)
        if header.shape[:3] != shape or not np.allclose(header.affine, affine, atol=1e-3):
            raise InputError(
                Problem(
                    where,
                    f"shape {header.shape}, affine {header.affine.tolist()}",
                    f"the grid of the maps: {shape}, {affine.tolist()}",
                    "resample the mask to the grid of the maps",
                )
            )
    if not read_mask(group_mask)[0].any():
        raise InputError(Problem(where, "no voxel", "a mask", "give another mask"))
