"""What instructions cannot do in a run says where, what, and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from transformed import a_run, carried_out, cells, events, variables_of

from twolevel.errors import InputError
from twolevel.model.transformations.variables import Dense

FACTOR = {"Name": "Factor", "Input": ["trial_type"]}


def refusal(*steps, there=None) -> str:
    with pytest.raises(InputError) as error:
        carried_out(*steps, there=there)
    return str(error.value)


def test_text_where_a_number_is_needed_names_column_line_and_value():
    there = variables_of(events().assign(rt=np.array(["0.5", "fast", None, "1_0", "inf", "2"])))
    text = refusal(FACTOR, {"Name": "Scale", "Input": ["rt"]}, there=there)
    assert text == (
        "Transformations: instruction 2, Scale\n"
        '  found:    no number in column rt: line 3 ("fast"), line 6 ("1_0"), line 7 ("inf")\n'
        "  expected: numbers, and n/a where there is no value\n"
        "  do:       correct these cells, or name the levels: rt in a Factor before it, then "
        "rt.LEVEL"
    )


def test_a_variable_that_is_not_there():
    assert refusal({"Name": "Scale", "Input": ["gian"]}).endswith(
        'found:    no variable "gian" in this run\n'
        f"  expected: one of {', '.join(a_run())}\n"
        '  do:       Did you mean "gain"?'
    )
    text = refusal({"Name": "Filter", "Input": ["gain"], "Query": "rtt > 1"})
    assert 'no variable "rtt" in this run' in text
    gone = refusal(
        FACTOR,
        {"Name": "Delete", "Input": ["trial_type.go"]},
        {"Name": "Not", "Input": ["trial_type.go"]},
    )
    assert 'no variable "trial_type.go" in this run' in gone


def test_a_wildcard_without_a_match_is_nothing():
    assert list(carried_out({"Name": "Scale", "Input": ["*outlier*"]}).variables) == list(a_run())
    found = carried_out({"Name": "Convolve", "Input": ["nothing.*"]})
    assert found.hrfs == {}


def test_what_is_convolved_is_not_named_again():
    convolve = {"Name": "Convolve", "Input": ["trial_type.*"]}
    text = refusal(FACTOR, convolve, {"Name": "Not", "Input": ["trial_type.go"]})
    assert text == (
        "Transformations: instruction 3, Not\n"
        "  found:    trial_type.go: convolved already\n"
        "  expected: variables that no Convolve before has taken\n"
        "  do:       put Convolve last, and name each variable in one of them only"
    )
    assert "convolved already" in refusal(FACTOR, convolve, convolve)
    moved = {"Name": "Add", "Input": ["onset"], "Value": 1}
    assert "convolved already" in refusal(FACTOR, convolve, moved)
    kept = carried_out(FACTOR, convolve, {"Name": "Select", "Input": ["trial_type.go"]})
    assert list(kept.hrfs) == ["trial_type.go"]
    assert list(carried_out(FACTOR, convolve, {"Name": "Delete", "Input": ["*.go"]}).hrfs) == [
        "trial_type.miss",
        "trial_type.stop",
    ]


@pytest.mark.parametrize("name", ["Sum", "Product", "And", "Or", "Concatenate"])
def test_events_are_not_combined_with_volumes(name):
    text = refusal({"Name": name, "Input": ["gain", "rot_x"], "Output": ["x"]})
    assert text == (
        f"Transformations: instruction 1, {name}\n"
        "  found:    values per event (gain) with values per volume (rot_x)\n"
        "  expected: variables of one kind: they have no rows in common\n"
        "  do:       combine events with events, and confounds with confounds"
    )


@pytest.mark.parametrize(
    "step",
    [
        {"Name": "Orthogonalize", "Input": ["gain"], "Other": ["rot_x"]},
        {"Name": "Demean", "Input": ["rot_x"], "Within": ["trial_type"]},
        {"Name": "Split", "Input": ["rot_x"], "By": ["trial_type"]},
        {"Name": "Filter", "Input": ["gain"], "Query": "rot_x > 1"},
    ],
)
def test_nor_do_they_tell_each_other_rows(step):
    assert "values per event" in refusal(step)


def test_what_needs_events_refuses_volumes_and_the_other_way_round():
    for step in (
        {"Name": "Convolve", "Input": ["rot_x"]},
        {"Name": "Assign", "Input": ["rot_x"], "Target": ["gain"]},
        {"Name": "Replace", "Input": ["rot_x"], "Replace": {"1": 2}, "Attribute": "onset"},
    ):
        text = refusal(step)
        assert "found:    rot_x, which has a value per volume" in text
        assert "expected: a variable with a value per event" in text
    for name in ("Lag", "Derivative"):
        assert "gain, which has a value per event" in refusal({"Name": name, "Input": ["gain"]})


def test_numbers_that_cannot_be():
    assert "one value only in column same: 3" in refusal({"Name": "Scale", "Input": ["same"]})
    power = {"Name": "Power", "Input": ["gain"], "Value": 0.5}
    assert "found:    no finite result in line 5, of -30" in refusal(power)
    negative = {"Name": "Assign", "Input": ["gain"], "Target": ["rt"], "TargetAttr": "duration"}
    assert "found:    a duration of -30 s in line 5" in refusal(negative)
    there = {"x": Dense(pd.Series([1.0, None, 2.0]))}
    lag = {"Name": "Lag", "Input": ["x"], "Shift": 0.5}
    assert "found:    no value in row 2 of x" in refusal(lag, there=there)


def test_wildcards_and_the_names_of_results():
    text = refusal(FACTOR, {"Name": "Copy", "Input": ["trial_type.*"], "Output": ["a", "b"]})
    assert (
        "3 variables in this run (trial_type.go, trial_type.miss, trial_type.stop) for 2" in text
    )
    weights = {"Name": "Sum", "Input": ["trial_type.*"], "Weights": [1, 2], "Output": ["x"]}
    assert "3 variables in this run for 2 Weights" in refusal(FACTOR, weights)


def test_an_empty_cell_is_no_level():
    there = variables_of(events().assign(trial_type=np.array(["a", " ", "b", None, "", "a"])))
    text = refusal(FACTOR, there=there)
    assert "found:    an empty cell in column trial_type: line 3, line 7" in text


def test_levels_without_a_factor_are_taken_as_if_there_were_one_and_this_is_said():
    found = carried_out({"Name": "Convolve", "Input": ["trial_type.*"]})
    assert list(found.hrfs) == ["trial_type.go", "trial_type.miss", "trial_type.stop"]
    assert [note.what for note in found.notes] == [
        "trial_type is taken as a factor: no Factor instruction comes before its levels"
    ]
    assert carried_out(FACTOR).notes == ()
    one = {"Name": "Not", "Input": ["trial_type.go"]}
    assert cells(one, "trial_type.go").tolist() == [0, 1, 0, 1, 1, 0]


def test_a_column_whose_name_begins_like_another_does_not_swallow_it():
    table = events()
    table["trial_type.alt"] = np.array(["x", "y", "x", "y", "x", None])
    steps = [{"Name": "Factor", "Input": ["trial_type", "trial_type.alt"]}]
    found = carried_out(*steps, there=variables_of(table)).variables
    assert found["trial_type.alt.x"].cells.tolist() == [1, 0, 1, 0, 1, 0]
    assert "trial_type.alt" in found


def test_the_variables_that_were_given_are_not_changed():
    there: Any = a_run()
    before = {name: variable.cells.copy() for name, variable in there.items()}
    carried_out(
        {"Name": "Scale", "Input": ["gain", "rot_x"]},
        {"Name": "Add", "Input": ["onset"], "Value": 1},
        {"Name": "Delete", "Input": ["rt"]},
        there=there,
    )
    assert list(there) == list(before)
    for name, values in before.items():
        pd.testing.assert_series_equal(there[name].cells, values)
    assert there["rt"].table["onset"].tolist() == events()["onset"].tolist()


def test_rows_of_variables_that_have_others_are_in_the_order_of_onsets():
    # Copies of rows, which edits of the events add, have labels beyond those of the file.
    table = events().loc[[7, 0, 3]].sort_values("onset")
    copy = events().loc[[1]].set_axis([2**40 + 1])
    there = variables_of(table) | {"more": variables_of(copy)["gain"]}
    step = {"Name": "Sum", "Input": ["gain", "more"], "Output": ["x"]}
    found = carried_out(step, there=there).variables["x"]
    assert found.table["onset"].tolist() == [1.0, 3.5, 6.0, 20.0]
    assert found.cells.tolist() == [10, 20, -30, 40]
    assert found.cells.index.tolist() == [0, 2**40 + 1, 3, 7]


def test_cells_may_be_of_any_type_that_pandas_has_for_text():
    for dtype in ("str", "string", object):
        there = variables_of(events().astype({"trial_type": dtype, "rt": dtype}))
        steps = [FACTOR, {"Name": "Demean", "Input": ["rt"], "Within": ["tr*_type"]}]
        found = carried_out(*steps, there=there).variables
        assert found["trial_type.go"].cells.tolist() == [1, 0, 1, 0, 0, 1]
        assert found["rt"].cells.dropna().tolist() == [-0.75, 0, 0, 0, 0.75]
        replaced = {"Name": "Replace", "Input": ["trial_type"], "Replace": {"go": "x"}}
        found = carried_out(replaced, there=there).variables
        assert found["trial_type"].cells.dropna().tolist() == ["x", "stop", "x", "miss", "x"]
