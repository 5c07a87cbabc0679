"""The kernels of the fit equal their slow twins, written out term by term."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twolevel.numerics.time_courses import (
    mean_of_rows,
    residual_products,
    scale_series,
    squared_steps,
    whiten,
    whiten_columns,
)

RTOL, ATOL = 1e-12, 1e-12
orders = pytest.mark.parametrize("order", [0, 1, 3])
shapes = pytest.mark.parametrize("shape", [(1, 5), (2, 7), (3, 1), (40, 1), (40, 33)])


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def slow_products(x: Any, order: int) -> list[list[float]]:
    n_rows, n_series = x.shape
    return [
        [
            sum(float(x[t, i]) * float(x[t - k, i]) for t in range(k, n_rows))
            for i in range(n_series)
        ]
        for k in range(order + 1)
    ]


def slow_whitening(series: Any, coefficients: Any) -> Any:
    """Whiten one series, time after time."""
    return [
        x - sum(a * series[t - k] for k, a in enumerate(coefficients, start=1) if k <= t)
        for t, x in enumerate(series)
    ]


@orders
@shapes
def test_lagged_products_of_residuals_are_sums_over_time(shape, order):
    series, fitted = random(*shape), random(*shape, seed=1)
    residuals = series - fitted
    products = residual_products(series, fitted, order)
    np.testing.assert_array_equal(fitted, residuals)
    np.testing.assert_allclose(products, slow_products(residuals, order), rtol=RTOL, atol=ATOL)


def test_lags_beyond_the_rows_have_no_products():
    series, fitted = np.array([[2.0], [3.0]]), np.zeros((2, 1))
    assert residual_products(series, fitted, 3).tolist() == [[13.0], [6.0], [0.0], [0.0]]


COUNTED = {
    "all rows": np.ones(30, bool),
    "not the first ones": np.arange(30) > 2,
    "some in between": np.arange(30) % 7 != 3,
    "one": np.arange(30) == 12,
}
counted_rows = pytest.mark.parametrize("counted", COUNTED.values(), ids=COUNTED)


@counted_rows
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", [1000.0, 0.2, -50.0])
def test_the_mean_is_over_the_rows_that_count(dtype, level, counted):
    whole = (level + random(30, 11)).astype(dtype)
    data, mean = whole[:, 2:9], np.full(7, np.nan)
    mean_of_rows(data, counted, mean)
    expected = data.astype(np.float64)[counted].mean(axis=0)
    np.testing.assert_allclose(mean, expected, rtol=RTOL, atol=ATOL)


@counted_rows
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [100.0, 0.0])
def test_time_courses_are_scaled_and_described(dtype, offset, counted):
    whole = (1000 + random(30, 11)).astype(dtype)
    data, out = whole[:, 2:9], np.full((30, 8), np.nan)
    factor = np.linspace(-0.1, 3, 7)
    expected = data.astype(np.float64) * factor - offset
    centre = expected[counted].mean(axis=0)
    total = scale_series(data, factor, offset, centre, counted, out)
    np.testing.assert_allclose(out[:, :7], expected, rtol=RTOL, atol=1e-10)
    np.testing.assert_array_equal(out[:, 7], 0)
    squares = counted.sum() * expected[counted].var(axis=0)
    np.testing.assert_allclose(total, squares, rtol=1e-9, atol=1e-20)


@pytest.mark.parametrize("shape", [(1, 8), (2, 8), (9, 8), (30, 64)])
def test_squared_steps_are_summed_over_the_series_that_count(shape):
    x = random(*shape)
    counted = (random(shape[1], seed=1) > 0).astype(float)
    expected = np.zeros(shape[0])
    expected[1:] = (np.diff(x, axis=0) ** 2)[:, counted == 1].sum(axis=1)
    np.testing.assert_allclose(squared_steps(x, counted), expected, rtol=RTOL, atol=ATOL)


def test_series_that_do_not_count_leave_no_steps():
    assert squared_steps(random(5, 16), np.zeros(16)).tolist() == [0.0] * 5


@orders
@shapes
def test_every_series_is_whitened_with_its_own_coefficients_and_put_in_order(shape, order):
    n_series = shape[1]
    x, coefficients = random(*shape), random(order, n_series, seed=1)
    places = np.random.default_rng(2).permutation(n_series)
    out = np.full(shape, np.nan)
    whiten_columns(x, coefficients, places, out)
    expected = [slow_whitening(x[:, i].tolist(), coefficients[:, i].tolist()) for i in places]
    np.testing.assert_allclose(out, np.transpose(expected), rtol=RTOL, atol=ATOL)


def test_only_as_many_series_as_fit_are_whitened():
    x, out = random(6, 8), np.full((6, 3), np.nan)
    whiten_columns(x, np.full((1, 3), 0.5), np.array([2, 0, 1]), out)
    expected = [slow_whitening(x[:, i].tolist(), [0.5]) for i in (2, 0, 1)]
    np.testing.assert_allclose(out, np.transpose(expected), rtol=RTOL, atol=ATOL)


@orders
@shapes
def test_a_matrix_is_whitened_column_by_column(shape, order):
    matrix, coefficients = random(*shape), random(order, seed=1)
    before = matrix.copy()
    expected = [slow_whitening(column.tolist(), coefficients.tolist()) for column in matrix.T]
    np.testing.assert_allclose(
        whiten(matrix, coefficients), np.transpose(expected), rtol=RTOL, atol=ATOL
    )
    np.testing.assert_array_equal(matrix, before)


def test_data_and_design_are_whitened_alike():
    x, coefficients = random(25, 16), np.array([0.6, -0.3, 0.1])
    out = np.empty_like(x)
    whiten_columns(x, np.repeat(coefficients[:, np.newaxis], 16, axis=1), np.arange(16), out)
    np.testing.assert_allclose(out, whiten(x, coefficients), rtol=RTOL, atol=ATOL)


def test_whitening_brings_back_the_innovations_of_a_process():
    innovations, coefficients = random(50, 8), np.array([0.5, 0.2, -0.3])
    process = innovations.copy()
    for t in range(50):
        for k in range(1, min(3, t) + 1):
            process[t] += coefficients[k - 1] * process[t - k]
    np.testing.assert_allclose(whiten(process, coefficients), innovations, rtol=0, atol=1e-12)
