"""Enhancement equals its definition, height by height, and is the limit of sums with steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from twolevel.numerics.neighbours import CONNECTIVITIES, neighbour_table
from twolevel.numerics.tfce import _positive_from_the_highest, enhance

RTOL, ATOL = 1e-11, 1e-12
SHAPE = (5, 6, 7)
connectivities = pytest.mark.parametrize("connectivity", [6, 18, 26])
powers = pytest.mark.parametrize("power", [(0.5, 2.0), (1.0, 1.0), (0.7, 1.5), (0.0, 0.0)])


def enhanced(
    volume: Any, mask: Any, connectivity: int = 6, power: tuple[float, float] = (0.5, 2.0)
) -> tuple[float, Any]:
    """Return the largest score and the scores as a volume, NaN outside the mask."""
    values = np.ascontiguousarray(volume[mask], np.float32)
    scores = np.full(len(values), np.nan)
    largest = enhance(values, neighbour_table(mask, connectivity), *power, scores)
    out = np.full(mask.shape, np.nan)
    out[mask] = scores
    return largest, out


def extents_at(volume: Any, mask: Any, height: float, connectivity: int) -> Any:
    """Return the size of each voxel's cluster when the map is cut at a height."""
    structure = ndimage.generate_binary_structure(3, CONNECTIVITIES[connectivity])
    labels, _ = ndimage.label(mask & (volume >= height), structure)
    return np.where(labels > 0, np.bincount(labels.ravel())[labels], 0)


def slow_twin(volume: Any, mask: Any, connectivity: int, power: tuple[float, float]) -> Any:
    E, H = power
    scores, below = np.where(mask, 0.0, np.nan), 0.0
    for height in np.unique(volume[mask & (volume > 0)]).astype(float):
        extents = extents_at(volume, mask, height, connectivity)
        step = (height ** (H + 1) - below ** (H + 1)) / (H + 1)
        scores[extents > 0] += extents[extents > 0] ** E * step
        below = height
    return scores


def sum_with_steps(volume: Any, mask: Any, dh: float, *, at: float) -> Any:
    """Sum over steps of height, each taken at its top (``at`` is 1) or in its middle (0.5)."""
    scores = np.where(mask, 0.0, np.nan)
    for j in range(int(np.ceil(volume[mask].max() / dh))):
        height = (j + at) * dh
        scores[mask] += (extents_at(volume, mask, height, 6) ** 0.5 * height**2 * dh)[mask]
    return scores


def smooth_noise(seed: int) -> Any:
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    smooth = ndimage.gaussian_filter(noise, 0.8)
    return (3 * smooth / smooth.std()).astype(np.float32)


def pieces(seed: int) -> Any:
    """Return a mask that falls into several pieces, in every connectivity."""
    mask = np.random.default_rng(seed).random(SHAPE) < 0.7
    mask[2] = False
    mask[:, 4] = False
    assert ndimage.label(mask, np.ones((3, 3, 3)))[1] >= 4
    return mask


@powers
@connectivities
@pytest.mark.parametrize("seed", [0, 1])
def test_scores_are_those_of_the_definition(seed, connectivity, power):
    volume = smooth_noise(seed)
    for mask in (np.ones(SHAPE, bool), pieces(seed)):
        largest, scores = enhanced(volume, mask, connectivity, power)
        expected = slow_twin(volume, mask, connectivity, power)
        np.testing.assert_allclose(scores, expected, rtol=RTOL, atol=ATOL)
        assert largest == np.nanmax(scores) > 0


@connectivities
def test_data_that_are_positive_everywhere_are_one_cluster_at_last(connectivity):
    volume, mask = np.abs(smooth_noise(3)) + 1, np.ones(SHAPE, bool)
    _, scores = enhanced(volume, mask, connectivity)
    expected = slow_twin(volume, mask, connectivity, (0.5, 2.0))
    np.testing.assert_allclose(scores, expected, rtol=RTOL, atol=ATOL)
    lowest = float(volume.min())
    np.testing.assert_allclose(scores.min(), np.sqrt(volume.size) * lowest**3 / 3, rtol=RTOL)


@settings(deadline=None, max_examples=60)
@given(
    volume=arrays(np.int64, (3, 3, 4), elements=st.integers(-1, 4)),
    mask=arrays(bool, (3, 3, 4)),
    connectivity=st.sampled_from([6, 18, 26]),
    power=st.sampled_from([(0.5, 2.0), (1.0, 0.5)]),
)
def test_scores_are_those_of_the_definition_whatever_the_ties(volume, mask, connectivity, power):
    _, scores = enhanced(volume, mask, connectivity, power)
    expected = slow_twin(volume, mask, connectivity, power)
    np.testing.assert_allclose(scores, expected, rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize(("at", "order"), [(1.0, 1), (0.5, 2)])
def test_sums_with_steps_that_meet_all_heights_converge_in_their_order(at, order):
    # On whole numbers extents change at the borders of steps only: h^2 alone is approximated.
    mask, volume = pieces(4), np.round(smooth_noise(4))
    _, exact = enhanced(volume, mask)
    errors = [
        np.nanmax(np.abs(sum_with_steps(volume, mask, dh, at=at) - exact))
        for dh in (1 / 4, 1 / 8, 1 / 16, 1 / 32)
    ]
    ratios = np.divide(errors[:-1], errors[1:])
    np.testing.assert_allclose(ratios, 2.0**order, rtol=0.03, atol=0)
    assert errors[-1] < {1: 0.05, 2: 0.0005}[order] * np.nanmax(exact)


def test_sums_with_steps_converge_to_the_scores_in_first_order():
    mask, volume = pieces(5), smooth_noise(5)
    _, exact = enhanced(volume, mask)
    steps = 0.2 / 2.0 ** np.arange(5)
    errors = [np.nanmean(np.abs(sum_with_steps(volume, mask, dh, at=1.0) - exact)) for dh in steps]
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    np.testing.assert_allclose(order, 1.0, rtol=0, atol=0.15)
    assert errors[-1] < 0.01 * np.nanmean(exact)


@pytest.mark.parametrize("value", [0.0, -0.0, -2.5, np.nan, -np.inf])
def test_without_a_positive_voxel_all_scores_are_zero(value):
    largest, scores = enhanced(np.full((2, 3, 2), value), np.ones((2, 3, 2), bool))
    assert largest == 0.0
    np.testing.assert_array_equal(scores, np.zeros((2, 3, 2)))


def test_a_mask_without_voxels_has_no_score():
    largest, _ = enhanced(np.ones((2, 2, 2)), np.zeros((2, 2, 2), bool))
    assert largest == 0.0


@powers
def test_one_voxel_is_a_cluster_of_size_one(power):
    largest, scores = enhanced(np.full((1, 1, 1), 2.5), np.ones((1, 1, 1), bool), 26, power)
    expected = 2.5 ** (power[1] + 1) / (power[1] + 1)
    np.testing.assert_allclose([largest, scores[0, 0, 0]], expected, rtol=1e-14)


@powers
def test_equal_values_share_the_score_of_the_whole_cluster(power):
    E, H = power
    largest, scores = enhanced(np.full(SHAPE, 1.5), np.ones(SHAPE, bool), 6, power)
    expected = np.prod(SHAPE) ** E * 1.5 ** (H + 1) / (H + 1)
    np.testing.assert_allclose(scores, np.full(SHAPE, expected), rtol=1e-13)
    assert largest == scores[0, 0, 0]


def test_voxels_that_do_not_touch_have_nothing_from_each_other():
    volume = np.array([[[3.0, -1.0, 2.0]]])
    _, scores = enhanced(volume, np.ones(volume.shape, bool))
    np.testing.assert_allclose(scores, [[[9.0, 0.0, 8 / 3]]], rtol=1e-14)
    outside = np.array([[[True, False, True]]])
    _, scores = enhanced(np.abs(volume), outside)
    np.testing.assert_allclose(scores, [[[9.0, np.nan, 8 / 3]]], rtol=1e-14)


@pytest.mark.parametrize(
    ("other", "joined_by"), [((0, 0, 1), {6, 18, 26}), ((0, 1, 1), {18, 26}), ((1, 1, 1), {26})]
)
@connectivities
def test_two_voxels_support_each_other_up_to_the_lower_one(other, joined_by, connectivity):
    volume = np.zeros((2, 2, 2))
    volume[0, 0, 0], volume[other] = 3.0, 2.0
    _, scores = enhanced(volume, np.ones((2, 2, 2), bool), connectivity)
    extent = 2 if connectivity in joined_by else 1
    low = np.sqrt(extent) * 8 / 3
    expected = np.zeros((2, 2, 2))
    expected[0, 0, 0], expected[other] = low + 19 / 3, low
    np.testing.assert_allclose(scores, expected, rtol=1e-14)


def test_nan_is_not_above_zero():
    volume = np.array([[[2.0, np.nan, 2.0, 1.0]]])
    largest, scores = enhanced(volume, np.ones(volume.shape, bool))
    both = np.sqrt(2) / 3
    expected = [8 / 3, 0.0, both + 7 / 3, both]
    np.testing.assert_allclose(scores, [[expected]], rtol=1e-14)
    assert largest == scores[0, 0, 2]


@connectivities
@pytest.mark.parametrize("seed", [6, 7])
def test_the_order_of_voxels_changes_no_bit_of_tied_scores(seed, connectivity):
    volume, mask = np.round(smooth_noise(seed)), pieces(seed)
    largest, scores = enhanced(volume, mask, connectivity)
    for axes in [(0,), (1, 2), (0, 1, 2)]:
        turned = np.flip(volume, axes).T, np.flip(mask, axes).T
        turned_largest, turned_scores = enhanced(*turned, connectivity)
        np.testing.assert_array_equal(np.flip(turned_scores.T, axes), scores)
        assert turned_largest == largest


@pytest.mark.parametrize("factor", [2.0**-20, 3.0, 1000.0])
@powers
def test_scores_grow_with_the_scale_of_the_map_by_a_power(factor, power):
    mask = pieces(8)
    volume = np.round(8 * smooth_noise(8)) / 8  # times the factor is exact in single precision
    largest, scores = enhanced(volume, mask, 18, power)
    scaled_largest, scaled = enhanced(factor * volume, mask, 18, power)
    growth = factor ** (power[1] + 1)
    np.testing.assert_allclose(scaled, growth * scores, rtol=RTOL, atol=0)
    np.testing.assert_allclose(scaled_largest, growth * largest, rtol=RTOL, atol=0)


def test_values_and_neighbours_are_not_changed():
    values = np.ascontiguousarray(smooth_noise(9).ravel())
    neighbours = neighbour_table(np.ones(SHAPE, bool), 18)
    before = values.copy(), neighbours.copy()
    enhance(values, neighbours, 0.5, 2.0, np.empty(len(values)))
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(neighbours, before[1])


def stable_order(values: Any) -> list[int]:
    positive = np.flatnonzero(values > 0)
    by_value = np.argsort(-values[positive], kind="stable")
    return [int(v) for v in positive[by_value]]


@settings(deadline=None, max_examples=100)
@given(values=arrays(np.float32, st.integers(0, 60), elements=st.floats(width=32), unique=False))
def test_the_sort_is_stable_and_from_the_highest(values):
    assert _positive_from_the_highest(values).tolist() == stable_order(values)


def test_the_sort_orders_numbers_of_all_sizes_and_ties():
    limits = np.finfo(np.float32)
    extreme = np.array(
        [0, limits.smallest_subnormal, 2 * limits.smallest_subnormal, limits.tiny, 1, limits.max],
        np.float32,
    )
    rng = np.random.default_rng(0)
    sizes = np.exp2(rng.uniform(-149, 127, 3000)).astype(np.float32)
    values = np.concatenate([extreme, sizes, sizes, -sizes, extreme[::-1], np.nextafter(sizes, 0)])
    values = rng.permutation(values.astype(np.float32))
    order = _positive_from_the_highest(values).tolist()
    assert len(order) > 9000
    assert order == stable_order(values)
    assert values[order[0]] == limits.max
    assert values[order[-1]] == limits.smallest_subnormal
