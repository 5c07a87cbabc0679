"""Permutation p-values of group designs equal an enumeration with plain least squares."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import ndimage, stats

from twolevel.stats.permute.loop import permute_group
from twolevel.stats.permute.model import make_permutation_model
from twolevel.stats.permute.result import Permuted
from twolevel.stats.permute.settings import PermutationSettings

MASK = np.ones((3, 3, 2), bool)
MASK[1, 1, 0] = MASK[2, 2, 1] = False
N_VOXELS = int(MASK.sum())
P_FORMING = 0.2


def noise(n_subjects: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(0, 1, (n_subjects, N_VOXELS))


def permuted_of(maps: Any, X: Any, C: Any, *, sides: Any = 2, **options: Any) -> Permuted:
    model = make_permutation_model(np.asarray(X, float), np.asarray(C, float), **options)
    settings = PermutationSettings(sides=sides, cluster_forming_p=P_FORMING)
    return permute_group(maps, MASK, model, settings)


def least_squares(Y: Any, X: Any, C: Any) -> Any:
    """Return t of one row of weights, F of several, with the textbook formulas."""
    C = np.atleast_2d(C)
    beta = np.linalg.lstsq(X, Y, rcond=None)[0]
    dof = len(X) - np.linalg.matrix_rank(X)
    variance = ((Y - X @ beta) ** 2).sum(axis=0) / dof
    unit = C @ np.linalg.pinv(X.T @ X) @ C.T
    effect = C @ beta
    if len(C) == 1:
        return effect[0] / np.sqrt(variance * unit[0, 0])
    return np.einsum("iv,ij,jv->v", effect, np.linalg.inv(unit), effect) / len(C) / variance


def freedman_lane(maps: Any, X: Any, C: Any, nuisance: Any, relabelings: Any) -> Any:
    """Relabel what a nuisance leaves of the data and fit the whole design: identity first."""
    X = np.asarray(X, float)
    if nuisance is None:
        fitted = np.zeros_like(maps)
    else:
        fitted = nuisance @ np.linalg.lstsq(nuisance, maps, rcond=None)[0]
    return np.array([
        least_squares(fitted + signs[:, None] * (maps - fitted)[rows], X, C)
        for rows, signs in relabelings
    ])  # fmt: skip


def all_permutations(n: int) -> Any:
    return [(np.array(order), np.ones(n)) for order in itertools.permutations(range(n))]


def all_flips(n: int) -> Any:
    return [(np.arange(n), np.array(s)) for s in itertools.product([1.0, -1.0], repeat=n)]


def cluster_scores(t: Any, threshold: float) -> Any:
    image, size, mass = np.full(MASK.shape, -np.inf), np.zeros(MASK.shape), np.zeros(MASK.shape)
    image[MASK] = t
    labels, n = ndimage.label(image > threshold)
    for number in range(1, n + 1):
        cluster = labels == number
        size[cluster], mass[cluster] = cluster.sum(), (image[cluster] - threshold).sum()
    return size[MASK], mass[MASK]


def shares(scores: Any, *, clusters: bool = False) -> Any:
    """Return the share of rows whose largest value reaches each value of the first row."""
    own = scores[0]
    p = (scores.max(axis=1) >= (own - 1e-6 * np.abs(own) - 1e-9)[:, None]).mean(axis=1)
    return np.where(own > 0, p, 1.0) if clusters else p


def assert_equals_enumeration(permuted: Permuted, every: Any) -> None:
    """Compare voxels, clusters and the uncorrected p with those of a table of t or F."""
    sides = permuted.settings.sides
    compared = np.abs(every) if sides == 2 else every
    np.testing.assert_allclose(permuted.observed["voxel"], every[0], rtol=1e-9, atol=1e-10)
    expected = shares(compared)
    np.testing.assert_allclose(permuted.p_corrected("voxel"), expected, rtol=1e-12, atol=0)
    assert len(set(expected)) > 2
    own = compared[0]
    uncorrected = (compared >= own - 1e-6 * np.abs(own) - 1e-9).mean(axis=0)
    np.testing.assert_allclose(permuted.p_uncorrected, uncorrected, rtol=1e-12, atol=0)
    threshold = permuted.cluster_threshold
    tails = [[cluster_scores(sign * t, threshold) for t in every] for sign in (1, -1)[:sides]]
    scores = np.sum(tails, axis=0)
    for number, name in enumerate(("clusterSize", "clusterMass")):
        np.testing.assert_allclose(
            permuted.p_corrected(name),
            shares(scores[:, number], clusters=True),
            rtol=1e-12,
            atol=0,
            err_msg=name,
        )
    assert (scores[0] > 0).any()


def two_groups(n_first: int, n_second: int) -> Any:
    first = np.repeat([1.0, 0.0], [n_first, n_second])
    return np.column_stack([first, 1 - first])


def pooled_t(maps: Any, is_first: Any) -> Any:
    """Compute t of two samples from means and variances, without a design."""
    a, b = maps[is_first], maps[~is_first]
    pooled = (a.var(0, ddof=1) * (len(a) - 1) + b.var(0, ddof=1) * (len(b) - 1)) / (len(maps) - 2)
    return (a.mean(0) - b.mean(0)) / np.sqrt(pooled * (1 / len(a) + 1 / len(b)))


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(("n_first", "n_second"), [(3, 3), (2, 4), (4, 4), (5, 2)])
def test_two_samples_use_every_distinct_arrangement_once(n_first, n_second, sides):
    n = n_first + n_second
    maps = noise(n)
    maps[:n_first, :6] += 1.5
    permuted = permuted_of(maps, two_groups(n_first, n_second), [1, -1], sides=sides)
    every = np.array([
        pooled_t(maps, np.isin(np.arange(n), chosen))
        for chosen in itertools.combinations(range(n), n_first)
    ])  # fmt: skip
    assert_equals_enumeration(permuted, every)
    assert (permuted.n_used, permuted.exhaustive) == (math.comb(n, n_first), True)
    assert permuted.exact
    assert permuted.scheme == "permutations"


@pytest.mark.parametrize("sides", [1, 2])
def test_regression_on_a_covariate_with_an_intercept(sides):
    x = np.array([0.3, -1.0, 2.0, 0.9, 1.4, -0.2])
    maps = noise(6, 1)
    maps[:, :5] += 1.5 * x[:, None]
    X, C = np.column_stack([x, np.ones(6)]), [1, 0]
    permuted = permuted_of(maps, X, C, sides=sides)
    every = freedman_lane(maps, X, C, np.ones((6, 1)), all_permutations(6))
    assert_equals_enumeration(permuted, every)
    assert (permuted.n_used, permuted.exhaustive, permuted.exact) == (720, True, True)
    assert permuted.smallest_p == pytest.approx(1 / 720, rel=1e-12)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(("n_first", "n_second"), [(3, 2), (3, 3)])
def test_two_samples_with_a_nuisance_covariate_equal_freedman_lane(n_first, n_second, sides):
    n = n_first + n_second
    age = np.random.default_rng(3).normal(0, 1, n)
    X = np.column_stack([two_groups(n_first, n_second), age])
    maps = noise(n, 4) + age[:, None]
    maps[:n_first, :6] += 1.5
    permuted = permuted_of(maps, X, [1, -1, 0], sides=sides)
    nuisance = np.column_stack([np.ones(n), age])
    every = freedman_lane(maps, X, [1, -1, 0], nuisance, all_permutations(n))
    assert_equals_enumeration(permuted, every)
    assert (permuted.n_used, permuted.exact) == (math.factorial(n), False)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("n_subjects", [4, 6])
def test_one_sample_with_a_nuisance_covariate_flips_what_the_covariate_leaves(n_subjects, sides):
    age = np.random.default_rng(5).normal(0.5, 1, n_subjects)
    X = np.column_stack([np.ones(n_subjects), age])
    maps = noise(n_subjects, 6) + 0.5 * age[:, None]
    maps[:, :6] += 1.5
    permuted = permuted_of(maps, X, [1, 0], sides=sides)
    every = freedman_lane(maps, X, [1, 0], age[:, None], all_flips(n_subjects))
    assert_equals_enumeration(permuted, every)
    assert (permuted.scheme, permuted.exact) == ("sign flips", False)
    assert permuted.n_used == 2**n_subjects
    assert permuted.smallest_p == sides / 2**n_subjects


def test_a_nuisance_covariate_is_not_taken_to_be_left_alone_by_the_flips():
    """Dropping the refit of the nuisance would give other p: the cases above can fail."""
    age = np.random.default_rng(5).normal(0.5, 1, 6)
    maps = noise(6, 6) + 0.5 * age[:, None]
    X = np.column_stack([np.ones(6), age])
    with_refit = permuted_of(maps, X, [1, 0])
    residual = maps - age[:, None] @ np.linalg.lstsq(age[:, None], maps, rcond=None)[0]
    without = permuted_of(residual, np.ones((6, 1)), [1])
    assert (with_refit.p_corrected("voxel") != without.p_corrected("voxel")).any()


THREE = np.kron(np.eye(3), np.ones((2, 1)))
DIFFERENCES = np.array([[1.0, -1, 0], [0, 1, -1]])


def test_f_over_three_groups_equals_every_arrangement():
    maps = noise(6, 7)
    maps[:2, :6] += 2
    permuted = permuted_of(maps, THREE, DIFFERENCES)
    every = freedman_lane(maps, THREE, DIFFERENCES, np.ones((6, 1)), all_permutations(6))
    assert_equals_enumeration(permuted, every)
    one_way = stats.f_oneway(maps[:2], maps[2:4], maps[4:]).statistic
    np.testing.assert_allclose(permuted.observed["voxel"], one_way, rtol=1e-9, atol=0)
    assert (permuted.kind, permuted.settings.sides, permuted.exact) == ("F", 1, True)
    assert permuted.n_used == math.factorial(6) // 2**3
    # The three groups may change names: 3! arrangements are one and the same.
    assert permuted.smallest_p == pytest.approx(6 / 90, rel=1e-12)
    assert permuted.cluster_threshold == pytest.approx(stats.f.isf(P_FORMING, 2, 3), rel=1e-9)


def test_f_over_groups_of_different_sizes_may_rename_only_those_of_one_size():
    X = np.repeat(np.eye(3), [1, 2, 3], axis=0)
    maps = noise(6, 8)
    permuted = permuted_of(maps, X, DIFFERENCES)
    every = freedman_lane(maps, X, DIFFERENCES, np.ones((6, 1)), all_permutations(6))
    assert_equals_enumeration(permuted, every)
    assert permuted.n_used == 60
    assert permuted.smallest_p == pytest.approx(1 / 60, rel=1e-12)


def test_f_with_a_nuisance_covariate_equals_freedman_lane():
    age = np.random.default_rng(9).normal(0, 1, 6)
    X = np.column_stack([THREE, age])
    C = np.column_stack([DIFFERENCES, [0, 0]])
    maps = noise(6, 10) + age[:, None]
    permuted = permuted_of(maps, X, C)
    nuisance = np.column_stack([np.ones(6), age])
    every = freedman_lane(maps, X, C, nuisance, all_permutations(6))
    assert_equals_enumeration(permuted, every)
    assert (permuted.n_used, permuted.exact) == (720, False)


def test_f_of_a_mean_and_a_slope_by_sign_flips():
    x = np.array([0.3, -1.0, 2.0, 0.9, 1.4, -0.2])
    X = np.column_stack([np.ones(6), x])
    maps = noise(6, 11) + 0.8
    permuted = permuted_of(maps, X, np.eye(2), scheme="flip")
    every = freedman_lane(maps, X, np.eye(2), None, all_flips(6))
    assert_equals_enumeration(permuted, every)
    assert (permuted.n_used, permuted.exact, permuted.smallest_p) == (64, True, 2 / 64)


@pytest.mark.parametrize("sides", [1, 2])
def test_permutations_within_pairs_are_the_sign_flips_of_the_differences(sides):
    n_pairs = 6
    condition = np.tile([1.0, 0.0], n_pairs)
    pairs = np.repeat(np.arange(n_pairs), 2)
    X = np.column_stack([condition, np.eye(n_pairs)[pairs]])
    maps = noise(2 * n_pairs, 12) + 3 * noise(n_pairs, 13)[pairs]
    maps[::2, :6] += 1.5
    paired = permuted_of(maps, X, np.eye(n_pairs + 1)[0], blocks=pairs, sides=sides)
    flipped = permuted_of(maps[::2] - maps[1::2], np.ones((n_pairs, 1)), [1], sides=sides)
    assert (paired.scheme, flipped.scheme) == ("permutations", "sign flips")
    assert (paired.n_used, paired.exhaustive, paired.exact) == (2**n_pairs, True, True)
    assert paired.smallest_p == flipped.smallest_p == sides / 2**n_pairs
    np.testing.assert_array_equal(paired.n_reached, flipped.n_reached)
    for name in ("voxel", "clusterSize", "clusterMass", "tfce"):
        p = paired.p_corrected(name)
        np.testing.assert_array_equal(p, flipped.p_corrected(name), err_msg=name)
        assert len(set(p)) > 1
        np.testing.assert_allclose(
            np.sort(paired.largest[name]), np.sort(flipped.largest[name]), rtol=1e-5, atol=1e-6
        )


def whole_block_orders(blocks: list[list[int]]) -> Any:
    """Exchange blocks of one size as a whole; `blocks` holds the rows of each."""
    n = sum(map(len, blocks))
    orders = []
    for places in itertools.permutations(range(len(blocks))):
        if all(len(blocks[i]) == len(blocks[p]) for i, p in enumerate(places)):
            rows = np.empty(n, int)
            for i, place in enumerate(places):
                rows[blocks[i]] = blocks[place]
            orders.append((rows, np.ones(n)))
    return orders


@pytest.mark.parametrize("sides", [1, 2])
def test_whole_blocks_change_places_with_all_their_rows(sides):
    """Five families of two siblings; a property of the family, and the order of birth."""
    family = np.repeat(np.arange(5), 2)
    x = np.array([0.1, 1.3, -0.8, 2.0, 0.4])[family]
    second = np.tile([0.0, 1.0], 5)
    X = np.column_stack([x, second, np.ones(10)])
    maps = noise(10, 14) + noise(5, 15)[family]
    maps[:, :6] += x[:, None]
    permuted = permuted_of(maps, X, [1, 0, 0], blocks=family, whole_blocks=True, sides=sides)
    orders = whole_block_orders(np.arange(10).reshape(5, 2).tolist())
    every = freedman_lane(maps, X, [1, 0, 0], X[:, 1:], orders)
    assert_equals_enumeration(permuted, every)
    # Intercept and order of birth are the same in every family: nothing is approximate.
    assert (permuted.n_used, permuted.exhaustive, permuted.exact) == (120, True, True)


def test_whole_blocks_change_places_with_those_of_their_size_only():
    family = np.array([0, 0, 1, 1, 2, 2, 3, 4, 5])
    x = np.array([0.1, 1.3, -0.8, 2.0, 0.4, -1.1])[family]
    X = np.column_stack([x, np.ones(9)])
    maps = noise(9, 16)
    permuted = permuted_of(maps, X, [1, 0], blocks=family, whole_blocks=True)
    orders = whole_block_orders([[0, 1], [2, 3], [4, 5], [6], [7], [8]])
    assert len(orders) == permuted.n_used == math.factorial(3) ** 2
    assert_equals_enumeration(permuted, freedman_lane(maps, X, [1, 0], X[:, 1:], orders))


@pytest.mark.parametrize("sides", [1, 2])
def test_whole_blocks_are_flipped_together(sides):
    family = np.array([7, 7, 2, 2, 2, 5, 9, 9])
    maps = noise(8, 17) + 0.8
    permuted = permuted_of(
        maps, np.ones((8, 1)), [1], blocks=family, whole_blocks=True, sides=sides
    )
    signs = itertools.product([1.0, -1.0], repeat=4)
    number = np.unique(family, return_inverse=True)[1]
    flips = [(np.arange(8), np.array(s)[number]) for s in signs]
    assert_equals_enumeration(permuted, freedman_lane(maps, np.ones((8, 1)), [1], None, flips))
    assert (permuted.n_used, permuted.smallest_p, permuted.exact) == (16, sides / 16, True)


def test_rows_of_different_blocks_are_not_exchanged():
    """Two sites: C(4, 2)^2 arrangements, and the means of the sites stay."""
    site = np.repeat([0, 1], 4)
    treated = np.tile([1.0, 1, 0, 0], 2)
    X = np.column_stack([treated, site == 0, site == 1]).astype(float)
    maps = noise(8, 18) + 2 * site[:, None]
    permuted = permuted_of(maps, X, [1, 0, 0], blocks=site)
    within = [
        (np.array([*first, *second]), np.ones(8))
        for first in itertools.permutations(range(4))
        for second in itertools.permutations(range(4, 8))
    ]
    assert_equals_enumeration(permuted, freedman_lane(maps, X, [1, 0, 0], X[:, 1:], within))
    assert (permuted.n_used, permuted.exact) == (36, True)
    anywhere = permuted_of(maps, X, [1, 0, 0])
    assert not anywhere.exact


GROUPS = two_groups(3, 3)
AGE = np.array([0.3, -1.0, 2.0, 0.9, 1.4, -0.2])
ONES = np.ones(6)


@pytest.mark.parametrize(
    ("X", "C", "options", "exact"),
    [
        (np.ones((6, 1)), [1], {}, True),
        (np.column_stack([ONES, AGE]), [1, 0], {}, False),
        (np.column_stack([ONES, AGE]), [0, 1], {}, True),
        (np.column_stack([ONES, AGE]), [0, 1], {"scheme": "flip"}, False),
        (AGE[:, None], [1], {}, True),
        (AGE[:, None], [1], {"scheme": "flip"}, True),
        (GROUPS, [1, -1], {}, True),
        (GROUPS, [1, -1], {"scheme": "flip"}, False),
        (GROUPS, np.eye(2), {"scheme": "flip"}, True),
        (np.column_stack([GROUPS, AGE]), [1, -1, 0], {}, False),
        (np.column_stack([GROUPS, AGE]), [0, 0, 1], {}, False),
        (np.column_stack([GROUPS, AGE]), [0, 0, 1], {"blocks": [0, 0, 0, 1, 1, 1]}, True),
    ],
)
def test_a_test_is_exact_where_relabelings_leave_the_nuisance_alone(X, C, options, exact):
    options = {k: np.array(v) if k == "blocks" else v for k, v in options.items()}
    assert make_permutation_model(X, np.array(C, float), **options).is_exact is exact


@pytest.mark.parametrize(("covariate", "exact"), [(False, True), (True, False)])
def test_exactness_is_found_where_permutations_are_drawn_too(covariate, exact):
    age = np.random.default_rng(1).normal(0, 1, (20, 1))
    X = np.column_stack([two_groups(10, 10), age] if covariate else [two_groups(10, 10)])
    weights = np.array([1.0, -1, 0])[: X.shape[1]]
    model = make_permutation_model(X, weights, n_perm=600)
    assert (model.is_exact, model.relabelings.exhaustive) == (exact, False)


@pytest.mark.parametrize(
    ("X", "C", "sides", "smallest"),
    [
        (two_groups(3, 3), [1, -1], 2, 2 / 20),
        (two_groups(3, 3), [1, -1], 1, 1 / 20),
        (two_groups(4, 4), [1, -1], 2, 2 / 70),
        (two_groups(2, 4), [1, -1], 2, 1 / 15),
        (two_groups(2, 4), [1, -1], 1, 1 / 15),
        (np.column_stack([[-2, -1, 0, 1, 2.0], np.ones(5)]), [1, 0], 2, 2 / 120),
        (np.column_stack([[-2, -1, 0, 1, 2.0], np.ones(5)]), [1, 0], 1, 1 / 120),
        (np.column_stack([[-2, -1, 0, 1, 3.0], np.ones(5)]), [1, 0], 2, 1 / 120),
        (np.ones((5, 1)), [1], 2, 2 / 32),
        (np.ones((5, 1)), [1], 1, 1 / 32),
        (np.column_stack([np.ones(5), [0, 1, 2, 5, 3]]), [1, 0], 2, 2 / 32),
        (np.repeat(np.eye(3), 2, axis=0), DIFFERENCES, 1, 6 / 90),
    ],
)
def test_the_smallest_p_is_attained_by_an_effect_that_fits_the_design(X, C, sides, smallest):
    X = np.asarray(X, float)
    C2 = np.atleast_2d(np.asarray(C, float))
    effect = X @ np.linalg.pinv(C2) @ np.arange(1, len(C2) + 1)
    maps = 100 * effect[:, None] + noise(len(X), 19)
    permuted = permuted_of(maps, X, C, sides=sides)
    assert permuted.smallest_p == pytest.approx(smallest, rel=1e-12)
    assert permuted.p_corrected("voxel").min() == pytest.approx(smallest, rel=1e-12)
    assert permuted.p_uncorrected.min() == pytest.approx(smallest, rel=1e-12)


@pytest.mark.parametrize("sides", [1, 2])
def test_columns_that_are_sums_of_others_change_nothing(sides):
    maps = noise(6, 20)
    full = permuted_of(maps, GROUPS, [1, -1], sides=sides)
    deficient = permuted_of(
        maps, np.column_stack([GROUPS, ONES, ONES]), [1, -1, 0, 0], sides=sides
    )
    assert deficient.n_used == full.n_used == 20
    assert deficient.cluster_threshold == pytest.approx(full.cluster_threshold, rel=1e-12)
    np.testing.assert_array_equal(deficient.n_reached, full.n_reached)
    for name, largest in full.largest.items():
        np.testing.assert_allclose(
            np.sort(deficient.largest[name]), np.sort(largest), rtol=1e-5, atol=1e-9
        )
        np.testing.assert_array_equal(deficient.p_corrected(name), full.p_corrected(name))


def test_units_of_the_design_and_the_contrast_do_not_matter():
    maps = noise(6, 21)
    plain = permuted_of(maps, np.column_stack([GROUPS, AGE]), [1, -1, 0], sides=1)
    scaled = permuted_of(1e-4 * maps, np.column_stack([GROUPS, 300 * AGE]), [50, -50, 0], sides=1)
    np.testing.assert_array_equal(plain.n_reached, scaled.n_reached)
    np.testing.assert_allclose(
        plain.observed["voxel"], scaled.observed["voxel"], rtol=1e-9, atol=1e-10
    )


def test_the_sign_of_the_contrast_turns_the_tails():
    maps = noise(6, 22)
    there, back = (permuted_of(maps, GROUPS, c, sides=1) for c in ([1, -1], [-1, 1]))
    np.testing.assert_allclose(
        there.observed["voxel"], -back.observed["voxel"], rtol=1e-12, atol=1e-12
    )
    # P(T >= t) + P(T <= t) counts the observed arrangement twice.
    np.testing.assert_allclose(
        there.p_uncorrected + back.p_uncorrected, 21 / 20, rtol=1e-12, atol=0
    )


@pytest.mark.parametrize(
    ("X", "C", "blocks"),
    [
        (GROUPS, [1, -1], None),
        (np.column_stack([GROUPS, AGE]), [1, -1, 0], None),
        (np.column_stack([ONES, AGE]), [1, 0], None),
        (THREE, DIFFERENCES, None),
        (np.column_stack([AGE, THREE]), [1, 0, 0, 0], [0, 0, 1, 1, 2, 2]),
    ],
)
@pytest.mark.parametrize("order", [[5, 4, 3, 2, 1, 0], [2, 0, 5, 1, 4, 3]])
def test_the_order_of_subjects_changes_nothing_when_all_relabelings_are_used(X, C, blocks, order):
    maps = noise(6, 23)
    number = None if blocks is None else np.array(blocks)
    other = None if number is None else number[order]
    one = permuted_of(maps, X, C, blocks=number)
    two = permuted_of(maps[order], X[order], C, blocks=other)
    assert one.n_used == two.n_used
    assert one.smallest_p == two.smallest_p
    np.testing.assert_array_equal(one.n_reached, two.n_reached)
    for name in one.largest:
        np.testing.assert_array_equal(one.p_corrected(name), two.p_corrected(name))


def test_the_order_of_subjects_in_the_maps_alone_does_matter():
    maps = noise(6, 23)
    one, two = (permuted_of(m, GROUPS, [1, -1]) for m in (maps, maps[[2, 0, 5, 1, 4, 3]]))
    assert (one.n_reached != two.n_reached).any()


def test_drawn_permutations_are_a_sample_of_all():
    """2,000 of 8! = 40,320; the standard error of a share of 0.5 is 0.011."""
    x = np.random.default_rng(2).normal(0, 1, 8)
    X = np.column_stack([x, np.ones(8)])
    maps = noise(8, 24)
    every, drawn, other = (
        permuted_of(maps, X, [1, 0], n_perm=n, seed=seed)
        for n, seed in ((40_320, 0), (2_000, 0), (2_000, 1))
    )
    assert (every.exhaustive, drawn.exhaustive, drawn.n_used) == (True, False, 2000)
    np.testing.assert_allclose(drawn.p_uncorrected, every.p_uncorrected, rtol=0, atol=0.05)
    assert (drawn.n_reached != other.n_reached).any()
