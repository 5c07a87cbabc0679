"""Which points of a space are analysed, and values over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twolevel.errors import InputError, Problem
from twolevel.space.grid import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Mask:
    """Points of a space; values over them come in the order of ``array[mask.inside]``.

    Attributes
    ----------
    space : Grid
    inside : ndarray of the shape of the space, bool
        True at the points that belong to it.

    Raises
    ------
    InputError
        `inside` is not of bool, or of another shape than the space.
    """

    space: Grid
    inside: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Refuse what would take other points than meant."""
        dtype = getattr(self.inside, "dtype", None)
        if dtype != np.bool_:
            raise InputError(
                Problem(
                    "mask",
                    f"values of type {dtype or type(self.inside).__name__}",
                    "an array of bool, True in the brain",
                    "give mask > 0",
                )
            )
        if self.inside.shape != self.space.shape:
            raise InputError(
                Problem(
                    "mask",
                    f"shape {self.inside.shape}",
                    f"{self.space.shape}, that of its grid",
                    "give a mask on the grid of the data",
                )
            )

    @classmethod
    def of(cls, mask: Mask | NDArray[np.bool_]) -> Mask:
        """Return a mask as it is, and an array as a mask on a grid of voxels of 1 mm."""
        if isinstance(mask, Mask):
            return mask
        return cls(Grid(np.shape(mask), np.eye(4)), mask)

    def __eq__(self, other: object) -> bool:
        """Compare space and points, to the last bit."""
        if not isinstance(other, Mask):
            return NotImplemented
        return self.space == other.space and np.array_equal(self.inside, other.inside)

    __hash__ = None  # type: ignore[assignment]  # as an array

    def __and__(self, other: Mask) -> Mask:
        """Return the points of both, in the space of the first.

        Raises
        ------
        InputError
            The other one lies in another space.
        """
        if not self.space.matches(other.space):
            raise InputError(
                Problem(
                    "mask",
                    f"grid {other.space.shape}, affine {other.space.affine.tolist()}",
                    f"that of the other mask: {self.space.shape}, {self.space.affine.tolist()}",
                    "take masks on one grid",
                )
            )
        return Mask(self.space, self.inside & other.inside)

    @property
    def n_points(self) -> int:
        """Number of points."""
        return int(np.count_nonzero(self.inside))

    def keep(self, flags: NDArray[np.bool_]) -> Mask:
        """Return the smaller mask of those points that have a flag."""
        return Mask(self.space, self.spread(flags, outside=False))

    def every(self, step: int) -> Mask:
        """Take every `step`-th voxel along each axis."""
        return Mask(self.space.every(step), self.inside[(slice(None, None, step),) * 3])

    def take(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the values of an array of the shape of the space at the points."""
        values: NDArray[Any] = array[self.inside]
        return values

    def spread(self, values: NDArray[Any], outside: float = np.nan) -> NDArray[Any]:
        """Put values at their points.

        Parameters
        ----------
        values : ndarray of shape (n_points,)
        outside : number
            What stands at all other points.

        Returns
        -------
        ndarray of the shape of the space
            Of the type of the values, or one that can hold `outside`, too.
        """
        values = np.asarray(values)
        dtype = np.result_type(values.dtype, np.min_scalar_type(outside))
        array = np.full(self.space.shape, outside, dtype)
        array[self.inside] = values
        return array

    def neighbours(self, connectivity: int) -> NDArray[np.int32]:
        """List the neighbours of each point.

        Parameters
        ----------
        connectivity : {6, 18, 26}
            Of voxels that share a face; or an edge, too; or a corner, too.

        Returns
        -------
        ndarray of shape (n_points, n_neighbours), int32
            Numbers of points; -1 where there is none.
        """
        return self.space.neighbours(self.inside, connectivity)

    @property
    def extents(self) -> NDArray[np.float64]:
        """Volume of each point in cubic millimetres."""
        return self.space.extents(self.inside)

    def coordinates(self, points: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return where points are, of which the numbers within the mask are given, in mm."""
        return self.space.coordinates(np.flatnonzero(self.inside)[points])
