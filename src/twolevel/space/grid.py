"""A grid of voxels in millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twolevel.errors import InputError, Problem
from twolevel.numerics.neighbours import neighbour_table
from twolevel.numerics.smoothing import voxel_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-3
"""Affines that differ by less are the same: headers hold them in single precision."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A grid of voxels: its points are numbered as an array of its shape, the last axis fastest.

    Attributes
    ----------
    shape : (int, int, int)
        Voxels along x, y, z.
    affine : ndarray of shape (4, 4), float64
        Voxel indices to millimetres; cannot be written to.

    Raises
    ------
    InputError
        The shape is not of three axes, or the affine not 4 x 4.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Take a copy of the affine that nobody changes."""
        shape, affine = tuple(int(n) for n in self.shape), np.array(self.affine, np.float64)
        if len(shape) != 3 or affine.shape != (4, 4):
            raise InputError(
                Problem(
                    "grid",
                    f"shape {shape}, affine of shape {affine.shape}",
                    "three numbers of voxels and an affine of shape (4, 4)",
                    "give shape and affine of a 3-D image",
                )
            )
        affine.flags.writeable = False
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    def __eq__(self, other: object) -> bool:
        """Compare shape and affine, to the last bit."""
        if not isinstance(other, Grid):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.affine, other.affine)

    def __hash__(self) -> int:
        """Grids that are equal have one hash."""
        return hash((self.shape, *self.affine.ravel().tolist()))

    @property
    def n_points(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    @property
    def voxel_size(self) -> NDArray[np.float64]:
        """Edges of a voxel in millimetres."""
        return voxel_sizes(self.affine)

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel in cubic millimetres."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def matches(self, other: Grid) -> bool:
        """Tell whether another grid has the same voxels, up to the rounding of headers."""
        return self.shape == other.shape and np.allclose(self.affine, other.affine, atol=TOLERANCE)

    def every(self, step: int) -> Grid:
        """Return the grid of every `step`-th voxel along each axis: the origin stays."""
        shape = tuple(-(-n // step) for n in self.shape)
        return Grid(shape, self.affine @ np.diag([step, step, step, 1.0]))  # type: ignore[arg-type]

    def neighbours(self, inside: NDArray[np.bool_], connectivity: int) -> NDArray[np.int32]:
        """List the neighbours of points among those inside: see `neighbour_table`."""
        return neighbour_table(inside, connectivity)

    def extents(self, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the volume of each point inside, in cubic millimetres."""
        return np.full(int(inside.sum()), self.voxel_volume)

    def coordinates(self, points: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return where points are.

        Parameters
        ----------
        points : ndarray of shape (n,), int
            Their numbers.

        Returns
        -------
        ndarray of shape (n, 3)
            Centres of the voxels in millimetres.
        """
        voxels = np.stack(np.unravel_index(points, self.shape), axis=1)
        mm: NDArray[np.float64] = voxels @ self.affine[:3, :3].T + self.affine[:3, 3]
        return mm
