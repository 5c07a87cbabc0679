from __future__ import annotations

import numpy as np
import pytest

from twolevel.errors import InputError
from twolevel.stats.estimates import ContrastEstimate, p_from_t, z_from_t
from twolevel.stats.maps.fixed import combine_runs
from twolevel.stats.maps.ols import fit_group


def test_t_is_the_effect_over_its_standard_error():
    estimate = ContrastEstimate(np.array([3.0, -4.0]), np.array([4.0, 16.0]), 10.0)
    assert estimate.t.tolist() == [1.5, -1.0]


def test_no_variance_gives_a_finite_t_and_no_effect_gives_zero():
    estimate = ContrastEstimate(np.array([1.0, 0.0]), np.zeros(2), 100.0)
    assert estimate.t.tolist() == [pytest.approx(1e25, rel=1e-12), 0.0]
    assert estimate.z[0] == pytest.approx(37.0471, rel=1e-5)
    assert estimate.z[1] == 0.0


def test_known_quantiles_of_t():
    # 2.228139 is the 97.5 % quantile of t with 10 degrees of freedom; 1.959964 that of z
    t = np.array([2.2281388520, -2.2281388520])
    np.testing.assert_allclose(z_from_t(t, 10), [1.9599639845, -1.9599639845], rtol=1e-8, atol=0)
    np.testing.assert_allclose(p_from_t(t, 10, sides=2), [0.05, 0.05], rtol=1e-8, atol=0)
    np.testing.assert_allclose(p_from_t(t, 10, sides=1), [0.025, 0.975], rtol=1e-8, atol=0)


def test_a_run_without_variance_does_not_take_all_the_weight_to_infinity():
    runs = [
        ContrastEstimate(np.array([1.0]), np.array([0.0]), 5.0),
        ContrastEstimate(np.array([2.0]), np.array([1.0]), 5.0),
    ]
    combined = combine_runs(runs, weighting="precision")
    np.testing.assert_allclose(combined.effect, [1.0], rtol=1e-12, atol=0)
    np.testing.assert_allclose(combined.variance, [1e-16], rtol=1e-9, atol=0)


def test_by_default_the_group_is_the_mean_over_subjects():
    group = fit_group(np.array([[1.0, 0.0], [3.0, 4.0]]))
    np.testing.assert_allclose(group.effect, [2.0, 2.0], rtol=1e-12, atol=0)
    np.testing.assert_allclose(group.variance, [1.0, 4.0], rtol=1e-12, atol=0)
    assert group.dof == 1


def test_the_first_column_is_estimated_unless_a_contrast_is_given():
    rng = np.random.default_rng(0)
    maps, design = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
    default = fit_group(maps, design).effect
    first = fit_group(maps, design, np.array([1.0, 0.0])).effect
    second = fit_group(maps, design, np.array([0.0, 1.0])).effect
    np.testing.assert_array_equal(default, first)
    assert np.abs(default - second).min() > 1e-6


@pytest.mark.parametrize(
    ("n_subjects", "design", "needed"),
    [(1, None, 2), (2, np.array([[1.0, 0], [1, 1]]), 3), (2, np.array([[1.0, 1], [2, 0]]), 3)],
)
def test_too_few_subjects_are_refused(n_subjects, design, needed):
    with pytest.raises(InputError) as error:
        fit_group(np.zeros((n_subjects, 3)), design)
    (problem,) = error.value.problems
    assert problem.found == f"{n_subjects} subjects"
    assert problem.expected == f"at least {needed} for this design"


def test_a_superfluous_column_does_not_cost_a_degree_of_freedom():
    maps = np.random.default_rng(0).normal(size=(8, 5))
    twice = fit_group(maps, np.ones((8, 2)), np.array([1.0, 1.0]))
    once = fit_group(maps)
    assert twice.dof == once.dof == 7
    np.testing.assert_allclose(twice.t, once.t, rtol=1e-9, atol=1e-12)
