"""What must hold of estimates whatever the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from maps import combine

from twolevel.space.grid import Grid
from twolevel.space.mask import Mask
from twolevel.stats.contrasts import is_estimable
from twolevel.stats.estimates import TEstimate, p_from_t, z_from_t
from twolevel.stats.inference.cluster_extent import cluster_extent
from twolevel.stats.inference.cluster_table import cluster_table
from twolevel.stats.inference.result import GroupContrast
from twolevel.stats.maps.fit import fit_maps

N_VOXELS = 4
effects = arrays(float, N_VOXELS, elements=st.floats(-100, 100))
variances = arrays(float, N_VOXELS, elements=st.floats(1e-6, 1e4))
estimates = st.builds(TEstimate, effects, variances, st.integers(1, 300).map(float))
runs_of_a_subject = st.lists(estimates, min_size=1, max_size=6)
weightings = st.sampled_from(["fixed", "precision"])
dofs = st.floats(1, 1e4)
t_values = st.floats(-50, 50)


def assert_same(one: TEstimate, other: TEstimate) -> None:
    np.testing.assert_allclose(one.effect, other.effect, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.variance, other.variance, rtol=1e-9, atol=0)
    assert one.dof == other.dof


@given(runs=runs_of_a_subject, weighting=weightings, data=st.data())
def test_the_order_of_runs_does_not_matter(runs, weighting, data):
    shuffled = data.draw(st.permutations(runs))
    assert_same(combine(shuffled, weighting), combine(runs, weighting))


@given(run=estimates, weighting=weightings)
def test_one_run_is_its_own_combination(run, weighting):
    assert_same(combine([run], weighting), run)


@given(runs=runs_of_a_subject)
def test_weights_by_precision_never_give_a_larger_variance_than_equal_weights(runs):
    mean, precision = combine(runs), combine(runs, "precision")
    assert (precision.variance <= mean.variance * (1 + 1e-12)).all()


@given(run=estimates, n=st.integers(1, 8), weighting=weightings)
def test_the_same_run_n_times_divides_its_variance_by_n(run, n, weighting):
    combined = combine([run] * n, weighting)
    expected = TEstimate(run.effect, run.variance / n, run.dof * n)
    assert_same(combined, expected)


@given(runs=runs_of_a_subject, weighting=weightings, scale=st.floats(0.01, 100))
def test_units_of_the_effect_carry_through(runs, weighting, scale):
    scaled = [TEstimate(r.effect * scale, r.variance * scale**2, r.dof) for r in runs]
    expected = combine(runs, weighting)
    assert_same(
        combine(scaled, weighting),
        TEstimate(expected.effect * scale, expected.variance * scale**2, expected.dof),
    )


@given(runs=runs_of_a_subject, weighting=weightings)
def test_a_combined_effect_lies_between_those_of_the_runs(runs, weighting):
    there = np.stack([run.effect for run in runs])
    effect = combine(runs, weighting).effect
    assert (effect >= there.min(axis=0) - 1e-9).all()
    assert (effect <= there.max(axis=0) + 1e-9).all()


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 20), exponent=st.floats(-4, 4))
def test_scaling_the_maps_scales_the_effect_and_leaves_t(seed, n, exponent):
    maps = np.random.default_rng(seed).normal(1, 1, (n, 5))
    scale = 10**exponent
    before, after = fit_maps(maps), fit_maps(maps * scale)
    for name, unit in {"effect": scale, "variance": scale**2}.items():
        expected = before.maps()[name] * unit
        np.testing.assert_allclose(after.maps()[name], expected, rtol=1e-9, atol=0)
    np.testing.assert_allclose(after.stat, before.stat, rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 20))
def test_the_order_of_subjects_and_the_sign_of_maps_carry_through(seed, n):
    rng = np.random.default_rng(seed)
    maps = rng.normal(1, 1, (n, 5))
    t = fit_maps(maps).stat
    np.testing.assert_allclose(fit_maps(rng.permutation(maps)).stat, t, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit_maps(-maps).stat, -t, rtol=1e-12, atol=0)


@given(t=t_values, dof=dofs)
def test_the_two_tails_of_t_complete_each_other(t, dof):
    up, down = (float(p_from_t(np.array([value]), dof, sides=1)[0]) for value in (t, -t))
    assert up + down == pytest.approx(1, rel=1e-9)
    two_sided = float(p_from_t(np.array([t]), dof, sides=2)[0])
    assert two_sided == pytest.approx(2 * min(up, down), rel=1e-9)
    assert two_sided == p_from_t(np.array([-t]), dof, sides=2)[0]


@given(t=arrays(float, 20, elements=t_values), dof=dofs)
def test_z_grows_with_t_and_is_odd(t, dof):
    t = np.sort(t)
    z = z_from_t(t, dof)
    assert (np.diff(z) >= 0).all()
    np.testing.assert_array_equal(z_from_t(-t, dof), -z)
    clear = np.abs(t) > 1e-6
    np.testing.assert_array_equal(np.sign(z[clear]), np.sign(t[clear]))


@given(t=st.floats(0.01, 30), dof=st.floats(1, 1000))
def test_z_is_strictly_between_zero_and_t(t, dof):
    """The tails of t are heavier than those of the normal distribution."""
    z = float(z_from_t(np.array([t]), dof)[0])
    assert 0 < z < t


@given(seed=st.integers(0, 2**32 - 1), height=st.floats(0.3, 2.5), min_voxels=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_cluster_sizes_sum_to_the_survivors(seed, height, min_voxels):
    rng = np.random.default_rng(seed)
    mask = rng.random((6, 7, 5)) < 0.8
    grid = Grid(mask.shape, np.diag([2.0, 2.0, 3.0, 1.0]))
    z = rng.normal(size=int(mask.sum()))
    group = GroupContrast(TEstimate(z, np.ones_like(z), 1e9), Mask(grid, mask))
    test = cluster_extent(group, height=height, min_voxels=min_voxels)
    table = cluster_table(group, test)
    assert table["n_voxels"].sum() == test.surviving.sum()
    assert (table["n_voxels"] >= min_voxels).all()
    assert (table["z_at_peak"].abs() >= height - 1e-6).all()
    assert table["n_voxels"].is_monotonic_decreasing
    np.testing.assert_allclose(
        list(table["volume_mm3"]), [12.0 * n for n in table["n_voxels"]], rtol=1e-12, atol=0
    )
    n_negative = table.loc[table["sign"] == "negative", "n_voxels"].sum()
    assert n_negative == (test.surviving & (z < 0)).sum()


def designs(n_columns: int) -> Any:
    return arrays(float, (8, n_columns), elements=st.integers(-3, 3).map(float))


@given(design=designs(4), weights=arrays(float, 8, elements=st.integers(-3, 3).map(float)))
def test_a_combination_of_rows_is_estimable(design, weights):
    vector = weights @ design
    assert is_estimable(vector, design) == bool(np.any(vector))


@given(
    design=designs(4),
    vector=arrays(float, 4, elements=st.integers(-2, 2).map(float)),
    exponents=st.tuples(*[st.integers(-6, 6)] * 4),
)
def test_units_of_the_regressors_do_not_decide_what_is_estimable(design, vector, exponents):
    units = 10.0 ** np.array(exponents)
    assert is_estimable(vector * units, design * units) == is_estimable(vector, design)


@given(design=designs(3), vector=arrays(float, 4, elements=st.integers(-2, 2).map(float)))
def test_estimable_is_what_does_not_raise_the_rank(design, vector):
    design = np.column_stack([design, design[:, 0] - design[:, 2]])
    raises = np.linalg.matrix_rank(np.vstack([design, vector])) > np.linalg.matrix_rank(design)
    assert is_estimable(vector, design) == (bool(np.any(vector)) and not raises)
