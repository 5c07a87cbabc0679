from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from twolevel.model.starter.conditions import (
    choose_conditions,
    in_few_runs,
    is_in_milliseconds,
    modulators,
    other_factors,
    response_times,
)


def events(*runs: dict[str, Any]) -> pd.DataFrame:
    """Make events of some runs, as text; a run of eight events says what its columns repeat."""
    tables = []
    for columns in runs:
        table = pd.DataFrame({name: (list(values) * 8)[:8] for name, values in columns.items()})
        tables.append(table.astype("object").where(table.notna()))
    whole = pd.concat(tables, keys=range(len(tables)))
    timing = {"onset": [str(n) for n in range(len(whole))], "duration": "1"}
    return whole.assign(**timing)


def test_trial_type_is_taken_where_it_is_there():
    found = choose_conditions(events({"trial_type": "ab", "condition": "xy"}, {"trial_type": "a"}))
    assert found.column == "trial_type"
    assert found.levels == {"a": 2, "b": 1}
    assert found.variables == ["trial_type.a", "trial_type.b"]
    assert list(in_few_runs(found, 2)) == ['"b" is in 1 of 2 runs']
    assert found.why == 'conditions: the 2 levels of trial_type: "a", "b"'


def test_levels_are_text_as_it_is_written():
    found = choose_conditions(events({"trial_type": ["01", "1", "face house"]}))
    assert list(found.levels) == ["01", "1", "face house"]


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"stim": "ab", "condition": "xy"}, "condition"),  # the more telling name
        ({"code": "12", "picture": "ab"}, "picture"),  # words before numbers
        ({"only": "a", "code": "12"}, "code"),  # several levels before one
        ({"accuracy": "01", "button_rating": "12", "value": "12"}, "value"),  # no responses
        ({"trial": "12345678", "kind": "ab"}, "kind"),  # what repeats within a run
        ({"loudness": ["0.5", "1.5"], "kind": "a"}, "kind"),  # no measured numbers
    ],
)
def test_without_trial_type_another_column_tells_conditions(columns, chosen):
    found = choose_conditions(events(columns))
    assert found.column == chosen
    assert "(there is no column trial_type)" in found.why


def test_too_many_levels_are_no_conditions():
    stimuli = [f"picture{n}" for n in range(8)]
    many = [{"trial_type": [f"{s}{r}" for s in stimuli], "kind": "ab"} for r in range(4)]
    found = choose_conditions(events(*many))
    assert found.column == "kind"
    assert "(trial_type has 32 levels)" in found.why


def test_events_that_tell_nothing_are_one_condition():
    found = choose_conditions(events({"trial": "12345678"}, {"trial": "12345678"}))
    assert found.are_made
    assert found.variables == ["trial_type.event"]
    assert found.levels == {"event": 2}


def test_an_empty_trial_type_is_none():
    assert "trial_type is empty" in choose_conditions(events({"trial_type": [None]})).why


def test_modulators_and_response_times():
    table = events(
        {
            "trial_type": "ab",
            "gain": ["1", None, "2.5"],
            "same": "3",
            "response_time": ["0.4", None],
            "text": "xy",
            "sample": "12",
        }
    )
    assert modulators(table, choose_conditions(table)) == ["gain"]
    assert response_times(table) == ["response_time"]
    assert other_factors(table) == ["text", "same"]
    assert not is_in_milliseconds(table["response_time"])
    assert is_in_milliseconds(pd.Series(["400", None, "900"]))
