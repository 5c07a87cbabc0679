from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from twolevel.numerics.relabelings import Relabelings, draw_permutations, draw_sign_flips


def flips_of(n_units: int, n_perm: int, seed: int = 0, **options: Any) -> Relabelings:
    """Flip every subject by itself."""
    return draw_sign_flips(np.arange(n_units), n_perm, seed, **options)


def every_flip(flips: Relabelings) -> Any:
    """Return all flips, mirror images written out."""
    assert flips.mirrored
    return np.concatenate([flips.signs, -flips.signs])


def distinct(rows: Any) -> set[tuple[int, ...]]:
    return {tuple(int(x) for x in row) for row in rows}


@pytest.mark.parametrize("n_subjects", range(1, 14))
def test_few_subjects_are_enumerated_each_flip_once(n_subjects):
    flips = flips_of(n_subjects, 100)
    rows = distinct(every_flip(flips))
    assert flips.exhaustive
    assert flips.n_used == 2**n_subjects
    assert rows == set(itertools.product((-1, 1), repeat=n_subjects))


@pytest.mark.parametrize(
    ("n_subjects", "n_perm", "exhaustive"),
    [
        (13, 2, True),  # 8192 are no more than 10,000
        (14, 10_000, False),
        (14, 12_001, False),
        (14, 16_384, True),  # as many as there are
        (14, 16_383, True),  # raised by one
        (14, 20_000, True),
    ],
)
def test_all_flips_are_used_up_to_ten_thousand_or_as_many_as_wanted(
    n_subjects, n_perm, exhaustive
):
    flips = flips_of(n_subjects, n_perm)
    assert flips.exhaustive is exhaustive
    assert flips.n_used == (2**n_subjects if exhaustive else n_perm + n_perm % 2)


@pytest.mark.parametrize(("exhaustive_up_to", "exhaustive"), [(63, False), (64, True)])
def test_the_limit_up_to_which_all_flips_are_used_is_a_choice(exhaustive_up_to, exhaustive):
    flips = flips_of(6, 10, exhaustive_up_to=exhaustive_up_to)
    assert flips.exhaustive is exhaustive
    assert flips.n_used == len(distinct(every_flip(flips))) == (64 if exhaustive else 10)


@pytest.mark.parametrize("n_perm", [2, 3, 100, 101, 5000])
def test_drawn_flips_are_distinct_pairs_with_the_identity_first(n_perm):
    flips = flips_of(20, n_perm, seed=3)
    assert not flips.exhaustive
    assert flips.n_used == n_perm + n_perm % 2
    assert len(distinct(every_flip(flips))) == flips.n_used
    assert (flips.signs[0] == 1).all()
    assert set(np.unique(flips.signs)) <= {-1, 1}


def test_nearly_all_flips_can_be_drawn_distinct():
    flips = flips_of(8, 250, seed=1, exhaustive_up_to=10)
    assert len(distinct(every_flip(flips))) == 250


def test_the_identity_comes_first_in_an_enumeration():
    assert flips_of(5, 100).signs[0].tolist() == [1, 1, 1, 1, 1]


def test_the_seed_decides_which_flips_are_drawn():
    signs = flips_of(30, 100, seed=5).signs
    np.testing.assert_array_equal(signs, flips_of(30, 100, seed=5).signs)
    assert (signs != flips_of(30, 100, seed=6).signs).any()


def test_more_flips_begin_with_the_fewer_ones():
    np.testing.assert_array_equal(flips_of(30, 400).signs[:50], flips_of(30, 100).signs)


def test_drawn_signs_are_balanced_in_every_subject():
    # with pairs, the relation between two subjects is what is drawn: equal or opposite
    signs = flips_of(20, 10_000).signs[1:].astype(float)
    relation = (signs.T @ signs / len(signs))[np.triu_indices(20, 1)]
    assert np.abs(relation).max() < 4.5 / np.sqrt(len(signs))


@pytest.mark.parametrize("options", [{}, {"exhaustive_up_to": 4}])
def test_subjects_of_a_unit_are_flipped_together(options):
    units = np.array([2, 0, 1, 0, 2, 2, 3])
    flips = draw_sign_flips(units, 6, seed=0, **options)
    assert flips.exhaustive is not bool(options)
    assert flips.signs.shape == (len(flips.rows), 7)
    for unit in range(4):
        together = flips.signs[:, units == unit]
        np.testing.assert_array_equal(together, together[:, :1].repeat(together.shape[1], axis=1))
    _, first = np.unique(units, return_index=True)
    expected = 6 if options else 16
    assert flips.n_used == len(distinct(every_flip(flips)[:, first])) == expected


def test_flips_leave_every_subject_its_row_of_the_design():
    flips = draw_sign_flips(np.array([0, 1, 1, 2]), 100, seed=0)
    np.testing.assert_array_equal(flips.rows, np.tile(np.arange(4), (4, 1)))
    assert flips.rows.dtype == np.int32
    assert flips.signs.dtype == np.int8


def singles(*sets: Any) -> list[list[Any]]:
    """Return sets of subjects, each a unit by itself."""
    return [[np.array([subject]) for subject in members] for members in sets]


def pairs(*starts: int) -> list[Any]:
    return [np.array([start, start + 1]) for start in starts]


def slow_twin(units: Any, kinds: Any) -> set[tuple[int, ...]]:
    """Return the kinds of row that subjects get when units change places in any way."""
    found = set()
    for orders in itertools.product(*(itertools.permutations(members) for members in units)):
        rows = np.arange(len(kinds))
        for members, order in zip(units, orders, strict=True):
            for place, unit in zip(members, order, strict=True):
                rows[place] = unit
        found.add(tuple(kinds[rows].tolist()))
    return found


CASES: dict[str, tuple[Any, list[int], int]] = {
    "all rows differ": (singles(range(5)), [0, 1, 2, 3, 4], 120),
    "two groups": (singles(range(7)), [0, 0, 0, 1, 1, 1, 1], 35),
    "three groups in no order": (singles(range(7)), [5, 2, 5, 9, 2, 5, 2], 140),
    "two sets": (singles([0, 2, 4], [1, 3, 5, 6]), [0, 1, 2, 0, 0, 1, 1], 12),
    "a subject alone": (singles([0], [1, 2, 3]), [0, 1, 2, 3], 6),
    "a subject in no set": (singles([1, 3, 4]), [0, 1, 2, 3, 4], 6),
    "blocks": ([pairs(0, 2, 4)], [0, 1, 2, 3, 4, 5], 6),
    "equal blocks": ([pairs(0, 2, 4, 6)], [0, 1, 2, 3, 0, 1, 2, 3], 6),
    "blocks with equal rows in another order": ([pairs(0, 2)], [0, 1, 1, 0], 2),
    "blocks of two sizes": (
        [pairs(0, 2, 4), [np.array([6, 7, 8]), np.array([9, 10, 11])]],
        list(range(12)),
        12,
    ),
    "blocks apart": ([[np.array([0, 5]), np.array([4, 1]), np.array([2, 3])]], [*range(6)], 6),
}
cases = pytest.mark.parametrize("case", CASES)


@cases
def test_few_permutations_are_enumerated_each_arrangement_once(case):
    units, numbers, n_there = CASES[case]
    kinds = np.array(numbers)
    relabelings = draw_permutations(units, kinds, 2, seed=0)
    arrangements = kinds[relabelings.rows]
    assert relabelings.exhaustive
    assert not relabelings.mirrored
    assert (relabelings.signs == 1).all()
    assert relabelings.signs.shape == relabelings.rows.shape
    assert relabelings.n_used == len(arrangements) == n_there
    assert distinct(arrangements) == slow_twin(units, kinds)
    assert len(distinct(arrangements)) == n_there
    assert arrangements[0].tolist() == numbers


@cases
def test_drawn_permutations_are_distinct_arrangements_with_the_identity_first(case):
    units, numbers, n_there = CASES[case]
    kinds, n_perm = np.array(numbers), max(n_there - 1, 1)
    relabelings = draw_permutations(units, kinds, n_perm, seed=1, exhaustive_up_to=1)
    arrangements = kinds[relabelings.rows]
    assert not relabelings.exhaustive
    assert relabelings.n_used == len(distinct(arrangements)) == n_perm
    assert distinct(arrangements) < slow_twin(units, kinds)
    assert arrangements[0].tolist() == numbers


@pytest.mark.parametrize("sizes", [(6,), (3, 3), (8, 4), (2, 2, 2, 2), (1, 1, 9)])
def test_there_are_as_many_permutations_of_groups_as_the_multinomial_coefficient(sizes):
    kinds = np.repeat(np.arange(len(sizes)), sizes)
    relabelings = draw_permutations(singles(range(len(kinds))), kinds, 2, seed=0)
    expected = math.factorial(sum(sizes)) // math.prod(math.factorial(size) for size in sizes)
    assert relabelings.exhaustive
    assert relabelings.n_used == len(distinct(kinds[relabelings.rows])) == expected
    counts = Counter(kinds.tolist())
    assert all(Counter(row) == counts for row in kinds[relabelings.rows].tolist())


@pytest.mark.parametrize(
    ("n_subjects", "n_perm", "options", "exhaustive"),
    [
        (7, 2, {}, True),  # 5040 are no more than 10,000
        (8, 10_000, {}, False),
        (8, 40_319, {}, False),
        (8, 40_320, {}, True),  # as many as there are
        (7, 10, {"exhaustive_up_to": 5039}, False),
        (7, 10, {"exhaustive_up_to": 5040}, True),
    ],
)
def test_all_permutations_are_used_up_to_a_limit_or_as_many_as_wanted(
    n_subjects, n_perm, options, exhaustive
):
    subjects = np.arange(n_subjects)
    relabelings = draw_permutations(singles(subjects), subjects, n_perm, 0, **options)
    n_used = math.factorial(n_subjects) if exhaustive else n_perm
    assert relabelings.exhaustive is exhaustive
    assert relabelings.n_used == len(np.unique(relabelings.rows, axis=0)) == n_used
    np.testing.assert_array_equal(relabelings.rows[0], subjects)


@pytest.mark.parametrize("n_perm", [1, 2, 101, 3000])
def test_drawn_rows_are_rearrangements(n_perm):
    subjects = np.arange(25)
    relabelings = draw_permutations(singles(subjects), subjects, n_perm, seed=3)
    assert relabelings.n_used == len(distinct(relabelings.rows)) == n_perm
    np.testing.assert_array_equal(
        np.sort(relabelings.rows, axis=1), np.tile(subjects, (n_perm, 1))
    )


def test_drawn_permutations_stay_within_their_sets():
    sets = [0, 3, 5, 8, 9, 12], [1, 2, 4, 6, 7, 10, 11, 13]
    relabelings = draw_permutations(singles(*sets), np.arange(14), 500, seed=0)
    assert not relabelings.exhaustive
    for members in sets:
        rows = np.sort(relabelings.rows[:, members], axis=1)
        np.testing.assert_array_equal(rows, np.tile(members, (500, 1)))


def test_drawn_permutations_move_whole_blocks():
    relabelings = draw_permutations([pairs(*range(0, 20, 2))], np.arange(20), 500, seed=0)
    assert not relabelings.exhaustive
    firsts, seconds = relabelings.rows[:, ::2], relabelings.rows[:, 1::2]
    np.testing.assert_array_equal(seconds, firsts + 1)
    np.testing.assert_array_equal(np.sort(firsts, axis=1), np.tile(np.arange(0, 20, 2), (500, 1)))


def test_the_seed_decides_which_permutations_are_drawn():
    subjects = np.arange(12)
    rows = [draw_permutations(singles(subjects), subjects, 100, seed).rows for seed in (5, 5, 6)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[0] != rows[2]).any()


def test_every_subject_gets_every_row_equally_often():
    n_perm, subjects = 10_000, np.arange(10)
    rows = draw_permutations(singles(subjects), subjects, n_perm, seed=0).rows[1:]
    shares = np.array([(rows == row).mean(axis=0) for row in subjects])
    assert np.abs(shares - 0.1).max() < 4.5 * np.sqrt(0.1 * 0.9 / n_perm)


def test_without_anything_to_exchange_the_identity_is_all_there_is():
    relabelings = draw_permutations(singles([0, 1, 2]), np.zeros(3, int), 100, seed=0)
    assert relabelings.exhaustive
    assert relabelings.n_used == 1
