from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nilearn.glm.first_level.first_level import _yule_walker
from scipy.linalg import toeplitz
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from twolevel.errors import InputError
from twolevel.stats.run.noise import clustered, noise_order, truncated, yule_walker

N_ROWS = 60
orders = pytest.mark.parametrize("order", [1, 2, 5])


@pytest.fixture
def residuals():
    """60 rows of 40 series, the mean of each 0."""
    noise = np.random.default_rng(3).normal(size=(N_ROWS, 40))
    for row in range(1, N_ROWS):
        noise[row] += np.linspace(-0.8, 0.9, 40) * noise[row - 1]
    return noise - noise.mean(axis=0)


def products_of(series: Any, order: int) -> Any:
    return np.array(
        [(series[k:] * series[: len(series) - k]).sum(axis=0) for k in range(order + 1)]
    )


@pytest.mark.parametrize(
    ("noise_model", "order"), [("ols", 0), ("ar1", 1), ("ar2", 2), ("ar10", 10), ("ar99", 99)]
)
def test_the_name_of_a_noise_model_gives_its_order(noise_model, order):
    assert noise_order(noise_model) == order


@pytest.mark.parametrize(
    "noise_model",
    ["", "ar", "ar0", "ar01", "ar-1", "ar1.5", "AR1", "OLS", " ar1", "ar1\n", "arma"],
)
def test_other_noise_models_are_refused(noise_model):
    with pytest.raises(InputError) as error:
        noise_order(noise_model)
    (problem,) = error.value.problems
    assert problem.where == "noise model"
    assert problem.found == f'"{noise_model}"'
    assert problem.expected == "ols (independent), ar1, or arN of order N"
    assert problem.remedy == "correct NoiseModel"


@orders
def test_the_coefficients_solve_the_yule_walker_equations(residuals, order):
    products = products_of(residuals, order)
    expected = []
    for sums in products.T:
        r = sums / (N_ROWS - np.arange(order + 1))
        expected.append(np.linalg.solve(toeplitz(r[:-1]), r[1:]))
    np.testing.assert_allclose(
        yule_walker(products, N_ROWS), np.transpose(expected), rtol=1e-10, atol=1e-12
    )


@orders
def test_the_coefficients_of_zero_mean_residuals_equal_nilearns(residuals, order):
    ours = yule_walker(products_of(residuals, order), N_ROWS)
    theirs = _yule_walker(residuals.T.copy(), order)
    np.testing.assert_allclose(ours.T, theirs, rtol=1e-10, atol=1e-12)


@orders
def test_residuals_of_zero_have_coefficients_of_zero_and_leave_the_others_alone(residuals, order):
    alone = yule_walker(products_of(residuals, order), N_ROWS)
    residuals[:, [0, 7, 39]] = 0
    coefficients = yule_walker(products_of(residuals, order), N_ROWS)
    np.testing.assert_array_equal(coefficients[:, [0, 7, 39]], np.zeros((order, 3)))
    others = np.setdiff1d(np.arange(40), [0, 7, 39])
    np.testing.assert_allclose(coefficients[:, others], alone[:, others], rtol=1e-12, atol=0)


@orders
def test_the_unit_of_the_residuals_does_not_matter(residuals, order):
    products = products_of(residuals, order)
    np.testing.assert_allclose(
        yule_walker(products * 1e12, N_ROWS), yule_walker(products, N_ROWS), rtol=1e-10, atol=0
    )


def test_the_products_are_not_changed(residuals):
    products = products_of(residuals, 2)
    products[:, 3] = 0
    before = products.copy()
    yule_walker(products, N_ROWS)
    np.testing.assert_array_equal(products, before)


def test_independent_noise_has_no_coefficients(residuals):
    assert yule_walker(products_of(residuals, 0), N_ROWS).shape == (0, 40)


@pytest.mark.parametrize(
    ("coefficient", "group"),
    [
        (0.0, 0),
        (0.009, 0),
        (-0.009, 0),
        (0.015, 1),
        (0.019999, 1),
        (-0.015, -1),
        (-0.019999, -1),
        (0.5, 50),
        (-0.5, -50),
        (0.999, 99),
        (-0.999, -99),
        (1.016, 101),
    ],
)
def test_a_coefficient_is_cut_off_toward_zero(coefficient, group):
    groups, shared = truncated(np.array([[coefficient]]))
    assert groups.tolist() == [group]
    assert {name: values.tolist() for name, values in shared.items()} == {group: [group / 100]}


def test_groups_and_their_coefficients_are_those_of_nilearn():
    coefficients = np.random.default_rng(4).uniform(-1, 1, (1, 500))
    groups, shared = truncated(coefficients)
    of_voxels = np.array([shared[group] for group in groups.tolist()])
    np.testing.assert_array_equal(of_voxels[:, 0], (coefficients[0] * 100).astype(int) * 1.0 / 100)
    assert sorted(shared) == np.unique(groups).tolist()


def test_without_coefficients_all_voxels_are_one_group():
    groups, shared = truncated(np.empty((0, 4)))
    assert groups.tolist() == [0, 0, 0, 0]
    assert {name: values.shape for name, values in shared.items()} == {0: (0,)}


def random_coefficients(n_voxels: int) -> Any:
    return np.random.default_rng(5).normal(0, 0.3, (2, n_voxels))


def all_of(coefficients: Any) -> Any:
    return np.ones(coefficients.shape[1], bool)


@pytest.mark.parametrize("seed", [0, 13])  # for 13 the last of the ten starts is the best
def test_higher_orders_are_grouped_by_k_means(seed):
    coefficients = random_coefficients(300)
    groups, shared = clustered(coefficients, all_of(coefficients), seed)
    with threadpool_limits(1):
        expected = KMeans(100, n_init=10, random_state=seed).fit(coefficients.T.copy())
    np.testing.assert_array_equal(groups, expected.labels_)
    assert sorted(shared) == list(range(100))
    centres = np.array([shared[group] for group in range(100)])
    np.testing.assert_array_equal(centres, expected.cluster_centers_)


def test_the_centre_of_a_group_is_the_mean_of_its_voxels():
    coefficients = random_coefficients(250)
    groups, shared = clustered(coefficients, all_of(coefficients), 0)
    means = [coefficients[:, groups == group].mean(axis=1) for group in range(100)]
    centres = [shared[group] for group in range(100)]
    np.testing.assert_allclose(centres, means, rtol=0, atol=1e-12)


def test_no_more_groups_than_voxels_are_made():
    coefficients = random_coefficients(3)
    groups, shared = clustered(coefficients, all_of(coefficients), 0)
    assert sorted(groups.tolist()) == sorted(shared) == [0, 1, 2]
    of_voxels = np.transpose([shared[group] for group in groups.tolist()])
    np.testing.assert_allclose(of_voxels, coefficients, rtol=1e-12, atol=0)


@pytest.mark.parametrize("value", [np.nan, 1e6])
def test_voxels_that_are_not_usable_form_no_groups(value):
    coefficients = random_coefficients(300)
    usable = np.random.default_rng(6).random(300) < 0.8
    expected, centres = clustered(coefficients[:, usable], np.ones(usable.sum(), bool), 0)
    coefficients[:, ~usable] = value
    groups, shared = clustered(coefficients, usable, 0)
    np.testing.assert_array_equal(groups[usable], expected)
    np.testing.assert_array_equal(groups[~usable], 0)
    assert list(shared) == list(centres)
    for group, centre in centres.items():
        np.testing.assert_array_equal(shared[group], centre)


def test_without_a_usable_voxel_all_are_one_group_of_independent_noise():
    groups, shared = clustered(random_coefficients(5), np.zeros(5, bool), 0)
    assert groups.tolist() == [0] * 5
    assert {group: centre.tolist() for group, centre in shared.items()} == {0: [0.0, 0.0]}


def test_threads_change_no_bit_of_the_groups():
    coefficients = random_coefficients(400)
    found = []
    for n_threads in (1, 2, 4):
        with threadpool_limits(n_threads):
            found.append(clustered(coefficients, all_of(coefficients), 1))
    for groups, shared in found[1:]:
        np.testing.assert_array_equal(groups, found[0][0])
        for group, centre in found[0][1].items():
            np.testing.assert_array_equal(shared[group], centre)


@pytest.mark.parametrize("n_rows", [39, 40])
def test_an_order_that_the_data_are_too_short_for_is_refused(n_rows):
    assert noise_order("ar40", 41) == 40
    with pytest.raises(InputError, match=f"order 40 for {n_rows} rows"):
        noise_order("ar40", n_rows)


def test_voxels_with_the_same_coefficients_are_one_group():
    coefficients = np.repeat([[0.3, 0.5], [0.1, -0.2]], 200, axis=1)
    groups, shared = clustered(coefficients, np.ones(400, bool), seed=0)
    assert len(shared) == 2
    np.testing.assert_allclose(
        [shared[g] for g in groups.tolist()], coefficients.T, rtol=0, atol=1e-15
    )
