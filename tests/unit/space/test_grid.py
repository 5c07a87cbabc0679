from __future__ import annotations

import copy

import numpy as np
import pytest
from nibabel.affines import apply_affine, voxel_sizes

from twolevel.errors import InputError
from twolevel.numerics.neighbours import neighbour_table
from twolevel.space.grid import Grid

SHAPE = (4, 5, 6)
OBLIQUE = np.array([[-2.0, 0.3, 0, 30], [0.2, 3.0, 0.1, -40], [0, -0.5, 4.0, 10], [0, 0, 0, 1.0]])


def test_grids_of_one_shape_and_affine_are_equal_and_have_one_hash():
    one, two = Grid(SHAPE, OBLIQUE), Grid(list(SHAPE), OBLIQUE.astype(">f8"))  # type: ignore[arg-type]
    assert one == two
    assert len({one, two, copy.deepcopy(one)}) == 1


def test_zeros_of_either_sign_are_equal_and_have_one_hash():
    negative = np.diag([2.0, 2.0, 2.0, 1.0])
    negative[0, 1] = -0.0
    grids = {Grid(SHAPE, np.diag([2.0, 2.0, 2.0, 1.0])), Grid(SHAPE, negative)}
    assert len(grids) == 1


@pytest.mark.parametrize("other", [Grid((4, 5, 7), OBLIQUE), Grid(SHAPE, np.eye(4)), "grid"])
def test_others_are_not_equal(other):
    assert Grid(SHAPE, OBLIQUE) != other


def test_the_affine_is_a_copy_that_cannot_be_changed():
    affine = OBLIQUE.copy()
    grid = Grid(SHAPE, affine)
    affine[0, 0] = 7
    assert grid.affine[0, 0] == -2
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 7


@pytest.mark.parametrize(("change", "same"), [(0, True), (5e-4, True), (2e-3, False)])
def test_grids_match_up_to_the_rounding_of_headers(change, same):
    moved = OBLIQUE.copy()
    moved[0, 1] += change
    assert Grid(SHAPE, OBLIQUE).matches(Grid(SHAPE, moved)) is same
    assert not Grid(SHAPE, OBLIQUE).matches(Grid((4, 5, 7), moved))


def test_every_other_voxel_is_where_it_was():
    grid = Grid((5, 4, 3), OBLIQUE)
    smaller = grid.every(2)
    assert smaller.shape == np.empty((5, 4, 3))[::2, ::2, ::2].shape
    voxels = np.argwhere(np.ones(smaller.shape, bool))
    np.testing.assert_allclose(
        apply_affine(smaller.affine, voxels), apply_affine(grid.affine, 2 * voxels), rtol=1e-12
    )
    assert grid.every(1) == grid


def test_points_lie_where_nibabel_puts_their_voxels():
    grid = Grid(SHAPE, OBLIQUE)
    points = np.array([0, 119, 7, 40])
    voxels = np.argwhere(np.ones(SHAPE, bool))[points]
    np.testing.assert_allclose(
        grid.coordinates(points), apply_affine(OBLIQUE, voxels), rtol=1e-12, atol=1e-12
    )
    assert grid.coordinates(np.empty(0, int)).shape == (0, 3)


def test_sizes_are_in_millimetres():
    grid = Grid(SHAPE, OBLIQUE)
    assert grid.n_points == 120
    np.testing.assert_allclose(grid.voxel_size, voxel_sizes(OBLIQUE), rtol=1e-12)
    straight = Grid(SHAPE, np.diag([-2.0, 3.0, 4.0, 1.0]))
    assert straight.voxel_volume == pytest.approx(24, rel=1e-12)
    inside = np.arange(120).reshape(SHAPE) < 7
    np.testing.assert_allclose(straight.extents(inside), np.full(7, 24.0), rtol=1e-12)


def test_neighbours_are_those_of_the_table():
    inside = np.random.default_rng(0).random(SHAPE) < 0.6
    for connectivity in (6, 18, 26):
        table = Grid(SHAPE, OBLIQUE).neighbours(inside, connectivity)
        np.testing.assert_array_equal(table, neighbour_table(inside, connectivity))


@pytest.mark.parametrize(
    ("shape", "affine"), [((4, 5), OBLIQUE), ((4, 5, 6, 7), OBLIQUE), (SHAPE, np.eye(3))]
)
def test_what_is_no_grid_is_refused(shape, affine):
    with pytest.raises(InputError, match=r"three numbers of voxels and an affine of shape"):
        Grid(shape, affine)
