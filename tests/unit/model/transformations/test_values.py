"""Each instruction gives what the same thing gives by hand, in pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_by_hand import CONFOUNDS
from scipy import ndimage
from transformed import a_run, carried_out, cells, events

from twolevel.model.nodes import Hrf

ROWS = [0, 1, 3, 4, 5, 7]


def number(column: str) -> pd.Series:
    return pd.to_numeric(events()[column])


def by_row(*values: object) -> pd.Series:
    return pd.Series(list(values), index=ROWS)


def same(found: pd.Series, expected: pd.Series) -> None:
    pd.testing.assert_series_equal(found, expected, check_names=False, check_dtype=False)


# Factor


def test_a_factor_has_a_variable_per_level_and_rows_without_a_value_are_0():
    there = carried_out({"Name": "Factor", "Input": ["trial_type"]}).variables
    by_hand = pd.get_dummies(events()["trial_type"], dtype=float)
    assert [n for n in there if n.startswith("trial_type.")] == [
        "trial_type.go",
        "trial_type.miss",
        "trial_type.stop",
    ]
    for level in by_hand:
        same(there[f"trial_type.{level}"].cells, by_hand[level])
        assert there[f"trial_type.{level}"].table["onset"].tolist() == events()["onset"].tolist()


def test_levels_are_as_they_are_spelled_and_numbers_as_short_as_they_go():
    steps: list[dict[str, Any]] = [{"Name": "Factor", "Input": ["code"]}]
    names = [n for n in carried_out(*steps).variables if n.startswith("code.")]
    assert names == ["code.01", "code.1", "code.1.0", "code.2"]
    steps = [
        {"Name": "Threshold", "Input": ["gain"], "Binarize": True, "Output": ["trials"]},
        {"Name": "Factor", "Input": ["trials", "rt"]},
    ]
    names = [n for n in carried_out(*steps).variables if n.startswith("trials.")]
    assert names == ["trials.0", "trials.1"]


def test_a_column_without_values_has_no_levels_and_one_of_one_value_has_one():
    there = carried_out({"Name": "Factor", "Input": ["empty", "same"]}).variables
    assert [n for n in there if n.startswith(("empty.", "same."))] == ["same.3"]


def test_a_dropped_level_is_named_or_the_first():
    named = {"Name": "Factor", "Input": ["trial_type"], "Constraint": "drop_one"}
    by_hand = pd.get_dummies(events()["trial_type"], dtype=float)
    there = carried_out(named | {"RefLevel": "stop"}).variables
    assert [n for n in there if n.startswith("trial_type.")] == [
        "trial_type.go",
        "trial_type.miss",
    ]
    same(there["trial_type.miss"].cells, by_hand["miss"])
    first = carried_out(named).variables
    assert [n for n in first if n.startswith("trial_type.")] == [
        "trial_type.miss",
        "trial_type.stop",
    ]


def test_a_reference_with_mean_zero_is_the_negative_share_of_the_others():
    step = {"Name": "Factor", "Input": ["trial_type"], "Constraint": "mean_zero"}
    same(cells(step, "trial_type.miss"), by_row(-0.5, 0, -0.5, 0, 1, -0.5))
    same(cells(step, "trial_type.stop"), by_row(-0.5, 1, -0.5, 0, 0, -0.5))
    alone = {"Name": "Factor", "Input": ["same"], "Constraint": "mean_zero"}
    same(cells(alone, "same.3"), by_row(*[1.0] * 6))


# Names


def test_copy_rename_delete_and_select():
    there = carried_out({"Name": "Copy", "Input": ["rt", "gain"], "Output": ["a", "b"]}).variables
    same(there["b"].cells, events()["gain"])
    same(there["gain"].cells, events()["gain"])
    swapped = carried_out(
        {"Name": "Rename", "Input": ["rt", "gain"], "Output": ["gain", "rt"]}
    ).variables
    same(swapped["rt"].cells, events()["gain"])
    same(swapped["gain"].cells, events()["rt"])
    renamed = carried_out({"Name": "Rename", "Input": ["rt"], "Output": ["x"]}).variables
    assert "x" in renamed
    assert "rt" not in renamed
    deleted = carried_out({"Name": "Delete", "Input": ["*t*", "gain"]}).variables
    assert list(deleted) == ["code", "same", "side"]
    selected = carried_out({"Name": "Select", "Input": ["rt"]}).variables
    assert list(selected) == ["rt", "trans_x", "rot_x"]


# Convolve


def test_convolve_marks_with_the_names_of_nilearn():
    steps: list[dict[str, Any]] = [
        {"Name": "Factor", "Input": ["trial_type"]},
        {"Name": "Convolve", "Input": ["trial_type.*"], "Derivative": True},
        {"Name": "Convolve", "Input": ["gain"], "Model": "fir", "FirDelays": [0, 2]},
        {"Name": "Convolve", "Input": ["rt"], "Output": ["response"], "Dispersion": True},
    ]
    found = carried_out(*steps)
    spm = "spm + derivative"
    assert found.hrfs == {
        "trial_type.go": Hrf(("trial_type.go",), spm),
        "trial_type.miss": Hrf(("trial_type.miss",), spm),
        "trial_type.stop": Hrf(("trial_type.stop",), spm),
        "gain": Hrf(("gain",), "fir", (0, 2)),
        "response": Hrf(("response",), "spm + derivative + dispersion"),
    }
    same(found.variables["response"].cells, events()["rt"])
    assert "rt" not in found.hrfs


def test_a_level_that_the_run_lacks_is_convolved_without_events():
    steps: list[dict[str, Any]] = [
        {"Name": "Factor", "Input": ["trial_type"]},
        {"Name": "Convolve", "Input": ["trial_type.early", "trial_type.go"]},
    ]
    found = carried_out(*steps)
    assert list(found.hrfs) == ["trial_type.early", "trial_type.go"]
    assert "trial_type.early" not in found.variables


# Replace


def test_replace_takes_values_as_they_stand_and_then_numbers_and_all_at_once():
    step = {"Name": "Replace", "Input": ["code"], "Replace": {"1": "one", "01": "zero-one"}}
    same(cells(step, "code"), by_row("one", "zero-one", "one", "2", None, "2"))
    swap = {"Name": "Replace", "Input": ["trial_type"], "Replace": {"go": "stop", "stop": "go"}}
    same(cells(swap, "trial_type"), by_row("stop", "go", "stop", None, "miss", "stop"))
    binary: list[dict[str, Any]] = [
        {"Name": "Threshold", "Input": ["gain"], "Binarize": True, "Output": ["x"]},
        {"Name": "Replace", "Input": ["x"], "Replace": {"1": "rt"}},
    ]
    same(cells(binary, "x"), by_row("rt", "rt", 0.0, "rt", np.nan, "rt"))


def test_replace_fills_and_makes_missing_values():
    step = {"Name": "Replace", "Input": ["trial_type"], "Replace": {"n/a": "rest", "miss": "n/a"}}
    same(cells(step, "trial_type"), by_row("go", "stop", "go", "rest", np.nan, "go"))


def test_replace_by_patterns_as_bidspm_has_them():
    entries = [{"key": "^[gs].*", "value": "trial"}, {"key": "miss", "value": "none"}]
    step = {"Name": "Replace", "Input": ["trial_type"], "Replace": entries, "Output": ["x"]}
    by_hand = events()["trial_type"].replace({"^[gs].*$": "trial", "^miss$": "none"}, regex=True)
    same(cells(step, "x"), by_hand)
    same(cells(step, "trial_type"), events()["trial_type"])
    one = {"Name": "Replace", "Input": ["trial_type"], "Replace": {"key": "go", "value": 5}}
    same(cells(one, "trial_type"), by_row(5.0, "stop", 5.0, np.nan, "miss", 5.0))


def test_replace_durations_and_onsets():
    step = {"Name": "Replace", "Input": ["gain"], "Replace": {"1": 8, "0": "n/a"}}
    found = carried_out(step | {"Attribute": "duration", "Replace": {"1": 8.0, "0": 0.1}})
    assert found.variables["gain"].table["duration"].tolist() == [8.0, 0.5, 2.0, 0.1, 8.0, 1.5]
    assert found.variables["rt"].table["duration"].tolist() == events()["duration"].tolist()
    every = carried_out(step | {"Attribute": "all", "Replace": {"10": 11.0, "1": 3.0}})
    table = every.variables["gain"].table
    assert table["onset"].tolist() == [3.0, 3.5, 6.0, 11.0, 12.0, 20.0]
    assert table["duration"].tolist() == [3.0, 0.5, 2.0, 0.0, 3.0, 1.5]
    assert table["value"].tolist()[0] == 11.0


# Assign


def test_response_times_become_durations_of_a_level_and_rows_without_one_leave_it():
    steps: list[dict[str, Any]] = [
        {"Name": "Copy", "Input": ["trial_type"], "Output": ["rt_reg"]},
        {"Name": "Replace", "Input": ["rt_reg"], "Replace": {"go": "rt", "stop": "rt"}},
        {"Name": "Factor", "Input": ["trial_type", "rt_reg"]},
        {"Name": "Assign", "Input": ["rt"], "Target": ["rt_reg.rt"], "TargetAttr": "duration"},
        {"Name": "Convolve", "Input": ["trial_type.*", "rt_reg.rt"]},
    ]
    found = carried_out(*steps)
    table = found.variables["rt_reg.rt"].table
    by_hand = events().assign(value=events()["trial_type"].isin(["go", "stop"]).astype(float))
    by_hand = by_hand[by_hand["rt"].notna()].assign(duration=lambda t: t["rt"].astype(float))
    pd.testing.assert_frame_equal(table, by_hand[["onset", "duration", "value"]])
    assert found.variables["trial_type.go"].table["duration"].tolist() == [1, 0.5, 2, 0, 1, 1.5]


def test_assign_values_to_values_and_times_to_values():
    step = {"Name": "Assign", "Input": ["rt"], "Target": ["gain"], "Output": ["x"]}
    found = carried_out(step).variables
    assert found["x"].cells.tolist() == ["0.5", "0.75", "1", "0.25", "2.0"]
    same(found["gain"].cells, events()["gain"])
    onset = carried_out(step | {"InputAttr": "onset", "Target": ["gain", "rt"], "Output": []})
    assert onset.variables["gain"].cells.tolist() == events()["onset"].tolist()
    assert onset.variables["rt"].cells.tolist() == events()["onset"].tolist()


# Numbers


@pytest.mark.parametrize("demean", [True, False])
@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("na", ["off", "before", "after"])
def test_scale(demean, rescale, na):
    step = {"Name": "Scale", "Input": ["gain"], "Output": ["x"]}
    step |= {"Demean": demean, "Rescale": rescale, "ReplaceNa": na}
    by_hand = number("gain").fillna(0) if na == "before" else number("gain")
    spread = by_hand.std()
    by_hand = by_hand - by_hand.mean() if demean else by_hand
    by_hand = by_hand / spread if rescale else by_hand
    same(cells(step, "x"), by_hand.fillna(0) if na == "after" else by_hand)


def test_scaling_what_does_not_vary():
    step = {"Name": "Scale", "Input": ["same"], "Rescale": False}
    same(cells(step, "same"), by_row(*[0.0] * 6))
    step = {"Name": "Scale", "Input": ["same"], "ReplaceNa": "after"}
    same(cells(step, "same"), by_row(*[0.0] * 6))
    assert cells({"Name": "Scale", "Input": ["empty"]}, "empty").isna().all()


def test_demean_in_all_and_within_columns():
    same(cells({"Name": "Demean", "Input": ["gain"]}, "gain"), number("gain") - 10.0)
    step = {"Name": "Demean", "Input": ["gain"], "Within": ["trial_type"]}
    groups = events()["trial_type"].fillna("none")
    by_hand = number("gain") - number("gain").groupby(groups).transform("mean")
    same(cells(step, "gain"), by_hand)
    same(
        cells({"Name": "Demean", "Input": ["rot_x"]}, "rot_x"),
        pd.Series(CONFOUNDS["rot_x"]) - float(np.mean(CONFOUNDS["rot_x"])),
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, [10, 20, 0, 10, np.nan, 40]),
        ({"Threshold": 10}, [0, 20, 0, 0, np.nan, 40]),
        ({"Threshold": 10, "Binarize": True}, [0, 1, 0, 0, np.nan, 1]),
        ({"Threshold": 15, "Above": False}, [10, 0, -30, 10, np.nan, 0]),
        ({"Threshold": 15, "Signed": False}, [0, 20, -30, 0, np.nan, 40]),
        ({"Threshold": -15, "Signed": False, "Above": False}, [10, 0, 0, 10, np.nan, 0]),
    ],
)
def test_threshold(keys, expected):
    same(cells({"Name": "Threshold", "Input": ["gain"], **keys}, "gain"), by_row(*expected))


def test_words_for_true_and_false_are_1_and_0():
    step = {"Name": "Multiply", "Input": ["correct"], "Value": 2}
    same(cells(step, "correct"), by_row(2, 0, 2, np.nan, 2, 0))


@pytest.mark.parametrize(
    ("name", "value", "by_hand"),
    [
        ("Add", 2.5, number("gain") + 2.5),
        ("Subtract", 2.5, number("gain") - 2.5),
        ("Multiply", -2, number("gain") * -2),
        ("Divide", 4, number("gain") / 4),
        ("Power", 2, number("gain") ** 2),
    ],
)
def test_arithmetic(name, value, by_hand):
    step = {"Name": name, "Input": ["gain"], "Value": value, "Output": ["x"]}
    same(cells(step, "x"), by_hand)
    where = step | {"Query": 'trial_type == "go" and rt > 0.5'}
    kept = (events()["trial_type"] == "go") & (number("rt") > 0.5)
    same(cells(where, "x"), by_hand.where(kept, number("gain")))


def test_onsets_of_all_variables_are_moved_where_a_pattern_fits():
    step = {"Name": "Add", "Input": ["onset"], "Query": "trial_type==^s.*", "Value": 0.25}
    found = carried_out(step).variables
    for name in ("trial_type", "gain"):
        assert found[name].table["onset"].tolist() == [1.0, 3.75, 6.0, 10.0, 12.0, 20.0]
    assert found["rot_x"].cells.tolist() == CONFOUNDS["rot_x"]


def test_a_constant_is_in_every_row_of_the_events():
    same(cells({"Name": "Constant", "Output": ["one"]}, "one"), by_row(*[1.0] * 6))
    text = {"Name": "Constant", "Output": ["x"], "Value": "all"}
    found = carried_out(text, {"Name": "Factor", "Input": ["x"]}).variables
    same(found["x.all"].cells, by_row(*[1.0] * 6))


# Several into one


def test_product_and_sum():
    product = {"Name": "Product", "Input": ["gain", "rt"], "Output": ["x"]}
    same(cells(product, "x"), number("gain") * number("rt"))
    total = {"Name": "Sum", "Input": ["gain", "rt"], "Weights": [1, -2], "Output": ["x"]}
    same(cells(total, "x"), number("gain").fillna(0) - 2 * number("rt").fillna(0))
    nothing = {"Name": "Sum", "Input": ["empty", "empty"], "Output": ["x"]}
    assert cells(nothing, "x").isna().all()
    dense = {"Name": "Sum", "Input": ["*_x"], "Output": ["x"]}
    same(cells(dense, "x"), pd.DataFrame(CONFOUNDS).sum(axis=1))


def test_and_or_not_of_numbers_text_and_missing_values():
    go = [{"Name": "Factor", "Input": ["trial_type"]}]
    both = {"Name": "And", "Input": ["trial_type.go", "rt"], "Output": ["x"]}
    same(cells([*go, both], "x"), by_row(1, 0, 0, 0, 0, 1))
    either = {"Name": "Or", "Input": ["trial_type.go", "trial_type.stop"], "Output": ["x"]}
    same(cells([*go, either], "x"), by_row(1, 1, 1, 0, 0, 1))
    same(cells({"Name": "Not", "Input": ["trial_type"]}, "trial_type"), by_row(0, 0, 0, 1, 0, 0))
    same(cells({"Name": "Not", "Input": ["correct"]}, "correct"), by_row(0, 1, 0, 1, 0, 1))


def test_a_level_that_the_run_lacks_is_false_in_or():
    steps: list[dict[str, Any]] = [
        {"Name": "Factor", "Input": ["trial_type"]},
        {"Name": "Or", "Input": ["trial_type.early", "trial_type.go"], "Output": ["x"]},
    ]
    same(cells(steps, "x"), by_row(1, 0, 1, 0, 0, 1))


def test_and_of_conditions_as_spm_users_write_them():
    step = {"Name": "AND", "Input": ["trial_type==go", "code==1"], "Output": ["x"]}
    found = carried_out(step).variables
    same(found["x"].cells, by_row(1, 0, 1, 0, 0, 0))
    assert list(found) == [*a_run(), "x"]


def test_concatenate_joins_text_and_leaves_out_rows_without_a_value():
    step = {"Name": "Concatenate", "Input": ["trial_type", "code"], "Output": ["x"]}
    assert cells(step, "x").to_dict() == {0: "go_1", 1: "stop_01", 3: "go_1.0", 7: "go_2"}


# Rows


def test_filter_by_an_expression_over_any_column():
    step = {"Name": "Filter", "Input": ["gain"], "Query": 'trial_type in ["go", "stop"]'}
    same(cells(step, "gain"), events()["gain"][events()["trial_type"].isin(["go", "stop"])])
    same(cells(step | {"Query": "onset > 5 and gain > 0"}, "gain"), events()["gain"][[4, 7]])
    own: list[dict[str, Any]] = [
        {"Name": "Factor", "Input": ["code"]},
        {"Name": "Filter", "Input": ["code.1"], "Query": "code.1 == 1", "Output": ["x"]},
    ]
    assert cells(own, "x").to_dict() == {0: 1.0}


def test_filter_by_a_pattern_and_label_what_is_left_as_bidspm_does():
    steps: list[dict[str, Any]] = [
        {"Name": "Filter", "Input": "trial_type", "Output": "x"},
        {"Name": "LabelIdenticalRows", "Cumulative": True, "Input": ["x"], "Output": ["label"]},
        {"Name": "Concatenate", "Input": ["x", "label"], "Output": ["GO"]},
        {"Name": "Delete", "Input": ["x", "label"]},
    ]
    steps[0]["Query"] = "trial_type==^(go|stop)$"
    assert cells(steps, "GO").to_dict() == {0: "go_1", 1: "stop_1", 3: "go_2", 7: "go_3"}


def test_labels_of_rows_begin_again_where_the_value_changes():
    there = {"x": a_run()["code"].with_values(by_row("a", "a", "b", None, "b", "a"))}
    step = {"Name": "LabelIdenticalRows", "Input": ["x"]}
    found = carried_out(step, there=there).variables["x_label"].cells
    same(found, by_row(1, 2, 1, np.nan, 2, 1))
    found = carried_out(step | {"Cumulative": True}, there=there).variables["x_label"].cells
    same(found, by_row(1, 2, 1, np.nan, 2, 3))


def test_split_has_the_rows_of_each_level():
    step = {"Name": "Split", "Input": ["rt"], "By": ["trial_type"]}
    found = carried_out(step).variables
    for level, rows in events().groupby("trial_type"):
        same(found[f"rt.{level}"].cells, rows["rt"])
    same(found["rt"].cells, events()["rt"])
    two = carried_out(step | {"By": ["trial_type", "code"]}).variables
    assert [n for n in two if n.startswith("rt.")] == [
        "rt.go.1",
        "rt.go.1.0",
        "rt.go.2",
        "rt.stop.01",
    ]


def test_dropna_leaves_rows_without_a_value_out():
    same(cells({"Name": "DropNA", "Input": ["rt"]}, "rt"), events()["rt"].dropna())
    assert cells({"Name": "Drop_na", "Input": ["empty"]}, "empty").empty


# Time


def test_orthogonalize_keeps_the_mean_and_takes_what_others_explain():
    step = {"Name": "Orthogonalize", "Input": ["trans_x"], "Other": ["rot_x"]}
    found = cells(step, "trans_x")
    x, y = np.array(CONFOUNDS["rot_x"]), np.array(CONFOUNDS["trans_x"])
    slope, intercept = np.polyfit(x, y, 1)
    np.testing.assert_allclose(found, y - (slope * x + intercept) + y.mean(), atol=1e-12)
    sparse = cells(step | {"Input": ["gain"], "Other": ["rt", "trial_type.go"]}, "gain")
    there = number("gain").notna() & number("rt").notna()
    assert sparse.notna().tolist() == there.tolist()
    assert abs(np.corrcoef(sparse[there], number("rt")[there])[0, 1]) < 1e-12


def test_lag_by_volumes_and_between_them():
    series = pd.Series(CONFOUNDS["trans_x"])
    step = {"Name": "Lag", "Input": ["trans_x"]}
    same(cells(step, "trans_x"), series.shift(1).bfill())
    same(cells(step | {"Shift": -2}, "trans_x"), series.shift(-2).ffill())
    same(cells(step | {"Mode": "constant"}, "trans_x"), series.shift(1, fill_value=0))
    same(cells(step | {"Difference": True}, "trans_x"), series.diff().fillna(0))
    back = step | {"Shift": -1, "Difference": True}
    same(cells(back, "trans_x"), series.shift(-1).ffill() - series)
    half = ndimage.shift(series.to_numpy(), 0.5, order=1, mode="nearest")
    same(cells(step | {"Shift": 0.5, "Order": 1}, "trans_x"), pd.Series(half))


def test_derivative():
    series = pd.Series(CONFOUNDS["rot_x"])
    step = {"Name": "Derivative", "Input": ["rot_x"], "Output": ["x"]}
    same(cells(step, "x"), series.diff().fillna(0))
    same(cells(step | {"Initial": "NaN", "Order": 2}, "x"), series.diff().diff())
