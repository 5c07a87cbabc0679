from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from twolevel.errors import InputError
from twolevel.space.grid import Grid
from twolevel.space.mask import Mask
from twolevel.stats.estimates import TEstimate
from twolevel.stats.inference.cluster_extent import cluster_extent
from twolevel.stats.inference.cluster_table import cluster_table
from twolevel.stats.inference.parametric_fwe import parametric_fwe
from twolevel.stats.inference.result import GroupContrast

AFFINE = np.array([[-2.0, 0, 0, 30.0], [0, 3.0, 0, -40.0], [0, 0.5, 4.0, 10.0], [0, 0, 0, 1]])
COLUMNS = [
    "cluster",
    "sign",
    "n_voxels",
    "volume_mm3",
    "peak_x_mm",
    "peak_y_mm",
    "peak_z_mm",
    "z_at_peak",
    "t_at_peak",
    "effect_at_peak",
    "logp_at_peak",
    "p_at_peak",
]


@pytest.fixture
def group():
    """t of a volume with two positive clusters and a negative one that touches the larger."""
    t = np.zeros((6, 5, 4))
    t[0, 0, :3] = [4.0, 6.0, 5.0]
    t[5, 4, 3] = 9.0
    t[1, 0, :2] = [-5.0, -7.0]
    mask = np.ones(t.shape, bool)
    mask[2] = False
    estimate = TEstimate(0.5 * t[mask], np.full(mask.sum(), 0.25), 1e9)
    return GroupContrast(estimate, Mask(Grid(t.shape, AFFINE), mask))


def table_of(group: GroupContrast, **options: Any) -> Any:
    return cluster_table(group, cluster_extent(group, **{"min_voxels": 1} | options))


def test_clusters_come_by_size_with_signs_apart(group):
    table = table_of(group)
    assert list(table) == COLUMNS
    assert table["cluster"].tolist() == [1, 2, 3]
    assert table["sign"].tolist() == ["positive", "negative", "positive"]
    assert table["n_voxels"].tolist() == [3, 2, 1]


def test_the_volume_is_in_cubic_millimetres(group):
    np.testing.assert_allclose(table_of(group)["volume_mm3"], [72, 48, 24], rtol=1e-12, atol=0)


def test_the_peak_is_at_the_largest_absolute_t_in_millimetres(group):
    table = table_of(group)
    peaks = table[["peak_x_mm", "peak_y_mm", "peak_z_mm"]].to_numpy()
    expected = [(AFFINE @ [*v, 1])[:3] for v in ([0, 0, 1], [1, 0, 1], [5, 4, 3])]
    np.testing.assert_allclose(peaks, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(table["t_at_peak"], [6, -7, 9], rtol=1e-12, atol=0)
    np.testing.assert_allclose(table["effect_at_peak"], [3, -3.5, 4.5], rtol=1e-12, atol=0)
    np.testing.assert_allclose(table["z_at_peak"], [6, -7, 9], rtol=1e-5, atol=0)


def test_clusters_of_one_size_come_by_their_peak(group):
    group.estimate.effect[group.estimate.effect == 4.5] = 2.0
    effect = group.estimate.effect.copy()
    effect[0], effect[2] = 0.0, 0.0  # the first cluster shrinks to its peak, t = 6
    smaller = GroupContrast(TEstimate(effect, group.estimate.variance, 1e9), group.mask)
    assert table_of(smaller)["t_at_peak"].tolist() == [-7.0, 6.0, 4.0]


def test_a_test_that_gives_p_lists_it_at_the_peak(group):
    test = parametric_fwe(group)
    table = cluster_table(group, test)
    assert table["logp_at_peak"].tolist() == [
        pytest.approx(test.map_values[np.flatnonzero(group.estimate.stat == t)[0]], rel=1e-12)
        for t in table["t_at_peak"]
    ]
    np.testing.assert_allclose(
        table["p_at_peak"], 10.0 ** -table["logp_at_peak"], rtol=1e-12, atol=0
    )


def test_a_test_that_gives_no_p_lists_none(group):
    assert table_of(group)[["logp_at_peak", "p_at_peak"]].isna().all(axis=None)


def test_clusters_are_joined_as_the_test_joins_them():
    mask = Mask.of(np.ones((2, 2, 2), bool))
    effect = np.zeros((2, 2, 2))
    effect[0, 0, 0] = effect[1, 1, 1] = 5.0  # they share a corner
    group = GroupContrast(TEstimate(effect.ravel(), np.ones(8), 1e9), mask)
    by_faces = cluster_extent(group, min_voxels=1)
    by_corners = replace(by_faces, connectivity=26)
    assert cluster_table(group, by_faces)["n_voxels"].tolist() == [1, 1]
    assert cluster_table(group, by_corners)["n_voxels"].tolist() == [2]


def test_where_nothing_survives_the_table_has_its_columns_and_no_row(group):
    table = table_of(group, height=50.0)
    assert list(table) == COLUMNS
    assert len(table) == 0


def test_a_mask_without_its_place_is_refused(group):
    with pytest.raises(InputError, match=r"give Mask\(Grid\(shape, affine\), array\)"):
        GroupContrast(group.estimate, group.mask.inside)


def test_a_mask_of_other_voxels_is_refused(group):
    with pytest.raises(InputError, match="found:    120 voxels"):
        GroupContrast(group.estimate, Mask.of(np.ones((6, 5, 4), bool)))
