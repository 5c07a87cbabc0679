"""What Input may name: a variable twice, onsets and durations, levels that are left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from transformed import a_run, carried_out, cells, events

from twolevel.errors import InputError
from twolevel.model.transformations.reading import read_instructions, written


def values(*found: object) -> pd.Series:
    return pd.Series(found, index=events().index)


def same(found: pd.Series, expected: pd.Series) -> None:
    pd.testing.assert_series_equal(found, expected, check_names=False, check_dtype=False)


def number(column: str) -> pd.Series:
    return pd.to_numeric(events()[column])


def refusal(*steps: dict[str, Any]) -> str:
    with pytest.raises(InputError) as error:
        carried_out(*steps)
    return str(error.value)


def test_a_variable_that_is_named_twice_is_there_twice():
    step = {"Name": "Product", "Input": ["gain", "gain"], "Output": ["x"]}
    same(cells(step, "x"), number("gain") ** 2)
    total: dict[str, Any] = {"Name": "Sum", "Input": ["gain", "gain"], "Weights": [1, -3]}
    same(cells(total | {"Output": ["x"]}, "x"), -2 * number("gain"))
    found = carried_out({"Name": "Copy", "Input": ["gain", "gain"], "Output": ["x", "y"]})
    same(found.variables["x"].cells, found.variables["y"].cells)


@pytest.mark.parametrize("names", [["*_x", "rot_x"], ["rot_x", "*_x"], ["*_x", "r*_x"]])
def test_what_a_wildcard_finds_is_there_once(names):
    rows = a_run()["trans_x"].cells + a_run()["rot_x"].cells
    same(cells({"Name": "Sum", "Input": names, "Output": ["x"]}, "x"), rows)


@pytest.mark.parametrize("time", ["onset", "duration"])
def test_onsets_and_durations_can_be_read_like_variables(time):
    same(cells({"Name": "Copy", "Input": [time], "Output": ["x"]}, "x"), events()[time])
    step = {"Name": "Sum", "Input": [time, "rt"], "Weights": [1, 2], "Output": ["x"]}
    same(cells(step, "x"), events()[time] + 2 * number("rt").fillna(0))
    step = {"Name": "Demean", "Input": [time], "Output": ["x"]}
    same(cells(step, "x"), events()[time] - events()[time].mean())
    step = {"Name": "Filter", "Input": [time], "Query": 'trial_type == "go"', "Output": ["x"]}
    same(cells(step, "x"), events()[time][[0, 3, 7]])
    found = carried_out({"Name": "Assign", "Input": [time], "Target": ["gain"]})
    same(found.variables["gain"].cells, events()[time])
    assert time not in found.variables


@pytest.mark.parametrize(
    "step",
    [
        {"Name": "Demean", "Input": ["onset"]},
        {"Name": "Delete", "Input": ["onset"]},
        {"Name": "Rename", "Input": ["gain"], "Output": ["onset"]},
        {"Name": "Constant", "Output": ["onset"]},
    ],
)
def test_nothing_takes_the_place_of_onsets(step):
    text = refusal(step)
    assert "found:    onset as the name of a result, or to be removed" in text
    assert 'do:       use Assign with "TargetAttr": "onset", Replace, or Add' in text


def test_times_of_the_rows_that_have_a_value_are_replaced():
    step = {"Name": "Replace", "Input": ["trial_type"], "Attribute": "duration"}
    found = carried_out(step | {"Replace": {"go": 4.0, "0.5": 3.0, "n/a": 9.0}})
    table = found.variables["trial_type"].table
    assert table["duration"].tolist() == [4.0, 3.0, 4.0, 9.0, 1.0, 4.0]
    assert table["onset"].tolist() == events()["onset"].tolist()
    same(table["value"], events()["trial_type"])
    entries = [{"key": "^(s|m).*", "value": 2.0, "regex": True}]
    found = carried_out(step | {"Replace": entries, "Attribute": "all", "Output": ["x"]})
    table = found.variables["x"].table
    assert table["onset"].tolist() == [1.0, 2.0, 6.0, 10.0, 2.0, 20.0]
    assert table["duration"].tolist() == [1.0, 2.0, 2.0, 0.0, 2.0, 1.5]
    same(table["value"], values("go", 2.0, "go", np.nan, 2.0, "go"))


FACTOR = {"Name": "Factor", "Input": ["trial_type"]}


@pytest.mark.parametrize("constraint", ["drop_one", "mean_zero"])
def test_the_level_that_is_left_out_cannot_be_named(constraint):
    step = FACTOR | {"Constraint": constraint, "RefLevel": "go"}
    assert 'found:    no variable "trial_type.go"' in refusal(
        step, {"Name": "Convolve", "Input": ["trial_type.go"]}
    )
    found = carried_out(step, {"Name": "Convolve", "Input": ["trial_type.late"]})
    assert list(found.hrfs) == ["trial_type.late"]


@pytest.mark.parametrize("constraint", ["drop_one", "mean_zero"])
def test_a_run_with_the_reference_only_has_no_level(constraint):
    step = {"Name": "Factor", "Input": ["same"], "Constraint": constraint, "RefLevel": "3"}
    assert list(carried_out(step).variables) == list(a_run())
    found = carried_out({**step, "RefLevel": "4"}).variables
    same(found["same.3"].cells, values(*[1.0] * 6))
    del step["RefLevel"]
    assert "same.3" in carried_out(step).variables


def test_a_query_may_compare_columns_that_are_named():
    step = {"Name": "Filter", "Input": ["rt"], "By": ["gain", "code"], "Query": "gain ~= code"}
    (instruction,), problems, notes = read_instructions("", [step])
    assert not problems
    assert [note.what for note in notes] == ['"Query": "gain ~= code" is read as "gain != `code`"']
    assert written(instruction)["Query"] == "gain != `code`"


def test_a_key_in_two_spellings_is_refused():
    step = {"Name": "Add", "input": ["a"], "INPUT": ["b"], "Value": 1}
    found, problems, _ = read_instructions("m.json", [step])
    assert not found
    assert "INPUT\n  found:    an unknown key" in str(problems[0])
