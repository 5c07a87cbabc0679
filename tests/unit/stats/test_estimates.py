from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from twolevel.model.nodes import Contrast
from twolevel.stats.estimates import (
    FEstimate,
    TEstimate,
    joined,
    p_from_f,
    p_from_t,
    z_from_f,
    z_from_t,
)

T = TEstimate(np.array([3.0, -4.0, 1.0]), np.array([4.0, 16.0, 1.0]), 10.0)
F = FEstimate(np.array([3.0, 0.5, 9.0]), 2, 10.0)


def test_t_is_the_effect_over_its_standard_error():
    assert T.stat.tolist() == [1.5, -1.0, 1.0]


def test_no_variance_gives_a_finite_t_and_no_effect_gives_zero():
    estimate = TEstimate(np.array([1.0, 0.0]), np.zeros(2), 100.0)
    assert estimate.stat.tolist() == [pytest.approx(1e25, rel=1e-12), 0.0]
    assert estimate.z[0] == pytest.approx(37.0471, rel=1e-5)
    assert estimate.z[1] == 0.0


def test_known_quantiles_of_t():
    # 2.228139 is the 97.5 % quantile of t with 10 degrees of freedom; 1.959964 that of z
    t = np.array([2.2281388520, -2.2281388520])
    np.testing.assert_allclose(z_from_t(t, 10), [1.9599639845, -1.9599639845], rtol=1e-8, atol=0)
    np.testing.assert_allclose(p_from_t(t, 10, sides=2), [0.05, 0.05], rtol=1e-8, atol=0)
    np.testing.assert_allclose(p_from_t(t, 10, sides=1), [0.025, 0.975], rtol=1e-8, atol=0)


def test_known_quantiles_of_f():
    # 4.102821 is the 95 % quantile of F with 2 and 10 degrees of freedom; 1.644854 that of z
    f = np.array([4.1028210151])
    np.testing.assert_allclose(p_from_f(f, 2, 10), [0.05], rtol=1e-8, atol=0)
    np.testing.assert_allclose(z_from_f(f, 2, 10), [1.6448536270], rtol=1e-8, atol=0)
    np.testing.assert_allclose(z_from_f(np.zeros(1), 2, 10), [-37.0471], rtol=1e-5, atol=0)


def test_an_f_of_one_row_has_the_two_sided_p_of_its_t():
    t = np.array([-3.0, 0.2, 12.0])
    np.testing.assert_allclose(
        FEstimate(t**2, 1, 7.0).p(), p_from_t(t, 7.0, sides=2), rtol=1e-9, atol=0
    )


def test_f_has_one_tail_whatever_is_asked_for():
    np.testing.assert_array_equal(F.p(sides=1), F.p(sides=2))
    np.testing.assert_allclose(F.p(), stats.f.sf(F.f, 2, 10), rtol=1e-9, atol=0)


def test_the_maps_of_t_and_of_f():
    assert {name: values.tolist() for name, values in T.maps().items()} == {
        "effect": [3.0, -4.0, 1.0],
        "variance": [4.0, 16.0, 1.0],
        "t": [1.5, -1.0, 1.0],
        "z": T.z.tolist(),
    }
    assert list(F.maps()) == ["F", "z"]
    assert F.maps()["F"].tolist() == F.stat.tolist() == [3.0, 0.5, 9.0]
    assert (T.kind, F.kind) == ("t", "F")


def test_degrees_of_freedom_may_be_one_per_point():
    dof = np.array([5.0, 10.0, 20.0])
    estimate = TEstimate(T.effect, T.variance, dof)
    for index, own in enumerate(dof):
        alone = TEstimate(T.effect, T.variance, float(own))
        assert estimate.z[index] == alone.z[index]
        assert estimate.p(sides=1)[index] == alone.p(sides=1)[index]
        assert FEstimate(F.f, 2, dof).z[index] == FEstimate(F.f, 2, float(own)).z[index]


@pytest.mark.parametrize("dof", [10.0, np.array([5.0, 10.0, 20.0])])
@pytest.mark.parametrize("kind", ["t", "F"])
def test_points_that_are_kept_and_joined_again_are_the_same(kind, dof):
    whole = TEstimate(T.effect, T.variance, dof) if kind == "t" else FEstimate(F.f, 2, dof)
    first, rest = whole.keep(np.array([True, False, False])), whole.keep(np.array([1, 2]))
    assert (first.n_points, rest.n_points, whole.n_points) == (1, 2, 3)
    again = joined([first, rest])
    assert type(again) is type(whole)
    assert np.ndim(again.dof) == np.ndim(dof)
    for name, values in whole.maps().items():
        np.testing.assert_array_equal(again.maps()[name], values)


def test_where_nothing_but_rounding_is_left_an_estimate_does_not_vary():
    effect, variance = np.array([1.0, 1.0, 0.0]), np.array([1e-14, 1e-10, 0.0])
    assert TEstimate(effect, variance, 10.0).varies(1e-12).tolist() == [False, True, False]
    f = np.array([1e14, 1e10, 0.0])
    assert FEstimate(f, 2, 10.0).varies(1e-12).tolist() == [False, True, False]


def test_the_weights_of_an_f_contrast_are_not_those_of_its_first_row():
    contrast = Contrast("any", "any", (("a", (1.0, 0.0)), ("b", (0.0, 1.0))), "F")
    with pytest.raises(TypeError, match='contrast "any" is an F contrast: it has rows of weights'):
        _ = contrast.weight_of
    with pytest.raises(TypeError, match="F contrast"):
        _ = contrast.column_weights
