from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from twolevel.stats.inference.permutation_fwe import permutation_fwe
from twolevel.stats.permute.loop import permute_group
from twolevel.stats.permute.model import make_permutation_model
from twolevel.stats.permute.result import Permuted
from twolevel.stats.permute.settings import PermutationSettings
from twolevel.stats.permute.tail import ParetoTail, fit_tail


def fitted(values: Any, seed: int = 0) -> ParetoTail:
    tail = fit_tail(values, seed)
    assert tail is not None
    return tail


LAWS: Any = {
    "exponential": stats.expon(scale=3.0),
    "ends": stats.genpareto(-0.25, scale=2.0),
    "heavy": stats.genpareto(0.1, scale=0.5),
    "extreme value": stats.gumbel_r(loc=4.0, scale=0.5),
}


@pytest.mark.parametrize("law", ["exponential", "ends", "heavy", "extreme value"])
def test_p_far_out_is_found_by_most_samples_and_on_average(law):
    """2,000 values, p of 1 in 1,000; the logarithm of one p has a standard error near 0.5."""
    ratios = [
        fitted(LAWS[law].rvs(2000, random_state=rng)).p(LAWS[law].isf(np.array([1e-3])))[0] / 1e-3
        for rng in np.random.default_rng(1).spawn(16)
    ]
    assert 0.6 < np.median(ratios) < 1.6
    assert np.mean([1 / 3 < ratio < 3 for ratio in ratios]) > 0.6


def test_p_of_1_in_10_000_is_found_from_2_000_exponential_values():
    """The logarithm of one p has a standard error near 1."""
    law = LAWS["exponential"]
    ratios = [
        fitted(law.rvs(2000, random_state=rng)).p(law.isf(np.array([1e-4])))[0] / 1e-4
        for rng in np.random.default_rng(2).spawn(16)
    ]
    assert 1 / 2 < np.median(ratios) < 2
    assert np.mean([1 / 3 < ratio < 3 for ratio in ratios]) > 0.6


@pytest.mark.parametrize("law", ["exponential", "ends", "heavy"])
def test_p_far_out_is_found_more_closely_from_more_values(law):
    values = LAWS[law].rvs(40_000, random_state=np.random.default_rng(1))
    p = np.array([1e-2, 1e-3, 1e-4])
    np.testing.assert_allclose(fitted(values).p(LAWS[law].isf(p)), p, rtol=0.5, atol=0)


def test_the_shape_tells_tails_apart_that_end_and_that_do_not():
    shapes = [
        fitted(LAWS[law].rvs(20_000, random_state=np.random.default_rng(2))).shape
        for law in ("ends", "exponential", "heavy")
    ]
    np.testing.assert_allclose(shapes, [0.25, 0.0, -0.1], rtol=0, atol=0.05)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(10.0),
        np.random.default_rng(0).exponential(size=190),
        np.ones(2000),
        np.concatenate([np.random.default_rng(0).exponential(size=2000), [np.inf]]),
        np.concatenate([np.random.default_rng(0).exponential(size=2000), [np.nan]]),
        np.random.default_rng(0).integers(0, 2, 2000).astype(float),
        np.array([]),
    ],
    ids=["few", "190", "constant", "infinite", "missing", "two values", "none"],
)
def test_no_tail_is_fitted_where_none_can_be(values):
    assert fit_tail(values) is None


@pytest.mark.parametrize("seed", range(3))
def test_no_tail_that_ends_below_the_values_it_was_fitted_to_is_used(seed):
    """Sizes of clusters: each of these numbers has a share of its own."""
    values = np.random.default_rng(seed).poisson(1.0, 5000).astype(float)
    tail = fit_tail(values)
    own = np.array([4.0, 5.0])
    shares = [(values >= value).mean() for value in own]
    p = shares if tail is None else np.where(own > tail.threshold, tail.p(own), shares)
    np.testing.assert_allclose(p, shares, rtol=0.9, atol=0)


def test_200_values_are_enough():
    """A quarter of them are the 50 that a tail must have."""
    tail = fitted(np.random.default_rng(0).exponential(size=200))
    assert tail.share == 0.25


@pytest.mark.parametrize("seed", range(3))
def test_the_share_is_that_of_the_values_above_the_threshold(seed):
    values = np.random.default_rng(seed).normal(size=3000)
    tail = fitted(values)
    assert tail.threshold in values
    assert tail.share == (values > tail.threshold).mean()
    assert 50 / 3000 <= tail.share <= 0.25
    beyond = tail.p(np.array([tail.threshold - 1, tail.threshold]))
    np.testing.assert_allclose(beyond, tail.share, rtol=1e-12, atol=0)


def test_a_smaller_tail_is_taken_where_the_largest_does_not_fit():
    """The top tenth is exponential, and a lump of equal values lies within the quarter."""
    rng = np.random.default_rng(3)
    values = np.concatenate(
        [rng.uniform(0, 1, 1600), np.full(200, 1.5), 2 + rng.exponential(size=200)]
    )
    tail = fitted(values)
    assert tail.share <= 0.1
    assert tail.threshold >= 1.5
    np.testing.assert_allclose(tail.p(np.array([4.0])), 0.1 * np.exp(-2.0), rtol=0.4, atol=0)


@pytest.mark.parametrize("law", ["exponential", "ends", "heavy", "extreme value"])
def test_p_never_increases_with_the_value(law):
    values = LAWS[law].rvs(1000, random_state=5)
    tail = fitted(values)
    p = tail.p(np.linspace(values.min() - 1, 3 * values.max(), 5000))
    assert (np.diff(p) <= 0).all()
    assert p[-1] < 1e-3 < p[0]
    assert p.min() >= 0


@pytest.mark.parametrize("n_values", [60, 500])
def test_the_moments_give_the_formulas_on_paper(n_values):
    """Hosking & Wallis: k = (m^2 / s^2 - 1) / 2, a = m (m^2 / s^2 + 1) / 2."""
    values = np.random.default_rng(6).exponential(2.0, 4 * n_values)
    tail = fitted(values)
    assert tail.share == 0.25
    above = np.sort(values)[-n_values:] - np.sort(values)[-n_values - 1]
    mean, variance = above.sum() / n_values, ((above - above.mean()) ** 2).sum() / (n_values - 1)
    assert tail.shape == pytest.approx((mean**2 / variance - 1) / 2, rel=1e-12)
    assert tail.scale == pytest.approx(mean * (mean**2 / variance + 1) / 2, rel=1e-12)
    # A Pareto distribution with them has the mean and the variance that they were made of.
    law = stats.genpareto(-tail.shape, scale=tail.scale)
    np.testing.assert_allclose(law.stats(), [mean, variance], rtol=1e-9, atol=0)


@pytest.mark.parametrize("shape", [-0.4, -0.1, -1e-4, 0.0, 1e-4, 0.2, 0.5, 1.0])
def test_p_is_that_of_scipy_with_the_sign_of_the_shape_inverted(shape):
    tail = ParetoTail(threshold=1.5, share=0.2, shape=shape, scale=0.7)
    values = np.linspace(1.5, 6, 200)
    expected = 0.2 * stats.genpareto.sf(values, -shape, loc=1.5, scale=0.7)
    np.testing.assert_allclose(tail.p(values), expected, rtol=1e-6, atol=1e-15)


def test_the_seed_is_all_that_the_fit_draws_with():
    values = np.random.default_rng(8).exponential(size=1000)
    assert fit_tail(values, 3) == fit_tail(values, 3)


N_VOXELS, N_SUBJECTS = 60, 20
MASK = np.ones((N_VOXELS, 1, 1), bool)
GROUPS = np.repeat(np.eye(2), N_SUBJECTS // 2, axis=0)
DESIGNS: Any = {
    "flips": (np.ones((N_SUBJECTS, 1)), [1.0]),
    "permutations": (GROUPS, [1.0, -1.0]),
}


def graded_maps() -> Any:
    """Effects from none to overwhelming, so that p of all sizes occur."""
    maps = np.random.default_rng(9).normal(size=(N_SUBJECTS, N_VOXELS))
    maps[:10] += np.concatenate([np.zeros(20), np.linspace(0.5, 2.5, 39), [20.0]])
    maps[10:] += np.concatenate([np.zeros(20), np.linspace(0.5, 1.0, 39), [8.0]])
    return maps


def permuted_of(design: str, sides: Any) -> Permuted:
    X, C = DESIGNS[design]
    model = make_permutation_model(X, np.array(C), n_perm=4000)
    settings = PermutationSettings(sides=sides, statistics=("voxel", "tfce"))
    return permute_group(graded_maps(), MASK, model, settings)


PERMUTED = pytest.mark.parametrize(
    ("design", "sides"), [("flips", 2), ("permutations", 1), ("permutations", 2)]
)


def both_p(permuted: Permuted, test: str) -> Any:
    return [
        10.0 ** -permutation_fwe(permuted, test=test, tail=tail).map_values
        for tail in (None, "gpd")
    ]


@PERMUTED
def test_the_smoothed_p_agree_with_the_shares_around_5_percent(design, sides):
    permuted = permuted_of(design, sides)
    levels = np.quantile(permuted.largest["voxel"], np.linspace(0.93, 0.97, 9))
    observed = {**permuted.observed, "voxel": levels}
    shares, smoothed = both_p(dataclasses.replace(permuted, observed=observed), "permutationFWE")
    assert ((shares > 0.025) & (shares < 0.08)).all()
    np.testing.assert_allclose(smoothed, shares, rtol=0.2, atol=0)
    assert (smoothed != shares).all()


@pytest.mark.parametrize(
    ("design", "sides", "test"),
    [
        ("flips", 2, "permutationFWE"),
        ("flips", 2, "tfceFWE"),
        ("permutations", 1, "permutationFWE"),
        ("permutations", 2, "permutationFWE"),
    ],
)
def test_a_smoothed_p_may_lie_below_1_in_n_but_not_below_1_in_100_n(design, sides, test):
    permuted = permuted_of(design, sides)
    shares, smoothed = both_p(permuted, test)
    floor = 0.01 / permuted.n_used
    assert shares.min() == pytest.approx(permuted.smallest_p, rel=1e-12)
    assert smoothed.min() < 1 / permuted.n_used
    assert smoothed.min() >= floor * (1 - 1e-12)
    result = permutation_fwe(permuted, test=test, tail="gpd")
    assert result.smallest_p == floor
    assert result.n_permutations == permuted.n_used


@PERMUTED
def test_the_p_of_a_map_never_increase_with_the_value_across_the_threshold_of_the_tail(
    design, sides
):
    permuted = permuted_of(design, sides)
    values = np.linspace(0.01, permuted.largest["voxel"].max(), 3000)
    observed = {**permuted.observed, "voxel": values}
    shares, smoothed = both_p(dataclasses.replace(permuted, observed=observed), "permutationFWE")
    assert (np.diff(smoothed) <= 1e-12).all()
    outside = shares > 0.26
    np.testing.assert_array_equal(smoothed[outside], shares[outside])
    assert outside.any()


@PERMUTED
def test_what_was_fitted_is_said(design, sides):
    permuted = permuted_of(design, sides)
    plain, smoothed = (permutation_fwe(permuted, tail=tail) for tail in (None, "gpd"))
    assert "tail fitted" in smoothed.controls
    assert "tail fitted" not in plain.controls
    assert plain.smallest_p == permuted.smallest_p


def test_where_no_tail_fits_p_are_the_shares_and_nothing_else_is_said():
    model = make_permutation_model(np.ones((6, 1)), np.ones(1))
    permuted = permute_group(graded_maps()[:6], MASK, model)
    plain, smoothed = (permutation_fwe(permuted, tail=tail) for tail in (None, "gpd"))
    np.testing.assert_array_equal(plain.map_values, smoothed.map_values)
    assert plain.controls == smoothed.controls
    assert smoothed.smallest_p == 2 / 64


def uneven_flips() -> Permuted:
    """One side; the first subject, whose sign no drawn flip of a pair changes, is far off."""
    maps = np.random.default_rng(0).normal(size=(16, 40))
    maps[0] += 4
    model = make_permutation_model(np.ones((16, 1)), np.ones(1), n_perm=4000)
    settings = PermutationSettings(sides=1, statistics=("voxel",))
    return permute_group(maps, np.ones((40, 1, 1), bool), model, settings)


def test_one_sided_flips_are_fitted_with_mirror_images_which_have_values_of_their_own():
    permuted = uneven_flips()
    levels = np.quantile(permuted.largest["voxel"], np.linspace(0.9, 0.97, 8))
    observed = {"voxel": levels}
    shares, smoothed = both_p(dataclasses.replace(permuted, observed=observed), "permutationFWE")
    np.testing.assert_allclose(smoothed, shares, rtol=0.2, atol=0)
    assert (smoothed != shares).any()
