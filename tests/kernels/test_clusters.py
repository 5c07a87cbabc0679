"""Clusters on a neighbour table equal those of labelled volumes, in the same order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from twolevel.numerics.clusters import find_clusters
from twolevel.numerics.neighbours import CONNECTIVITIES, neighbour_table
from twolevel.numerics.threads import map_ahead

RTOL, ATOL = 1e-12, 1e-12
SHAPE = (6, 7, 8)
connectivities = pytest.mark.parametrize("connectivity", [6, 18, 26])


def found(volume: Any, mask: Any, threshold: float, connectivity: int = 6) -> Any:
    values = np.ascontiguousarray(volume[mask], np.float32)
    return find_clusters(values, neighbour_table(mask, connectivity), float(threshold))


def measured(
    volume: Any, mask: Any, threshold: float, connectivity: int = 6
) -> tuple[tuple[float, float], Any, Any]:
    """Return the largest size and mass, and both as volumes, 0 outside the mask."""
    clusters = found(volume, mask, threshold, connectivity)
    out = np.zeros((2, *mask.shape))
    out[:, mask] = clusters.sizes[clusters.labels], clusters.masses[clusters.labels]
    return (clusters.sizes.max(), clusters.masses.max()), *out


def slow_twin(volume: Any, mask: Any, threshold: float, connectivity: int) -> tuple[Any, Any]:
    structure = ndimage.generate_binary_structure(3, CONNECTIVITIES[connectivity])
    labels, n_clusters = ndimage.label(mask & (volume > threshold), structure)
    sizes, masses = np.zeros((2, *mask.shape))
    for number in range(1, n_clusters + 1):
        here = labels == number
        sizes[here] = here.sum()
        masses[here] = (volume[here].astype(float) - threshold).sum()
    return sizes, masses


def assert_equals_slow_twin(volume: Any, mask: Any, threshold: float, connectivity: int) -> None:
    largest, sizes, masses = measured(volume, mask, threshold, connectivity)
    expected_sizes, expected_masses = slow_twin(volume, mask, threshold, connectivity)
    np.testing.assert_array_equal(sizes, expected_sizes)
    np.testing.assert_allclose(masses, expected_masses, rtol=RTOL, atol=ATOL)
    assert largest == (sizes.max(), masses.max())


def noise(seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def pieces(seed: int) -> Any:
    """Return a mask that falls into several pieces, in every connectivity."""
    mask = np.random.default_rng(seed).random(SHAPE) < 0.8
    mask[3] = False
    mask[:, 2] = False
    assert ndimage.label(mask, np.ones((3, 3, 3)))[1] >= 4
    return mask


@connectivities
@pytest.mark.parametrize("threshold", [-0.5, 0.0, 0.3, 1.0, 2.0])
def test_clusters_are_those_of_labelled_volumes(threshold, connectivity):
    for seed in range(4):
        assert_equals_slow_twin(noise(seed), np.ones(SHAPE, bool), threshold, connectivity)
        assert_equals_slow_twin(noise(seed), pieces(seed), threshold, connectivity)


@settings(deadline=None, max_examples=60)
@given(
    volume=arrays(np.float32, (3, 4, 3), elements=st.integers(-2, 3)),
    mask=arrays(bool, (3, 4, 3)),
    threshold=st.sampled_from([-1.0, 0.0, 0.5, 2.0]),
    connectivity=st.sampled_from([6, 18, 26]),
)
def test_clusters_of_whole_numbers_are_those_of_labelled_volumes(
    volume, mask, threshold, connectivity
):
    if not mask.any():
        mask[0, 0, 0] = True
    assert_equals_slow_twin(volume, mask, threshold, connectivity)


@connectivities
def test_winding_clusters_are_joined_whatever_the_order_of_their_voxels(connectivity):
    # a snake through every second line: most of it is joined late
    volume = np.zeros((1, 9, 9), np.float32)
    volume[0, ::2] = 2.0
    volume[0, 1::4, -1] = volume[0, 3::4, 0] = 2.0
    n_voxels = float(np.count_nonzero(volume))
    for turned in (volume, volume[:, ::-1], volume[:, :, ::-1], volume.T):
        largest, sizes, _ = measured(turned, np.ones(turned.shape, bool), 1.0, connectivity)
        np.testing.assert_array_equal(sizes, np.where(turned > 0, n_voxels, 0))
        assert largest == (n_voxels, n_voxels)


def test_a_value_equal_to_the_threshold_is_outside():
    volume = np.array([[[2.5, np.nextafter(np.float32(2.5), np.float32(3)), 2.5]]], np.float32)
    largest, sizes, masses = measured(volume, np.ones(volume.shape, bool), 2.5)
    assert sizes.tolist() == [[[0.0, 1.0, 0.0]]]
    assert largest == (1.0, 2.0**-22)
    assert masses.tolist() == [[[0.0, 2.0**-22, 0.0]]]


def test_single_values_are_compared_with_the_threshold_in_double_precision():
    volume = np.full((1, 1, 2), 0.1, np.float32)  # is 0.1 + 1.5e-9
    largest, _, _ = measured(volume, np.ones(volume.shape, bool), 0.1)
    assert largest[0] == 2.0
    np.testing.assert_allclose(largest[1], 2 * (float(np.float32(0.1)) - 0.1), rtol=1e-6, atol=0)


@pytest.mark.parametrize("value", [3.0, -4.0, np.nan])
def test_without_a_voxel_above_the_threshold_all_is_zero(value):
    largest, sizes, masses = measured(np.full((2, 2, 3), value), np.ones((2, 2, 3), bool), 3.0)
    assert largest == (0.0, 0.0)
    np.testing.assert_array_equal([sizes, masses], np.zeros((2, 2, 2, 3)))


@connectivities
def test_everything_above_the_threshold_is_one_cluster(connectivity):
    volume = np.abs(noise(3)) + 1
    largest, sizes, masses = measured(volume, np.ones(SHAPE, bool), 0.5, connectivity)
    expected = volume.sum(dtype=float) - 0.5 * volume.size
    np.testing.assert_array_equal(sizes, np.full(SHAPE, volume.size))
    np.testing.assert_allclose(masses, np.full(SHAPE, expected), rtol=RTOL)
    assert largest == (volume.size, masses[0, 0, 0])


@pytest.mark.parametrize(("value", "expected"), [(4.0, (1.0, 1.5)), (2.0, (0.0, 0.0))])
def test_one_voxel_is_a_cluster_of_its_own_or_none(value, expected):
    largest, sizes, masses = measured(np.full((1, 1, 1), value), np.ones((1, 1, 1), bool), 2.5, 26)
    assert largest == (sizes[0, 0, 0], masses[0, 0, 0]) == expected


def test_the_heaviest_cluster_need_not_be_the_largest():
    volume = np.array([[[2.0, 2.0, 2.0, 0.0, 9.0, np.nan, 5.0]]])
    largest, sizes, masses = measured(volume, np.ones(volume.shape, bool), 1.0)
    assert sizes.tolist() == [[[3.0, 3.0, 3.0, 0.0, 1.0, 0.0, 1.0]]]
    assert masses.tolist() == [[[3.0, 3.0, 3.0, 0.0, 8.0, 0.0, 4.0]]]
    assert largest == (3.0, 8.0)


def test_values_are_not_changed():
    values = noise(1).ravel()
    before = values.copy()
    find_clusters(values, neighbour_table(np.ones(SHAPE, bool), 6), 0.5)
    np.testing.assert_array_equal(values, before)


@connectivities
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_and_peaks_are_those_of_scipy_in_its_order(connectivity, sign, dtype):
    structure = ndimage.generate_binary_structure(3, CONNECTIVITIES[connectivity])
    for seed in range(4):
        mask = pieces(seed)
        volume = np.where(mask, noise(seed + 10), np.nan).astype(dtype)  # NaN outside the mask
        clusters = find_clusters(sign * volume[mask], neighbour_table(mask, connectivity), 0.8)
        labels, n_clusters = ndimage.label(sign * volume > 0.8, structure)
        assert n_clusters == len(clusters.sizes) - 1 > 3
        np.testing.assert_array_equal(clusters.labels, labels[mask])
        assert clusters.labels.dtype == np.int32
        peaks = ndimage.maximum_position(sign * volume, labels, np.arange(1, n_clusters + 1))
        np.testing.assert_array_equal(np.argwhere(mask)[clusters.peaks[1:]], peaks)


def test_the_first_of_equal_values_is_the_peak():
    volume = np.array([[[1.0, 3.0, 3.0, 0.0, 2.0, 2.0]]])
    assert found(volume, np.ones(volume.shape, bool), 0.5).peaks.tolist() == [-1, 1, 4]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_any_point_there_is_no_cluster(dtype):
    clusters = find_clusters(np.empty(0, dtype), np.empty((0, 6), np.int32), 0.0)
    assert [a.tolist() for a in clusters] == [[], [0.0], [0.0], [-1]]


def test_a_value_that_is_missing_parts_clusters():
    volume = np.array([[[2.0, np.nan, 2.0]]])
    assert found(volume, np.ones(volume.shape, bool), 1.0).labels.tolist() == [1, 0, 2]


@connectivities
def test_clusters_are_the_same_in_any_number_of_threads(connectivity):
    rows = np.random.default_rng(2).normal(size=(40, *SHAPE)).astype(np.float32)
    mask = pieces(3)
    neighbours = neighbour_table(mask, connectivity)
    one, four = (
        [
            b"".join(a.tobytes() for a in clusters)
            for clusters in map_ahead(
                lambda row: find_clusters(row[mask], neighbours, 0.5), rows, n_workers
            )
        ]
        for n_workers in (0, 4)
    )
    assert one == four
