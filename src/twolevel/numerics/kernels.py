"""All kernels, to be compiled before many processes need them."""

from __future__ import annotations

import numpy as np

from twolevel.numerics import masked_smoothing, time_courses
from twolevel.numerics.compiled import is_cached

__all__ = ["can_be_cached", "compile_kernels", "kernels_are_compiled"]

KERNELS = (
    time_courses.residual_products,
    time_courses.scale_series,
    time_courses.squared_steps,
    time_courses.whiten_columns,
    masked_smoothing.smooth_and_gather,
)


def can_be_cached() -> bool:
    """Tell whether there is a place for compiled code.

    Returns
    -------
    bool
    """
    return all(kernel.stats.cache_path is not None for kernel in KERNELS)


def kernels_are_compiled() -> bool:
    """Tell whether the compiled code of all kernels is in the cache.

    Returns
    -------
    bool
    """
    return all(is_cached(kernel) for kernel in KERNELS)


def compile_kernels() -> None:
    """Call every kernel on a few numbers, of the types that it will be called with."""
    series, fitted = np.ones((2, 2, 8))
    for dtype in (np.float32, np.float64):
        # A part of a larger array, as in use: neighbours in time are not side by side.
        time_courses.scale_series(np.ones((2, 9), dtype)[:, :8], True, series)
    time_courses.residual_products(series, fitted, 1)
    time_courses.squared_steps(series, np.ones(8))
    for order in (1, 2):
        out = np.empty_like(series)
        time_courses.whiten_columns(series, np.zeros((order, 8)), np.arange(8), out)
    smoother = masked_smoothing.MaskedSmoother(np.ones((2, 2, 2), bool), np.eye(4), 1.0)
    smoother(np.ones((2, 2, 2), np.float32), 1.0, 0.0, np.empty(8, np.float32))
