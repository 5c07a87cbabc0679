from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from twolevel.bids.entities import Entities
from twolevel.bids.events import RunEvents, events_of_run
from twolevel.bids.runs import RunFiles
from twolevel.checks import run as run_checks
from twolevel.checks.checked import CheckedTables
from twolevel.checks.found_contrasts import found_contrasts
from twolevel.checks.model import check_model, check_taken, levels_of, not_taken
from twolevel.errors import InputError
from twolevel.model.nodes import Contrast, Node
from twolevel.model.settings import RunSettings
from twolevel.model.transformations.arithmetic import Add
from twolevel.model.transformations.convolve import Convolve
from twolevel.model.transformations.levels import Factor
from twolevel.model.variables import resolve_variables
from twolevel.notes import merged

PATH = Path("sub-01_events.tsv")


def node_of(
    x: list[str],
    contrasts: dict[str, list[str]] | None = None,
    convolve: list[str] | None = None,
    factors: tuple[str, ...] = ("kind",),
) -> Node:
    steps: list[Any] = [Factor(input=factors)] if factors else []
    steps.append(Convolve(input=tuple(convolve or x), model="glover"))
    named = tuple(
        Contrast(name, name, tuple((variable, (1.0,)) for variable in variables))
        for name, variables in (contrasts or {}).items()
    )
    return Node(
        "run", "run", ("run", "subject"), (*x, "1"), RunSettings(), tuple(steps), None, named
    )


def events_of(kinds: list[Any], **columns: Any) -> pd.DataFrame:
    onsets = [10.0 * i for i in range(len(kinds))]
    return pd.DataFrame({"onset": onsets, "duration": 2.0, "kind": kinds, **columns})


def checked(events: pd.DataFrame, node: Node, **details: Any) -> CheckedTables:
    """A run as `check_tables` would return it."""
    variables = resolve_variables(node, events, ["csf"])
    unused = not_taken(events, variables)
    subject = details.pop("subject", "01")
    files = RunFiles(Entities({"sub": subject, "task": "t"}))
    counts = {
        levels: len(rows)
        for levels, rows in levels_of(events.loc[unused], variables.factors).items()
    }
    return CheckedTables(
        files, details.pop("timing", (2.0, 0.0)), variables, False, [],
        len(events), len(unused), counts, **details,
    )  # fmt: skip


def refused(events: pd.DataFrame, node: Node, scan: float | None = None) -> list[tuple[str, ...]]:
    run = RunEvents(events, events.iloc[:0], 200.0)
    with pytest.raises(InputError) as caught:
        check_taken(PATH, run, resolve_variables(node, events, ()), node, scan)
    assert {problem.where for problem in caught.value.problems} == {f"events: {PATH}"}
    return [(problem.found, problem.remedy) for problem in caught.value.problems]


def accepted(events: pd.DataFrame, node: Node, scan: float | None = None) -> None:
    run = RunEvents(events, events.iloc[:0], 200.0)
    check_taken(PATH, run, resolve_variables(node, events, ()), node, scan)


@pytest.mark.parametrize(
    ("named", "level"),
    [
        ("face", " face"), ("face", "FACE"), ("new item", "newitem"), ("new item", "new  item"),
        ("1", "01"), ("1", "1.0"), ("0.50", ".5"), ("1000", "1e3"), ("go\u00a0left", "Go left"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("x", ["exact", "wild"])
def test_a_level_that_is_nearly_one_that_the_model_names_is_refused(named, level, x):
    variable = f"kind.{named}"
    node = node_of([variable if x == "exact" else "kind.*"], {"c": [variable]})
    ((found, remedy),) = refused(events_of([named, level, level, "rest"]), node)
    assert found == f'kind "{level}" in lines 3, 4'
    assert f'or name "kind.{level}" in the model\'s X too' in remedy


@pytest.mark.parametrize(("a", "b"), [("face", "Face"), ("1", "01"), ("x y", "xy")])
def test_levels_that_the_model_names_both_are_two_conditions(a, b):
    accepted(events_of([a, b, "rest"]), node_of([f"kind.{a}", f"kind.{b}"]))


@pytest.mark.parametrize(("a", "b"), [("face", "faces"), ("1", "10"), ("1_0", "10"), ("a", "á")])
def test_levels_that_differ_in_more_than_spelling_are_other_levels(a, b):
    accepted(events_of([a, b]), node_of([f"kind.{a}"]))


@pytest.mark.parametrize(
    ("durations", "found"),
    [
        ([2.0, None, 2.0], "no duration in lines 3"),
        ([None, 2.0, None], "no duration in lines 2"),
        ([500.0, 600.0, 2.0], "a duration of 600 s in a scan of 200 s: lines 2, 3"),
    ],
)
def test_what_a_regressor_takes_must_have_a_duration_that_fits_into_the_scan(durations, found):
    events = events_of(["a", "b", "rest"], duration=durations)
    assert refused(events, node_of(["kind.a", "kind.b"]), 200.0)[0][0] == found


@pytest.mark.parametrize("duration", [None, 500.0, 2e5])
def test_rows_that_no_regressor_takes_may_have_any_duration(duration):
    events = events_of(["a", "b", "rest"], duration=[2.0, 0.0, duration])
    accepted(events, node_of(["kind.a", "kind.b"]), 200.0)


@pytest.mark.parametrize("duration", [190.0, 200.0])
def test_a_block_that_runs_past_the_end_is_ordinary(duration):
    accepted(events_of(["a", "b"], duration=[2.0, duration]), node_of(["kind.a", "kind.b"]), 200.0)


def test_a_modulator_takes_its_rows_too():
    node = node_of(["rt"], factors=())
    events = events_of(["a", "b", "c"], rt=[0.5, 0.6, None], duration=[1.0, None, None])
    assert refused(events, node)[0][0] == "no duration in lines 3"
    assert not_taken(events, resolve_variables(node, events, ())).tolist() == [2]


def test_events_in_no_regressor_are_one_note_over_all_runs():
    node = node_of(["kind.face"], {"face": ["kind.face"]})
    runs = [
        checked(events_of(["face", "typo", "rest", "rest"]), node),
        checked(events_of(["face", "rest"]), node, subject="02"),
        checked(events_of(["face"]), node, subject="03"),
    ]
    problems, notes = check_model(runs, node)
    assert problems == []
    assert merged(notes) == [
        "4 of 7 events are in no regressor: levels kind.rest (3), kind.typo (1)"
    ]


def test_rows_of_two_factors_are_counted_once():
    node = node_of(["kind.face", "hand.left"], factors=("kind", "hand"))
    events = events_of(["face", "rest", "rest", None], hand=["right", "right", "left", "right"])
    _, notes = check_model([checked(events, node)], node)
    assert merged(notes) == [
        "2 of 4 events are in no regressor: levels kind.rest, hand.right (1), hand.right (1)"
    ]


@pytest.mark.parametrize(
    ("convolve", "found", "remedy"),
    [
        (["kind.fcae", "kind.house"], "not convolved are: kind.face", 'mean "kind.face"?'),
        (["knid.*"], "not convolved are: kind.face, kind.house", ""),
        (["kind.face", "kind.house", "kind.cat"], "no such variable in any run", ""),
    ],
)
def test_convolve_that_names_nothing_is_refused(convolve, found, remedy):
    node = node_of(["kind.face", "kind.house"], {"c": ["kind.face"]}, convolve)
    problems, _ = check_model([checked(events_of(["face", "house"]), node)], node)
    (problem,) = problems
    assert problem.where.startswith('model: Convolve (or HRF) names "')
    assert found in problem.found
    assert remedy in problem.remedy


@pytest.mark.parametrize("convolve", [["kind.*"], ["kind.face", "kind.h*"], ["*"]])
def test_convolve_by_wildcards_is_accepted(convolve):
    node = node_of(["kind.face", "kind.house"], {"c": ["kind.face"]}, convolve)
    assert check_model([checked(events_of(["face", "house"]), node)], node) == ([], [])


def test_a_wildcard_of_convolve_without_match_is_a_note_where_all_is_convolved():
    node = node_of(["kind.face"], {"c": ["kind.face"]}, ["kind.face", "kind.error*"])
    problems, notes = check_model([checked(events_of(["face"]), node)], node)
    assert problems == []
    assert merged(notes) == [
        (
            'model: Convolve (or HRF) names "kind.error*": '
            "no such variable in any run that passed its checks"
        )
    ]


def test_only_columns_of_the_events_can_be_convolved():
    events = events_of(["face"])
    node = node_of(["kind.face", "csf"], {"c": ["kind.face"]}, ["kind.face", "csf"])
    with pytest.raises(InputError, match="csf, which has a value per volume"):
        resolve_variables(node, events, ["csf"], {"csf": [0.5, 0.6]})
    with pytest.raises(InputError) as caught:
        resolve_variables(node_of(["kind.face"], convolve=["face"]), events, ())
    (problem,) = caught.value.problems
    assert problem.where == "Transformations: instruction 2, Convolve"
    assert problem.found == 'no variable "face" in this run'
    assert problem.remedy == 'Did you mean "kind.face"?'


def test_a_contrast_that_no_run_has_is_refused_with_the_levels_that_are_there():
    node = node_of(["kind.*"], {"fh": ["kind.face", "kind.hose"]})
    runs = [checked(events_of(["face"]), node), checked(events_of(["house"]), node)]
    ((problem,), _) = check_model(runs, node)
    assert problem.where == 'contrast "fh"'
    assert problem.found.startswith('no run has it: no regressor "kind.hose" in any run')
    assert problem.expected == "a regressor of the design; there are: kind.face, kind.house"
    assert problem.remedy == 'Did you mean "kind.house"?'


def test_a_level_that_only_comes_after_the_scan_is_called_so():
    node = node_of(["kind.face", "kind.house"], {"fh": ["kind.face", "kind.house"]})
    run = checked(events_of(["face"]), node, outside={("kind.house",): 9})
    ((problem,), _) = check_model([run], node)
    assert problem.found.endswith("the 9 events of that level lie outside the scan")


def test_a_contrast_whose_variables_never_meet_in_one_run_is_a_note_that_loses_data():
    node = node_of(["kind.face", "kind.house"], {"fh": ["kind.face", "kind.house"]})
    runs = [checked(events_of(["face"]), node), checked(events_of(["house"]), node)]
    problems, notes = check_model(runs, node)
    assert problems == []
    assert notes[0].loses_data
    assert merged(notes) == [
        'contrast "fh": no run has it: no run has all of kind.face, kind.house'
    ]


def test_a_name_of_x_that_no_run_has_is_refused_and_a_pattern_is_a_note():
    node = node_of(["kind.face", "kind.fcae", "outlier*"], {"c": ["kind.face"]}, ["kind.face"])
    ((problem,), notes) = check_model([checked(events_of(["face"]), node)], node)
    assert problem.where == 'model: X names "kind.fcae"'
    assert problem.remedy == 'Did you mean "kind.face"?'
    assert [note.what for note in notes] == [
        'model: X names "outlier*": no run has a variable of that pattern'
    ]


@pytest.mark.parametrize(
    ("times", "detail"),
    [
        ([2.0, 1.0, 1.0], "2 s in sub-01; 1 s in sub-02, sub-03"),
        ([0.8, 0.8, 0.7], "0.8 s in sub-01, sub-02; 0.7 s in sub-03"),
        ([2.0, 2.0005, 2.0], None),
        ([1.5, 1.5, 1.5], None),
    ],
)
def test_events_of_no_duration_with_different_repetition_times_are_noted(times, detail):
    node = node_of(["kind.face"], {"c": ["kind.face"]})
    runs = [
        checked(events_of(["face"]), node, subject=f"0{i}", timing=(t, 0.0), impulses=True)
        for i, t in enumerate(times, start=1)
    ]
    assert [note.detail for note in check_model(runs, node)[1]] == ([detail] if detail else [])


def test_lasting_events_may_have_any_repetition_times():
    node = node_of(["kind.face"], {"c": ["kind.face"]})
    runs = [checked(events_of(["face"]), node, timing=(t, 0.0)) for t in (1.0, 2.0)]
    assert check_model(runs, node) == ([], [])


def test_rows_without_a_value_of_a_modulator_are_told(tmp_path):
    path = tmp_path / "sub-01_task-t_events.tsv"
    path.write_text("onset\tduration\tkind\trt\n1\t1\ta\t0.5\n5\t1\ta\tn/a\n9\t1\tb\tn/a\n")
    run = events_of_run(path, ("kind",), ("kind.a", "rt"))
    node = node_of(["kind.a", "rt"])
    variables = resolve_variables(node, run.events, ())
    assert merged(
        run_checks._notes_on_events(RunFiles(Entities({"sub": "01"})), run, variables)
    ) == ["sub-01: rows with n/a in rt take no part in it: 2 of 3"]


def node_of_wildcards(x: list[str], **details: Any) -> Node:
    return replace(node_of(x, convolve=["kind.*"]), dummy_contrasts=True, **details)


def test_contrasts_of_what_wildcards_match_are_in_the_order_of_x_then_of_names():
    node = node_of_wildcards(["hand.*", "kind.*", "cs*"], contrasts=(
        Contrast("kind.face", "kindFace", (("kind.face", (1.0,)),)),
    ))  # fmt: skip
    hands = {"hand": ["right", "left", "left"]}
    runs = [
        checked(events_of(["house", "face", "rest"], **hands), node),
        checked(events_of(["face", "cat", "rest"], **hands), node, subject="02"),
    ]
    found = found_contrasts(runs, node)
    names = ["hand.left", "hand.right", "kind.cat", "kind.house", "kind.rest"]
    assert [contrast.name for contrast in found] == names
    assert [contrast.label for contrast in found][2] == "kindCat"
    assert {(c.test, c.found, c.weights) for c in found[:1]} == {
        ("t", True, (("hand.left", (1.0,)),))
    }
    problems, notes = check_model(runs, node)
    assert problems == []
    what = "contrasts that need it leave the run out: there are hand.left, hand.right"
    assert merged(notes) == [
        f"sub-01 task-t: no kind.cat: {what}, kind.face, kind.house, kind.rest",
        f"sub-02 task-t: no kind.house: {what}, kind.cat, kind.face, kind.rest",
        f"DummyContrasts: contrasts of what wildcards of X match: {', '.join(names)}",
        "DummyContrasts: no contrasts of the confounds that wildcards of X match: cs*",
    ]


def test_f_contrasts_and_those_of_delays_are_found_too():
    node = node_of_wildcards(["kind.*"], dummy_test="F")
    (contrast,) = found_contrasts([checked(events_of(["face"]), node)], node)
    assert (contrast.test, contrast.expression) == ("F", "1*kind.face")
    delays = Convolve(input=("kind.*",), model="fir", fir_delays=(0, 3))
    node = replace(node, instructions=(Factor(input=("kind",)), delays))
    found = found_contrasts([checked(events_of(["face"]), node)], node)
    assert [contrast.name for contrast in found] == ["kind.face_delay_0", "kind.face_delay_3"]


@pytest.mark.parametrize("details", [{"dummy_contrasts": False}, {"dummies": ("kind.face",)}])
def test_without_dummy_contrasts_of_all_variables_none_are_found(details):
    node = replace(node_of_wildcards(["kind.*"]), **details)
    runs = [checked(events_of(["face", "house"]), node)]
    assert found_contrasts(runs, node) == ()
    assert check_model(runs, node) == ([], [])


def test_levels_of_one_label_cannot_both_be_contrasts():
    node = node_of_wildcards(["kind.*"])
    ((problem,), _) = check_model([checked(events_of(["old face", "old-face"]), node)], node)
    assert problem.where == 'contrast "kind.old-face", which a wildcard of X matches'
    assert problem.found == 'the label "kindOldFace", as of "kind.old face"'


def test_a_contrast_of_a_condition_with_delays_has_to_name_these():
    node = node_of(["kind.face"], {"c": ["kind.face"]})
    delays = Convolve(input=("kind.face",), model="fir", fir_delays=(0, 1))
    node = replace(node, instructions=(Factor(input=("kind",)), delays))
    ((problem,), _) = check_model([checked(events_of(["face"]), node)], node)
    assert problem.where == 'contrast "c"'
    assert problem.found == (
        "kind.face, which is convolved with fir: it has a regressor for each delay"
    )
    assert problem.expected.endswith("F contrast: kind.face_delay_0, kind.face_delay_1")


@pytest.mark.parametrize("x", [["kind.face"], ["kind.face_derivative"]])
def test_a_contrast_may_be_of_a_derivative_whether_or_not_x_names_it(x):
    node = node_of(x, {"c": ["kind.face_derivative"]})
    derivative = Convolve(input=("kind.face",), derivative=True)
    node = replace(node, instructions=(Factor(input=("kind",)), derivative))
    run = checked(events_of(["face"]), node)
    assert check_model([run], node) == ([], [])
    assert run.variables.columns_of("kind.face") == ["kind.face", "kind.face_derivative"]


def test_onsets_that_instructions_put_after_the_scan_are_refused():
    node = node_of(["kind.a"])
    later = Add(input=("onset",), value=195.0)
    node = replace(node, instructions=(later, *node.instructions))
    assert [found for found, _ in refused(events_of(["a", "a"]), node)] == [
        "kind.a: instructions made onsets at or after the end of the scan (200 s), in lines 3"
    ]
