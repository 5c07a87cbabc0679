"""How far the relabelings of a contrast have got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class PermutationState:
    """How far the relabelings have got: enough to go on from there with the same result.

    Attributes
    ----------
    n_done : int
        Rows of the relabelings that are done; 0 at the start.
    observed : ndarray of shape (n_voxels,), float64
        Shares (see `relabeled_statistics`) of the identity.
    counts : ndarray of shape (n_voxels,), int64
        Relabelings that reach the observed value, in each voxel by itself.
    lowest, highest : ndarray of shape (n_rows,), float64
        Extreme shares over voxels.
    measures : ndarray of shape (2, 3, n_rows), float64
        Largest cluster size, mass and TFCE score: of the positive tail, of the negative one.
    """

    n_done: int
    observed: NDArray[np.float64]
    counts: NDArray[np.int64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    measures: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of voxels, number of rows; -1 where the arrays do not agree."""
        n_voxels = {self.observed.shape, self.counts.shape}
        n_rows = {self.lowest.shape, self.highest.shape, self.measures.shape[2:]}
        sizes = [next(iter(s))[0] if len(s) == 1 else -1 for s in (n_voxels, n_rows)]
        return sizes[0], sizes[1]

    @classmethod
    def at_start(cls, n_voxels: int, n_rows: int) -> PermutationState:
        """Return the state before anything is done."""
        return cls(
            0,
            np.zeros(n_voxels),
            np.zeros(n_voxels, np.int64),
            np.full(n_rows, np.inf),
            np.full(n_rows, -np.inf),
            np.zeros((2, 3, n_rows)),
        )
