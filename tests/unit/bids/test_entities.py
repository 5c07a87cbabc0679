from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twolevel.bids.entities import (
    ENTITY_ORDER,
    build_name,
    is_common_space,
    normalised,
    parse_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ALPHANUMERIC = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
labels = st.text(ALPHANUMERIC, min_size=1, max_size=12)
entities_of_names = st.dictionaries(st.sampled_from(ENTITY_ORDER), labels, min_size=1)
extensions = st.sampled_from([".nii.gz", ".nii", ".tsv", ".json", ".tsv.gz"])


@settings(deadline=None)
@given(entities_of_names, labels, extensions)
def test_a_name_that_was_built_is_parsed_to_what_it_was_built_from(
    entities: Mapping[str, str], suffix: str, extension: str
) -> None:
    parsed = parse_name(build_name(entities, suffix, extension))
    assert parsed is not None
    assert parsed.entities == entities
    assert (parsed.suffix, parsed.extension) == (suffix, extension)


@settings(deadline=None)
@given(entities_of_names, st.randoms())
def test_the_order_of_the_entities_given_does_not_matter(entities: dict[str, str], random) -> None:
    items = list(entities.items())
    random.shuffle(items)
    assert build_name(dict(items), "bold", ".nii") == build_name(entities, "bold", ".nii")


@settings(deadline=None)
@given(entities_of_names)
def test_subject_comes_first_and_desc_last(entities: dict[str, str]) -> None:
    name = build_name({**entities, "sub": "01", "desc": "analysis"}, "mask", ".nii.gz")
    assert name.startswith("sub-01_")
    assert name.endswith("_desc-analysis_mask.nii.gz")


def test_a_folder_before_the_name_is_not_part_of_it() -> None:
    parsed = parse_name("/data/sub-99/func/sub-01_task-rest_run-01_events.tsv")
    assert parsed is not None
    assert parsed.entities == {"sub": "01", "task": "rest", "run": "01"}
    assert parsed.suffix == "events"
    assert parsed.extension == ".tsv"


@pytest.mark.parametrize(
    "name",
    [
        "README",
        "sub-01_task-rest",
        "sub-01__bold.nii",
        "sub-_bold.nii",
        "sub-01_task-a-b_bold.nii",
        "sub-01_sub-02_bold.nii",
        "Sub-01_bold.nii",
        ".sub-01_bold.nii.part",
        "sub-01_bold-x.nii",
    ],
)
def test_a_name_of_another_form_is_not_parsed(name: str) -> None:
    assert parse_name(name) is None


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 4))
def test_leading_zeros_of_a_run_do_not_count(number: int, zeros: int) -> None:
    padded = "0" * zeros + str(number)
    assert normalised({"run": padded}) == normalised({"run": str(number)}) == {"run": str(number)}


def test_leading_zeros_of_a_subject_do_count() -> None:
    assert normalised({"sub": "01", "ses": "002", "run": "02", "echo": "01"}) == {
        "sub": "01",
        "ses": "002",
        "run": "2",
        "echo": "1",
    }


@settings(deadline=None)
@given(entities_of_names)
def test_normalising_twice_changes_nothing_more(entities: dict[str, str]) -> None:
    assert normalised(normalised(entities)) == normalised(entities)


@pytest.mark.parametrize(
    ("entities", "common"),
    [
        ({"space": "MNI152NLin2009cAsym", "res": "2"}, True),
        ({"space": "MNIPediatricAsym", "cohort": "3"}, True),
        ({"space": "studytemplate"}, True),
        *(({"space": s}, False) for s in ("T1w", "individual", "func", "boldref", "fsnative")),
        ({"sub": "01", "res": "2"}, False),
    ],
)
def test_spaces_of_single_heads_are_not_common(entities, common):
    assert is_common_space(entities) is common
