"""A model's cut-off and the cosines among the confounds: one high-pass, and a word about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from model_parts import stage_at

from twolevel.bids.entities import Entities
from twolevel.bids.run_inputs import RunSpec
from twolevel.model.read import presets, read_model
from twolevel.tasks.design_run import design_run
from twolevel.tasks.handoff import load_design

if TYPE_CHECKING:
    from pathlib import Path

N_VOLUMES = 60  # of 2 s: 1 cosine at 1/128 Hz


def model_with(
    folder: Path,
    cut_off_hz: float | None,
    *,
    x: tuple[str, ...] = (),
    strategy: str | None = "simple",
    contrast_on: str | None = None,
) -> Path:
    """Copy the preset with another cut-off, confounds by name, a contrast on one of them."""
    content = json.loads(presets()["balloon"].read_text())
    run = content["Nodes"][0]
    run["Model"]["X"][-1:-1] = x
    run["Model"]["Options"] = {"HighPassFilterCutoffHz": cut_off_hz} if cut_off_hz else {}
    software = run["Model"]["Software"]["twolevel"]
    software.pop("ConfoundStrategy")
    software |= {"ConfoundStrategy": strategy} if strategy else {}
    if contrast_on:
        contrast: dict[str, Any] = {"Name": "slow", "ConditionList": [contrast_on], "Weights": [1]}
        run["Contrasts"].append({**contrast, "Test": "t"})
    path = folder / "model.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def with_more_cosines(data, own_copy):
    """Add slower cosines than the confounds of this short run have."""
    for subject in (1, 2):
        for run in (1, 2):
            path = own_copy(data.confounds(subject, run))
            table = pd.read_csv(path, sep="\t")
            for k in (1, 2):
                t = (np.arange(N_VOLUMES) + 0.5) / N_VOLUMES
                table[f"cosine{k:02d}"] = np.cos(np.pi * (k + 1) * t)
            table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    return data


@pytest.mark.parametrize(("cut_off_hz", "n_columns"), [(0.02, 4), (0.05, 12), (0.004, 0)])
def test_another_cut_off_is_noted_for_every_run(data, command, tmp_path, cut_off_hz, n_columns):
    answer = command("validate", data.root, "-m", model_with(tmp_path, cut_off_hz), "-v")
    assert answer.status == 0, answer.err
    what = (
        f"HighPassFilterCutoffHz {cut_off_hz:g} is not that of the confounds' cosines (1/128 Hz): "
        "a drift of that cut-off replaces them"
    )
    (line,) = [line for line in answer.out.splitlines() if what in line]
    assert line.count(f"{n_columns} columns for 1") == 4
    assert "sub-02 task-balloonanalogrisktask run-2" in line


@pytest.mark.parametrize("x", [("cosine*",), ("cosine00", "cosine01", "cosine02"), ("c*",)])
def test_cosines_named_in_x_are_replaced_as_well(with_more_cosines, command, tmp_path, x):
    path = model_with(tmp_path, 0.02, x=x, strategy=None)
    answer = command("validate", with_more_cosines.root, "-m", path, "-v")
    assert answer.status == 0, answer.err
    assert answer.out.count("4 columns for 3") == 4


@pytest.mark.parametrize("cut_off_hz", [None, 1 / 128, 0.008, 0.0078])
def test_the_cut_off_of_the_cosines_is_no_news(data, command, tmp_path, cut_off_hz):
    answer = command("validate", data.root, "-m", model_with(tmp_path, cut_off_hz), "-v")
    assert answer.status == 0, answer.err
    assert "HighPass" not in answer.out
    assert "high-pass" not in answer.out


@pytest.mark.parametrize("x", [("cosine00",), ("cosine00", "cosine02"), ("cosine?1",)])
@pytest.mark.parametrize("cut_off_hz", [1 / 128, 0.02])
def test_some_of_the_cosines_and_a_cut_off_are_refused(
    with_more_cosines, command, tmp_path, x, cut_off_hz
):
    path = model_with(tmp_path, cut_off_hz, x=x, strategy=None)
    answer = command("validate", with_more_cosines.root, "-m", path)
    assert answer.status == 3
    assert answer.err.count("of 3 cosines among the confounds, and HighPassFilterCutoffHz") == 4
    assert "name all of them (cosine*) or none" in answer.err


def test_a_contrast_on_a_cosine_that_is_replaced_is_refused(data, command, tmp_path):
    path = model_with(tmp_path, 0.02, x=("cosine00",), contrast_on="cosine00")
    answer = command("validate", data.root, "-m", path)
    assert answer.status == 3
    assert 'contrast "slow"' in answer.err
    assert "cosine00: a drift of HighPassFilterCutoffHz 0.02 replaces the cosines" in answer.err


def test_a_drift_counts_among_the_regressors(data, command, tmp_path):
    answer = command("validate", data.root, "-m", model_with(tmp_path, 0.2))
    assert answer.status == 3
    assert answer.err.count("regressors for 59 volumes") == 4
    assert "choose fewer confounds, or a lower cut-off" in answer.err


def test_a_cosine_under_another_name_is_refused(with_more_cosines, command, own_copy, tmp_path):
    path = own_copy(with_more_cosines.confounds(2, 1))
    header, _, rows = path.read_text().partition("\n")
    names = header.replace("trans_x_power2", "other").replace("cosine02", "trans_x_power2")
    path.write_text(f"{names}\n{rows}")
    model = model_with(tmp_path, 0.02, x=("trans_x_power2",), strategy=None)
    answer = command("validate", with_more_cosines.root, "-m", model)
    assert answer.status == 3
    assert "confounds trans_x_power2 are columns of the drift of 0.02 Hz" in answer.err
    assert answer.err.startswith("Refused: 1 problem")


@pytest.mark.parametrize(
    ("cut_off_hz", "expected"),
    [
        (1 / 128, ("cosines", None, [])),
        (None, ("cosines", None, [])),
        (0.02, ("drift", 0.02, ["cosine00"])),
        (0.035, ("drift", 0.035, ["cosine00"])),
    ],
)
def test_the_sidecar_of_the_design_tells_its_high_pass(data, tmp_path, cut_off_hz, expected):
    stage = stage_at(read_model(model_with(tmp_path, cut_off_hz)), "run")
    spec = RunSpec(Entities({"sub": "01", "task": "x", "run": "1"}), 2.0, 0.0, N_VOLUMES, ())
    files = {"events": data.events(1, 1), "confounds": data.confounds(1, 1)}
    folder = design_run(spec, stage, files, tmp_path / "out")
    (path,) = folder.rglob("*_design.json")
    content = json.loads(path.read_text())
    keys = ("HighPass", "HighPassCutoffHz", "HighPassReplaces")
    assert tuple(content[key] for key in keys) == expected
    matrix, _ = load_design(folder)
    drifts = [c for c in matrix if str(c).startswith("drift_")]
    assert len(drifts) == (int(240 * cut_off_hz) if expected[1] and cut_off_hz else 0)
    assert ("cosine00" in matrix) == (not expected[2])
    assert content["Columns"].keys() == set(matrix)
