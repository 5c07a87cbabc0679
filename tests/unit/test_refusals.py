"""What must be refused rather than computed wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from twolevel.errors import InputError, ModelError, did_you_mean
from twolevel.model.read import presets, read_model
from twolevel.stats.contrasts import contrast_vector
from twolevel.stats.permute.loop import permute_group
from twolevel.stats.permute.model import make_permutation_model
from twolevel.stats.permute.settings import PermutationSettings
from twolevel.stats.run.design import make_design_matrix
from twolevel.stats.run.fit import fit_run

FT = np.arange(50, dtype=np.float64) * 2
CONTRAST = ["Nodes", 0, "Contrasts", 0]
INSTRUCTIONS = ["Nodes", 0, "Transformations", "Instructions"]


def test_t_of_zero_ties_with_its_negative():
    maps = np.array([[-1.0], [2.0], [-2.0], [1.0]])  # sum 0; 10 of 16 flips have sum >= 0
    model = make_permutation_model(np.ones((4, 1)), np.ones(1))
    one_sided = PermutationSettings(sides=1, statistics=("voxel",))
    permuted = permute_group(maps, np.ones((1, 1, 1), bool), model, one_sided)
    assert permuted.p_corrected("voxel")[0] == pytest.approx(10 / 16, rel=1e-9)
    assert permuted.p_uncorrected[0] == pytest.approx(10 / 16, rel=1e-9)


@pytest.mark.parametrize(("n_rows", "n_columns"), [(5, 5), (5, 6)])
def test_a_run_without_degrees_of_freedom_is_refused(n_rows, n_columns):
    X = np.random.default_rng(0).normal(size=(n_rows, n_columns))
    design = pd.DataFrame(X, columns=list("abcdef")[:n_columns])
    with pytest.raises(InputError, match="more rows than columns"):
        fit_run(np.ones((n_rows, 2)), design, {"a": "a"})


@pytest.mark.parametrize("name", ["constant", "drift_1", "a_derivative"])
def test_a_confound_never_replaces_another_column(name):
    events = pd.DataFrame({"onset": [1.0], "duration": [1.0], "trial_type": ["a"]})
    with pytest.raises(InputError):
        make_design_matrix(
            events,
            FT,
            high_pass_hz=1 / 64,
            hrf_model="glover + derivative",
            confounds=pd.DataFrame({name: np.arange(50.0)}),
        )


def test_a_missing_trial_type_is_refused():
    events = pd.DataFrame({"onset": [1.0, 2], "duration": [1.0, 1], "trial_type": ["a", np.nan]})
    with pytest.raises(InputError):
        make_design_matrix(events, FT)


@pytest.mark.parametrize("expression", ["a + 1", "a * b", "a > b", "a ** 2", "a / b", "2*a + 3"])
def test_an_expression_that_is_not_linear_is_refused(expression):
    with pytest.raises(InputError):
        contrast_vector(expression, ["a", "b", "c"])


def test_an_unknown_name_is_shown_whole():
    with pytest.raises(InputError, match='no regressor "1back"'):
        contrast_vector("0back - 1back", ["0back", "2back"])


def test_a_level_is_suggested_before_a_substring():
    assert (
        did_you_mean("face", ["surface", "trial_type.face"]) == 'Did you mean "trial_type.face"?'
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ([*CONTRAST, "Weights"], ["x", 1]),  # ValueError
        ([*CONTRAST, "Weights"], ["1/0", 1]),  # ZeroDivisionError
        (INSTRUCTIONS, ["Factor"]),  # AttributeError
        ([*INSTRUCTIONS, 1, "Input"], 5),  # TypeError
        (
            [*INSTRUCTIONS, 1],
            {"Name": "Convolve", "Model": "glover"},
        ),  # accepted: nothing is convolved
        (
            [*CONTRAST, "ConditionList"],
            ["trial_type.pumps_demean"] * 2,
        ),  # accepted: last weight wins
        (["Nodes", 0, "DummyContrasts"], {"Contrasts": ["nope"], "Test": "t"}),
        (["Nodes", 0, "Model", "Options", "HighPassFilterCutoffHz"], -1.0),
        (["Nodes", 1, "Name"], "group"),  # names twice (Edges removed below)
        (["Nodes", 2, "Model", "Type"], "meta"),  # ignored there
        (["BIDSModelVersion"], "2.0.0"),
        (
            ["Nodes", 2, "Model", "Software", "twolevel", "Tests"],
            [{"Test": "fdr"}, {"Test": "fdr", "Alpha": 0.01}],
        ),  # one file name for two results
    ],
)
def test_refused_as_a_model_error(tmp_path, path, value):
    with pytest.raises(ModelError):
        read_model(model_with(tmp_path, path, value))


def model_with(tmp_path: Path, path: list[Any], value: Any) -> Path:
    content = json.loads(presets()["balloon"].read_text())
    del content["Edges"]
    place: Any = content
    for key in path[:-1]:
        place = place.setdefault(key, {}) if isinstance(place, dict) else place[key]
    place[path[-1]] = value
    (tmp_path / "m.json").write_text(json.dumps(content))
    return tmp_path / "m.json"


@pytest.mark.parametrize(
    ("path", "value", "note"),
    [
        (
            [*CONTRAST],
            {"Name": "a", "ConditionList": [], "Weights": [], "Test": "t"},
            "a contrast of no variable is left out",
        ),
        (
            ["Nodes", 0, "Model", "HRF"],
            {"Variables": ["nope"], "Model": "glover"},
            "an HRF names variables that X does not",
        ),
        (
            ["Nodes", 2, "Model", "Options"],
            {"HighPassFilterCutoffHz": 0.01},
            "a high-pass filter above the runs has no meaning",
        ),
    ],
)
def test_what_has_no_meaning_is_left_out_with_a_note(tmp_path, path, value, note):
    notes = read_model(model_with(tmp_path, path, value)).notes
    assert note in [one.what for one in notes]
