"""Datasets of different shapes: the model that `twolevel model` writes runs as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from command import analyse, answer, call
from tiny import TinyRun, blocks, motion, write_tiny

from twolevel.bids.entities import Entities

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np

SUBJECTS = ("01", "02", "03")
TWO_RUNS = ({"task": "faces", "run": "1"}, {"task": "faces", "run": "2"})


def write(
    root: Path,
    events: Callable[[int], pd.DataFrame],
    runs: Sequence[dict[str, str]] = TWO_RUNS,
    **options: Any,
) -> Path:
    """Write a dataset of three subjects; events and confounds differ from run to run."""
    made = [
        TinyRun(Entities({"sub": subject, **run}), events(seed), motion(seed), seed=seed)
        for seed, (subject, run) in enumerate((s, r) for s in SUBJECTS for r in runs)
    ]
    return write_tiny(root, made, **options)


def starter(data: Path, *words: str) -> tuple[Path, dict[str, Any], str]:
    """Return the model's file, what it holds, and what was said."""
    model = data.with_name("model.json")
    said = call("model", data, "--output", model, *words)
    return model, json.loads(model.read_text(encoding="utf-8")), said


def run(data: Path, model: Path) -> str:
    return analyse(data, data.with_name("results"), "all", "--n-perm", "8", model=model)


def run_node(content: dict[str, Any]) -> dict[str, Any]:
    return dict(content["Nodes"][0])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_conditions_in_another_column_and_their_difference(data: Path):
    def events(seed: int) -> pd.DataFrame:
        table = blocks("face house", "rest", seed=seed).rename(columns={"trial_type": "stim"})
        return table.assign(trial=range(len(table)), accuracy=table.index % 2)

    write(data, events)
    model, content, said = starter(data)
    assert 'conditions: the 2 levels of stim (there is no column trial_type): "face house"' in said
    assert run_node(content)["Contrasts"][0]["Name"] == "faceHouseMinusRest"
    text = run(data, model)
    assert "stimFaceHouse" in text
    assert "faceHouseMinusRest" in text


def test_numbers_as_conditions_and_confounds_that_some_runs_lack(data: Path):
    write(data, lambda seed: blocks("01", "1", "2", seed=seed))
    for number, path in enumerate(sorted(data.rglob("*_timeseries.tsv"))):
        table = pd.read_csv(path, sep="\t")
        table["csf"] = 1.0
        kept = [c for c in map(str, table) if c.startswith(("trans", "rot"))] + ["csf"] * (
            number > 0
        )
        table[kept].to_csv(path, sep="\t", index=False)
    model, content, said = starter(data)
    assert 'the 3 levels of trial_type: "01", "1", "2"' in said
    assert run_node(content)["Model"]["X"] == [
        "trial_type.01", "trial_type.1", "trial_type.2", "trans_x", "trans_y", "trans_z",
        "rot_x", "rot_y", "rot_z", 1,
    ]  # fmt: skip
    assert run_node(content)["Model"]["Options"] == {"HighPassFilterCutoffHz": 1 / 128}
    run(data, model)


def test_several_tasks_ask_for_one(data: Path):
    write(
        data, lambda seed: blocks("a", "b", "c", seed=seed), [{"task": "faces"}, {"task": "nback"}]
    )
    resting = data / "derivatives/fmriprep/sub-01/func/sub-01_task-rest_desc-preproc_bold.json"
    resting.write_text("{}", encoding="utf-8")
    refused = answer("model", data)
    assert refused.status == 3
    assert "2 tasks with events: faces, nback" in refused.err
    assert refused.out == ""
    model, content, said = starter(data, "--task-id", "nback")
    assert "task: nback; not faces, rest (3 subjects, 3 runs)" in said
    assert content["Input"] == {"task": ["nback"]}
    run(data, model)


def test_sessions_have_a_node_of_their_own(data: Path):
    runs = [{"ses": ses, "task": "faces", "run": run} for ses in ("pre", "post") for run in "12"]
    write(data, lambda seed: blocks("face", "house", seed=seed), runs)
    model, content, said = starter(data)
    assert [node["Level"] for node in content["Nodes"]] == ["Run", "Session", "Subject", "Dataset"]
    assert "sessions: runs are averaged within each session" in said
    run(data, model)


def test_response_times_in_milliseconds_and_groups(data: Path):
    def times(rng: np.random.Generator, n: int) -> list[int]:
        return [int(t) for t in rng.uniform(400, 1500, n)]

    people = {
        "participant_id": [f"sub-{s}" for s in SUBJECTS],
        "group": ["patient", "control", "control"],
    }
    write(
        data,
        lambda seed: blocks("face", "house", seed=seed, response_time=times),
        tables={"participants.tsv": pd.DataFrame(people)},
    )
    plain = call("model", data)
    assert "`twolevel model --with-response-time` adds a regressor" in plain
    model, content, said = starter(data, "--with-response-time")
    assert "group (control 2, patient 1)" in content["Description"]
    assert "response times: rt_reg.rt, all events, as long as response_time says" in said
    assert run_node(content)["Model"]["Software"]["twolevel"]["Events"] == [
        {"Scale": {"response_time": 0.001}}
    ]
    run(data, model)


def test_events_that_say_nothing_are_one_condition(data: Path):
    write(data, lambda seed: blocks("a", seed=seed)[["onset", "duration"]].assign(duration=None))
    for path in data.rglob("*confounds*"):
        path.unlink()
    model, content, said = starter(data)
    assert "conditions: all events as one, named event" in said
    assert "confounds: none, because 6 of 6 runs have no table of confounds" in said
    assert run_node(content)["Model"]["X"] == ["trial_type.event", 1]
    run(data, model)


def test_levels_of_odd_characters(data: Path):
    write(data, lambda seed: blocks("go*", "go!", "nogo?", "+", seed=seed))
    model, content, said = starter(data)
    assert '"go*" is "go_star"' in said
    assert [c["Name"] for c in run_node(content)["Contrasts"]] == ["trialType1"]
    text = run(data, model)
    for label in ("trialType1", "trialTypeGo", "trialTypeGoStar", "trialTypeNogoQuery"):
        assert label in text
