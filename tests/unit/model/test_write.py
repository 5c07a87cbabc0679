from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twolevel.errors import ModelError
from twolevel.model.labels import contrast_label
from twolevel.model.nodes import Contrast, Edge, Hrf, StatsModel
from twolevel.model.read import presets, read_model
from twolevel.model.write import as_text, model_content

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = [*presets().values(), *sorted((Path(__file__).parents[2] / "models").glob("*.json"))]


@pytest.fixture
def again(tmp_path: Path) -> Callable[[StatsModel], StatsModel]:
    """Write a model and read it."""

    def again(model: StatsModel) -> StatsModel:
        path = tmp_path / "model.json"
        path.write_text(as_text(model_content(model)), encoding="utf-8")
        return read_model(path)

    return again


@pytest.fixture
def model() -> StatsModel:
    return read_model(presets()["balloon"])


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_what_is_written_reads_as_the_same(path, again):
    model = replace(read_model(path), notes=())
    assert again(model) == model


def test_what_others_wrote_reads_as_the_same_in_the_strict_form(shared, again):
    n_read = 0
    for path in sorted((shared / "models").glob("*_smdl.json")):
        try:
            model = read_model(path)
        except ModelError:
            continue
        n_read += 1
        assert replace(again(model), notes=()) == replace(model, notes=()), path.name
    assert n_read > 100


def test_delays_and_dummies_of_another_test_are_written(model: StatsModel, again):
    run, *others = model.nodes
    a, b = run.x[:2]
    node = replace(
        run,
        instructions=run.instructions[:1],
        hrf=Hrf((a, b), "fir", (0, 2)),
        contrasts=tuple(Contrast(n, contrast_label(n), ((n, (1.0,)),), "F") for n in (a, b)),
        dummy_contrasts=True,
        dummies=(a, b),
        dummy_test="F",
    )
    changed = replace(model, nodes=(node, *others))
    content = model_content(changed)["Nodes"][0]
    assert content["Model"]["HRF"]["Parameters"] == {"FirDelays": [0, 2]}
    assert content["DummyContrasts"] == {"Test": "F", "Contrasts": [a, b]}
    assert again(changed) == changed


def test_the_form_is_strict_and_says_no_default(model: StatsModel):
    content = model_content(model)
    run, subject, group = content["Nodes"]
    assert content["BIDSModelVersion"] == "1.0.0"
    assert run["Transformations"]["Transformer"] == "pybids-transforms-v1"
    assert run["Model"]["X"][-1] == 1
    assert run["Model"]["Software"] == {
        "twolevel": {"SmoothingFWHM": 5.0, "ConfoundStrategy": "simple"}
    }
    assert subject["Model"] == {"Type": "meta", "X": [1]}
    assert group["Model"]["Software"]["twolevel"]["NPerm"] == 100


def test_the_fewest_contrasts_are_written_beside_dummy_contrasts(model: StatsModel):
    run, *others = model.nodes
    a, b = run.x[:2]
    dummies = [Contrast(n, contrast_label(n), ((n, (1.0,)),)) for n in (a, b)]
    own = Contrast("mine", "mine", ((a, (0.5,)), (b, (-0.25,))))
    node = replace(run, contrasts=(own, *dummies), dummy_contrasts=True, dummies=(a, b))
    content = model_content(replace(model, nodes=(node, *others)))["Nodes"][0]
    assert content["Contrasts"] == [
        {"Name": "mine", "ConditionList": [a, b], "Weights": [0.5, -0.25], "Test": "t"}
    ]
    assert content["DummyContrasts"] == {"Test": "t", "Contrasts": [a, b]}


def test_what_the_data_or_the_command_line_said_is_not_written(model: StatsModel):
    run, *others = model.nodes
    found = Contrast("trial_type.x", "trialTypeX", (("trial_type.x", (1.0,)),), found=True)
    told = replace(
        model,
        nodes=(replace(run, contrasts=(*run.contrasts, found), seed=3), *others),
        overrides=(("seed", 3),),
    )
    assert model_content(told) == model_content(model)


def test_filters_of_edges_rows_of_f_and_delays(model: StatsModel):
    run, subject, group = model.nodes
    f = Contrast("any", "any", ((run.x[0], (1.0, 0.0)), (run.x[1], (0.0, 1.0))), "F")
    edges = (Edge("run", "subject", (("contrast", ("any",)),)), Edge("subject", "group"))
    content = model_content(
        replace(model, nodes=(replace(run, contrasts=(f,)), subject, group), edges=edges)
    )
    assert content["Nodes"][0]["Contrasts"][0]["Weights"] == [[1, 0], [0, 1]]
    assert content["Edges"][0]["Filter"] == {"contrast": ["any"]}


def test_short_lists_stay_on_a_line():
    text = as_text({"a": [1, 2], "b": {"c": ["x" * 60, "y" * 60]}, "d": "é"})
    assert text == (
        '{\n  "a": [1, 2],\n  "b": {\n    "c": [\n'
        f'      "{"x" * 60}",\n      "{"y" * 60}"\n    ]\n  }},\n  "d": "é"\n}}\n'
    )
    assert json.loads(text)["b"]["c"][0] == "x" * 60
