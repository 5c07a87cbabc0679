from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from twolevel.errors import ModelError
from twolevel.model.read import find_model, presets, read_model
from twolevel.model.transformations.convolve import Convolve
from twolevel.model.transformations.levels import Factor

if TYPE_CHECKING:
    from pathlib import Path

CONDITIONS = ["trial_type.face", "trial_type.house"]


@pytest.fixture
def content() -> dict[str, Any]:
    """The smallest model of three levels."""
    dummy = {"DummyContrasts": {"Test": "t"}}
    return {
        "Name": "faces",
        "BIDSModelVersion": "1.0.0",
        "Nodes": [
            {
                "Level": "Run",
                "Name": "run",
                "GroupBy": ["run", "subject"],
                "Transformations": {
                    "Transformer": "pybids-transforms-v1",
                    "Instructions": [
                        {"Name": "Factor", "Input": ["trial_type"]},
                        {"Name": "Convolve", "Model": "glover", "Input": CONDITIONS},
                    ],
                },
                "Model": {"Type": "glm", "X": [*CONDITIONS, 1]},
                "Contrasts": [
                    {
                        "Name": "face_vs_house",
                        "ConditionList": CONDITIONS,
                        "Weights": [1, -1],
                        "Test": "t",
                    }
                ],
            },
            {"Level": "Subject", "Name": "subject", "GroupBy": ["subject", "contrast"],
             "Model": {"Type": "meta", "X": [1]}, **dummy},
            {"Level": "Dataset", "Name": "group", "GroupBy": ["contrast"],
             "Model": {"Type": "glm", "X": [1]}, **dummy},
        ],
    }  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def read_content(content: Any) -> Any:
        path = tmp_path / "model_smdl.json"
        path.write_text(json.dumps(content))
        return read_model(path)

    return read_content


@pytest.fixture
def problems(read, tmp_path):
    """The problems of a model that must be refused, each without the path of the file."""

    def problems_of(content: Any) -> list[Any]:
        with pytest.raises(ModelError) as error:
            read(content)
        found = [
            (p.where.removeprefix(f"{tmp_path / 'model_smdl.json'}: "), p.found, p.expected)
            for p in error.value.problems
        ]
        assert all(p.remedy for p in error.value.problems)
        return found

    return problems_of


def test_the_smallest_model_is_read(read, content):
    model = read(content)
    assert model.name == "faces"
    assert [node.level for node in model.nodes] == ["run", "subject", "dataset"]
    run = model.nodes[0]
    assert run.x == ("trial_type.face", "trial_type.house", "1")
    assert run.instructions == (
        Factor(input=("trial_type",)),
        Convolve(input=tuple(CONDITIONS), model="glover"),
    )
    (contrast,) = run.contrasts
    assert (contrast.name, contrast.label) == ("face_vs_house", "faceVsHouse")
    assert contrast.weight_of == {"trial_type.face": 1.0, "trial_type.house": -1.0}
    assert contrast.expression == "1*trial_type.face - 1*trial_type.house"


def test_settings_that_the_file_does_not_state_have_their_defaults(read, content):
    run, subject, group = (node.settings for node in read(content).nodes)
    assert (run.smoothing_fwhm_mm, run.confound_strategy) == (0.0, None)
    assert (run.noise_model, run.downsample) == ("ar1", 1)
    assert (subject.fixed_effects, subject.first_level) == ("mean", "per-run")
    assert (group.group_input, group.sides, group.alpha) == ("effect", 2, 0.05)
    assert group.n_perm == 10_000
    assert [t.test for t in group.tests] == [
        "clusterExtent", "fdr", "fpr", "bonferroni", "parametricFWE", "permutationFWE",
        "clusterSizeFWE", "clusterMassFWE", "tfceFWE",
    ]  # fmt: skip
    assert [t.alpha for t in group.tests] == [None, None, 0.001, *6 * [None]]
    assert (group.cluster_forming_p, group.connectivity, group.tail) == (0.001, 6, None)
    assert (group.tfce_extent_power, group.tfce_height_power) == (0.5, 2.0)


def test_a_model_without_dataset_node_is_read(read, content):
    del content["Nodes"][2]
    assert [node.level for node in read(content).nodes] == ["run", "subject"]


def test_yaml_gives_the_same_model_as_json(read, content, tmp_path):
    for suffix in ("yaml", "yml"):
        path = tmp_path / f"model.{suffix}"
        path.write_text(yaml.safe_dump(content))
        assert read_model(path) == read(content)


@pytest.mark.parametrize(
    ("written", "weights"),
    [
        (["1/3", "-2/3"], (1 / 3, -2 / 3)),
        ([0.5, -1], (0.5, -1.0)),
        (["0.25", "-1"], (0.25, -1.0)),
        ([[1, -1]], (1.0, -1.0)),
    ],
)
def test_weights_may_be_numbers_fractions_and_one_row(read, content, written, weights):
    content["Nodes"][0]["Contrasts"][0]["Weights"] = written
    (contrast,) = read(content).nodes[0].contrasts
    assert tuple(contrast.weight_of.values()) == weights


def test_dummy_contrasts_of_a_run_are_its_variables_without_intercept_and_wildcards(read, content):
    run = content["Nodes"][0]
    del run["Contrasts"]
    run["DummyContrasts"] = {"Test": "t"}
    run["Model"]["X"] = [*CONDITIONS, "rot_*", 1]
    contrasts = read(content).nodes[0].contrasts
    assert [c.name for c in contrasts] == CONDITIONS
    assert [c.label for c in contrasts] == ["trialTypeFace", "trialTypeHouse"]


def test_named_dummy_contrasts_follow_the_others(read, content):
    content["Nodes"][0]["DummyContrasts"] = {"Test": "t", "Contrasts": ["trial_type.house"]}
    contrasts = read(content).nodes[0].contrasts
    assert [c.name for c in contrasts] == ["face_vs_house", "trial_type.house"]


@pytest.mark.parametrize(
    ("keys", "model"),
    [
        ({}, "spm"),
        ({"Model": "glover"}, "glover"),
        ({"Model": "glover", "Derivative": True}, "glover + derivative"),
        ({"Model": "spm", "Derivative": True, "Dispersion": True},
         "spm + derivative + dispersion"),
        ({"Model": "spm", "Dispersion": True}, "spm + derivative + dispersion"),
        ({"Model": "spm", "Derivative": False}, "spm"),
    ],
)  # fmt: skip
def test_convolve_names_the_hrf_as_nilearn_does(read, content, keys, model):
    content["Nodes"][0]["Transformations"]["Instructions"][1] = {
        "Name": "Convolve", "Input": CONDITIONS, **keys,
    }  # fmt: skip
    (_, convolve) = read(content).nodes[0].instructions
    assert convolve.hrf_model == model


def test_an_hrf_in_the_model_comes_after_the_instructions(read, content):
    content["Nodes"][0]["Model"]["HRF"] = {
        "Variables": CONDITIONS[:1],
        "Model": "SPM + derivative",
    }
    hrf = read(content).nodes[0].hrf
    assert (hrf.variables, hrf.model) == (tuple(CONDITIONS[:1]), "spm + derivative")


def test_the_input_filter_and_high_pass_are_read(read, content):
    content["Input"] = {"task": ["faces"], "run": [1, 2]}
    content["Nodes"][0]["Model"]["Options"] = {"HighPassFilterCutoffHz": 0.01}
    model = read(content)
    assert model.input_filter("task") == ("faces",)
    assert model.input_filter("run") == ("1", "2")
    assert model.input_filter("session") == ()
    assert model.nodes[0].high_pass_hz == 0.01


def test_software_settings_are_read(read, content):
    content["Nodes"][0]["Model"]["Software"] = {
        "twolevel": {"SmoothingFWHM": 6, "NoiseModel": "ols", "Downsample": 2,
                     "ConfoundStrategy": "scrubbing"},
        "fitlins": {"whatever": 1},
    }  # fmt: skip
    content["Nodes"][1]["Model"]["Software"] = {"twolevel": {"FixedEffects": "precision"}}
    content["Nodes"][2]["Model"]["Software"] = {
        "twolevel": {"Sides": 1, "Tests": [{"Test": "fpr"}, {"Test": "fdr", "Alpha": 0.1}]}
    }
    run, subject, group = (node.settings for node in read(content).nodes)
    assert run.smoothing_fwhm_mm == 6.0
    assert (run.noise_model, run.downsample, run.confound_strategy) == ("ols", 2, "scrubbing")
    assert subject.fixed_effects == "precision"
    assert group.sides == 1
    assert [(t.test, t.alpha) for t in group.tests] == [("fpr", 0.001), ("fdr", 0.1)]


def set_at(content: Any, path: str, value: Any) -> Any:
    """Set ``Nodes.0.Model.Type`` and the like."""
    *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
    place = content
    for key in parents:
        place = place[key]
    place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "where", "found"),
    [
        ("Nodes.0.Model.Hrff", {}, 'node "run": Model.Hrff', "an unknown key"),
        ("Node", [], "Node", "an unknown key"),
        ("Nodes.1.Contrast", [], 'node "subject": Contrast', "an unknown key"),
        ("Nodes.0.Contrasts.0.Weight", [1],
         'node "run": contrast "face_vs_house": Weight', "an unknown key"),
        ("Nodes.0.Model.Type", "meta", 'node "run": Model.Type', "meta"),
        ("Nodes.0.Model.Formula", "a ~ b", 'node "run": Model.Formula', "a ~ b"),
        ("Nodes.1.Model.Formula", "1", 'node "subject": Model.Formula', "1"),
        ("Nodes.2.Model.Formula", "1 + age", 'node "group": Model.Formula',
         'needs a table of subjects: Formula "1 + age"'),
        ("Nodes.0.GroupBy", ["contrast"], 'node "run": GroupBy', '["contrast"]'),
        ("Nodes.1.GroupBy", ["contrast"], 'node "subject": GroupBy', '["contrast"]'),
        ("Nodes.2.GroupBy", ["subject"], 'node "group": GroupBy', '["subject"]'),
        ("Nodes.2.GroupBy", ["contrast", "sex"], 'node "group": GroupBy',
         'needs a table of subjects: GroupBy ["sex"]'),
        ("Nodes.2.Model.X", [1, "age"], 'node "group": Model.X',
         "needs a table of subjects: X names age"),
        ("Nodes.2.Model.X", [1, "group.*"], 'node "group": Model.X',
         "needs a table of subjects: X names group.*"),
        ("Nodes.1.Model.X", ["age"], 'node "subject": Model.X',
         "needs a table of subjects: X names age"),
        ("Nodes.2.Transformations", {"Transformer": "x", "Instructions": []},
         'node "group": Transformations',
         "needs a table of subjects: Transformations of a Dataset node"),
        ("Nodes.1.Transformations", {"Transformer": "x", "Instructions": []},
         'node "subject": Transformations', "Transformations above the runs"),
        ("Nodes.2.Model.Type", "meta", 'node "group": Model.Type', "meta"),
        ("Nodes.2.DummyContrasts", {"Test": "F"}, 'node "group": DummyContrasts.Test', "F"),
        ("Nodes.2.Contrasts", [{"Name": "a", "ConditionList": ["b"], "Weights": [1]}],
         'node "group": contrast "a"', "variables ['b']"),
        ("Nodes.0.Contrasts.0.Weights", [1], 'node "run": contrast "face_vs_house"',
         "Weights [1]"),
        ("Nodes.0.Contrasts.0.Weights", [0, 0], 'node "run": contrast "face_vs_house"',
         "Weights [0, 0]"),
        ("Nodes.0.Contrasts.0.Weights", [1, 2, 3], 'node "run": contrast "face_vs_house"',
         "Weights [1, 2, 3]"),
        ("Nodes.0.Contrasts.0.Weights", [1, "1e400"], 'node "run": contrast "face_vs_house"',
         'Weights [1, "1e400"]'),
        ("Nodes.0.Contrasts.0.Weights", [[1, 0], [0, 1]], 'node "run": contrast "face_vs_house"',
         "Weights [[1, 0], [0, 1]]"),
        ("Nodes.0.Contrasts.0.ConditionList", ["trial_type.face", "cat"],
         'node "run": contrast "face_vs_house"', "variables ['cat']"),
        ("Nodes.0.Contrasts.0.ConditionList", 2 * CONDITIONS[:1],
         'node "run": contrast "face_vs_house"', f"variables {2 * CONDITIONS[:1]}"),
        ("Nodes.0.Transformations.Instructions.0", {"Name": "Resample", "Input": ["rt"]},
         'node "run": Transformations: instruction 1', 'the instruction "Resample"'),
        ("Nodes.0.Transformations.Instructions.0", {"Input": ["rt"]},
         'node "run": Transformations: instruction 1', '{"Input": ["rt"]}'),
        ("Nodes.0.Transformations.Instructions.0.Constraints", [],
         'node "run": Transformations: instruction 1 (Factor): Constraints', "an unknown key"),
        ("Nodes.0.Model.HRF", {"Variables": ["a"], "Model": "afni"}, 'node "run": Model.HRF',
         '"afni" with Parameters null'),
        ("Nodes.0.Model.HRF", {"Variables": ["a"], "Model": "spm", "Parameters": {"x": 1}},
         'node "run": Model.HRF', '"spm" with Parameters {"x": 1}'),
        ("Nodes.0.Model.HRF", {"Variables": ["a"], "Model": "DoubleGamma", "Parameters": {"x": 1}},
         'node "run": Model.HRF', '"DoubleGamma" with Parameters {"x": 1}'),
        ("Nodes.0.Model.HRF", {"Variables": ["a"], "Model": "fir"},
         'node "run": Model.HRF.Parameters', "null"),
        ("Nodes.0.Model.HRF",
         {"Variables": ["a"], "Model": "fir", "Parameters": {"fir_delays": [0, 0]}},
         'node "run": Model.HRF.Parameters', '{"fir_delays": [0, 0]}'),
        ("Nodes.0.Model.Options", {"HighPassFilterCutoffHz": 128},
         'node "run": Model.Options.HighPassFilterCutoffHz', "128.0"),
        ("Nodes.0.Model.Options", {"LowPassFilterCutoffHz": 0},
         'node "run": Model.Options.LowPassFilterCutoffHz', "0.0"),
        ("Nodes.0.Model.Options", {"Aggregate": "mean"},
         'node "run": Model.Options.Aggregate', '"mean"'),
        ("Nodes.0.Model.Options", {"Mask": {"desc": ["brain"]}},
         'node "run": Model.Options.Mask', '{"desc": ["brain"]}'),
        ("Nodes.0.Level", "Subject", "Nodes", "no Run node"),
        ("Nodes.1.Level", "Run", "Nodes", "the Run nodes run, subject"),
        ("Nodes.1.Name", "run", "Nodes", "several nodes of the name ['run']"),
        ("Nodes", [], "Nodes", "no Run node"),
        ("Edges", [{"Source": "run", "Destination": "group"}], 'node "subject"',
         "no maps come to it"),
        ("Edges", [{"Source": "run", "Destination": "groups"}], "Edges[0]", 'no node "groups"'),
        ("Edges", [{"Source": "run", "Destination": "subject"},
                   {"Source": "subject", "Destination": "subject"},
                   {"Source": "run", "Destination": "group"}], "Edges",
         "the edges of subject lead back to where they begin"),
        ("Edges", [{"Source": "group", "Destination": "subject"},
                   {"Source": "run", "Destination": "group"}], 'Edges: "group" to "subject"',
         "from the dataset level to the subject level"),
        ("Edges", [{"Source": "run", "Destination": "subject"},
                   {"Source": "subject", "Destination": "group", "Filter": {"sex": ["f"]}}],
         "Edges: Filter.sex", 'needs a table of subjects: Filter by "sex"'),
        ("Input", {"datatype": ["x"]}, "Input.datatype", 'datatype: ["x"]'),
        ("Nodes.0.Model.Type", "glmm", 'node "run": Model.Type', '"glmm"'),
        ("Nodes.0.Model.Software", {"twolevel": {"Smoothing": 5}},
         'node "run": Model.Software.twolevel.Smoothing', "an unknown key"),
        ("Nodes.0.Model.Software", {"twolevel": {"SmoothingFWHM": -1}},
         'node "run": Model.Software.twolevel.SmoothingFWHM', "-1"),
        ("Nodes.0.Model.Software", {"twolevel": {"ConfoundStrategy": "ica"}},
         'node "run": Model.Software.twolevel.ConfoundStrategy', '"ica"'),
        ("Nodes.0.Model.Software", {"twolevel": {"Downsample": 0}},
         'node "run": Model.Software.twolevel.Downsample', "0"),
        ("Nodes.0.Model.Software", {"twolevel": {"ConfoundStrategy": "simple", "Demean": "False"}},
         'node "run": Model.Software.twolevel.Demean', '"False"'),
        ("Nodes.0.Transformations.Instructions.1.Derivative", "False",
         'node "run": Transformations: instruction 2 (Convolve): Derivative', '"False"'),
        ("Nodes.2.Model.Software", {"twolevel": {"Alpha": 5}},
         'node "group": Model.Software.twolevel.Alpha', "5"),
        ("Nodes.2.Model.Software", {"twolevel": {"Sides": 3}},
         'node "group": Model.Software.twolevel.Sides', "3"),
        ("Nodes.2.Model.Software", {"twolevel": {"NPerm": 1}},
         'node "group": Model.Software.twolevel.NPerm', "1"),
        ("Nodes.2.Model.Software", {"twolevel": {"Tests": [{"Test": "tfce"}]}},
         'node "group": Model.Software.twolevel.Tests[0].Test', '"tfce"'),
    ],
)  # fmt: skip
def test_what_is_not_carried_out_is_refused_where_it_stands(
    problems, content, path, value, where, found
):
    assert (where, found) in [p[:2] for p in problems(set_at(content, path, value))]


def test_a_model_without_nodes_is_refused(problems, content):
    del content["Nodes"]
    assert [where for where, *_ in problems(content)] == ["Nodes"]


def test_two_names_that_give_one_label_are_refused(problems, content):
    run = content["Nodes"][0]
    run["Contrasts"].append(run["Contrasts"][0] | {"Name": "face-vs-house"})
    (problem,) = problems(content)
    assert problem[0] == 'node "run": contrast "face-vs-house"'
    assert problem[1] == 'the label "faceVsHouse", as of "face_vs_house"'


def test_a_name_without_letters_is_refused(problems, content):
    content["Nodes"][0]["Contrasts"][0]["Name"] = "***"
    assert [where for where, *_ in problems(content)] == ['node "run": contrast "***"']


def test_every_place_is_listed_at_once_those_of_the_schema_too(problems, content):
    set_at(content, "Nodes.0.Model.Type", "meta")
    set_at(content, "Nodes.1.Model.X", {})
    set_at(content, "Nodes.2.Model.Formula", "1")
    content["Colour"] = "red"
    assert [where for where, *_ in problems(content)] == [
        "Colour", 'node "subject": Model.X', 'node "run": Model.Type',
        'node "group": Model.Formula',
    ]  # fmt: skip


def test_with_wildcards_conditions_cannot_be_checked_before_the_data_are_seen(read, content):
    content["Nodes"][0]["Model"]["X"] = ["trial_type.*", 1]
    assert read(content).nodes[0].x == ("trial_type.*", "1")


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("m.json", "{", "no valid JSON or YAML: Expecting property name"),
        ("m.json", "[1]", "a list"),
        ("m.json", '"x"', "a str"),
        ("m.yaml", "a: [", "no valid JSON or YAML: while parsing"),
        ("m.yml", "", "a NoneType"),
    ],
)
def test_a_file_that_is_no_object_is_refused(tmp_path, name, text, found):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ModelError) as error:
        read_model(path)
    assert error.value.problems[0].where == str(path)
    assert error.value.problems[0].found.startswith(found)


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "m.json"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ModelError, match="no valid JSON or YAML"):
        read_model(path)


def test_the_preset_is_the_tutorials_analysis():
    model = read_model(presets()["balloon"])
    run, subject, group = model.nodes
    settings = group.group_settings
    assert model.input_filter("task") == ("balloonanalogrisktask",)
    assert [c.label for c in run.contrasts] == [
        "pumpsMinusControl", "controlMinusPumps", "pumps", "cash", "explode",
    ]  # fmt: skip
    pumps, control = "trial_type.pumps_demean", "trial_type.control_pumps_demean"
    assert run.contrasts[0].weight_of == {pumps: 1.0, control: -1.0}
    assert run.contrasts[1].weight_of == {control: 1.0, pumps: -1.0}
    assert [s.hrf_model for s in run.instructions if isinstance(s, Convolve)] == ["glover"]
    assert run.high_pass_hz == 1 / 128
    assert run.run_settings.smoothing_fwhm_mm == 5.0
    assert run.run_settings.confound_strategy == "simple"
    assert subject.subject_settings.fixed_effects == "mean"
    assert (settings.n_perm, settings.sides, settings.alpha) == (100, 2, 0.05)
    extent = settings.tests[0]
    assert (extent.test, extent.height, extent.min_voxels) == ("clusterExtent", 3.29, 11)


def test_a_preset_is_found_by_its_name(tmp_path):
    assert find_model("balloon", tmp_path) == presets()["balloon"]


def test_a_file_is_found_by_its_path_even_where_a_preset_has_its_name(tmp_path, monkeypatch):
    path = tmp_path / "balloon"
    path.write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert find_model("balloon", tmp_path).samefile(path)
    assert find_model(str(path), tmp_path) == path


@pytest.mark.parametrize("suffix", ["json", "yaml", "yml"])
def test_the_only_model_of_the_dataset_is_found(tmp_path, suffix):
    path = tmp_path / "models" / f"m_smdl.{suffix}"
    path.parent.mkdir()
    path.write_text("{}")
    (path.parent / "README.md").write_text("x")
    assert find_model(None, tmp_path) == path


@pytest.mark.parametrize("n_models", [0, 2])
def test_without_exactly_one_model_the_option_is_asked_for(tmp_path, n_models: int):
    models: Path = tmp_path / "models"
    models.mkdir()
    for index in range(n_models):
        (models / f"{index}.json").write_text("{}")
    with pytest.raises(ModelError) as error:
        find_model(None, tmp_path)
    (problem,) = error.value.problems
    assert problem.found == f"no --model, and {n_models} model files under {models}"
    assert "balloon" in problem.remedy


def test_what_is_neither_file_nor_preset_is_refused(tmp_path):
    with pytest.raises(ModelError) as error:
        find_model("ballon", tmp_path)
    (problem,) = error.value.problems
    assert (problem.where, problem.found) == ("--model ballon", "neither a file nor a preset")
    assert "balloon" in problem.expected


@pytest.mark.parametrize(
    ("name", "key"),
    [("acquisition", "acq"), ("reconstruction", "rec"), ("direction", "dir"), ("echo", "echo")],
)
def test_input_names_entities_as_pybids_or_as_file_names_do(content, read, name, key):
    for given in (name, key):
        model = read({**content, "Input": {given: ["1", "b"]}})
        assert model.input_filter(name) == ("1", "b")


@pytest.mark.parametrize("name", ["m.json", "m.yaml"])
def test_a_byte_order_mark_is_no_part_of_the_model(tmp_path, content, name):
    path = tmp_path / name
    text = json.dumps(content) if path.suffix == ".json" else yaml.safe_dump(content)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_model(path).name == "faces"


@pytest.mark.parametrize(
    ("path", "value", "place", "found", "expected"),
    [
        ("Name", {}, "Name", "{}", "text"),
        ("Nodes", {}, "Nodes", "{}", "a list: [...]"),
        ("Nodes.0.GroupBy", {}, 'node "run": GroupBy', "{}", "a list: [...]"),
        ("Nodes.0.Model.Options", [], 'node "run": Model.Options', "[]", "an object: {...}"),
        ("Nodes.0.Level", "voxel", 'node "run": Level', '"voxel"',
         "one of 'Run', 'Session', 'Subject', 'Dataset'"),
        ("Nodes.0.Model.X", ["a", None], 'node "run": Model.X[1]', "null", "one of 1 or text"),
        ("Nodes.0.Model.Options", {"HighPassFilterCutoffHz": "x"},
         'node "run": Model.Options.HighPassFilterCutoffHz', '"x"', "a number"),
        ("Nodes.0.Model.Software", {"twolevel": {"SmoothingFWHM": -1}},
         'node "run": Model.Software.twolevel.SmoothingFWHM', "-1", "a number, at least 0"),
        ("Nodes.0.Model.Software", {"twolevel": {"SmoothingFWHM": float("inf")}},
         'node "run": Model.Software.twolevel.SmoothingFWHM', '"Infinity"', "a finite number"),
        ("Nodes.2.Model.Software", {"twolevel": {"Alpha": 5}},
         'node "group": Model.Software.twolevel.Alpha', "5", "a number, less than 1"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_shown_with_what_belongs_there(
    problems, content, path, value, place, found, expected
):
    assert problems(set_at(content, path, value)) == [(place, found, expected)]


@pytest.mark.parametrize(
    ("path", "place", "key"),
    [
        ("Nodes.1.Level", 'node "subject": Level', "Level"),
        (
            "Nodes.0.Contrasts.0.Weights",
            'node "run": contrast "face_vs_house": Weights',
            "Weights",
        ),
    ],
)
def test_a_missing_key_is_called_missing(problems, content, path, place, key):
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    holder = content
    for part in parents:
        holder = holder[part]
    del holder[last]
    assert problems(content) == [(place, f'no key "{key}"', f'the key "{key}"')]


def test_a_misspelt_key_is_told_with_the_nearest_one(read, content):
    content["Nodes"][0]["Model"]["Software"] = {"twolevel": {"SmoothingFwhm": 5}}
    content["Nodes"][1]["Model"]["Software"] = {"twolevel": {"Fixedeffects": "mean"}}
    with pytest.raises(ModelError) as caught:
        read(content)
    remedies = [problem.remedy for problem in caught.value.problems]
    assert remedies == ['Did you mean "SmoothingFWHM"?', 'Did you mean "FixedEffects"?']


@pytest.mark.parametrize("weight", ["1e400", "1e999999999", "inf", "nan", "1/0", "x", 10**400])
def test_a_weight_that_is_no_finite_number_is_refused(problems, content, weight):
    content["Nodes"][0]["Contrasts"][0]["Weights"] = [weight, 1]
    (problem,) = problems(content)
    assert problem[0] == 'node "run": contrast "face_vs_house"'
    assert problem[1].startswith("Weights [")
    assert problem[2] == "2 numbers (or fractions as text), one a condition"


def test_a_model_of_many_nodes_is_refused_before_anything_is_made_of_it(tmp_path, content):
    content["Nodes"] += [content["Nodes"][2]] * 60_000
    (tmp_path / "m.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="more than 200000 values"):
        read_model(tmp_path / "m.json")
