from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from twolevel.model.starter.make import starter_model
from twolevel.model.starter.survey import Survey

AXES = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
MORE = ("", "_derivative1", "_power2", "_derivative1_power2")
ALL_24 = tuple(axis + more for axis in AXES for more in MORE)


@pytest.fixture
def found() -> Survey:
    runs = (("01", ""), ("01", ""), ("02", ""))
    table = pd.DataFrame({"onset": ["0", "9"], "duration": "2", "trial_type": ["a", "b"]})
    return Survey(
        task="t",
        other_tasks=(),
        runs=runs,
        events=pd.concat([table] * len(runs), keys=range(len(runs))),
        confounds=(*ALL_24, "csf", "white_matter", "cosine00", "cosine01"),
        n_volumes=200,
    )


def x_of(found: Survey) -> list[object]:
    x = starter_model(found).content["Nodes"][0]["Model"]["X"]
    assert x[:2] == ["trial_type.a", "trial_type.b"]
    assert x[-1] == 1
    return list(x[2:-1])


def options_of(found: Survey) -> object:
    return starter_model(found).content["Nodes"][0]["Model"].get("Options")


def test_confounds_that_every_run_has(found: Survey):
    assert x_of(found) == ["trans_*", "rot_*", "white_matter", "csf", "cosine*"]
    assert options_of(found) is None


def test_patterns_stand_for_nothing_that_only_some_runs_have(found: Survey):
    some = replace(found, some_confounds=("rot_odd", "non_steady_state_outlier00"))
    assert x_of(some) == [
        *ALL_24, "white_matter", "csf", "cosine*", "non_steady_state_outlier*",
    ]  # fmt: skip


def test_short_runs_get_six_regressors_of_motion(found: Survey):
    starter = starter_model(replace(found, n_volumes=80))
    assert starter.content["Nodes"][0]["Model"]["X"][2:8] == AXES
    assert any("too many for runs of 80 volumes" in choice for choice in starter.choices)


def test_without_confounds_the_model_has_a_high_pass(found: Survey):
    none = replace(found, confounds=(), n_without_confounds=3, n_volumes=0)
    assert x_of(none) == []
    assert options_of(none) == {"HighPassFilterCutoffHz": 1 / 128}
    assert "confounds: none, because 3 of 3 runs have no table" in " ".join(
        starter_model(none).choices
    )


def test_two_conditions_have_their_difference(found: Survey):
    node = starter_model(found).content["Nodes"][0]
    assert node["Contrasts"] == [
        {
            "Name": "aMinusB",
            "ConditionList": ["trial_type.a", "trial_type.b"],
            "Weights": [1, -1],
            "Test": "t",
        }
    ]
    assert node["DummyContrasts"]["Contrasts"] == ["trial_type.a", "trial_type.b"]


def with_levels(found: Survey, *levels: str) -> Survey:
    table = pd.DataFrame({"onset": "0", "duration": "2", "trial_type": list(levels)})
    return replace(found, events=pd.concat([table] * 3, keys=range(3)))


def test_levels_of_one_label_have_names_of_their_own(found: Survey):
    node = starter_model(with_levels(found, "go", "go!", "+")).content["Nodes"][0]
    assert node["DummyContrasts"]["Contrasts"] == ["trial_type.go"]
    assert [c["Name"] for c in node["Contrasts"]] == ["trialType1", "trialTypeGo3"]
    assert [c["ConditionList"] for c in node["Contrasts"]] == [
        ["trial_type.+"],
        ["trial_type.go!"],
    ]


def test_levels_that_look_like_patterns_are_renamed(found: Survey):
    starter = starter_model(with_levels(found, "go*", "go_star", "stop?"))
    node = starter.content["Nodes"][0]
    names = ["trial_type.go_star_", "trial_type.go_star", "trial_type.stop_query"]
    assert node["Model"]["X"][:3] == names
    assert node["Model"]["Software"]["twolevel"]["Events"] == [
        {"Recode": {"trial_type": {"go*": "go_star_", "stop?": "stop_query"}}}
    ]
    assert any(choice.startswith('names: "go*" is "go_star_"') for choice in starter.choices)


def test_one_subject_has_no_group(found: Survey):
    alone = starter_model(replace(found, runs=(("01", ""),) * 3))
    assert [node["Level"] for node in alone.content["Nodes"]] == ["Run", "Subject"]
    assert "group: none, because there is one subject" in alone.choices


def test_sessions_of_one_each_need_no_node(found: Survey):
    one_each = replace(found, runs=(("01", "a"), ("01", "a"), ("02", "b")))
    content = starter_model(one_each).content
    assert [node["Level"] for node in content["Nodes"]] == ["Run", "Subject", "Dataset"]
    assert content["Nodes"][0]["GroupBy"] == ["run", "session", "subject"]


def test_events_without_a_duration_get_one(found: Survey):
    found.events.loc[0, "duration"] = None
    starter = starter_model(found)
    assert starter.content["Nodes"][0]["Model"]["Software"]["twolevel"]["Events"] == [
        {"Where": "isna(duration)", "Set": {"duration": "0"}}
    ]
    assert "durations: 2 of 6 events have none: set to 0 s" in starter.choices


def test_participants_are_described_and_left_alone(found: Survey):
    people = pd.DataFrame(
        {"group": ["x", "y", "y"], "age": ["20", "31", "40"], "code": list("abc")}
    )
    described = starter_model(replace(found, participants=people)).content["Description"]
    assert "make groups: group (x 1, y 2)." in described
    assert "with numbers: age." in described
    assert "code" not in described


def test_response_times_that_are_not_there_are_said_to_be_missing(found: Survey):
    starter = starter_model(found, with_response_time=True)
    assert "response times: no column of the events holds any" in starter.choices
    assert starter.content == starter_model(found).content
