from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from twolevel.numerics.sign_flips import (
    FLIPS_PER_BLOCK,
    VOXELS_PER_BLOCK,
    SignFlips,
    draw_sign_flips,
    max_t_of_flips,
    t_of_flips,
)


def all_rows(flips: SignFlips):
    """Every flip, the negatives written out."""
    return np.concatenate([flips.signs, -flips.signs])


def slow_twin(maps, flips: SignFlips, sides: int):
    t = t_of_flips(maps, all_rows(flips))
    return t[0], (np.abs(t) if sides == 2 else t).max(axis=1)


def assert_equals_slow_twin(maps, flips: SignFlips, sides: int) -> None:
    observed, largest = max_t_of_flips(maps, flips, sides=sides)
    observed_slow, largest_slow = slow_twin(maps, flips, sides)
    np.testing.assert_allclose(observed, observed_slow, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(largest, largest_slow, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_subjects", range(1, 14))
def test_few_subjects_are_enumerated_each_flip_once(n_subjects):
    flips = draw_sign_flips(n_subjects, 100, seed=0)
    rows = {tuple(row) for row in all_rows(flips).tolist()}
    assert flips.exhaustive
    assert flips.n_used == len(rows) == 2**n_subjects
    assert {value for row in rows for value in row} == {-1, 1}


@pytest.mark.parametrize(
    ("n_subjects", "n_perm", "exhaustive"),
    [
        (13, 2, True),  # 8192 are no more than 10,000
        (14, 10_000, False),
        (14, 12_001, False),
        (14, 16_384, True),  # as many as there are
        (14, 20_000, True),
    ],
)
def test_all_flips_are_used_up_to_ten_thousand_or_as_many_as_wanted(
    n_subjects, n_perm, exhaustive
):
    flips = draw_sign_flips(n_subjects, n_perm, seed=0)
    assert flips.exhaustive is exhaustive
    assert flips.n_used == (2**n_subjects if exhaustive else n_perm + n_perm % 2)


@pytest.mark.parametrize("n_perm", [2, 3, 100, 101, 5000])
def test_drawn_flips_are_distinct_pairs_with_the_identity_first(n_perm):
    flips = draw_sign_flips(20, n_perm, seed=3)
    assert not flips.exhaustive
    assert flips.n_used == n_perm + n_perm % 2
    assert len({tuple(row) for row in all_rows(flips).tolist()}) == flips.n_used
    assert (flips.signs[0] == 1).all()
    assert set(np.unique(flips.signs)) <= {-1, 1}


def test_nearly_all_flips_can_be_drawn_distinct():
    flips = draw_sign_flips(8, 250, seed=1, exhaustive_up_to=10)
    assert len({tuple(row) for row in all_rows(flips).tolist()}) == 250


def test_the_identity_comes_first_in_an_enumeration():
    assert draw_sign_flips(5, 100, seed=0).signs[0].tolist() == [1, 1, 1, 1, 1]


def test_the_seed_decides_which_flips_are_drawn():
    signs = draw_sign_flips(30, 100, seed=5).signs
    np.testing.assert_array_equal(signs, draw_sign_flips(30, 100, seed=5).signs)
    assert (signs != draw_sign_flips(30, 100, seed=6).signs).any()


def test_drawn_signs_are_balanced_in_every_subject():
    # with pairs, the relation between two subjects is what is drawn: equal or opposite
    signs = draw_sign_flips(20, 10_000, seed=0).signs[1:].astype(float)
    relation = (signs.T @ signs / len(signs))[np.triu_indices(20, 1)]
    assert np.abs(relation).max() < 4.5 / np.sqrt(len(signs))


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("n_subjects", [2, 3, 7])
def test_the_largest_t_equals_that_of_the_slow_twin(n_subjects, sides):
    maps = np.random.default_rng(n_subjects).normal(0.3, 1, (n_subjects, 40))
    assert_equals_slow_twin(maps, draw_sign_flips(n_subjects, 100, seed=0), sides)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(
    "n_voxels", [1, VOXELS_PER_BLOCK - 1, VOXELS_PER_BLOCK, VOXELS_PER_BLOCK + 1]
)
def test_the_border_of_a_voxel_block_changes_nothing(n_voxels, sides):
    maps = np.random.default_rng(n_voxels).normal(size=(5, n_voxels))
    maps[:, -1] *= [1.0, 1.01, 0.99, 1.02, 0.98]
    maps[:, -1] = np.abs(maps[:, -1]) + 3  # the last voxel holds the maximum
    assert_equals_slow_twin(maps, draw_sign_flips(5, 100, seed=0), sides)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("n_pairs", [FLIPS_PER_BLOCK - 1, FLIPS_PER_BLOCK, FLIPS_PER_BLOCK + 1])
def test_the_border_of_a_flip_block_changes_nothing(n_pairs, sides):
    maps = np.random.default_rng(n_pairs).normal(size=(12, 30))
    flips = draw_sign_flips(12, 2 * n_pairs, seed=2, exhaustive_up_to=10)
    assert len(flips.signs) == n_pairs
    assert_equals_slow_twin(maps, flips, sides)


def test_the_identity_is_one_of_the_flips():
    maps = np.random.default_rng(0).normal(size=(6, 25))
    observed, largest = max_t_of_flips(maps, draw_sign_flips(6, 100, seed=0), sides=1)
    assert largest[0] == observed.max()
    assert largest[len(largest) // 2] == -observed.min()


def test_equal_values_give_an_infinite_t_under_the_flip_that_makes_them_equal():
    maps = np.array([[2.0], [-2.0], [2.0], [-2.0]])
    observed, largest = max_t_of_flips(maps, draw_sign_flips(4, 100, seed=0), sides=1)
    assert observed.tolist() == [0.0]
    assert np.isposinf(largest).sum() == np.isneginf(largest).sum() == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float32_maps_are_computed_in_float64(dtype):
    maps = np.random.default_rng(4).normal(50, 1, (9, 200)).astype(dtype)
    assert_equals_slow_twin(maps, draw_sign_flips(9, 100, seed=0), 2)


@pytest.mark.parametrize("sides", [1, 2])
def test_the_number_of_threads_changes_no_bit(sides):
    maps = np.random.default_rng(1).normal(size=(16, VOXELS_PER_BLOCK + 900))
    flips = draw_sign_flips(16, 600, seed=0)
    results = []
    for n_threads in (1, 2, 4):
        with threadpool_limits(limits=n_threads, user_api="blas"):
            results.append(max_t_of_flips(maps, flips, sides=sides))
    for observed, largest in results[1:]:
        np.testing.assert_array_equal(observed, results[0][0])
        np.testing.assert_array_equal(largest, results[0][1])


def test_the_maps_are_not_changed():
    maps = np.random.default_rng(1).normal(size=(5, 30))
    before = maps.copy()
    max_t_of_flips(maps, draw_sign_flips(5, 100, seed=0), sides=2)
    np.testing.assert_array_equal(maps, before)
