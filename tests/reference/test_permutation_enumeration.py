"""Permutation p-values equal a full enumeration written from the definition."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from twolevel.stats.inference.permutation_fwe import permutation_fwe
from twolevel.stats.inference.result import GroupTest
from twolevel.stats.permute.loop import permute_group
from twolevel.stats.permute.model import make_permutation_model
from twolevel.stats.permute.result import Permuted
from twolevel.stats.permute.settings import PermutationSettings


def p_of(maps: Any, **options: Any) -> Any:
    return 10.0 ** -run_test(maps, **options).map_values


def run_test(
    maps: Any, *, sides: Any = 2, n_perm: int = 10_000, seed: int = 0, alpha: float = 0.05
) -> GroupTest:
    maps = np.asarray(maps)
    mask = np.ones((maps.shape[1], 1, 1), bool)
    model = make_permutation_model(np.ones((len(maps), 1)), np.ones(1), n_perm=n_perm, seed=seed)
    settings = PermutationSettings(sides=sides, statistics=("voxel",))
    return permutation_fwe(permute_group(maps, mask, model, settings), alpha=alpha)


def signed_t_squared(values: tuple[int, ...]) -> Fraction:
    """Order integers as their t does, without rounding: sign(t) t^2, 10^9 for infinity."""
    n, total, squares = len(values), sum(values), sum(v * v for v in values)
    variance = Fraction(squares * n - total * total, n * (n - 1))
    size = Fraction(total * total, n) / variance if variance else Fraction(10**9)
    return size if total >= 0 else -size


def exact_p(maps: list[list[int]], sides: int) -> list[Fraction]:
    """Count the flips whose largest t is at least the voxel's own, in rational numbers."""
    voxels = list(zip(*maps, strict=True))

    def statistic(values: tuple[int, ...]) -> Fraction:
        t = signed_t_squared(values)
        return abs(t) if sides == 2 else t

    flips = list(itertools.product([1, -1], repeat=len(maps)))
    largest = [
        max(statistic(tuple(s * v for s, v in zip(flip, voxel, strict=True))) for voxel in voxels)
        for flip in flips
    ]
    observed = [statistic(voxel) for voxel in voxels]
    return [Fraction(sum(top >= own for top in largest), len(flips)) for own in observed]


def brute_force_p(maps: Any, sides: int) -> Any:
    """Count with the plain formula of t in floating point."""
    t = []
    for flip in itertools.product([1, -1], repeat=len(maps)):
        flipped = np.array(flip)[:, None] * maps
        t.append(flipped.mean(axis=0) / np.sqrt(flipped.var(axis=0, ddof=1) / len(maps)))
    compared = np.abs(t) if sides == 2 else np.array(t)
    return np.array([(compared.max(axis=1) >= own - 1e-9).mean() for own in compared[0]])


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("n_subjects", [2, 3, 4, 5, 6])
def test_p_equals_brute_force(n_subjects, sides):
    maps = np.random.default_rng(n_subjects).normal(0.5, 1, (n_subjects, 9))
    expected = brute_force_p(maps, sides)
    np.testing.assert_allclose(p_of(maps, sides=sides), expected, rtol=1e-12, atol=0)
    assert len(set(expected)) > 1


SMALL = st.integers(-3, 3)


def integer_maps(n_voxels: int) -> Any:
    """Small integers, so that ties abound, at t = 0 too; no voxel of one value only."""

    def usable(values: list[int]) -> bool:
        return len(set(values)) > 1

    return st.integers(2, 6).flatmap(
        lambda n: st.lists(
            st.lists(SMALL, min_size=n, max_size=n).filter(usable),
            min_size=1,
            max_size=n_voxels,
        )
    )


@given(integer_maps(5), st.sampled_from([1, 2]))
@settings(max_examples=50, deadline=None)
def test_ties_are_counted_as_exact_arithmetic_counts_them(voxels, sides):
    maps = [list(row) for row in zip(*voxels, strict=True)]
    expected = [float(p) for p in exact_p(maps, sides)]
    np.testing.assert_allclose(
        p_of(np.array(maps, float), sides=sides), expected, rtol=1e-12, atol=0
    )


@given(integer_maps(3), st.sampled_from([1, 2]), st.sampled_from([0.1, 1 / 3, 7e-5, 123.4]))
@settings(max_examples=30, deadline=None)
def test_ties_survive_a_scale_that_is_not_exact_in_binary(voxels, sides, scale):
    maps = np.array(voxels, float).T
    expected = [float(p) for p in exact_p(maps.astype(int).tolist(), sides)]
    np.testing.assert_allclose(p_of(scale * maps, sides=sides), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("sides", [1, 2])
def test_two_subjects_that_agree_get_the_smallest_attainable_p(sides):
    result = run_test([[1.0], [2.0]], sides=sides)
    assert result.smallest_p == sides / 4
    assert 10.0 ** -result.map_values[0] == pytest.approx(sides / 4, rel=1e-12)
    assert (result.n_permutations, result.exhaustive) == (4, True)


@pytest.mark.parametrize(
    ("n_subjects", "n_perm", "sides", "n_used", "smallest"),
    [(8, 100, 2, 256, 2 / 256), (8, 100, 1, 256, 1 / 256), (16, 100, 2, 100, 0.02),
     (16, 100, 1, 100, 0.01), (16, 101, 2, 102, 2 / 102), (16, 99, 1, 100, 0.01)],
)  # fmt: skip
def test_the_smallest_p_is_reported_and_attained_by_a_strong_effect(
    n_subjects, n_perm, sides, n_used, smallest
):
    maps = np.random.default_rng(1).normal(10, 0.1, (n_subjects, 20))
    result = run_test(maps, n_perm=n_perm, sides=sides)
    assert result.n_permutations == n_used
    assert result.smallest_p == pytest.approx(smallest, rel=1e-12)
    assert 10.0 ** -result.map_values.max() == pytest.approx(smallest, rel=1e-12)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("n_subjects", [6, 15])
def test_p_lies_on_the_lattice_of_counts(n_subjects, sides):
    maps = np.random.default_rng(3).normal(0.4, 1, (n_subjects, 50))
    result = run_test(maps, n_perm=200, sides=sides)
    assert result.n_permutations is not None
    counts = 10.0**-result.map_values * result.n_permutations
    np.testing.assert_allclose(counts, np.round(counts), rtol=0, atol=1e-9)
    assert counts.min() >= sides
    if sides == 2:
        np.testing.assert_array_equal(np.round(counts) % 2, 0)


def test_survivors_are_the_voxels_with_p_up_to_alpha():
    maps = np.random.default_rng(3).normal(1.0, 1, (8, 30))
    p = p_of(maps)
    alpha = float(np.sort(p)[10])
    result = run_test(maps, alpha=alpha * (1 + 1e-12))
    np.testing.assert_array_equal(result.surviving, p <= alpha * (1 + 1e-9))
    assert result.threshold == pytest.approx(-np.log10(alpha), rel=1e-9)
    assert 11 <= result.surviving.sum() < 30


@pytest.mark.parametrize("sides", [1, 2])
@given(order=st.permutations(range(12)))
@settings(max_examples=15, deadline=None)
def test_the_order_of_voxels_permutes_p(order, sides):
    maps = np.random.default_rng(5).normal(0.5, 1, (7, 12))
    np.testing.assert_array_equal(
        p_of(maps[:, order], sides=sides), p_of(maps, sides=sides)[order]
    )


@pytest.mark.parametrize("sides", [1, 2])
@given(order=st.permutations(range(7)))
@settings(max_examples=15, deadline=None)
def test_the_order_of_subjects_changes_nothing_when_all_flips_are_used(order, sides):
    maps = np.random.default_rng(6).normal(0.5, 1, (7, 12))
    np.testing.assert_array_equal(p_of(maps[order], sides=sides), p_of(maps, sides=sides))


@pytest.mark.parametrize("n_subjects", [7, 15])
@given(exponent=st.floats(-8, 8), sides=st.sampled_from([1, 2]))
@settings(max_examples=30, deadline=None)
def test_a_positive_scale_leaves_p_unchanged(n_subjects, exponent, sides):
    maps = np.random.default_rng(7).normal(0.5, 1, (n_subjects, 12))
    scaled = p_of(maps * 10**exponent, n_perm=200, sides=sides)
    np.testing.assert_array_equal(scaled, p_of(maps, n_perm=200, sides=sides))


@pytest.mark.parametrize("n_subjects", [6, 15])
def test_the_sign_of_all_maps_matters_to_one_side_only(n_subjects):
    maps = np.random.default_rng(8).normal(0, 1, (n_subjects, 10))
    maps[:, 0] += 3
    there, back = (p_of(m, n_perm=400, sides=1) for m in (maps, -maps))
    assert there[0] < 0.05
    assert back[0] > 0.5
    two_sided = p_of(maps, n_perm=400, sides=2)
    np.testing.assert_array_equal(two_sided, p_of(-maps, n_perm=400, sides=2))


def test_with_one_voxel_the_two_tails_together_count_every_flip_and_ties_twice():
    """P(T >= t) + P(-T >= -t) = 1 + P(T = t), which is 1 / 32 without ties."""
    maps = np.random.default_rng(9).normal(0, 1, (5, 1))
    tails = p_of(maps, sides=1) + p_of(-maps, sides=1)
    np.testing.assert_allclose(tails, 1 + 1 / 32, rtol=1e-12, atol=0)


def test_the_seed_changes_p_only_when_flips_are_drawn():
    few = np.random.default_rng(1).normal(0.3, 1, (8, 20))
    many = np.random.default_rng(1).normal(0.3, 1, (16, 20))
    np.testing.assert_array_equal(p_of(few, seed=0), p_of(few, seed=1))
    assert (p_of(many, n_perm=200, seed=0) != p_of(many, n_perm=200, seed=1)).any()


def test_more_voxels_never_make_p_smaller():
    maps = np.random.default_rng(2).normal(0.6, 1, (8, 40))
    assert (p_of(maps)[:10] >= p_of(maps[:, :10]) - 1e-12).all()


MASK = np.ones((4, 3, 2), bool)
MASK[1, 1, 0] = MASK[3, 2, 1] = MASK[2, 0, 1] = False
TESTS = {
    "voxel": "permutationFWE",
    "clusterSize": "clusterSizeFWE",
    "clusterMass": "clusterMassFWE",
    "tfce": "tfceFWE",
}


def neighbourhood(connectivity: int) -> Any:
    return ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])


def volume(values: Any) -> Any:
    image = np.full(MASK.shape, -np.inf)
    image[MASK] = values
    return image


def slow_tfce(t: Any, connectivity: int) -> Any:
    """Add up the integral from each height to the next one at which a voxel appears."""
    image, scores, below = volume(t), np.zeros(MASK.shape), 0.0
    for height in np.unique(t[t > 0]):
        labels, n = ndimage.label(image >= height, neighbourhood(connectivity))
        for number in range(1, n + 1):
            cluster = labels == number
            scores[cluster] += np.sqrt(cluster.sum()) * (height**3 - below**3) / 3
        below = height
    return scores[MASK]


def slow_clusters(t: Any, threshold: float, connectivity: int) -> Any:
    image, size, mass = volume(t), np.zeros(MASK.shape), np.zeros(MASK.shape)
    labels, n = ndimage.label(image > threshold, neighbourhood(connectivity))
    for number in range(1, n + 1):
        cluster = labels == number
        size[cluster], mass[cluster] = cluster.sum(), (image[cluster] - threshold).sum()
    return size[MASK], mass[MASK]


def slow_scores(t: Any, threshold: float, sides: int, connectivity: int) -> dict[str, Any]:
    """Score every voxel, without sign; for two sides the tails never overlap."""
    scores = {"voxel": np.abs(t) if sides == 2 else t}
    tails = [t, -t][:sides]
    clusters = [slow_clusters(tail, threshold, connectivity) for tail in tails]
    scores["clusterSize"], scores["clusterMass"] = np.sum(clusters, axis=0)
    scores["tfce"] = np.sum([slow_tfce(tail, connectivity) for tail in tails], axis=0)
    return scores


def enumerated(maps: Any, sides: int, p_forming: float, connectivity: int) -> Any:
    """Return by statistic: the p, the largest values sorted; and the uncorrected p."""
    n = len(maps)
    threshold = stats.t.isf(p_forming / sides, n - 1)
    every = []
    for signs in itertools.product([1, -1], repeat=n):
        flipped = np.array(signs)[:, None] * maps
        t = flipped.mean(axis=0) / np.sqrt(flipped.var(axis=0, ddof=1) / n)
        every.append(slow_scores(t, threshold, sides, connectivity))
    p, largest = {}, {}
    for name in TESTS:
        top = np.array([scores[name].max() for scores in every])
        own = every[0][name]
        p[name] = (top >= (own - 1e-6 * np.abs(own))[:, None]).mean(1)
        if name != "voxel":
            p[name][own == 0] = 1.0
        largest[name] = np.sort(top)
    voxel = np.array([scores["voxel"] for scores in every])
    uncorrected = (voxel >= voxel[0] - 1e-6 * np.abs(voxel[0])).mean(axis=0)
    return p, largest, uncorrected


def blobs(n_subjects: int) -> Any:
    """Noise with a positive cluster at one end and a negative one at the other."""
    maps = np.random.default_rng(20 + n_subjects).normal(0, 1, (n_subjects, MASK.sum()))
    maps[:, :5] += 1.5
    maps[:, -4:] -= 1.0
    return maps


def permuted_blobs(
    n_subjects: int, sides: Any, p_forming: float, connectivity: Any = 6
) -> Permuted:
    model = make_permutation_model(np.ones((n_subjects, 1)), np.ones(1))
    settings = PermutationSettings(
        sides=sides, cluster_forming_p=p_forming, connectivity=connectivity
    )
    return permute_group(blobs(n_subjects), MASK, model, settings)


ENUMERATED = [(3, 0.2, 6), (4, 0.1, 6), (5, 0.1, 18), (5, 0.3, 6), (6, 0.05, 26)]


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(("n_subjects", "p_forming", "connectivity"), ENUMERATED)
def test_p_of_every_statistic_equals_a_plain_enumeration(
    n_subjects, p_forming, connectivity, sides
):
    permuted = permuted_blobs(n_subjects, sides, p_forming, connectivity)
    p, largest, uncorrected = enumerated(blobs(n_subjects), sides, p_forming, connectivity)
    for name, test in TESTS.items():
        result = permutation_fwe(permuted, test=test)
        np.testing.assert_allclose(10.0**-result.map_values, p[name], rtol=1e-12, atol=0)
        np.testing.assert_allclose(
            np.sort(permuted.largest[name]), largest[name], rtol=1e-5, atol=1e-6, err_msg=name
        )
        assert len(set(p[name])) > 1
    np.testing.assert_allclose(permuted.p_uncorrected, uncorrected, rtol=1e-12, atol=0)
    assert len(set(uncorrected)) > 1


@pytest.mark.parametrize("sides", [1, 2])
def test_the_observed_maps_are_scores_with_the_sign_of_t(sides):
    permuted = permuted_blobs(5, sides, 0.2)
    maps = blobs(5)
    t = maps.mean(axis=0) / np.sqrt(maps.var(axis=0, ddof=1) / 5)
    threshold = stats.t.isf(0.2 / sides, 4)
    assert permuted.cluster_threshold == pytest.approx(threshold, rel=1e-9)
    np.testing.assert_allclose(permuted.observed["voxel"], t, rtol=1e-10, atol=1e-12)
    for name, scores in slow_scores(t, threshold, sides, 6).items():
        signed = t if name == "voxel" else scores * np.sign(t)
        np.testing.assert_allclose(
            permuted.observed[name], signed, rtol=1e-5, atol=1e-6, err_msg=name
        )
    negative = permuted.observed["clusterSize"] < 0
    assert negative.any() == (sides == 2)
    assert (permuted.observed["clusterSize"] > 0).any()


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("statistic", list(TESTS))
def test_p_of_every_statistic_lies_on_the_lattice_of_counts(statistic, sides):
    permuted = permuted_blobs(6, sides, 0.1)
    assert (permuted.n_used, permuted.exhaustive, permuted.exact) == (64, True, True)
    for p in (permuted.p_corrected(statistic), permuted.p_uncorrected):
        counts = p * 64
        np.testing.assert_allclose(counts, np.round(counts), rtol=0, atol=1e-9)
        assert sides <= counts.min() < counts.max() <= 64
        if sides == 2:
            np.testing.assert_array_equal(np.round(counts) % 2, 0)


@pytest.mark.parametrize("sides", [1, 2])
def test_without_any_cluster_p_is_one_everywhere(sides):
    permuted = permuted_blobs(5, sides, 1e-9)
    for name in ("clusterSize", "clusterMass"):
        np.testing.assert_array_equal(permuted.observed[name], 0.0)
        np.testing.assert_array_equal(permuted.p_corrected(name), 1.0)
    assert permuted.p_corrected("tfce").min() < 1


def test_the_powers_of_tfce_are_those_that_are_asked_for():
    """With E = 0 the score is t^(H + 1) / (H + 1), whatever the neighbours are."""
    maps = blobs(5)
    model = make_permutation_model(np.ones((5, 1)), np.ones(1))
    settings = PermutationSettings(statistics=("tfce",), extent_power=0.0, height_power=1.0)
    permuted = permute_group(maps, MASK, model, settings)
    t = permuted.observed["voxel"]
    np.testing.assert_allclose(
        permuted.observed["tfce"], np.sign(t) * t**2 / 2, rtol=1e-5, atol=1e-9
    )
    np.testing.assert_allclose(
        permuted.largest["tfce"], permuted.largest["voxel"] ** 2 / 2, rtol=1e-5, atol=0
    )
    assert set(permuted.largest) == {"voxel", "tfce"}
