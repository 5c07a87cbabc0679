from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from twolevel.bids.selection import choose_subjects
from twolevel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LABELS = tuple(f"{number:02d}" for number in range(1, 21))


@pytest.fixture
def choose(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    raw, prepared = tmp_path / "raw", tmp_path / "fmriprep"
    for label in LABELS[:15]:
        (raw / f"sub-{label}").mkdir(parents=True)
    for label in LABELS[10:]:
        (prepared / f"sub-{label}").mkdir(parents=True)
    return partial(choose_subjects, raw, [prepared])


def test_all_subjects_of_all_datasets_are_taken_by_default(choose):
    assert choose([]) == LABELS


def test_labels_may_have_their_prefix_and_come_twice(choose):
    assert choose(["sub-07", "02", "07"]) == ("02", "07")


def test_the_same_seed_draws_the_same_subjects(choose):
    first = choose([], n_subjects=6, seed=5)
    assert choose([], n_subjects=6, seed=5) == first
    assert len(set(first)) == 6
    assert set(first) <= set(LABELS)
    assert list(first) == sorted(first)


def test_other_seeds_draw_other_subjects(choose):
    drawn = {choose([], n_subjects=6, seed=seed) for seed in range(10)}
    assert len(drawn) > 5
    assert set(LABELS) == {label for labels in drawn for label in labels}


def test_the_draw_is_among_the_subjects_named(choose):
    named = ["03", "04", "05"]
    drawn = {choose(named, n_subjects=2, seed=seed) for seed in range(20)}
    assert drawn == {("03", "04"), ("03", "05"), ("04", "05")}


def test_drawing_all_of_them_takes_all_of_them(choose):
    assert choose([], n_subjects=20, seed=1) == LABELS


def test_all_labels_that_are_not_there_are_named_with_a_suggestion(choose):
    with pytest.raises(InputError) as caught:
        choose(["01", "014", "99"], n_subjects=50)
    first, second, third = caught.value.problems
    assert first.where == "--participant-label 014"
    assert '"14"' in first.remedy
    assert second.where == "--participant-label 99"
    assert second.found == "no such subject"
    assert second.expected == f"one of: {', '.join(LABELS)}"
    assert third.where == "--n-subjects 50"


def test_a_dataset_without_subjects_says_so(tmp_path):
    with pytest.raises(InputError) as caught:
        choose_subjects(tmp_path, [], ["01"])
    assert caught.value.problems[0].expected == "one of: (there is none)"


def test_excluded_subjects_are_not_taken_nor_drawn(choose):
    assert choose([], excluded=["sub-03", "20"]) == tuple(
        label for label in LABELS if label not in {"03", "20"}
    )
    assert choose(["01", "02", "sub-03"], excluded=["02"]) == ("01", "03")
    drawn = {choose(["01", "02", "03"], excluded=["02"], n_subjects=1, seed=s) for s in range(20)}
    assert drawn == {("01",), ("03",)}


def test_labels_are_refused_by_what_names_them(choose):
    with pytest.raises(InputError) as caught:
        choose(["1"], excluded=["2", "07"], source="the model's Input: subject")
    assert [(p.where, p.found, p.remedy) for p in caught.value.problems] == [
        ("the model's Input: subject 1", "no such subject", 'Did you mean "01"?'),
        ("--exclude-participant-label 2", "no such subject", 'Did you mean "02"?'),
    ]


def test_nobody_left_is_not_everybody(choose):
    with pytest.raises(InputError) as caught:
        choose(["04", "05"], excluded=["05", "04"])
    (problem,) = caught.value.problems
    assert (problem.where, problem.found, problem.expected) == (
        "--exclude-participant-label",
        "every subject is excluded",
        "at least one of: 04, 05",
    )
