"""Kernels of the fit of a run: scaling, autocovariance of residuals, whitening."""

from __future__ import annotations

import numpy as np

from twolevel.numerics.compiled import kernel

LANES = 8  # sums side by side, so that the processor need not wait for one to end


@kernel
def mean_of_rows(data, counted, mean):  # type: ignore[no-untyped-def]
    """Compute the mean over some rows of every time course.

    Parameters
    ----------
    data : ndarray of shape (n_rows, n_data), float32 or float64
    counted : ndarray of shape (n_rows,), bool
        Rows that enter the mean.
    mean : ndarray of shape (n_data,), float64
        Is filled.
    """
    n_rows, n_data = data.shape
    mean[:] = 0.0
    n_counted = 0
    for t in range(n_rows):
        if counted[t]:
            n_counted += 1
            for i in range(n_data):
                mean[i] += data[t, i]
    for i in range(n_data):
        mean[i] /= n_counted


@kernel
def scale_series(data, factor, offset, centre, counted, out):  # type: ignore[no-untyped-def]
    """Write time courses as they are fitted, ``out = factor * data - offset``.

    Parameters
    ----------
    data : ndarray of shape (n_rows, n_data), float32 or float64
    factor : ndarray of shape (n_data,), float64
    centre : ndarray of shape (n_data,), float64
        Mean of `out` over the rows that count.
    counted : ndarray of shape (n_rows,), bool
    out : ndarray of shape (n_rows, n_series), float64
        Is filled; with 0 beyond the data.

    Returns
    -------
    ndarray of shape (n_data,), float64
        Sum over the rows that count of the squared differences of `out` from `centre`.
    """
    n_rows, n_data = data.shape
    total = np.zeros(n_data)
    for t in range(n_rows):
        for i in range(n_data):
            out[t, i] = data[t, i] * factor[i] - offset
        if counted[t]:
            for i in range(n_data):
                total[i] += (out[t, i] - centre[i]) ** 2
        for i in range(n_data, out.shape[1]):
            out[t, i] = 0.0
    return total


@kernel
def residual_products(series, fitted, order):  # type: ignore[no-untyped-def]
    """Subtract what was fitted, and sum lagged products of the residuals e over time.

    ``sums[k] = sum_t e[t] e[t - k]`` for k = 0 ... order.

    Parameters
    ----------
    series : ndarray of shape (n_rows, n_series), float64
    fitted : ndarray of shape (n_rows, n_series), float64
        Is replaced by the residuals ``series - fitted``.

    Returns
    -------
    ndarray of shape (order + 1, n_series), float64
    """
    n_rows, n_series = series.shape
    sums = np.zeros((order + 1, n_series))
    for t in range(n_rows):
        for i in range(n_series):
            fitted[t, i] = series[t, i] - fitted[t, i]
        for k in range(min(order, t) + 1):
            for i in range(n_series):
                sums[k, i] += fitted[t, i] * fitted[t - k, i]
    return sums


@kernel
def squared_steps(series, counted):  # type: ignore[no-untyped-def]
    """Sum ``(x[t] - x[t - 1])^2`` over the series that count.

    Parameters
    ----------
    series : ndarray of shape (n_rows, n_series), float64
        A multiple of 8 series.
    counted : ndarray of shape (n_series,), float64
        1 where a series counts, 0 elsewhere.

    Returns
    -------
    ndarray of shape (n_rows,), float64
        0 for the first row.
    """
    n_rows, n_series = series.shape
    sums = np.zeros(n_rows)
    for t in range(1, n_rows):
        lanes = np.zeros(LANES)
        for i in range(0, n_series, LANES):
            for lane in range(LANES):
                step = series[t, i + lane] - series[t - 1, i + lane]
                lanes[lane] += counted[i + lane] * step * step
        for lane in range(LANES):
            sums[t] += lanes[lane]
    return sums


@kernel
def whiten_columns(series, coefficients, order, out):  # type: ignore[no-untyped-def]
    """Whiten series, each with coefficients of its own, and put them in another order.

    ``out[t, j] = x[t, i] - sum_k a[k, i] x[t - 1 - k, i]`` with ``i = order[j]``; terms before
    the first row are left out.

    Parameters
    ----------
    series : ndarray of shape (n_rows, n_series), float64
    coefficients : ndarray of shape (order of the process, n_series), float64
    order : ndarray of shape (n_series,), int
    out : ndarray of shape (n_rows, n_series), float64
        Is filled.
    """
    n_rows, n_series = out.shape
    for t in range(n_rows):
        for j in range(n_series):
            out[t, j] = series[t, order[j]]
        for k in range(min(coefficients.shape[0], t)):
            for j in range(n_series):
                i = order[j]
                out[t, j] -= coefficients[k, i] * series[t - 1 - k, i]


def whiten(matrix: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Whiten all columns of a matrix with the same coefficients.

    Parameters
    ----------
    matrix : ndarray of shape (n_rows, n_columns)
    coefficients : ndarray of shape (order of the process,)

    Returns
    -------
    ndarray of shape (n_rows, n_columns), float64
    """
    result = matrix.astype(np.float64)
    for k, coefficient in enumerate(coefficients, start=1):
        result[k:] -= coefficient * matrix[:-k]
    return result
