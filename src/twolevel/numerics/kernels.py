"""All kernels, to be compiled before many processes need them."""

from __future__ import annotations

import numpy as np

from twolevel.numerics import (
    clusters,
    masked_smoothing,
    relabeled_statistics,
    tfce,
    time_courses,
)
from twolevel.numerics.compiled import is_cached

KERNELS = (
    time_courses.mean_of_rows,
    time_courses.residual_products,
    time_courses.scale_series,
    time_courses.squared_steps,
    time_courses.whiten_columns,
    masked_smoothing.smooth_and_gather,
    relabeled_statistics.count_reached,
    relabeled_statistics.form_shares,
    relabeled_statistics.write_statistics,
    clusters.find_clusters,
    tfce.enhance,
)


def can_be_cached() -> bool:
    """Tell whether there is a place for compiled code."""
    return all(kernel.stats.cache_path is not None for kernel in KERNELS)


def kernels_are_compiled() -> bool:
    """Tell whether the compiled code of all kernels is in the cache."""
    return all(is_cached(kernel) for kernel in KERNELS)


def compile_kernels() -> None:
    """Call every kernel on a few numbers, of the types that it will be called with."""
    series, fitted = np.ones((2, 2, 8))
    counted, of_series = np.ones(2, bool), np.ones(8)
    for dtype in (np.float32, np.float64):
        # A part of a larger array, as in use: neighbours in time are not side by side.
        data = np.ones((2, 9), dtype)[:, :8]
        time_courses.mean_of_rows(data, counted, np.empty(8))
        time_courses.scale_series(data, of_series, 100.0, of_series, counted, series)
    time_courses.residual_products(series, fitted, 1)
    time_courses.squared_steps(series, of_series)
    for order in (1, 2):
        out = np.empty_like(series)
        time_courses.whiten_columns(series, np.zeros((order, 8)), np.arange(8), out)
    statistics = np.ones((2, 9), np.float32)
    # Parts of larger arrays, as in use.
    for shares in (np.zeros((2, 8)), np.zeros((1, 3, 8))[0, :2]):
        counts, limits = np.zeros(9, np.int64)[:8], np.zeros(8)
        relabeled_statistics.count_reached(shares, limits, 1, counts)
        relabeled_statistics.write_statistics(shares, 1.0, 1, 1.0, statistics[:, :8])
    relabeled_statistics.form_shares(np.zeros((2, 2, 8)), 1, np.empty((2, 8)))
    neighbours, of_points = np.full((9, 6), -1, np.int32), np.zeros(9)
    for values in (statistics[0], of_points):
        clusters.find_clusters(values, neighbours, 0.5)
    tfce.enhance(statistics[0], neighbours, 0.5, 2.0, of_points)
    smoother = masked_smoothing.MaskedSmoother(np.ones((2, 2, 2), bool), np.eye(4), 1.0)
    smoother(np.ones((2, 2, 2), np.float32), 1.0, 0.0, np.empty(8, np.float32))
