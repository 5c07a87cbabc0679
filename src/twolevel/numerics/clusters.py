"""Connected clusters of voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["label_clusters"]

FACES = ndimage.generate_binary_structure(3, 1)


def label_clusters(
    positive: NDArray[np.bool_], negative: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], int]:
    """Label the clusters of two volumes, never joining one sign with the other.

    Parameters
    ----------
    positive, negative : ndarray of shape (x, y, z), bool
        Voxels that survive with a positive and with a negative statistic.

    Returns
    -------
    labels : ndarray of shape (x, y, z), int32
        0 outside; positive clusters are numbered from 1, negative ones follow. Neighbours are
        voxels that share a face.
    n_clusters : int
    """
    labels, n_positive = ndimage.label(positive, FACES)
    below, n_negative = ndimage.label(negative, FACES)
    labels = labels.astype(np.int32)
    labels[below > 0] = below[below > 0] + n_positive
    return labels, n_positive + n_negative
