"""Statistics from products equal those of regressions, and the kernels their numpy twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twolevel.numerics.relabeled_statistics import (
    count_reached,
    form_shares,
    shares_of,
    statistics_of,
    write_statistics,
)

N_ROWS, N_VOXELS = 7, 12
effects = pytest.mark.parametrize("n_effects", [1, 2, 3])
dofs = pytest.mark.parametrize("dof", [1.0, 7.5, 300.0])
LARGEST = 1e9


def random_products(n_effects: int, n_moved: int) -> Any:
    """Return parts of vectors of length 1, as products with orthonormal bases are."""
    shape = (n_effects + n_moved + 4, N_ROWS, N_VOXELS)
    vectors = np.random.default_rng(n_moved).normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=0))[: n_effects + n_moved].copy()


def formed(products: Any, n_effects: int) -> Any:
    shares = np.full(products.shape[1:], np.nan)
    form_shares(products, n_effects, shares)
    return shares


@effects
@pytest.mark.parametrize("n_moved", [0, 1, 4])
def test_shares_are_what_effects_explain_of_what_the_nuisance_leaves(n_effects, n_moved):
    products = random_products(n_effects, n_moved)
    left = 1 - (products[n_effects:] ** 2).sum(axis=0)
    expected = (products[:n_effects] ** 2).sum(axis=0) / left
    if n_effects == 1:
        expected = np.sign(products[0]) * np.sqrt(expected)
        assert (expected < 0).any()
    np.testing.assert_allclose(formed(products, n_effects), expected, rtol=1e-13, atol=0)


@effects
def test_nothing_is_tested_where_the_nuisance_explains_the_data(n_effects):
    products = np.full((n_effects + 1, 1, 4), 1e-7)
    products[-1, 0] = np.sqrt([1.0, 1 - 1e-11, 1 - 1e-9, 1 + 1e-15])
    left = 1 - products[-1, 0, 2] ** 2
    share = 1e-7 / np.sqrt(left) if n_effects == 1 else n_effects * 1e-14 / left
    np.testing.assert_allclose(formed(products, n_effects)[0], [0, 0, share, 0], rtol=1e-12)


@effects
def test_statistics_of_relabeled_data_are_those_of_a_regression(n_effects):
    rng = np.random.default_rng(5)
    n, n_nuisance = 15, 2
    basis, _ = np.linalg.qr(rng.normal(size=(n, n_effects + n_nuisance)))
    nuisance = basis[:, n_effects:]
    data = rng.normal(size=(n, N_VOXELS))
    data -= nuisance @ (nuisance.T @ data)
    data = rng.permutation(data / np.linalg.norm(data, axis=0))
    dof = float(n - n_effects - n_nuisance)

    full = ((data - basis @ (basis.T @ data)) ** 2).sum(axis=0)
    reduced = ((data - nuisance @ (nuisance.T @ data)) ** 2).sum(axis=0)
    expected = (reduced - full) / n_effects / (full / dof)
    if n_effects == 1:
        expected = np.sign(basis[:, 0] @ data) * np.sqrt(expected)
    shares = formed((basis.T @ data)[:, None], n_effects)[0]
    np.testing.assert_allclose(
        statistics_of(shares, dof, n_effects), expected, rtol=1e-10, atol=1e-12
    )


def counted(shares: Any, limits: Any, tails: int) -> Any:
    counts = np.zeros(len(limits), np.int64)
    count_reached(shares, limits, tails, counts)
    return counts


def whole_tenths(*shape: int) -> Any:
    """Return numbers among which there are many ties, of both signs."""
    return np.random.default_rng(2).integers(-5, 6, shape) / 10


@pytest.mark.parametrize("tails", [1, 2, 3])
def test_values_that_reach_the_limit_are_counted_in_their_tails(tails):
    shares, limits = whole_tenths(N_ROWS, N_VOXELS), np.arange(-5, 7) / 10
    reached = {
        1: shares >= limits,
        2: np.abs(shares) >= limits,
        3: (shares >= limits).astype(int) + (-shares >= limits),
    }[tails]
    counts = counted(shares, limits, tails)
    np.testing.assert_array_equal(counts, reached.sum(axis=0))
    assert len(np.unique(counts)) > 3


@pytest.mark.parametrize(
    ("tails", "expected"), [(1, [1, 0, 1, 1, 0]), (2, [1, 1, 1, 1, 0]), (3, [1, 1, 2, 2, 0])]
)
def test_a_value_at_the_limit_reaches_it(tails, expected):
    shares = np.array([[0.5, -0.5, 0.0, 0.25, 0.5]])
    limits = np.array([0.5, 0.5, 0.0, -0.25, np.nextafter(0.5, 1)])
    assert counted(shares, limits, tails).tolist() == expected


@pytest.mark.parametrize("tails", [1, 2, 3])
def test_blocks_of_voxels_and_relabelings_add_up(tails):
    shares, limits = whole_tenths(N_ROWS, N_VOXELS), np.abs(whole_tenths(N_VOXELS))
    counts = counted(shares, limits, tails)
    n_reached = np.zeros(N_VOXELS, np.int64)
    for rows in (slice(3), slice(3, None)):
        for start, stop in ((0, 5), (5, N_VOXELS)):
            block = np.full((len(shares[rows]), 8), 99.0)  # further columns hold nothing
            block[:, : stop - start] = shares[rows, start:stop]
            count_reached(block, limits[start:stop], tails, n_reached[start:stop])
    np.testing.assert_array_equal(n_reached, counts)


@dofs
@effects
def test_written_statistics_are_those_of_shares_in_single_precision(n_effects, dof):
    shares = np.random.default_rng(1).uniform(-1 if n_effects == 1 else 0, 1, (N_ROWS, 20))
    maps = np.full((N_ROWS, 30), -7, np.float32)
    write_statistics(shares, dof, n_effects, LARGEST, maps[:, 4 : 4 + N_VOXELS])
    expected = statistics_of(shares, dof, n_effects)[:, :N_VOXELS]
    np.testing.assert_allclose(maps[:, 4 : 4 + N_VOXELS], expected, rtol=1e-6, atol=0)
    assert (maps[:, :4] == -7).all()
    assert (maps[:, 4 + N_VOXELS :] == -7).all()


@pytest.mark.parametrize(
    ("n_effects", "shares", "expected"),
    [
        (1, [1.0, -1.0, 1 + 1e-15, -1 - 1e-15, 0.0], [LARGEST, -LARGEST, LARGEST, -LARGEST, 0.0]),
        (3, [1.0, 1 + 1e-15, 0.0], [LARGEST, LARGEST, 0.0]),
    ],
)
def test_infinite_statistics_are_written_as_the_largest(n_effects, shares, expected):
    out = np.empty((1, len(shares)), np.float32)
    write_statistics(np.array([shares]), 8.0, n_effects, LARGEST, out)
    np.testing.assert_array_equal(out, np.array([expected], np.float32))


def test_finite_statistics_are_not_written_beyond_the_largest():
    out = np.empty((1, 3), np.float32)
    write_statistics(np.array([[0.9, -0.9, 0.1]]), 100.0, 1, 5.0, out)
    np.testing.assert_allclose(out, [[5.0, -5.0, 1 / np.sqrt(0.99)]], rtol=1e-6)


@dofs
def test_t_and_f_are_the_textbook_functions_of_shares(dof):
    r = np.linspace(-0.99, 0.99, 23)
    np.testing.assert_allclose(
        statistics_of(r, dof, 1), r * np.sqrt(dof) / np.sqrt(1 - r**2), rtol=1e-12, atol=0
    )
    share = r**2
    np.testing.assert_allclose(
        statistics_of(share, dof, 3), (share / 3) / ((1 - share) / dof), rtol=1e-12, atol=0
    )


@dofs
def test_t_of_a_share_is_the_root_of_its_f(dof):
    r = np.linspace(0, 0.999, 40)
    np.testing.assert_allclose(
        statistics_of(r, dof, 1) ** 2, statistics_of(r**2, dof, 1 + 1) * 2, rtol=1e-12, atol=0
    )


@dofs
@effects
def test_shares_and_statistics_are_each_others_inverse(n_effects, dof):
    shares = np.concatenate([[0.0, 1e-9], np.linspace(0.01, 0.99, 30), [1 - 1e-6, 1.0]])
    if n_effects == 1:
        shares = np.concatenate([-shares[::-1], shares])
    statistics = statistics_of(shares, dof, n_effects)
    assert (np.diff(statistics)[shares[:-1] != shares[1:]] > 0).all()
    np.testing.assert_allclose(
        shares_of(statistics, dof, n_effects), shares, rtol=1e-13, atol=1e-300
    )
    finite = statistics[np.isfinite(statistics)]
    np.testing.assert_allclose(
        statistics_of(shares_of(finite, dof, n_effects), dof, n_effects),
        finite,
        rtol=1e-9,
        atol=1e-300,
    )


@dofs
def test_infinite_statistics_are_shares_of_one(dof):
    assert statistics_of(np.array([1.0, -1.0, 0.0]), dof, 1).tolist() == [np.inf, -np.inf, 0.0]
    assert shares_of(np.array([np.inf, -np.inf, 0.0]), dof, 1).tolist() == [1.0, -1.0, 0.0]
    assert statistics_of(np.array([1.0, 0.0]), dof, 2).tolist() == [np.inf, 0.0]
    assert shares_of(np.array([np.inf, 0.0]), dof, 2).tolist() == [1.0, 0.0]


@effects
def test_a_share_of_one_but_for_rounding_is_infinite(n_effects):
    shares = np.array([1 - 1e-14, 1 + 1e-15, 1 - 1e-12])
    statistics = statistics_of(shares, 9.0, n_effects)
    assert np.isposinf(statistics).tolist() == [True, True, False]
    assert statistics[2] > 1e6


def test_a_limit_just_below_zero_is_a_share_just_below_zero():
    limits = np.array([-1e-9])
    np.testing.assert_allclose(shares_of(limits, 16.0, 1), [-0.25e-9], rtol=1e-9)
    np.testing.assert_allclose(shares_of(limits, 16.0, 2), [-0.125e-9], rtol=1e-8)
