"""Clusters of neighbouring points above a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from twolevel.numerics.compiled import kernel
from twolevel.numerics.union_find import top_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Clusters(NamedTuple):
    """The clusters of a map; number 0 is what lies outside all of them, with size and mass 0.

    Attributes
    ----------
    labels : ndarray of shape (n_points,), int32
        Number of each point's cluster, in the order of their first points, from 1.
    sizes, masses : ndarray of shape (n_clusters + 1,), float64
        Number of points, and the sum of ``value - threshold`` over them.
    peaks : ndarray of shape (n_clusters + 1,), int64
        Point with the largest value, the first of equal ones; -1 for number 0.
    """

    labels: NDArray[np.int32]
    sizes: NDArray[np.float64]
    masses: NDArray[np.float64]
    peaks: NDArray[np.int64]


@kernel
def find_clusters(values, neighbours, threshold):  # type: ignore[no-untyped-def]
    """Find and measure the clusters of the points above a threshold.

    Equals ``scipy.ndimage.label`` of ``values > threshold``, in the same order. Negative clusters
    are those of ``-values``: signs are never joined.

    Parameters
    ----------
    values : ndarray of shape (n_points,), float32 or float64
    neighbours : ndarray of shape (n_points, n_neighbours), int32
        Numbers of points, -1 for none: see `neighbour_table`.
    threshold : float
        Points with larger values form clusters.

    Returns
    -------
    Clusters
    """
    labels, members, link = _join_neighbours(values, neighbours, threshold)
    n = len(members)
    number = np.zeros(n, np.int32)
    sizes, masses = np.zeros(n + 1), np.zeros(n + 1)
    peaks = np.full(n + 1, -1, np.int64)
    n_clusters = 0
    for i in range(n):
        v, top = np.int64(members[i]), top_of(link, i)
        if number[top] == 0:
            n_clusters += 1
            number[top] = n_clusters
            peaks[n_clusters] = v
        cluster = number[top]
        labels[v] = cluster
        sizes[cluster] += 1.0
        masses[cluster] += np.float64(values[v]) - threshold
        if values[v] > values[peaks[cluster]]:
            peaks[cluster] = v
    end = n_clusters + 1
    return Clusters(labels, sizes[:end].copy(), masses[:end].copy(), peaks[:end].copy())


@kernel
def _join_neighbours(values, neighbours, threshold):  # type: ignore[no-untyped-def]
    """Join the points above a threshold with their neighbours among them.

    Returns
    -------
    numbers : ndarray of shape (n_points,), int32
        Of each point among those above the threshold, from 1; 0 for the others.
    members : ndarray of shape (n_members,), int32
        The points above the threshold.
    link : ndarray of shape (n_members,), int32
        Members of one cluster have one top: see `top_of`.
    """
    numbers = np.zeros(len(values), np.int32)
    n = 0
    for v in range(len(values)):
        if values[v] > threshold:
            n += 1
            numbers[v] = n
    members = np.empty(n, np.int32)
    link = np.arange(n, dtype=np.int32)
    for v in range(len(values)):
        if numbers[v] > 0:
            members[numbers[v] - 1] = v
    for i in range(n):
        for k in range(neighbours.shape[1]):
            other = neighbours[members[i], k]
            if other >= 0 and numbers[other] > 0:
                link[top_of(link, i)] = top_of(link, np.int64(numbers[other]) - 1)
    return numbers, members, link
