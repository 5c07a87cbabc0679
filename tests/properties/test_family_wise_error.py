"""The family-wise error over 300 null data sets stays near the level that can be attained.

A permutation test with all 256 flips of 8 subjects is exact: without ties, the share of null data
sets in which anything survives is ``floor(alpha / step) * step``, where p moves in steps of 1/256
(one side) or 2/256 (two sides, because a flip and its negative tie). Bonferroni only promises an
upper bound; with smooth noise its rate lies below alpha.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter

from twolevel.stats.group_fit import fit_group
from twolevel.stats.inference.height_control import height_control
from twolevel.stats.inference.parametric_fwe import parametric_fwe
from twolevel.stats.inference.permutation_fwe import permutation_fwe
from twolevel.stats.inference.result import GroupContrast

if TYPE_CHECKING:
    from collections.abc import Callable

    from twolevel.stats.inference.result import GroupTest

N_SETS, N_SUBJECTS, ALPHA, SHAPE = 300, 8, 0.05, (12, 12, 12)


@pytest.fixture(scope="module")
def null_sets():
    rng = np.random.default_rng(20)
    mask = np.ones(SHAPE, bool)
    sets = []
    for _ in range(N_SETS):
        noise = rng.normal(size=(N_SUBJECTS, *SHAPE)).astype(np.float32)
        maps = gaussian_filter(noise, (0, 1, 1, 1)).reshape(N_SUBJECTS, -1)
        sets.append(GroupContrast(maps, fit_group(maps), mask))
    return sets


def n_with_survivors(sets: list[GroupContrast], test: Callable[[GroupContrast], GroupTest]) -> int:
    return sum(bool(test(group).surviving.any()) for group in sets)


def attainable(sides: int) -> float:
    step = sides / 2**N_SUBJECTS
    return float(np.floor(ALPHA / step) * step)


@pytest.mark.parametrize("sides", [1, 2])
def test_permutations_keep_the_attainable_level(null_sets, sides):
    count = n_with_survivors(null_sets, lambda g: permutation_fwe(g, alpha=ALPHA, sides=sides))
    low, high = stats.binom.interval(0.999, N_SETS, attainable(sides))
    assert low <= count <= high


@pytest.mark.parametrize("sides", [1, 2])
def test_drawn_flips_keep_the_level_too(sides):
    """Sixteen subjects, 100 flips of 65,536: p moves in steps of sides / 100."""
    rng = np.random.default_rng(21)
    sets = []
    for _ in range(N_SETS):
        maps = rng.normal(size=(16, 60))
        sets.append(GroupContrast(maps, fit_group(maps), np.ones((60, 1, 1), bool)))
    seeds = iter(range(N_SETS))
    count = n_with_survivors(
        sets,
        lambda g: permutation_fwe(g, n_perm=100, alpha=ALPHA, sides=sides, seed=next(seeds)),
    )
    level = np.floor(ALPHA * 100 / sides + 1e-9) * sides / 100
    low, high = stats.binom.interval(0.999, N_SETS, level)
    assert low <= count <= high


@pytest.mark.parametrize("sides", [1, 2])
def test_the_parametric_test_stays_below_its_level(null_sets, sides):
    count = n_with_survivors(null_sets, lambda g: parametric_fwe(g, alpha=ALPHA, sides=sides))
    # Conservative by construction: only the upper bound is promised. That it is a test at all
    # shows in the lower bound of one data set.
    assert 1 <= count <= stats.binom.interval(0.999, N_SETS, ALPHA)[1]


@pytest.mark.parametrize("sides", [1, 2])
def test_bonferroni_on_z_rejects_the_same_sets_as_the_parametric_test(null_sets, sides):
    for group in null_sets[:100]:
        by_p = parametric_fwe(group, alpha=ALPHA, sides=sides).surviving
        by_z = height_control(group, method="bonferroni", alpha=ALPHA, sides=sides).surviving
        np.testing.assert_array_equal(by_p, by_z)


def test_an_uncorrected_threshold_does_not_keep_the_level(null_sets):
    """The same data tell control from no control."""
    count = n_with_survivors(
        null_sets, lambda g: height_control(g, method="fpr", alpha=0.001, sides=2)
    )
    assert count > 0.5 * N_SETS
