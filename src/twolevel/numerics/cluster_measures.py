"""Size and mass of the clusters above a threshold."""

from __future__ import annotations

import numpy as np

from twolevel.numerics.compiled import kernel
from twolevel.numerics.union_find import top_of


@kernel
def measure_clusters(values, neighbours, threshold, sizes, masses):  # type: ignore[no-untyped-def]
    """Measure the clusters of the voxels above a threshold.

    Parameters
    ----------
    values : ndarray of shape (n_voxels,), float32
    neighbours : ndarray of shape (n_voxels, n_neighbours), int32
        See `neighbour_table`.
    threshold : float
        Voxels with larger values form clusters.
    sizes, masses : ndarray of shape (n_voxels,), float64
        Are filled with the number of voxels of each voxel's cluster and with the sum of
        ``value - threshold`` over them; 0 outside clusters.

    Returns
    -------
    largest_size, largest_mass : float
        0 where there is no cluster.
    """
    sizes[:] = 0.0
    masses[:] = 0.0
    n = 0
    for v in range(len(values)):
        if values[v] > threshold:
            n += 1
    members = np.empty(n, np.int32)
    link = np.arange(n, dtype=np.int32)
    n = 0
    for v in range(len(values)):
        if values[v] > threshold:
            members[n] = v
            n += 1
            sizes[v] = n  # until the end: its number among the members, from 1
    for i in range(n):
        for k in range(neighbours.shape[1]):
            other = neighbours[members[i], k]
            if other < 0 or sizes[other] == 0.0:
                continue
            link[top_of(link, i)] = top_of(link, np.int64(sizes[other]) - 1)
    size, mass = np.zeros(n), np.zeros(n)
    for i in range(n):
        top = top_of(link, i)
        size[top] += 1.0
        mass[top] += np.float64(values[members[i]]) - threshold
    largest_size, largest_mass = 0.0, 0.0
    for i in range(n):
        top = top_of(link, i)
        sizes[members[i]], masses[members[i]] = size[top], mass[top]
        largest_size = max(largest_size, size[top])
        largest_mass = max(largest_mass, mass[top])
    return largest_size, largest_mass
