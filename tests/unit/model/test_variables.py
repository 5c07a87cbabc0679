from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import compute_regressor

from twolevel.bids.confounds import take_confounds
from twolevel.bids.run_tables import confounds_for, variables_of_run
from twolevel.errors import InputError
from twolevel.model.nodes import Contrast, Hrf, Node
from twolevel.model.settings import RunSettings
from twolevel.model.transformations.arithmetic import Power
from twolevel.model.transformations.convolve import Convolve
from twolevel.model.transformations.levels import Factor
from twolevel.model.transformations.names import Copy
from twolevel.model.transformations.rows import DropNA
from twolevel.model.transformations.volumes import Derivative
from twolevel.model.variables import condition_events, regressors_of, resolve_variables

CONFOUNDS = ["rot_x", "rot_y", "trans_x", "csf", "a_comp_cor_00"]


@pytest.fixture
def events():
    return pd.DataFrame(
        {
            "onset": [0.0, 10.0, 20.0, 30.0],
            "duration": [1.0, 2.0, 3.0, 4.0],
            "trial_type": ["house", "face", "face", np.nan],
            "rt": [0.5, np.nan, 0.7, 0.9],
            "empty": [np.nan] * 4,
            "response": ["left", "right", "left", "left"],
        }
    )


def node_with(
    x: list[str], *, factors: tuple[str, ...] = ("trial_type",), hrf: Any = None
) -> Node:
    steps = (
        *([Factor(input=factors)] if factors else []),
        Convolve(input=("trial_type.*",), model="glover"),
    )
    return Node("run", "run", ("run", "subject"), tuple(x), RunSettings(), steps, hrf)


def test_levels_of_a_factor_are_conditions_in_the_order_of_x(events):
    node = node_with(["trial_type.house", "trial_type.face", "1"])
    found = resolve_variables(node, events, CONFOUNDS)
    assert list(found.conditions) == ["trial_type.house", "trial_type.face"]
    assert (found.confounds, found.missing) == ((), ())


def test_numeric_columns_modulate_and_empty_ones_and_texts_do_not(events):
    found = resolve_variables(node_with(["rt"]), events, CONFOUNDS)
    assert list(found.conditions) == ["rt"]
    assert found.available == ("trial_type.face", "trial_type.house", "rt")


@pytest.mark.parametrize("name", ["empty", "response", "onset", "duration", "trial_type", "nope"])
def test_what_is_no_variable_is_missing(events, name):
    found = resolve_variables(node_with(["rt", name]), events, CONFOUNDS)
    assert found.missing == (name,)
    assert list(found.conditions) == ["rt"]


def test_a_level_that_this_run_has_not_is_missing(events):
    found = resolve_variables(node_with(["trial_type.face", "trial_type.cat"]), events, CONFOUNDS)
    assert found.missing == ("trial_type.cat",)


def test_a_level_without_a_factor_is_taken_as_if_one_were_there(events):
    found = resolve_variables(node_with(["response.left"], factors=()), events, CONFOUNDS)
    assert found.missing == ()
    assert found.rows["response.left"]["onset"].tolist() == [0.0, 20.0, 30.0]
    assert [note.what for note in found.notes] == [
        "trial_type is taken as a factor: no Factor instruction comes before its levels",
        "response is taken as a factor: no Factor instruction comes before its levels",
    ]


def test_two_factors_give_their_levels_each(events):
    node = node_with(["response.*", "trial_type.face"], factors=("trial_type", "response"))
    found = resolve_variables(node, events, CONFOUNDS)
    assert list(found.conditions) == ["response.left", "response.right", "trial_type.face"]


def test_a_factor_without_its_column_is_refused(events):
    node = node_with(["colour.red"], factors=("colour",))
    with pytest.raises(InputError, match='no variable "colour" in this run'):
        resolve_variables(node, events, CONFOUNDS)


@pytest.mark.parametrize(
    ("pattern", "conditions", "confounds"),
    [
        ("trial_type.*", ["trial_type.face", "trial_type.house"], ()),
        ("trial_type.?ace", ["trial_type.face"], ()),
        ("rot_?", [], ("rot_x", "rot_y")),
        ("*_x", [], ("rot_x", "trans_x")),
        ("motion_outlier*", [], ()),
        ("rot_[xy]", [], ()),
    ],
)
def test_stars_and_question_marks_are_wildcards_and_brackets_are_not(
    events, pattern, conditions, confounds
):
    found = resolve_variables(node_with([pattern]), events, CONFOUNDS)
    assert (list(found.conditions), found.confounds) == (conditions, confounds)


def test_a_wildcard_without_match_is_not_missing(events):
    assert resolve_variables(node_with(["motion_outlier*"]), events, CONFOUNDS).missing == ()


def test_confounds_are_taken_once_in_the_order_of_x(events):
    found = resolve_variables(node_with(["csf", "rot_*", "rot_x"]), events, CONFOUNDS)
    assert found.confounds == ("csf", "rot_x", "rot_y")


def test_a_name_in_both_tables_is_the_events(events):
    found = resolve_variables(node_with(["rt"]), events, [*CONFOUNDS, "rt"])
    assert (list(found.conditions), found.confounds) == (["rt"], ())


def test_the_hrf_of_the_model_convolves_what_the_instructions_did_not(events):
    x = ["trial_type.face", "rt"]
    node = node_with(x, hrf=Hrf(("rt",), "spm + derivative"))
    found = resolve_variables(node, events, CONFOUNDS)
    assert found.conditions == {"trial_type.face": "glover", "rt": "spm + derivative"}
    unconvolved = resolve_variables(node_with(["rt"]), events, CONFOUNDS)
    assert unconvolved.conditions == {"rt": None}
    twice = node_with(x, hrf=Hrf(("rt", "trial_type.face"), "spm"))
    with pytest.raises(InputError, match="face: convolved already"):
        resolve_variables(twice, events, CONFOUNDS)


def test_a_factor_is_not_swallowed_by_one_whose_name_begins_alike(events):
    table = events.assign(**{"trial_type.extra": ["a", "b", "a", "b"]})
    node = node_with(["trial_type.extra.a", "trial_type.face"], factors=())
    found = resolve_variables(node, table, CONFOUNDS)
    assert found.rows["trial_type.extra.a"]["onset"].tolist() == [0.0, 20.0]
    assert found.rows["trial_type.face"]["onset"].tolist() == [10.0, 20.0]


def test_confounds_that_instructions_change_are_columns_of_their_own(events):
    steps = (Power(input=("rot_x",), output=("rot_x_power2",), value=2),)
    x = ("rot_*", "csf", "1")
    node = Node("run", "run", ("run",), x, RunSettings(), steps)
    found = resolve_variables(node, events, CONFOUNDS, {"rot_x": [1.0, 2.0, -3.0]})
    assert found.confounds == ("rot_y", "csf")
    assert found.dense.to_dict("list") == {
        "rot_x": [1.0, 2.0, -3.0],
        "rot_x_power2": [1.0, 4.0, 9.0],
    }


def events_of(events: Any, x: list[str], factors: tuple[str, ...] = ("trial_type",)) -> Any:
    node = node_with(x, factors=factors)
    return condition_events(resolve_variables(node, events, []))


def test_levels_of_a_factor_have_amplitude_one(events):
    table = events_of(events, ["trial_type.face"])
    assert table.to_dict("list") == {
        "onset": [10.0, 20.0],
        "duration": [2.0, 3.0],
        "trial_type": ["trial_type.face"] * 2,
        "modulation": [1.0, 1.0],
    }


def test_a_modulator_has_its_values_and_leaves_out_rows_without(events):
    table = events_of(events, ["rt"])
    assert table["onset"].tolist() == [0.0, 20.0, 30.0]
    assert table["modulation"].tolist() == [0.5, 0.7, 0.9]
    assert set(table["trial_type"]) == {"rt"}


def test_variables_follow_each_other_in_the_order_of_x(events):
    table = events_of(events, ["rt", "trial_type.house", "1"])
    assert table["trial_type"].tolist() == ["rt", "rt", "rt", "trial_type.house"]
    assert table.index.tolist() == [0, 1, 2, 3]


def test_numbers_can_be_levels_of_a_factor(events):
    events["block"] = [1, 2, 1, 2]
    table = events_of(events, ["block.2"], factors=("block",))
    assert table["onset"].tolist() == [10.0, 30.0]
    assert table["modulation"].tolist() == [1.0, 1.0]


def test_no_variable_gives_an_empty_table_with_the_columns(events):
    table = events_of(events, ["1"])
    assert list(table) == ["onset", "duration", "trial_type", "modulation"]
    assert len(table) == 0


def test_modulators_of_the_balloon_task_skip_rows_without_a_value(shared):
    path = shared / "ds000001/sub-01/func"
    events = pd.read_table(
        path / "sub-01_task-balloonanalogrisktask_run-01_events.tsv", na_values="n/a"
    )
    table = events_of(events, ["pumps_demean", "trial_type.pumps_demean"])
    there = events[events["pumps_demean"].notna()]
    by_name = table.groupby("trial_type")["modulation"].apply(list)
    assert by_name["pumps_demean"] == there["pumps_demean"].tolist()
    assert 0 < len(there) < len(events)
    assert by_name["trial_type.pumps_demean"] == [1.0] * int(
        (events["trial_type"] == "pumps_demean").sum()
    )


@pytest.mark.parametrize(
    ("model", "delays", "names"),
    [
        (None, (), ["go"]),
        ("glover", (), ["go"]),
        ("spm + derivative", (), ["go", "go_derivative"]),
        ("glover + derivative + dispersion", (), ["go", "go_derivative", "go_dispersion"]),
        ("fir", (0, 2), ["go_delay_0", "go_delay_2"]),
    ],
)
def test_the_regressors_of_a_condition_have_nilearns_names(model, delays, names):
    assert regressors_of("go", model, delays) == names
    events = np.array([[2.0], [1.0], [1.0]])
    times = np.arange(20) * 2.0
    assert compute_regressor(events, model, times, con_id="go", fir_delays=delays)[1] == names


def test_a_contrast_may_name_a_derivative_or_a_delay_and_not_the_condition_of_delays(events):
    steps = (
        Factor(input=("trial_type",)),
        Convolve(input=("trial_type.face",), model="fir", fir_delays=(0, 1)),
        Convolve(input=("trial_type.house",), model="glover", derivative=True),
    )
    named = [
        Contrast(name, name, ((name, (1.0,)),))
        for name in (
            "trial_type.face_delay_1", "trial_type.house_derivative", "trial_type.face",
            "trial_type.face_delay_2",
        )
    ]  # fmt: skip
    x = ("trial_type.face", "trial_type.house", "1")
    node = Node("run", "run", ("run",), x, RunSettings(), steps, None, tuple(named))
    assert resolve_variables(node, events, []).missing == (
        "trial_type.face",
        "trial_type.face_delay_2",
    )


@pytest.mark.parametrize("x", [["rt"], ["r*"]])
def test_numbers_and_text_in_what_an_instruction_leaves_are_refused_with_the_line(events, x):
    events["rt"] = ["0.5", "slow", None, "0.9"]
    node = Node("run", "run", ("run",), tuple(x), RunSettings(), (DropNA(input=("rt",)),))
    with pytest.raises(InputError) as caught:
        resolve_variables(node, events, CONFOUNDS)
    (problem,) = caught.value.problems
    assert (problem.where, problem.found) == ("X", 'no number in column rt: line 3 ("slow")')


def test_the_column_of_a_factor_is_no_variable_although_its_levels_are_numbers(events):
    events["block"] = ["1", "2", "1", "2"]
    found = resolve_variables(node_with(["block*"], factors=("block",)), events, CONFOUNDS)
    assert list(found.conditions) == ["block.1", "block.2"]


def test_x_may_name_a_derivative_alone(events):
    steps = (Factor(input=("trial_type",)), Convolve(input=("trial_type.*",), derivative=True))
    x = ("trial_type.face_derivative", "1")
    found = resolve_variables(Node("run", "run", ("run",), x, RunSettings(), steps), events, ())
    assert found.missing == ()
    assert found.columns_of("trial_type.face") == [
        "trial_type.face",
        "trial_type.face_derivative",
    ]


def test_24_columns_of_motion_by_hand_equal_those_of_the_preprocessing(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(30, 6)), columns=[
        f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"])  # fmt: skip
    names = [str(column) for column in table]
    for name in names:
        table[f"{name}_derivative1"] = table[name].diff()
        for more in ("", "_derivative1"):
            table[f"{name}{more}_power2"] = table[f"{name}{more}"] ** 2
    table.to_csv(tmp_path / "c.tsv", sep="\t", index=False, na_rep="n/a")
    made = [f"d_{name}" for name in names]
    squares = [f"{name}_square" for name in (*names, *made)]
    steps = (
        Copy(input=tuple(names), output=tuple(made)),
        Derivative(input=tuple(made), initial="NaN"),
        Copy(input=(*names, *made), output=tuple(squares)),
        Power(input=tuple(squares), value=2.0),
    )
    events = pd.DataFrame({"onset": [1.0], "duration": [1.0]})
    x = (*names, *made, *squares, "1")
    node = Node("run", "run", ("run",), x, RunSettings(), steps)
    by_hand = variables_of_run(
        node, events, confounds_for(node, {"confounds": tmp_path / "c.tsv"})
    )
    assert by_hand.missing == ()
    theirs = (*(f"{n}_derivative1" for n in names), *(f"{n}_power2" for n in names),
              *(f"{n}_derivative1_power2" for n in names))  # fmt: skip
    plain = replace(node, x=theirs, instructions=())
    opened = confounds_for(plain, {"confounds": tmp_path / "c.tsv"})
    expected = take_confounds(opened, list(theirs)).regressors
    for ours, name in zip((*made, *squares), theirs, strict=True):
        np.testing.assert_allclose(by_hand.dense[ours], expected[name], rtol=1e-9, err_msg=name)
