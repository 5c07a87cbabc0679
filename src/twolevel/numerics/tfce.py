"""Threshold-free cluster enhancement, exactly: an integral in closed form over a tree."""

from __future__ import annotations

import numpy as np

from twolevel.numerics.compiled import kernel
from twolevel.numerics.union_find import top_of

DIGITS, BITS = 3, 11


@kernel
def enhance(values, neighbours, extent_power, height_power, scores):  # type: ignore[no-untyped-def]
    """Enhance the positive values of a map by the extent of the clusters that support them.

    ``score(v) = integral from 0 to t(v) of e(h, v)^E h^H dh``, where ``e(h, v)`` is the number of
    voxels of the cluster that holds v when the map is cut at height h (Smith & Nichols 2009,
    doi:10.1016/j.neuroimage.2008.03.061). As h falls, ``e`` changes only where another voxel
    appears, so that the integral is a sum without any step size (Chen, Weeda, Nichols & Goeman
    2026, arXiv:2603.03004): the voxels are taken from the highest down; each becomes a node of a
    tree above the clusters that it joins, and contributes
    ``size^E (t^(H+1) - t_parent^(H+1)) / (H + 1)`` to all voxels below it.

    Parameters
    ----------
    values : ndarray of shape (n_voxels,), float32
        Contiguous. What is not above 0 gets no score.
    neighbours : ndarray of shape (n_voxels, n_neighbours), int32
        See `neighbour_table`.
    extent_power, height_power : float
        E and H.
    scores : ndarray of shape (n_voxels,), float64
        Is filled.

    Returns
    -------
    float
        The largest score.
    """
    scores[:] = 0.0
    order = _positive_from_the_highest(values)
    n = len(order)
    rank = np.full(len(values), n, np.int32)
    integral = np.empty(n)  # of h^H from 0 to the node's height
    power = height_power + 1.0
    for i in range(n):
        height = np.float64(values[order[i]])
        rank[order[i]] = i
        integral[i] = (height * height * height if power == 3.0 else height**power) / power
    parent = np.arange(n, dtype=np.int32)
    link = np.arange(n, dtype=np.int32)  # towards the top, in as few steps as possible
    size = np.ones(n, np.int32)
    for i in range(n):
        voxel = order[i]
        for k in range(neighbours.shape[1]):
            other = neighbours[voxel, k]
            if other < 0 or rank[other] >= i:
                continue
            top = top_of(link, rank[other])
            if top != i:
                parent[top] = i
                link[top] = i
                size[i] += size[top]
    largest = 0.0
    score = np.empty(n)
    for i in range(n - 1, -1, -1):
        extent = np.float64(size[i])
        weight = np.sqrt(extent) if extent_power == 0.5 else extent**extent_power
        above = parent[i]
        if above == i:
            score[i] = weight * integral[i]
        else:
            score[i] = score[above] + weight * (integral[i] - integral[above])
        scores[order[i]] = score[i]
        largest = max(largest, score[i])
    return largest


@kernel
def _positive_from_the_highest(values):  # type: ignore[no-untyped-def]
    """Sort the voxels with positive values, by the bits of their values (radix sort).

    Parameters
    ----------
    values : ndarray of shape (n_voxels,), float32

    Returns
    -------
    ndarray of shape (n_positive,), int32
        Equal values in the order of voxels.
    """
    bits = values.view(np.uint32)
    mask = np.uint32((1 << BITS) - 1)
    counts = np.zeros((DIGITS, (1 << BITS) + 1), np.int64)
    n = 0
    for v in range(len(values)):
        if values[v] > 0:
            # Positive numbers are ordered as their bits are; inverted, the highest come first.
            key = ~bits[v]
            for d in range(DIGITS):
                counts[d, np.int64((key >> np.uint32(BITS * d)) & mask) + 1] += 1
            n += 1
    order, keys = np.empty(n, np.int32), np.empty(n, np.uint32)
    n = 0
    for v in range(len(values)):
        if values[v] > 0:
            order[n], keys[n] = v, ~bits[v]
            n += 1
    for d in range(DIGITS):
        for k in range(1 << BITS):
            counts[d, k + 1] += counts[d, k]
        sorted_order, sorted_keys = np.empty_like(order), np.empty_like(keys)
        for i in range(n):
            digit = np.int64((keys[i] >> np.uint32(BITS * d)) & mask)
            place = counts[d, digit]
            counts[d, digit] += 1
            sorted_order[place], sorted_keys[place] = order[i], keys[i]
        order, keys = sorted_order, sorted_keys
    return order
