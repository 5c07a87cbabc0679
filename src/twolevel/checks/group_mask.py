"""A mask that a user gives for the group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.errors import InputError, Problem
from twolevel.files.maps import read_mask
from twolevel.files.nifti import read_header

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
        grid = reference.grid.every(downsample)
        if not header.grid.matches(grid):
            raise InputError(
                Problem(
                    where,
                    f"shape {header.shape}, affine {header.affine.tolist()}",
                    f"the grid of the maps: {grid.shape}, {grid.affine.tolist()}",
                    "resample the mask to the grid of the maps",
                )
            )
    if not read_mask(group_mask).n_points:
        raise InputError(Problem(where, "no voxel", "a mask", "give another mask"))
