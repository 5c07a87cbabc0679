"""Connected clusters of voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from twolevel.numerics.neighbours import CONNECTIVITIES

if TYPE_CHECKING:
    from numpy.typing import NDArray


def label_clusters(
    positive: NDArray[np.bool_], negative: NDArray[np.bool_], connectivity: int = 6
) -> tuple[NDArray[np.int32], int]:
    """Label the clusters of two volumes, never joining one sign with the other.

    Parameters
    ----------
    positive, negative : ndarray of shape (x, y, z), bool
        Voxels that survive with a positive and with a negative statistic.
    connectivity : {6, 18, 26}
        Neighbours share a face; or an edge, too; or a corner, too.

    Returns
    -------
    labels : ndarray of shape (x, y, z), int32
        0 outside; positive clusters are numbered from 1, negative ones follow.
    """
    neighbours = ndimage.generate_binary_structure(3, CONNECTIVITIES[connectivity])
    labels, n_positive = ndimage.label(positive, neighbours)
    below, n_negative = ndimage.label(negative, neighbours)
    labels = labels.astype(np.int32)
    labels[below > 0] = below[below > 0] + n_positive
    return labels, n_positive + n_negative
