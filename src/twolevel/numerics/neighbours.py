"""Which voxels of a mask lie side by side."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONNECTIVITIES = {6: 1, 18: 2, 26: 3}
"""Number of neighbours of a voxel, and along how many axes they may differ from it."""


def neighbour_table(mask: NDArray[np.bool_], connectivity: int) -> NDArray[np.int32]:
    """List the neighbours of every voxel of a mask.

    Parameters
    ----------
    mask : ndarray of shape (x, y, z), bool
    connectivity : {6, 18, 26}
        6: voxels that share a face; 18: an edge, too; 26: a corner, too.

    Returns
    -------
    ndarray of shape (n_voxels, connectivity), int32
        Numbers of voxels in the order of ``array[mask]``; -1 where there is none.
    """
    n_voxels = int(mask.sum())
    padded = np.full(np.add(mask.shape, 2), -1, np.int32)
    padded[1:-1, 1:-1, 1:-1][mask] = np.arange(n_voxels, dtype=np.int32)
    steps = np.ravel_multi_index((1, 1, 1), padded.shape)
    offsets = [
        int(np.ravel_multi_index(np.add(move, 1), padded.shape) - steps)
        for move in itertools.product((-1, 0, 1), repeat=3)
        if 0 < np.count_nonzero(move) <= CONNECTIVITIES[connectivity]
    ]
    flat = padded.ravel()
    places = np.flatnonzero(flat >= 0)
    return np.stack([flat[places + offset] for offset in offsets], axis=1)
