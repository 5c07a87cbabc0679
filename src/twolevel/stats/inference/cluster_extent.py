"""Test 1: a height threshold and a smallest cluster size, without error control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.numerics.clusters import find_clusters
from twolevel.stats.inference.result import GroupContrast, GroupTest, keep_survivors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twolevel.space.mask import Mask


def cluster_extent(
    group: GroupContrast, *, height: float = 3.29, min_voxels: int = 11, sides: int = 2
) -> GroupTest:
    """Keep voxels above a height that lie in clusters of a certain size.

    An arbitrary filter that is still common: it controls neither the family-wise error nor the
    false discovery rate, and the result says so.

    Parameters
    ----------
    group : GroupContrast
    height : float
        Smallest |z| (z, for one side) kept; 3.29 is p = 0.001 two-sided.
    min_voxels : int
        Smallest cluster kept, in voxels. Neighbours share a face; signs are kept apart.
    sides : {1, 2}

    Returns
    -------
    GroupTest
    """
    z = group.estimate.z
    above = surviving_clusters(z >= height, group.mask, min_voxels)
    below = np.zeros_like(above)
    if sides == 2:
        below = surviving_clusters(z <= -height, group.mask, min_voxels)
    surviving = above | below
    return GroupTest(
        test="clusterExtent",
        controls=f"nothing: uncorrected, clusters of at least {min_voxels} voxels",
        statistic="z",
        map_values=keep_survivors(z, surviving),
        surviving=surviving,
        threshold=height,
        sides=sides,
        alpha=None,
    )


def surviving_clusters(
    voxels: NDArray[np.bool_], mask: Mask, min_voxels: int
) -> NDArray[np.bool_]:
    """Drop the voxels that lie in clusters that are too small.

    Parameters
    ----------
    voxels : ndarray of shape (n_voxels,), bool
        Candidates inside the mask.
    mask : Mask
    min_voxels : int
        Of the smallest cluster that is kept; neighbours share a face.

    Returns
    -------
    ndarray of shape (n_voxels,), bool
    """
    candidates = mask.keep(voxels)
    ones = np.ones(candidates.n_points, np.float32)
    clusters = find_clusters(ones, candidates.neighbours(6), 0.0)
    surviving = np.zeros(len(voxels), bool)
    surviving[voxels] = clusters.sizes[clusters.labels] >= min_voxels
    return surviving
