from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twolevel.numerics.neighbours import CONNECTIVITIES, neighbour_table

connectivities = pytest.mark.parametrize("connectivity", [6, 18, 26])


def listed(table: Any) -> list[list[int]]:
    """Return the neighbours of each voxel, in ascending order."""
    return [sorted(int(v) for v in row if v != -1) for row in table]


def slow_twin(mask: Any, connectivity: int) -> list[list[int]]:
    places = np.argwhere(mask)
    apart = np.abs(places[:, None] - places[None])
    joined = (apart.max(axis=2) == 1) & (apart.sum(axis=2) <= CONNECTIVITIES[connectivity])
    return [np.flatnonzero(row).tolist() for row in joined]


@connectivities
@pytest.mark.parametrize("shape", [(4, 5, 6), (1, 7, 3), (2, 1, 9), (1, 1, 5), (3, 3, 3)])
def test_neighbours_are_those_of_a_comparison_of_all_places(shape, connectivity):
    for density in (0.3, 0.7, 1.1):
        mask = np.random.default_rng(sum(shape)).random(shape) < density
        table = neighbour_table(mask, connectivity)
        assert table.shape == (mask.sum(), connectivity)
        assert table.dtype == np.int32
        assert table.min() >= -1
        assert listed(table) == slow_twin(mask, connectivity)


@connectivities
def test_a_mask_in_another_memory_order_has_the_same_neighbours(connectivity):
    mask = np.random.default_rng(0).random((4, 5, 6)) < 0.6
    np.testing.assert_array_equal(
        neighbour_table(np.asfortranarray(mask), connectivity), neighbour_table(mask, connectivity)
    )


@connectivities
def test_neighbours_are_mutual_and_never_the_voxel_itself(connectivity):
    mask = np.random.default_rng(1).random((5, 5, 5)) < 0.6
    pairs = {
        (v, w) for v, row in enumerate(listed(neighbour_table(mask, connectivity))) for w in row
    }
    assert len(pairs) > 100
    assert pairs == {(w, v) for v, w in pairs}
    assert all(v != w for v, w in pairs)


@pytest.mark.parametrize(
    ("connectivity", "inside", "corner", "edge", "face"),
    [(6, 6, 3, 4, 5), (18, 18, 6, 9, 13), (26, 26, 7, 11, 17)],
)
def test_a_full_box_has_fewer_neighbours_at_its_borders(connectivity, inside, corner, edge, face):
    mask = np.ones((3, 4, 5), bool)
    counts = np.empty(mask.shape, int)
    counts[mask] = [len(row) for row in listed(neighbour_table(mask, connectivity))]
    n_borders = sum(
        (place == 0) | (place == size - 1)
        for place, size in zip(np.indices(mask.shape), mask.shape, strict=True)
    )
    np.testing.assert_array_equal(counts, np.choose(n_borders, [inside, face, edge, corner]))


@connectivities
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_opposite_borders_do_not_touch(axis, connectivity):
    mask = np.zeros((3, 4, 5), bool)
    first: list[slice | int] = [slice(None)] * 3
    last = first.copy()
    first[axis], last[axis] = 0, -1
    mask[tuple(first)] = mask[tuple(last)] = True
    numbers = np.full(mask.shape, -1)
    numbers[mask] = np.arange(mask.sum())
    ours = set(numbers[tuple(first)].ravel().tolist())
    rows = listed(neighbour_table(mask, connectivity))
    assert all(rows)
    assert all(set(row) <= ours for v, row in enumerate(rows) if v in ours)
    assert not any(set(row) & ours for v, row in enumerate(rows) if v not in ours)


@connectivities
def test_the_end_of_a_line_and_the_start_of_the_next_do_not_touch(connectivity):
    mask = np.zeros((2, 2, 4), bool)
    mask[0, 0, -1] = mask[0, 1, 0] = mask[1, 0, 2] = True
    expected = [[2], [], [0]] if connectivity > 6 else [[], [], []]
    assert listed(neighbour_table(mask, connectivity)) == expected


@connectivities
def test_a_mask_without_voxels_has_no_neighbours(connectivity):
    assert neighbour_table(np.zeros((2, 3, 4), bool), connectivity).shape == (0, connectivity)
