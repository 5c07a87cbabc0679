from __future__ import annotations

import numpy as np
import pytest

from twolevel.errors import InputError
from twolevel.space.grid import Grid
from twolevel.space.mask import Mask

SHAPE = (4, 5, 6)
GRID = Grid(SHAPE, np.array([[0, -2.0, 0, 30], [3.0, 0, 0, -40], [0, 0, 4, 10], [0, 0, 0, 1]]))


def some(seed: int, grid: Grid = GRID) -> Mask:
    return Mask(grid, np.random.default_rng(seed).random(SHAPE) < 0.6)


def moved_by(mm: float) -> Grid:
    return Grid(SHAPE, GRID.affine + np.diag([0, 0, mm, 0]))


def test_both_masks_hold_what_each_of_them_holds():
    one, two = some(0), some(1, moved_by(1e-4))
    both = one & two
    np.testing.assert_array_equal(both.inside, one.inside & two.inside)
    assert both.space == one.space


@pytest.mark.parametrize("grid", [moved_by(0.1), Grid((4, 5, 7), GRID.affine)])
def test_masks_on_different_grids_are_not_joined(grid):
    with pytest.raises(InputError, match="take masks on one grid"):
        some(0) & Mask(grid, np.ones(grid.shape, bool))


def test_the_points_with_a_flag_are_kept_in_their_order():
    mask = some(0)
    values = np.arange(mask.n_points)
    kept = mask.keep(values % 3 == 0)
    assert kept.n_points == len(values[::3])
    np.testing.assert_array_equal(kept.take(mask.spread(values, outside=-1)), values[::3])
    assert mask.keep(np.zeros(mask.n_points, bool)).n_points == 0


def test_values_that_are_spread_are_taken_again():
    mask = some(0)
    values = np.random.default_rng(1).normal(size=mask.n_points)
    array = mask.spread(values)
    np.testing.assert_array_equal(mask.take(array), values)
    assert np.isnan(array[~mask.inside]).all()


@pytest.mark.parametrize(
    ("dtype", "outside", "expected"),
    [
        (np.float32, np.nan, np.float32),
        (np.float64, np.nan, np.float64),
        (np.float32, 0, np.float32),
        (bool, False, bool),
        (np.int32, 0, np.int32),
        (np.int32, np.nan, np.float64),
    ],
)
def test_spread_values_keep_their_type_if_it_holds_what_is_outside(dtype, outside, expected):
    mask = some(0)
    array = mask.spread(np.ones(mask.n_points, dtype), outside)
    assert array.dtype == expected
    np.testing.assert_array_equal(array[~mask.inside], np.full((~mask.inside).sum(), outside))
    assert (mask.take(array) == 1).all()


def test_masks_are_equal_in_space_and_points():
    assert some(0) == some(0)
    assert some(0) != some(1)
    assert some(0) != some(0, moved_by(1e-4))
    assert some(0) != some(0).inside.tolist()


def test_every_other_voxel_is_taken():
    mask = some(0).every(2)
    np.testing.assert_array_equal(mask.inside, some(0).inside[::2, ::2, ::2])
    assert mask.space == GRID.every(2)


def test_points_lie_where_their_voxels_lie():
    mask = some(0)
    x, y, z = np.argwhere(mask.inside)[[3, 0]].T
    np.testing.assert_allclose(
        mask.coordinates(np.array([3, 0])),
        np.column_stack([30 - 2 * y, 3 * x - 40, 4 * z + 10]),
        rtol=1e-12,
    )
    np.testing.assert_allclose(mask.extents, np.full(mask.n_points, 24.0), rtol=1e-12)


def test_an_array_is_a_mask_of_voxels_of_1_mm():
    mask = Mask.of(some(0).inside)
    assert mask == Mask(Grid(SHAPE, np.eye(4)), some(0).inside)
    assert Mask.of(mask) is mask


@pytest.mark.parametrize("inside", [np.ones(SHAPE), np.ones(SHAPE, np.uint8), [[[True]]]])
def test_what_is_not_of_bool_is_refused(inside):
    with pytest.raises(InputError, match="an array of bool, True in the brain"):
        Mask(GRID, inside)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"\(4, 5, 6\), that of its grid"):
        Mask(GRID, np.ones((4, 5, 7), bool))
