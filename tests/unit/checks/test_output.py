"""Output directories: whose they are, and what lies in the way of a call."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twolevel.bids.entities import Entities
from twolevel.checks.output import check_output, find_in_the_way, selection_in_words
from twolevel.derivatives.publish import publish
from twolevel.derivatives.records import GROUP, Publication
from twolevel.errors import OutputError
from twolevel.files.sealed import seal
from twolevel.notes import merged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twolevel.checks.output import InTheWay

KIND = Entities({"task": "x", "space": "S"})
ALL = {"Asked": {"task": ["x"]}, "Derivatives": ["fMRIPrep 23.1.3"]}
FIRST = {"Asked": {"task": ["x"], "run": ["1"]}, "Derivatives": ["fMRIPrep 23.1.3"]}
NEWER = {"Asked": {"task": ["x"]}, "Derivatives": ["fMRIPrep 24.0.0"]}


def names(subject: str = "01", *runs: str) -> list[Entities]:
    own = KIND.with_(sub=subject)
    return [*(own.with_(run=run) for run in runs), own]


def record(selection: Mapping[str, object], subject: str = "01", **kind: str) -> Publication:
    return Publication(f"sub-{subject}", KIND.with_(**kind), selection)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Results of two runs of a subject, all runs asked for."""
    folder = tmp_path / "tree" / "sub-01" / "func"
    folder.mkdir(parents=True)
    for stem in ("task-x_run-1", "task-x_run-2", "task-x"):
        (folder / f"sub-01_{stem}_space-S_contrast-c_stat-t_statmap.nii.gz").write_text(stem)
    seal(tmp_path / "tree")
    publish([tmp_path / "tree"], tmp_path / "out", record(ALL))
    return tmp_path / "out"


def found(out: Path, publication: Publication, *runs: str) -> InTheWay:
    subject = publication.who.removeprefix("sub-")
    own = [entities.with_(**publication.kind) for entities in names(subject, *runs)]
    return find_in_the_way(out, [publication], {publication.who: own})


def test_the_same_selection_is_never_in_the_way(out):
    assert found(out, record(ALL), "1", "2", "3").refusals(out, "") == []


@pytest.mark.parametrize("selection", [FIRST, NEWER])
def test_results_of_another_selection_are_named_with_what_they_were_made_of(out, selection):
    (problem,) = found(out, record(selection), "1").refusals(out, selection_in_words(selection))
    assert problem.found == (
        "maps of sub-01, made of task x, all sessions, all runs (fMRIPrep 23.1.3)"
    )
    assert selection_in_words(selection) in problem.expected
    assert "--overwrite" in problem.remedy


def test_what_would_be_replaced_is_listed(out):
    assert merged(found(out, record(FIRST), "1").notes()) == [
        (
            "--overwrite replaces the maps made of task x, all sessions, all runs (fMRIPrep "
            "23.1.3): sub-01"
        )
    ]


@pytest.mark.parametrize(
    "publication",
    [
        record(FIRST, task="y"),
        record(FIRST, space="T"),
        record(FIRST, "02"),
        record(FIRST, res="2"),
    ],
)
def test_other_names_go_side_by_side(out, publication):
    way = found(out, publication, "1", "2")
    assert (way.selections, way.strangers) == ({}, [])


def test_a_run_in_common_is_enough_to_be_in_the_way(out):
    other = KIND.with_(sub="01", run="2")
    way = find_in_the_way(out, [record(FIRST)], {"sub-01": [other]})
    assert list(way.selections.values()) == [["sub-01"]]
    way = find_in_the_way(out, [record(FIRST)], {"sub-01": [other.with_(run="3")]})
    assert way.selections == {}


@pytest.mark.parametrize(
    ("name", "is_in_the_way"),
    [
        ("sub-01_task-x_space-S_contrast-d_stat-z_statmap.nii.gz", True),
        ("sub-01_task-x_space-S_contrast-d_stat-ar1_statmap.json", True),
        ("sub-01_task-x_run-1_space-S_design.tsv", True),
        ("sub-01_task-x_run-1_space-S_desc-analysis_mask.nii.gz", True),
        ("sub-01_task-x_run-1_space-S_desc-run_quality.tsv", True),
        ("sub-01_task-x_run-1_space-S_desc-mean_boldref.nii.gz", True),
        ("sub-01_task-x_run-1_space-S_desc-mine_mask.nii.gz", False),
        ("sub-01_task-x_run-1_space-S_desc-denoised_bold.nii.gz", False),
        ("sub-01_task-x_run-3_space-S_design.tsv", False),
        ("sub-01_task-x_space-S_stat-beta_statmap.nii.gz", False),
        ("sub-01_task-xy_space-S_design.tsv", False),
        ("notes.txt", False),
    ],
)
def test_files_without_a_record_are_listed_where_they_would_be_replaced(out, name, is_in_the_way):
    (out / "sub-01/func" / name).write_text("precious")
    way = found(out, record(ALL), "1", "2")
    assert way.strangers == ([f"sub-01/func/{name}"] if is_in_the_way else [])
    if is_in_the_way:
        (problem,) = way.refusals(out, "")
        assert name in problem.found
        assert merged(way.notes()) == [
            (
                "--overwrite replaces files that no earlier call recorded as its own: "
                f"sub-01/func/{name}"
            )
        ]


def test_without_records_everything_under_our_names_is_listed(out):
    (path,) = (out / ".twolevel").glob("*.json")
    path.unlink()
    assert len(found(out, record(ALL), "1", "2").strangers) == 3


@pytest.mark.parametrize(
    ("place", "is_in_the_way"),
    [
        ("figures/task-x_space-S_contrast-c_desc-fdr_statmap.png", True),
        ("figures/task-x_space-S_desc-coverage_statmap.svg", True),
        ("group/task-x_space-S_contrast-c_desc-permutation_null.tsv", True),
        ("group/task-x_space-S_tests.tsv", True),
        ("figures/task-y_space-S_contrast-c_desc-fdr_statmap.png", False),
        ("group/task-x_space-S_desc-mine_notes.tsv", False),
        ("group/task-x_space-S_contrast-c_desc-mine_null.tsv", False),
    ],
)
def test_files_of_the_group_without_a_record_are_listed_too(tmp_path, place, is_in_the_way):
    (tmp_path / place).parent.mkdir()
    (tmp_path / place).write_text("precious")
    way = find_in_the_way(tmp_path, [Publication(GROUP, KIND, ALL)], {GROUP: [KIND]})
    assert way.strangers == ([place] if is_in_the_way else [])


# --- whose folder it is ----------------------------------------------------


def check(out: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    check_output(out, tmp_path / "work", [tmp_path / "data"])


@pytest.mark.parametrize(
    "there",
    [
        [],
        [".git/config"],
        [".datalad/config", ".gitattributes"],
        ["README"],
        ["README.md", "LICENSE"],
        ["LICENCE.txt"],
    ],
)
def test_a_folder_that_is_as_good_as_empty_is_taken(tmp_path, there):
    out = tmp_path / "out"
    out.mkdir()
    for name in there:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).touch()
    check(out, tmp_path)


@pytest.mark.parametrize("name", ["thesis.tex", "sub-01/func/a.tsv", "group/a", "report.html"])
def test_a_folder_of_somebody_else_is_refused(tmp_path, name):
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).touch()
    with pytest.raises(OutputError) as caught:
        check(out, tmp_path)
    (problem,) = caught.value.problems
    assert problem.found == f"files of somebody else: {Path(name).parts[0]}"


@pytest.mark.parametrize(
    ("makers", "ours"),
    [
        ([{"Name": "twolevel"}], True),
        ([{"Name": "fMRIPrep"}], False),
        ([{"Name": "fMRIPrep"}, {"Name": "twolevel"}], False),
        ([], False),
        (["twolevel"], False),
    ],
)
def test_a_dataset_is_ours_by_who_made_it(tmp_path, makers, ours):
    out = tmp_path / "out"
    out.mkdir()
    (out / "dataset_description.json").write_text(json.dumps({"GeneratedBy": makers}))
    (out / "anything").touch()
    if ours:
        check(out, tmp_path)
        return
    with pytest.raises(OutputError, match="a dataset that twolevel did not make"):
        check(out, tmp_path)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ({}, "all sessions, all runs"),
        (ALL, "task x, all sessions, all runs (fMRIPrep 23.1.3)"),
        ({"Asked": {"session": ["a", "b"], "run": ["1"]}}, "session a b, run 1"),
        ({"Asked": {"acquisition": [None]}}, "acquisition (none), all sessions, all runs"),
    ],
)
def test_a_selection_is_said_in_words(selection, words):
    assert selection_in_words(selection) == words
    assert replace(record(selection), failed="x").selection == selection
