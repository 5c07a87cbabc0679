from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from twolevel.derivatives.calls import History
from twolevel.derivatives.exclusions import EXCLUSION_COLUMNS
from twolevel.report.derivatives import Derivatives, GroupLevel
from twolevel.report.group_results import ContrastResult, GroupMaps, Peak, TestResult
from twolevel.report.methods import TAIL, methods, references
from twolevel.report.words import (
    absent_contrasts,
    foremost_test,
    hopeless_tests,
    left_out,
)
from twolevel.space.grid import Grid
from twolevel.stats.maps.design import make_map_design

WHY = "what is listed under Left out says why."


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(EXCLUSION_COLUMNS)).astype(object)


def excluded(kind: str, count: int = 1, **more: str) -> dict[str, Any]:
    return {"kind": kind, "count": str(count), "reason": "why", **more}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "Nothing was left out."),
        (
            [
                excluded("volume", 3, subject="01", run="1"),
                excluded("volume", subject="01", run="2"),
            ],
            "Left out: 4 volumes in 2 runs.",
        ),
        (
            [excluded("run", subject="01", run="1", contrast=c) for c in ("a", "b", "c")],
            "Left out: 1 run from single contrasts.",
        ),
        ([excluded("subject", subject="04")], "Left out: 1 subject."),
        (
            [
                excluded("event", 2, subject="01", run="1", other="acq-a dir-AP"),
                excluded("event", subject="01", run="1", other="acq-a dir-PA"),
                excluded("event", subject="01", run="1", other="acq-a dir-PA"),
                excluded("run", subject="02", other="dir-AP"),
                excluded("run", subject="02", other="dir-PA"),
            ],
            "Left out: 2 runs; 4 events in 2 runs.",
        ),
        (
            [excluded("voxel", 30, contrast=c) for c in ("a", "b")],
            "Left out: 30 voxels of the group in a; 30 voxels of the group in b.",
        ),
    ],
)
def test_what_was_left_out_is_counted(rows, words):
    assert left_out(table(*rows)) == words


def test_the_foremost_test_controls_the_family_wise_error_if_one_does():
    assert foremost_test(["fpr", "fdr", "bonferroni", "permutationFWE"]) == "permutationFWE"
    assert foremost_test(["clusterExtent", "fpr", "fdr"]) == "fdr"
    assert foremost_test([]) is None


def design(columns: dict[str, dict[str, Any]], repetition_time: float = 2.0) -> dict[str, Any]:
    return {
        "Software": {"Version": "1.2.3", "Libraries": {"nilearn": "0.14.1"}},
        "Columns": columns,
        "RepetitionTime": repetition_time,
        "HighPass": None,
        "Settings": {"smoothing_fwhm_mm": 6.0, "noise_model": "ar1", "confound_strategy": None},
    }


def derivatives(
    designs: list[dict[str, Any]], groups: list[GroupLevel], maps_of: Sequence[str] = ()
) -> Derivatives:
    runs = pd.DataFrame(
        [
            {"subject": "01", "session": "", "task": "t", "run": str(n), "other": "", "res": res}
            for n in range(len(designs))
            for res in ("2", "2down2")  # the same runs twice, at two resolutions
        ]
    )
    made_by = [{"Name": "fMRIPrep", "Version": "21.0.1"}]
    description = {"SourceDatasets": [{"URL": "a"}, {"URL": "b", "GeneratedBy": made_by}]}
    return Derivatives(
        Path("out"),
        description,
        groups,
        ["01"],
        runs,
        designs,
        frozenset(maps_of),
        {},
        table(),
        History([], {}),
    )


def test_methods_tell_of_all_runs_not_of_the_first():
    glover, confound = {"Kind": "condition", "HRF": "glover"}, {"Kind": "confound"}
    plain = {"Kind": "condition", "HRF": None}
    found = methods(
        derivatives(
            [
                design({"a": glover, "x": confound}),
                design({"a": glover, "b": glover, "m": plain, "x": confound, "y": confound}, 2.5),
            ],
            [],
        )
    )
    (paragraph,) = found
    assert "twolevel 1.2.3 (nilearn 0.14.1)" in paragraph
    assert "Data of 1 subject and 2 runs (repetition time 2 or 2.5 s)" in paragraph
    assert "preprocessed by fMRIPrep 21.0.1" in paragraph
    assert "regressors a, b (convolved with glover); m (as it is), 1 to 2 confounds" in paragraph


@pytest.mark.parametrize("tail", ["gpd", None])
def test_what_fitted_tails_are_based_on_is_cited_where_one_was_fitted(tail):
    row = {"test": "permutationFWE", "controls": "any words", "n_permutations": 100}
    test = TestResult(row, pd.DataFrame(), Path("clusters.tsv"), tail)
    found = derivatives([], [GroupLevel("task-a", {}, [contrast_with(test)], None)])
    assert (TAIL in references(found)) == (tail == "gpd")


def contrast_with(*tests: TestResult) -> ContrastResult:
    one = np.zeros((1, 1, 1), np.float32)
    maps = GroupMaps(one, one, one, one, Grid((1, 1, 1), np.eye(4)), {})
    peak = Peak(0.0, 0.0, 0.0, 0.0, 0.0, None, None)
    return ContrastResult(
        "a", "task-a", {}, "1", 0, maps, peak, {}, list(tests), make_map_design(2)
    )


def test_methods_tell_of_the_mask_of_the_group_and_tell_groups_apart():
    settings = {"group_input": "effect", "sides": 1}
    sidecar = {
        "Software": {"Version": "1.2.3", "Libraries": {}},
        "Settings": settings,
        "NumberOfSubjects": 5,
        "Estimator": "ols",
        "Columns": {"subject": "label of the subject", "intercept": "1: the mean of the group"},
    }
    groups = [
        GroupLevel("task-a", {**sidecar, "GroupMask": "roi.nii.gz"}, [], None),
        GroupLevel("task-b", sidecar, [], None),
    ]
    words = methods(derivatives([], groups))
    assert any(w.startswith("task-a: ") and "voxels of roi.nii.gz that all" in w for w in words)
    assert any(w.startswith("task-b: ") and "voxels that all" in w for w in words)
    assert all("one-sided (greater than 0)" in w for w in words if w.startswith("task-"))
    assert all("one-sample model by ordinary" in w for w in words if w.startswith("task-"))


def test_methods_tell_the_columns_of_another_design():
    sidecar = {
        "Software": {"Version": "1.2.3", "Libraries": {}},
        "Settings": {"group_input": "effect", "sides": 2},
        "NumberOfSubjects": 5,
        "Estimator": "ols",
        "Columns": {"subject": "label", "intercept": "1", "age": "of the table"},
    }
    words = methods(derivatives([], [GroupLevel("task-a", sidecar, [], None)]))
    assert any("a linear model with intercept, age by ordinary least squares" in w for w in words)


@pytest.mark.parametrize(
    ("sessions", "sentence"),
    [
        (["a", "b"], "2 sessions per subject are averaged; a Session node keeps them apart"),
        (["a", "a"], ""),
        (["", ""], ""),
    ],
)
def test_methods_and_summary_say_that_sessions_are_averaged(sessions, sentence):
    made = derivatives([design({"a": {"Kind": "condition", "HRF": None}})] * 2, [])
    runs = pd.DataFrame(
        [
            {"subject": subject, "session": session, "task": "t", "run": "1", "other": other}
            for subject in ("01", "02")
            for session in sessions
            for other in ("dir-AP", "dir-PA")
        ]
    )
    found = replace(made, runs=runs)
    assert found.averaged_sessions == sentence
    assert found.n_runs == 4 * len(set(sessions))
    (paragraph,) = methods(found)
    assert f"and {found.n_runs} runs (" in paragraph
    assert paragraph.endswith(f"high-pass: none. {sentence}." if sentence else "high-pass: none.")


@pytest.mark.parametrize(
    ("maps_of", "words"),
    [
        (["face", "house", "fh"], ""),
        (["face"], f"No subject has the contrasts house, fh: {WHY}"),
        (["face", "house"], f"No subject has the contrast fh: {WHY}"),
    ],
)
def test_contrasts_that_no_subject_has_are_named(maps_of, words):
    asked = (["face", "house"], ["fh"])
    designs = [design({}) | {"Contrasts": {key: {} for key in labels}} for labels in asked]
    assert absent_contrasts(derivatives(designs, [], maps_of)) == words


def rows_of_tests(
    *rows: tuple[str, float | None, int | None, object, float | None],
) -> pd.DataFrame:
    columns = ["test", "alpha", "n_permutations", "all_permutations", "smallest_attainable_p"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize("true", [True, "true"])
def test_more_permutations_are_advised_only_where_there_are_more(true):
    shown = hopeless_tests(
        rows_of_tests(
            ("permutationFWE", 0.05, 8, true, 0.25),
            ("tfceFWE", 0.05, 20, False, 0.1),
            ("permutationFDR", 0.05, 1000, True, 0.002),
            ("fdr", 0.05, None, None, None),
            ("fpr", None, None, None, None),
        )
    )
    assert shown == [
        (
            "nothing can survive permutationFWE at 0.05: the smallest attainable p is 0.25; all 8 "
            "relabelings that there are were used, so that only more subjects make it smaller"
        ),
        (
            "nothing can survive tfceFWE at 0.05: the smallest attainable p is 0.1; more "
            "subjects or more permutations (--n-perm) make it smaller"
        ),
    ]


def test_no_tests_are_no_hopeless_tests():
    assert hopeless_tests(rows_of_tests()) == []
