from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twolevel.stats.run.quality import above_whisker, variance_inflation

NAN = np.nan


@pytest.fixture
def design():
    """60 rows of correlated regressors in very different units, with a constant."""
    rng = np.random.default_rng(1)
    common = rng.normal(size=60)
    return pd.DataFrame(
        {
            "a": 1e-3 * (common + 0.5 * rng.normal(size=60)) + 7,
            "b": 1e4 * (common + rng.normal(size=60)),
            "constant": 1.0,
            "c": rng.normal(size=60) - 300,
            "d": 5 * (rng.normal(size=60) - 0.4 * common),
        }
    )


def unit_weights(design: pd.DataFrame) -> Any:
    return np.eye(design.shape[1])


def vif_by_regression(design: pd.DataFrame, name: str) -> Any:
    """1 / (1 - R^2) of a regressor explained by all others, the constant among them."""
    y, others = design[name].to_numpy(), design.drop(columns=name).to_numpy()
    others = others / np.linalg.norm(others, axis=0)
    residuals = y - others @ np.linalg.lstsq(others, y, rcond=None)[0]
    return ((y - y.mean()) ** 2).sum() / (residuals**2).sum()


def inflation_as_defined(X: Any, c: Any) -> Any:
    """Return ``c (X'X)^-1 c' / c diag(X'X)^-1 c'``."""
    cross = X.T @ X
    return (c @ np.linalg.inv(cross) @ c) / (c @ np.diag(1 / np.diag(cross)) @ c)


def centred_unit_columns(X: Any) -> Any:
    X = X - X.mean(axis=0)
    return X / np.linalg.norm(X, axis=0)


def test_changes_above_the_upper_whisker_are_outliers():
    # P25 = 2.5, P75 = 4.5: the whisker ends at 7.5.
    dvars = np.array([7.4, 1.0, 2.0, 3.0, 4.0, 5.0, 2.5, 7.6, 3.5, 3.75, 2.5])
    assert np.percentile(dvars, [25, 75]).tolist() == [2.5, 4.5]
    assert np.flatnonzero(above_whisker(dvars)).tolist() == [7]


@pytest.mark.parametrize(("largest", "expected"), [(7.0, False), (7.0625, True)])
def test_the_whisker_itself_is_no_outlier(largest, expected):
    # P25 = 2 and P75 = 4, whatever the largest: the whisker ends at 4 + 1.5 * 2 = 7.
    dvars = np.array([1.0, 2.0, 3.0, 4.0, largest])
    assert above_whisker(dvars).tolist() == [False] * 4 + [expected]


def test_rows_without_a_change_neither_count_nor_are_outliers():
    known = np.array([1.0, 2.0, 3.0, 4.0, 7.5, 2.0])
    with_gaps = np.array([NAN, 1.0, 2.0, NAN, 3.0, 4.0, 7.5, NAN, 2.0])
    expected = np.zeros(9, bool)
    expected[~np.isnan(with_gaps)] = above_whisker(known)
    assert expected.sum() == 1
    np.testing.assert_array_equal(above_whisker(with_gaps), expected)


def test_small_changes_are_no_outliers():
    assert above_whisker(np.array([-100.0, 10, 10, 11, 11, 12])).tolist() == [False] * 6


@pytest.mark.parametrize("n_rows", [0, 1, 5])
def test_where_nothing_is_known_nothing_is_an_outlier(n_rows):
    assert above_whisker(np.full(n_rows, NAN)).tolist() == [False] * n_rows


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_a_regressors_factor_is_that_of_its_regression_on_the_others(design, name):
    weights = (design.columns == name).astype(float)[np.newaxis]
    np.testing.assert_allclose(
        variance_inflation(design, weights), [vif_by_regression(design, name)], rtol=1e-8, atol=0
    )


def test_the_regressors_factors_are_the_diagonal_of_the_inverse_correlations(design):
    varying = [name for name in design if name != "constant"]
    expected = np.diag(np.linalg.inv(np.corrcoef(design[varying].to_numpy().T)))
    factors = pd.Series(variance_inflation(design, unit_weights(design)), index=design.columns)
    np.testing.assert_allclose(factors[varying], expected, rtol=1e-8, atol=0)
    assert (expected > 1.05).sum() >= 3


def test_a_constant_and_an_empty_contrast_have_no_factor(design):
    weights = np.array([[0.0, 0, 1, 0, 0], [1, 0, -1, 0, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]])
    assert np.isnan(variance_inflation(design, weights)).tolist() == [True, True, True, False]


def test_a_regressor_of_zeros_has_no_factor_and_changes_no_other(design):
    with_zeros = design.assign(nothing=0.0)
    factors = variance_inflation(with_zeros, unit_weights(with_zeros))
    assert np.isnan(factors[-1])
    np.testing.assert_allclose(
        factors[:-1], variance_inflation(design, unit_weights(design)), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("value", [1.0, -3.0])
def test_a_design_of_nothing_but_a_constant_has_no_factor(value):
    factors = variance_inflation(pd.DataFrame({"constant": np.full(9, value)}), np.ones((1, 1)))
    assert np.isnan(factors).tolist() == [True]


@pytest.mark.parametrize(
    "weights", [[1, -1, 0], [1, 1, 0], [2, -1, 0.5], [0, 1, -1], [1 / 3, 1 / 3, 1 / 3]]
)
def test_a_contrasts_factor_is_the_formula_written_out(weights):
    X = np.random.default_rng(2).normal(size=(50, 3))
    X[:, 1] += X[:, 0]
    X[:, 2] -= 0.5 * X[:, 1]
    design, c = pd.DataFrame(X, columns=list("abc")), np.array(weights, float)
    with_constant = design.assign(constant=1.0)
    expected = inflation_as_defined(X - X.mean(axis=0), c)
    found = variance_inflation(with_constant, np.array([[*c, 0]]))
    np.testing.assert_allclose(found, [expected], rtol=1e-10, atol=0)
    # Without a constant there is no mean to be subtracted.
    found = variance_inflation(design, c[np.newaxis])
    np.testing.assert_allclose(found, [inflation_as_defined(X, c)], rtol=1e-10, atol=0)


def test_orthogonal_regressors_inflate_nothing():
    X = np.linalg.qr(np.c_[np.ones(30), np.random.default_rng(3).normal(size=(30, 3))])[0]
    design = pd.DataFrame(X[:, 1:] * [1, 100, 1e-4] + [5, 0, -2], columns=list("abc"))
    design["constant"] = 1.0
    weights = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [1, -1, 0, 0], [1, 2, 3, 0]])
    np.testing.assert_allclose(variance_inflation(design, weights), 1, rtol=1e-8, atol=0)


def test_a_regressor_that_is_there_twice_is_inflated_without_bounds(design):
    design = design.assign(again=design["b"])
    factors = pd.Series(variance_inflation(design, unit_weights(design)), index=design.columns)
    assert np.isinf(factors[["b", "again"]]).tolist() == [True, True]
    assert np.isfinite(factors[["a", "c", "d"]]).tolist() == [True, True, True]


def test_the_sum_of_a_regressor_that_is_there_twice_can_be_told():
    """Either alone would have 1 / |x|^2, their sum twice that; together they have 1 / |x|^2."""
    x = np.random.default_rng(4).normal(size=40)
    design = pd.DataFrame({"x": x, "again": x, "constant": 1.0})
    weights = np.array([[1.0, 1, 0], [1, -1, 0], [1, 0, 0]])
    factors = variance_inflation(design, weights)
    np.testing.assert_allclose(factors, [0.5, np.inf, np.inf], rtol=1e-8, atol=0)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**16),
    n_columns=st.integers(2, 6),
    coupling=st.floats(0, 3),
    powers=st.lists(st.integers(-6, 6), min_size=6, max_size=6),
)
def test_whatever_the_design_units_do_not_matter_and_no_regressor_is_below_one(
    seed, n_columns, coupling, powers
):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, n_columns)) + coupling * rng.normal(size=(30, 1))
    units = 10.0 ** np.array(powers[:n_columns])
    constant = np.ones((30, 1))
    c = rng.normal(size=n_columns)
    weights = np.pad(np.vstack([np.eye(n_columns), c]), ((0, 0), (0, 1)))
    in_other_units = np.pad(np.vstack([np.eye(n_columns), c * units]), ((0, 0), (0, 1)))
    factors = variance_inflation(pd.DataFrame(np.hstack([X, constant])), weights)
    same = variance_inflation(pd.DataFrame(np.hstack([X * units, constant])), in_other_units)
    np.testing.assert_allclose(same, factors, rtol=1e-6, atol=0)
    assert (factors[:-1] >= 1 - 1e-9).all()
    expected = np.diag(np.linalg.inv(np.corrcoef(X.T)))
    np.testing.assert_allclose(factors[:-1], expected, rtol=1e-6, atol=0)
    scaled = centred_unit_columns(X)
    lengths = np.linalg.norm(X - X.mean(axis=0), axis=0)
    expected = inflation_as_defined(scaled, c / lengths)
    np.testing.assert_allclose(factors[-1], expected, rtol=1e-6, atol=0)
