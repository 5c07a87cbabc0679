from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from twolevel.stats.maps.fit import fit_maps
from twolevel.stats.maps.quality import carpet, cohens_d, distance_to_others


@pytest.mark.parametrize("n", [2, 3, 17])
def test_distance_equals_that_to_the_mean_of_the_others_one_by_one(n):
    maps = np.random.default_rng(0).normal(2, 3, (n, 50))
    expected = [
        cdist(maps[[i]], np.delete(maps, i, axis=0).mean(axis=0)[None])[0, 0] / np.sqrt(50)
        for i in range(n)
    ]
    np.testing.assert_allclose(distance_to_others(maps), expected, rtol=1e-12)


def test_distance_of_single_precision_maps_is_computed_in_double():
    maps = np.full((3, 4), 1e6, np.float32)
    maps[0] += 1
    np.testing.assert_allclose(distance_to_others(maps), [1, 0.5, 0.5], rtol=1e-9)


def test_cohens_d_is_the_mean_over_the_standard_deviation():
    maps = np.random.default_rng(1).normal(1, 2, (12, 30))
    d = cohens_d(fit_maps(maps).stat, 12)
    np.testing.assert_allclose(d, maps.mean(axis=0) / maps.std(axis=0, ddof=1), rtol=1e-12)


@pytest.mark.parametrize("width", [7, 100, 1000])
def test_a_carpet_has_means_over_voxels_of_similar_effect(width):
    rng = np.random.default_rng(0)
    effect, maps = rng.normal(size=1000), rng.normal(size=(4, 1000)).astype(np.float32)
    blocks = [maps[:, start : start + width] for start in range(0, 1000, width)]
    expected = maps[:, np.argsort(effect)].reshape(4, 20, 50).mean(axis=2, dtype=np.float64)
    np.testing.assert_allclose(carpet(blocks, effect, 20), expected, rtol=1e-9, atol=1e-12)


def test_a_carpet_of_few_voxels_has_a_column_for_each():
    effect = np.array([3.0, 1, 2])
    np.testing.assert_array_equal(carpet([np.array([[30.0, 10, 20]])], effect), [[10, 20, 30]])


def test_a_carpet_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no block of voxels"):
        carpet([], np.ones(3))
