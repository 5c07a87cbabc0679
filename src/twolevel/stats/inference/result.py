"""What every test takes, and what every test gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from twolevel.errors import InputError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twolevel.space.mask import Mask
    from twolevel.stats.estimates import Estimate


@dataclass(frozen=True)
class GroupContrast:
    """A contrast at the group level, ready to be tested.

    Attributes
    ----------
    estimate : Estimate
        The group's; no voxel has zero variance over subjects.
    mask : Mask
        Where the `n_voxels` voxels are.

    Raises
    ------
    InputError
        The mask is not a `Mask`, or holds another number of voxels than the estimate.
    """

    estimate: Estimate
    mask: Mask

    def __post_init__(self) -> None:
        """Refuse a mask that does not say where the voxels of the estimate are."""
        n_points = getattr(self.mask, "n_points", None)  # None of an array
        if n_points != self.n_voxels:
            found = type(self.mask).__name__ if n_points is None else f"{n_points} voxels"
            raise InputError(
                Problem(
                    "mask of a group contrast",
                    found,
                    f"a Mask of {self.n_voxels} voxels, as the estimate has",
                    "give Mask(Grid(shape, affine), array), or the mask of read_run",
                )
            )

    @property
    def n_voxels(self) -> int:
        """Number of tests that a correction has to count."""
        return self.estimate.n_points


@dataclass(frozen=True)
class GroupTest:
    """The outcome of one test of one contrast.

    Attributes
    ----------
    test : str
        Label, as in file names: ``clusterExtent``, ``fdr``, ...
    controls : str
        What the threshold controls, in words.
    statistic : {"z", "logp"}
        Kind of `map_values`: z, zero where nothing survives; or -log10 of corrected p, everywhere.
    map_values : ndarray of shape (n_voxels,), float64
    surviving : ndarray of shape (n_voxels,), bool
    threshold : float or None
        Of `map_values` (absolute, for two sides); None where no value would have survived.
    sides : {1, 2}
    alpha : float or None
        Error rate that is controlled; None where none is.
    smallest_p : float or None
        Smallest corrected p that the test can give; None where it gives no p.
    n_permutations : int or None
        Used, the identity included.
    exhaustive : bool or None
        All permutations there are were used.
    connectivity : {6, 18, 26}
        Which voxels are neighbours in clusters of survivors.
    tail : {"gpd"} or None
        Small p were read from a fitted tail.
    """

    test: str
    controls: str
    statistic: Literal["z", "logp"]
    map_values: NDArray[np.float64]
    surviving: NDArray[np.bool_]
    threshold: float | None
    sides: int
    alpha: float | None
    smallest_p: float | None = None
    n_permutations: int | None = None
    exhaustive: bool | None = None
    connectivity: int = 6
    tail: Literal["gpd"] | None = None


def tail_statistic(values: NDArray[np.float64], sides: int) -> NDArray[np.float64]:
    """Return what is compared with a threshold: |values| for two sides, values for one."""
    return np.abs(values) if sides == 2 else values


def keep_survivors(
    values: NDArray[np.float64], surviving: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the values with 0 where they do not survive."""
    return np.where(surviving, values, 0.0)
