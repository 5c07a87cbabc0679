"""The smoother of a mask's voxels equals smoothing the whole volume, its slow twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twolevel.numerics.masked_smoothing import MaskedSmoother
from twolevel.numerics.smoothing import smooth_volume

SHAPE = (11, 9, 8)
OBLIQUE = np.array(
    [[2.0, 0.3, -0.1, -40.0], [-0.25, 2.9, 0.4, -60.0], [0.2, -0.35, 3.8, 20.0], [0, 0, 0, 1]]
)
AFFINES = {
    "isotropic": np.diag([3.0, 3.0, 3.0, 1.0]),
    "anisotropic": np.diag([-2.0, 3.5, 4.2, 1.0]),
    "oblique": OBLIQUE,
}
ISOTROPIC = AFFINES["isotropic"]


def random_volume(shape: tuple[int, ...] = SHAPE, seed: int = 2) -> Any:
    return np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)


def random_mask(shape: tuple[int, ...] = SHAPE, seed: int = 3, share: float = 0.4) -> Any:
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < share
    mask[tuple(rng.integers(shape))] = True
    return mask


def smoothed(
    volume: Any, mask: Any, affine: Any, fwhm: float, scaling: tuple[float, float] = (1.0, 0.0)
) -> tuple[Any, Any]:
    out = np.full(int(mask.sum()), np.nan, np.float32)
    not_finite = MaskedSmoother(mask, affine, fwhm)(volume, *scaling, out)
    return out, not_finite


def assert_equals_twin(out: Any, values: Any, mask: Any, affine: Any, fwhm: float) -> None:
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0))
    expected = smooth_volume(values.astype(np.float32), affine, fwhm)[mask]
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6 * largest)


def one_face(axis: int, index: int) -> Any:
    mask = np.zeros(SHAPE, bool)
    face = [slice(2, 6)] * 3
    face[axis] = slice(index, index + 1) if index >= 0 else slice(index, None)
    mask[tuple(face)] = True
    return mask


@pytest.mark.parametrize("fwhm", [0.5, 4.0, 9.0])
@pytest.mark.parametrize("grid", AFFINES)
@pytest.mark.parametrize("share", [0.02, 0.4, 1.0])
def test_the_voxels_of_a_mask_equal_those_of_the_smoothed_volume(grid, fwhm, share):
    volume, mask = random_volume(), random_mask(share=share)
    out, not_finite = smoothed(volume, mask, AFFINES[grid], fwhm)
    assert_equals_twin(out, volume, mask, AFFINES[grid], fwhm)
    assert not_finite is None


@pytest.mark.parametrize("index", [0, -1])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mask_at_a_border_sees_the_volume_mirrored_there(axis, index):
    volume, mask = random_volume(), one_face(axis, index)
    out, _ = smoothed(volume, mask, OBLIQUE, 6.0)
    assert_equals_twin(out, volume, mask, OBLIQUE, 6.0)


@pytest.mark.parametrize("voxel", [(0, 0, 0), (10, 8, 7), (5, 0, 7), (4, 5, 3)])
def test_one_voxel_is_enough_of_a_mask(voxel):
    volume, mask = random_volume(), np.zeros(SHAPE, bool)
    mask[voxel] = True
    out, _ = smoothed(volume, mask, AFFINES["anisotropic"], 7.0)
    assert_equals_twin(out, volume, mask, AFFINES["anisotropic"], 7.0)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 2), (3, 2, 4), (2, 1, 9)])
def test_a_volume_smaller_than_the_kernel_is_mirrored_more_than_once(shape):
    volume, mask = random_volume(shape), random_mask(shape, share=0.7)
    out, _ = smoothed(volume, mask, ISOTROPIC, 30.0)
    assert_equals_twin(out, volume, mask, ISOTROPIC, 30.0)


def test_without_smoothing_the_values_are_taken_as_they_are():
    volume, mask = random_volume(), random_mask()
    np.testing.assert_array_equal(smoothed(volume, mask, OBLIQUE, 0.0)[0], volume[mask])


def test_a_volume_of_one_value_keeps_it():
    mask = random_mask()
    out, _ = smoothed(np.full(SHAPE, 7, np.float32), mask, OBLIQUE, 8.0)
    np.testing.assert_allclose(out, 7, rtol=1e-6, atol=0)


@pytest.mark.parametrize("fwhm", [0.0, 5.0])
def test_the_order_in_memory_changes_no_bit(fwhm):
    volume, mask = random_volume(), random_mask()
    by_rows, _ = smoothed(np.ascontiguousarray(volume), mask, OBLIQUE, fwhm)
    by_columns, _ = smoothed(np.asfortranarray(volume), mask, OBLIQUE, fwhm)
    every_second = np.repeat(volume, 2, axis=1)[:, ::2]
    strided, _ = smoothed(every_second, mask, OBLIQUE, fwhm)
    np.testing.assert_array_equal(by_rows, by_columns)
    np.testing.assert_array_equal(by_rows, strided)


@pytest.mark.parametrize("fwhm", [0.0, 5.0])
@pytest.mark.parametrize("kind", ["<i2", ">i2", "u1", "<f8", ">f8", ">f4"])
def test_stored_numbers_of_any_type_are_scaled_first(kind, fwhm):
    mask = random_mask()
    stored = np.random.default_rng(5).normal(100, 30, SHAPE).clip(0, 255).astype(kind)
    out, _ = smoothed(stored, mask, OBLIQUE, fwhm, scaling=(0.37, -250.0))
    values = 0.37 * stored.astype(np.float64) - 250
    assert_equals_twin(out, values, mask, OBLIQUE, fwhm)


@pytest.mark.parametrize("fwhm", [0.0, 6.0])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8"])
def test_values_that_are_not_finite_count_as_zero_and_are_told(kind, fwhm):
    volume, mask = random_volume().astype(kind), random_mask()
    rng = np.random.default_rng(6)
    for bad in (np.nan, np.inf, -np.inf):
        volume[rng.random(SHAPE) < 0.03] = bad
    out, not_finite = smoothed(volume, mask, ISOTROPIC, fwhm)
    assert_equals_twin(out, volume, mask, ISOTROPIC, fwhm)
    expected = ~np.isfinite(volume[mask])
    assert 0 < expected.sum() < mask.sum()
    np.testing.assert_array_equal(not_finite, expected)


def test_a_hole_beside_the_mask_counts_as_zero_but_is_no_hole_of_a_voxel():
    volume, mask = random_volume(), one_face(0, 4)
    volume[5, 3, 3] = np.nan
    out, not_finite = smoothed(volume, mask, ISOTROPIC, 6.0)
    assert_equals_twin(out, volume, mask, ISOTROPIC, 6.0)
    np.testing.assert_array_equal(not_finite, np.zeros(mask.sum(), bool))


def test_a_hole_out_of_the_kernels_reach_is_not_looked_at():
    volume, mask = random_volume(), one_face(0, 0)
    volume[10] = np.inf
    out, not_finite = smoothed(volume, mask, ISOTROPIC, 3.0)
    assert_equals_twin(out, volume, mask, ISOTROPIC, 3.0)
    assert not_finite is None


def test_large_values_are_no_holes_though_their_sum_is_infinite():
    mask = random_mask()
    volume = np.random.default_rng(7).uniform(0.5e37, 1.5e37, SHAPE).astype(np.float32)
    with np.errstate(over="ignore"):
        assert np.isinf(volume.sum())
    out, not_finite = smoothed(volume, mask, ISOTROPIC, 6.0)
    assert_equals_twin(out, volume, mask, ISOTROPIC, 6.0)
    assert not_finite is None or not not_finite.any()


def test_a_value_too_large_for_single_precision_is_a_hole():
    volume, mask = random_volume().astype(np.float64), random_mask(share=1.0)
    volume[3, 4, 5] = 1e39
    out, not_finite = smoothed(volume, mask, ISOTROPIC, 6.0)
    as_infinite = volume.copy()
    as_infinite[3, 4, 5] = np.inf
    assert_equals_twin(out, as_infinite, mask, ISOTROPIC, 6.0)
    assert np.flatnonzero(not_finite).tolist() == [np.ravel_multi_index((3, 4, 5), SHAPE)]


def test_the_volume_is_not_changed():
    volume = random_volume()
    volume[4, 4, 4] = np.nan
    before = volume.copy()
    volume.flags.writeable = False
    mask = random_mask()
    out, _ = smoothed(volume, mask, ISOTROPIC, 6.0, scaling=(2.0, 1.0))
    np.testing.assert_array_equal(volume, before)
    assert_equals_twin(out, 2 * before + 1, mask, ISOTROPIC, 6.0)


@pytest.mark.parametrize("fwhm", [2.0, 6.0])
def test_a_voxel_has_the_same_bits_whatever_else_is_in_the_mask(fwhm):
    volume, mask = random_volume(), random_mask(share=0.6)
    volume[2, 3, 4] = np.nan
    everything, _ = smoothed(volume, mask, OBLIQUE, fwhm)
    for seed in range(8):
        part = mask & random_mask(seed=seed, share=[0.01, 0.1, 0.5][seed % 3])
        part[tuple(np.argwhere(mask)[seed])] = True
        out, _ = smoothed(volume, part, OBLIQUE, fwhm)
        np.testing.assert_array_equal(out, everything[part[mask]])


def test_one_smoother_serves_many_volumes():
    mask = random_mask()
    smoother = MaskedSmoother(mask, OBLIQUE, 6.0)
    holed = random_volume(seed=1)
    holed[mask] = np.nan
    out = np.empty(mask.sum(), np.float32)
    for volume in (random_volume(), holed, random_volume()):
        smoother(volume, 1.0, 0.0, out)
        assert_equals_twin(out, volume, mask, OBLIQUE, 6.0)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    sizes=st.tuples(*[st.floats(0.7, 6)] * 3),
    share=st.floats(0, 1),
    fwhm=st.one_of(st.just(0.0), st.floats(0.1, 20)),
    holes=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 2**16),
)
def test_whatever_the_grid_and_the_mask_both_ways_agree(shape, sizes, share, fwhm, holes, seed):
    affine = np.diag([*sizes, 1.0])
    volume, mask = random_volume(shape, seed), random_mask(shape, seed, share)
    volume[np.random.default_rng(seed + 1).random(shape) < holes] = np.nan
    out, not_finite = smoothed(volume, mask, affine, fwhm)
    assert_equals_twin(out, volume, mask, affine, fwhm)
    told = np.zeros(mask.sum(), bool) if not_finite is None else not_finite
    np.testing.assert_array_equal(told, np.isnan(volume[mask]))
