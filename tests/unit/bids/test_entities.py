from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydra.utils.hash import hash_function

from twolevel.bids.entities import (
    ENTITY_ORDER,
    Entities,
    entities_of,
    is_common_space,
    parse_name,
)
from twolevel.bids.run_inputs import RunSpec

ALPHANUMERIC = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
labels = st.text(ALPHANUMERIC, min_size=1, max_size=12)
keys = st.one_of(st.sampled_from(ENTITY_ORDER), st.sampled_from(["hemi", "recording", "mod"]))
entities_of_names = st.dictionaries(keys, labels, min_size=1)
extensions = st.sampled_from([".nii.gz", ".nii", ".tsv", ".json", ".tsv.gz"])
SPACE = {"space": "MNI152NLin2009cAsym", "res": "2"}


def run(**entities: str) -> Entities:
    return Entities({"sub": "01", "task": "t", **entities, **SPACE})


@settings(deadline=None)
@given(entities_of_names, labels, extensions)
def test_a_name_that_was_built_is_parsed_to_what_it_was_built_from(
    entities: dict[str, str], suffix: str, extension: str
) -> None:
    built = Entities(entities)
    parsed = parse_name(built.path(suffix, extension))
    assert parsed is not None
    assert parsed.entities == built == entities
    assert (parsed.suffix, parsed.extension) == (suffix, extension)


@settings(deadline=None)
@given(entities_of_names, st.randoms())
def test_the_order_of_the_entities_given_does_not_matter(entities: dict[str, str], random) -> None:
    items = list(entities.items())
    random.shuffle(items)
    one, other = Entities(items), Entities(entities)
    assert list(one.items()) == list(other.items())
    assert one.path("bold", ".nii") == other.path("bold", ".nii")
    assert one == other
    assert hash(one) == hash(other)
    assert hash_function(one) == hash_function(other)


@settings(deadline=None)
@given(entities_of_names, entities_of_names)
def test_entities_are_the_same_input_of_a_task_only_where_they_are_equal(
    first: dict[str, str], second: dict[str, str]
) -> None:
    one, other = Entities(first), Entities(second)
    assert (hash_function(one) == hash_function(other)) == (one == other)
    specs = [RunSpec(entities, 2.0, 0.0, 10, ()) for entities in (one, other)]
    assert (hash_function(specs[0]) == hash_function(specs[1])) == (one == other)


@settings(deadline=None)
@given(entities_of_names)
def test_a_copy_in_another_process_is_the_same(entities: dict[str, str]) -> None:
    there = Entities(entities)
    for back in (cloudpickle.loads(cloudpickle.dumps(there)), copy.deepcopy(there)):
        assert back == there
        assert list(back) == list(there)
        assert hash_function(back) == hash_function(there)


def test_the_digest_of_an_input_does_not_depend_on_the_process():
    code = (
        "from pydra.utils.hash import hash_function\n"
        "from twolevel.bids.entities import Entities\n"
        "print(hash_function(Entities([('run', '01'), ('sub', 'x'), ('mod', 'a')])))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert printed == {hash_function(Entities({"sub": "x", "mod": "a", "run": "01"}))}


@settings(deadline=None)
@given(entities_of_names)
def test_subject_comes_first_and_desc_last(entities: dict[str, str]) -> None:
    name = Entities(entities).with_(sub="01", desc="analysis").path("mask", ".nii.gz").name
    assert name.startswith("sub-01_")
    assert name.endswith("_desc-analysis_mask.nii.gz")


@settings(deadline=None)
@given(entities_of_names, entities_of_names)
def test_what_is_given_takes_the_place_of_what_is_there(
    first: dict[str, str], second: dict[str, str]
) -> None:
    there = Entities(first)
    assert there.with_(**second) == {**first, **second}
    assert there.without(*second) == {k: v for k, v in first.items() if k not in second}
    assert there.only(*second) == {k: v for k, v in first.items() if k in second}
    assert {**there.only(*second), **there.without(*second)} == there == first


def test_entities_do_not_change():
    entities = Entities({"sub": "01"})
    with pytest.raises(AttributeError, match="with_"):
        entities.run = "1"
    with pytest.raises(TypeError):
        entities["run"] = "1"  # type: ignore[index]
    assert entities == {"sub": "01"}


@pytest.mark.parametrize(
    ("entities", "place"),
    [
        ({"sub": "01", "task": "x"}, "sub-01/func/sub-01_task-x_design.tsv"),
        (
            {"task": "x", "ses": "pre", "sub": "01"},
            "sub-01/ses-pre/func/sub-01_ses-pre_task-x_design.tsv",
        ),
        ({"res": "2", "task": "x"}, "group/task-x_res-2_design.tsv"),
    ],
)
def test_a_file_goes_to_the_folder_of_its_subject_and_session_or_to_the_group(entities, place):
    assert Entities(entities).path("design", ".tsv") == Path(place)
    assert Entities(entities).folder == Path(place).parent


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
    assert entities_of(name) == {}


def test_entities_of_a_path_are_those_of_its_name(tmp_path):
    assert entities_of(tmp_path / "sub-01_task-x_bold.nii.gz") == {"sub": "01", "task": "x"}


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 4))
def test_leading_zeros_of_a_run_do_not_count(number: int, zeros: int) -> None:
    padded = Entities({"run": "0" * zeros + str(number)})
    assert padded.normalised() == Entities({"run": str(number)}).normalised()
    assert padded.normalised() == {"run": str(number)}
    assert padded.path("bold", ".nii").name == f"run-{'0' * zeros}{number}_bold.nii"


def test_leading_zeros_of_a_subject_do_count() -> None:
    entities = Entities({"sub": "01", "ses": "002", "run": "02", "echo": "01"})
    assert entities.normalised() == {"sub": "01", "ses": "002", "run": "2", "echo": "1"}


@settings(deadline=None)
@given(entities_of_names)
def test_normalising_twice_changes_nothing_more(entities: dict[str, str]) -> None:
    once = Entities(entities).normalised()
    assert once.normalised() == once


def test_shared_entities_are_those_that_all_names_have_with_the_same_label():
    names = [
        Entities({"sub": "01", "ses": "1", "task": "x", "run": "1"}),
        Entities({"sub": "01", "ses": "2", "task": "x", "run": "1"}),
        Entities({"sub": "01", "task": "x", "run": "1", "acq": "a"}),
    ]
    assert Entities.shared(names) == {"sub": "01", "task": "x", "run": "1"}
    assert Entities.shared(names[:1]) == names[0]


@pytest.mark.parametrize(
    ("runs", "left"),
    [
        ([run(dir="AP"), run(dir="PA")], {}),
        ([run(dir="AP", run="1"), run(dir="AP", run="2")], {"dir": "AP"}),
        ([run(acq="mb", run="1"), run(acq="seq", run="2")], {}),
        ([run(ses="a", acq="mb"), run(ses="b", acq="mb")], {"acq": "mb"}),
        ([run(dir="AP")], {"dir": "AP"}),
        ([run(ses="a", run="1")], {}),
    ],
)
def test_the_maps_of_a_subject_have_the_entities_that_its_runs_share(runs, left):
    of_subject = Entities.shared(runs).without("ses", "run")
    assert of_subject == {"sub": "01", "task": "t", **SPACE, **left}


@pytest.mark.parametrize(
    ("entities", "words"),
    [
        ({"sub": "01", "run": "02", "task": "x"}, "sub-01 run-2"),
        ({"run": "1"}, "run-1"),
        ({"task": "x"}, ""),
    ],
)
def test_entities_in_words(entities, words):
    assert Entities(entities).in_words(("sub", "ses", "run")) == words


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
    assert is_common_space(Entities(entities)) is common
