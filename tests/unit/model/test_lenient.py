"""Each leniency with the text of its note."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twolevel.errors import ModelError
from twolevel.model.read import read_model
from twolevel.notes import merged

FACES = ["trial_type.face", "trial_type.house"]


@pytest.fixture
def content() -> dict[str, Any]:
    """A strict model of three levels."""
    dummies = {"DummyContrasts": {"Test": "t"}}
    contrast = {"Name": "f", "ConditionList": FACES, "Weights": [1, -1], "Test": "t"}
    return {
        "Name": "faces",
        "BIDSModelVersion": "1.0.0",
        "Input": {"task": ["faces"]},
        "Nodes": [
            {"Level": "Run", "Name": "run", "GroupBy": ["run", "subject"],
             "Transformations": {
                 "Transformer": "pybids-transforms-v1",
                 "Instructions": [{"Name": "Factor", "Input": ["trial_type"]}],
             },
             "Model": {"Type": "glm", "X": [*FACES, 1],
                       "HRF": {"Variables": FACES, "Model": "spm"}},
             "Contrasts": [contrast], **dummies},
            {"Level": "Subject", "Name": "subject", "GroupBy": ["subject", "contrast"],
             "Model": {"Type": "meta", "X": [1]}, **dummies},
            {"Level": "Dataset", "Name": "group", "GroupBy": ["contrast"],
             "Model": {"Type": "glm", "X": [1]}, **dummies},
        ],
        "Edges": [{"Source": "run", "Destination": "subject"},
                  {"Source": "subject", "Destination": "group"}],
    }  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def read_content(content: Any) -> Any:
        path = tmp_path / "faces_smdl.json"
        path.write_text(json.dumps(content))
        return read_model(path)

    return read_content


GONE = object()


def changed(content: Any, path: str, value: Any) -> Any:
    """Set or remove ``Nodes.0.Model.Type`` and the like."""
    *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
    place = content
    for key in parents:
        place = place[key]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return content


def test_a_strict_model_has_no_note(read, content):
    assert read(content).notes == ()


@pytest.mark.parametrize(
    ("path", "value", "note"),
    [
        ("Name", GONE, 'no Name: read as "Name": "faces"'),
        ("BIDSModelVersion", GONE,
         'no BIDSModelVersion: read as "BIDSModelVersion": "1.0.0"'),
        ("Input", {"task": "faces"},
         'Input.task: a value where a list belongs is a list of one: ["faces"]'),
        ("Input", {"Task": ["faces"]}, 'Input.Task is read as "task"'),
        ("Nodes.0.Level", "run", 'Nodes[0]: Level "run" is read as "Run"'),
        ("Nodes.0.Level", "RUN", 'Nodes[0]: Level "RUN" is read as "Run"'),
        ("Nodes.2.GroupBy", GONE, ('node "group": no GroupBy of a Dataset node: read as '
         '["contrast"]')),
        ("Nodes.1.GroupBy", GONE, ('node "subject": no GroupBy of a Subject node: read as '
         '["subject", "contrast"]')),
        ("Nodes.2.GroupBy", "contrast", ('node "group": GroupBy: a value where a list belongs is '
         'a list of one: ["contrast"]')),
        ("Nodes.2.GroupBy", ["Contrast"],
         'node "group": entities are in small letters: ["contrast"]'),
        ("Nodes.0.GroupBy", ["run"], ('node "run": a Run node is fitted to each run by itself, '
         'whatever else it is grouped by: the strict form: "GroupBy": ["run", "subject"]')),
        ("Nodes.0.Model.Type", GONE, 'node "run": no Type of a Model: read as "Type": "glm"'),
        ("Nodes.0.Model.X", FACES, ('node "run": no 1 in X of a Run node: a constant is added, '
         'as SPM and FSL do: the strict form: "X": [..., 1]')),
        ("Nodes.0.Model.HRF.Model", "SPM", 'node "run": the HRF "SPM" is read as "spm"'),
        ("Nodes.0.Model.HRF.Model", "spm+derivative",
         'node "run": the HRF "spm+derivative" is read as "spm + derivative"'),
        ("Nodes.0.Model.HRF.Model", "DoubleGamma",
         'node "run": the HRF "DoubleGamma" is read as "spm"'),
        ("Nodes.0.Model.HRF.Variables", [*FACES, "trial_type.cat"],
         'node "run": an HRF names variables that X does not: trial_type.cat'),
        ("Nodes.1.Model.HRF", {"Variables": FACES, "Model": "spm"},
         'node "subject": an HRF above the runs has no meaning: it is not used'),
        ("Nodes.1.Model.Options", {"HighPassFilterCutoffHz": 0.01},
         'node "subject": a high-pass filter above the runs has no meaning: it is not used'),
        ("Nodes.0.Options", {"HighPassFilterCutoffHz": 0.01},
         'node "run": Options is read as Model.Options'),
        ("Nodes.0.Model.Options", {"Mask": ""}, 'node "run": an empty Options.Mask is none'),
        ("Nodes.0.Model.Options", {"Mask": {"desc": ["brain"], "suffix": "mask"}},
         "Options.Mask asks for the brain mask of each run, which is used anyway"),
        ("Nodes.0.Model.Software", {"SPM": {"SerialCorrelation": "FAST", "Whitening": 1}},
         'node "run": what Software.SPM says is not used: SerialCorrelation, Whitening'),
        ("Nodes.0.Transformations.Transformer", "bidspm",
         'node "run": the Transformer "bidspm" is read as "pybids-transforms-v1"'),
        ("Nodes.0.Transformations", [{"Name": "Factor", "Input": ["trial_type"]}],
         'node "run": Transformations as a list: read as its Instructions'),
        ("Nodes.0.Contrasts.0.Test", GONE,
         'node "run": contrast "f": no Test of a contrast: read as "Test": "t"'),
        ("Nodes.0.Contrasts.0.Test", "pass", ('node "run": contrast "f": Test "pass" is read as '
         '"t": the maps go on, and t is made of them as well')),
        ("Nodes.0.Contrasts.0.Name", 1,
         'node "run": a contrast: the Name 1 is no text: "Name": "1"'),
        ("Nodes.0.DummyContrasts", {},
         'node "run": DummyContrasts: no Test of a contrast: read as "Test": "t"'),
        ("Nodes.0.DummyContrasts", {"Conditions": FACES, "Test": "t"},
         'node "run": DummyContrasts: the key "Conditions" is read as "Contrasts"'),
        ("Nodes.1.DummyContrasts", {"Test": "FEMA"},
         ('node "subject": DummyContrasts: Test "FEMA" '
         'is read as "t": the average with fixed effects, which Type meta asks for')),
        ("Nodes.0.Contrasts.0.Name", FACES[0], ('node "run": DummyContrasts and Contrasts of one '
         "name: those of Contrasts are taken: trial_type.face")),
        ("Nodes.2.Model.X", [" "],
         'node "group": no X of a Model above the runs: read as "X": [1]'),
        ("Edges.1.Filter", {"contrast": "f"}, ("Edges[1]: Filter.contrast: a value where a list "
         'belongs is a list of one: ["f"]')),
        ("Edges.1.Filter", {"contrast": ["f", "g"]}, ("the edge from "
         '"subject" to "group": a Filter names contrasts that do not come to it: g')),
        ("Nodes.2.DummyContrasts", {"Test": "t", "Contrasts": ["f", "g"]},
         'node "group": DummyContrasts names contrasts that do not come to it: g'),
    ],
)  # fmt: skip
def test_what_is_written_otherwise_is_read_with_a_note(read, content, path, value, note):
    assert note in merged(read(changed(content, path, value)).notes)


def test_a_node_without_a_name_is_called_by_its_level(read, content):
    del content["Nodes"][2]["Name"], content["Edges"]
    model = read(content)
    assert model.nodes[2].name == "dataset"
    assert merged(model.notes) == ['Nodes[2]: no Name: read as "Name": "dataset"']


def test_a_variable_of_the_runs_that_is_no_contrast_is_none_above_them(read, content):
    content["Nodes"][1]["Model"]["X"] = [FACES[0], 1, "rot_x"]
    with pytest.raises(ModelError, match="needs a table of subjects: X names rot_x"):
        read(content)


def test_keys_in_other_letters_are_read(read, content):
    contrast = content["Nodes"][0]["Contrasts"][0]
    content["Nodes"][0]["Contrasts"][0] = {
        "name": "f", "condition_list": FACES, "weights": contrast["Weights"], "type": "t",
    }  # fmt: skip
    lenient = read(content)
    content["Nodes"][0]["Contrasts"][0] = contrast
    assert lenient.nodes == read(content).nodes
    assert [note.what for note in lenient.notes] == [
        f'the key "{key}" is read as "{meant}"'
        for key, meant in (("name", "Name"), ("condition_list", "ConditionList"),
                           ("weights", "Weights"), ("type", "Test"))
    ]  # fmt: skip


def test_a_byte_order_mark_is_skipped_with_a_note(content, tmp_path):
    path = tmp_path / "faces_smdl.json"
    path.write_text("\ufeff" + json.dumps(content), encoding="utf-8")
    assert merged(read_model(path).notes) == [
        "the file begins with a byte-order mark, which is skipped"
    ]


def test_a_contrast_of_nothing_is_left_out_and_loses_data(read, content):
    content["Nodes"][0]["Contrasts"].append(
        {"Name": "empty", "ConditionList": [""], "Weights": [""], "Test": "t"}
    )
    model = read(content)
    assert "empty" not in [c.name for c in model.nodes[0].contrasts]
    (note,) = [note for note in model.notes if note.loses_data]
    assert (note.what, note.where) == (
        "a contrast of no variable is left out", 'node "run": contrast "empty"',
    )  # fmt: skip


def test_contrasts_of_contrasts_from_below_are_over_them(read, content):
    content["Nodes"][0]["Contrasts"] = []
    content["Nodes"][1]["Contrasts"] = [
        {"Name": "f", "ConditionList": FACES, "Weights": [1, -1], "Test": "t"}
    ]
    model = read(content)
    assert (model.nodes[1].x, model.nodes[1].group_by) == (tuple(FACES), ("subject",))
    assert merged(model.notes) == [
        (
            'node "subject": contrasts of contrasts of the runs: X names them, and GroupBy '
            'not contrast: read as "X": ["trial_type.face", "trial_type.house"], '
            '"GroupBy": ["subject"]'
        )
    ]


def test_x_above_the_runs_that_repeats_that_of_the_runs_keeps_their_contrasts(read, content):
    content["Nodes"][0]["Model"]["X"] = [*FACES, "rot_x", 1]
    content["Nodes"][0]["DummyContrasts"]["Contrasts"] = FACES
    content["Nodes"][1] |= {"GroupBy": ["subject"]}
    content["Nodes"][1]["Model"]["X"] = [*FACES, "rot_x"]
    model = read(content)
    assert model.nodes[1].x == tuple(FACES)
    assert merged(model.notes) == [
        (
            'node "subject": X above the runs names variables of the runs that are no contrasts: '
            'left out: ["rot_x"]'
        )
    ]


def test_f_of_several_rows_and_dummies_of_names_are_kept(read, content):
    run = content["Nodes"][0]
    run["Contrasts"][0] |= {"Weights": [[1, 0], [0, "1/2"]], "Test": "F"}
    run["DummyContrasts"]["Contrasts"] = FACES[:1]
    node = read(content).nodes[0]
    assert node.contrasts[0].rows == (
        {FACES[0]: 1.0, FACES[1]: 0.0}, {FACES[0]: 0.0, FACES[1]: 0.5},
    )  # fmt: skip
    assert [c.name for c in node.contrasts] == ["f", FACES[0]]
    assert node.dummies == (FACES[0],)


def test_delays_of_fir_and_the_low_pass_are_read(read, content):
    model = content["Nodes"][0]["Model"]
    model["HRF"] |= {"Model": "FIR", "Parameters": {"fir_delays": [0, 1, 2]}}
    model["Options"] = {"LowPassFilterCutoffHz": 0.1}
    node = read(content).nodes[0]
    assert (node.hrf.model, node.hrf.fir_delays) == ("fir", (0, 1, 2))
    assert node.low_pass_hz == 0.1


def test_sessions_several_groups_and_filters_are_kept(read, content):
    content["Nodes"].insert(
        1,
        {"Level": "Session", "Name": "session", "GroupBy": ["session", "subject", "contrast"],
         "Model": {"Type": "meta", "X": [1]}, "DummyContrasts": {"Test": "t"}},
    )  # fmt: skip
    content["Nodes"][2]["Model"]["X"] = ["ses-pre", "session.post"]
    content["Nodes"][2]["Contrasts"] = [
        {"Name": "change", "ConditionList": ["pre", "session-post"], "Weights": [-1, 1]}
    ]
    content["Nodes"].append(content["Nodes"][3] | {"Name": "other"})
    content["Edges"] = [
        {"Source": "subject", "Destination": "other", "Filter": {"contrast": ["f change"]}},
        {"Source": "subject", "Destination": "group"},
        {"Source": "session", "Destination": "subject", "Filter": {"session": ["pre", "post"]}},
        {"Source": "run", "Destination": "session"},
    ]
    model = read(content)
    assert model.nodes[2].x == ("ses-pre", "session.post")
    assert model.edges[2].filters == (("session", ("pre", "post")),)
    assert [node.level for node in model.nodes] == ["run", "session", "subject", *2 * ["dataset"]]


def test_input_selects_images_too(read, content):
    content["Input"] = {"task": ["faces"], "space": ["MNI152NLin2009cAsym"], "res": [2],
                        "suffix": ["bold"], "acquisition": [""]}  # fmt: skip
    model = read(content)
    assert model.inputs == (("task", ("faces",)), ("space", ("MNI152NLin2009cAsym",)),
                            ("res", ("2",)))  # fmt: skip


OLD: dict[str, Any] = {
    "Name": "old",
    "Input": {"task": "faces"},
    "Steps": [
        {"Level": "run",
         "Transformations": [{"Name": "Factor", "Inputs": ["trial_type"]},
                             {"Name": "Convolve", "Model": "spm", "Inputs": FACES}],
         "Model": {"X": [*FACES, "rot_x", 1], "Mask": " ",
                   "Options": {"high_pass_filter_cutoff_secs": 128}},
         "AutoContrasts": FACES},
        {"Level": "subject", "AutoContrasts": FACES,
         "Contrasts": [{"Name": "f", "ConditionList": FACES, "weights": [1, -1], "type": "t"}]},
        {"Level": "dataset", "AutoContrasts": [*FACES, "f"]},
    ],
}  # fmt: skip
BECAME = (
    "the dialect before version 1.0 of the standard is translated: Steps are Nodes, AutoContrasts "
    "are DummyContrasts"
)


def test_the_dialect_before_1_0_is_translated_with_one_note(read):
    model = read(OLD)
    run, subject, group = model.nodes
    assert merged(model.notes)[0] == BECAME
    assert not [note for note in model.notes if note.what.startswith(("the key", "Level"))]
    assert (run.level, run.high_pass_hz, run.dummies) == ("run", 1 / 128, tuple(FACES))
    assert [type(step).__name__ for step in run.instructions] == ["Factor", "Convolve"]
    assert (subject.x, subject.group_by) == (tuple(FACES), ("subject",))
    assert subject.contrasts[0].weight_of == {FACES[0]: 1.0, FACES[1]: -1.0}
    assert (group.x, group.group_by, group.dummies) == (("1",), ("contrast",), (*FACES, "f"))


def test_an_old_step_over_all_runs_of_a_subject_is_a_run_and_a_subject_node(read):
    (step, *_) = OLD["Steps"]
    model = read({**OLD, "Steps": [{**step, "Level": "subject"}]})
    run, subject = model.nodes
    assert merged(model.notes)[0] == (
        f"{BECAME}; a Subject step over all runs is a Run node and FirstLevel multi-run"
    )
    assert (run.level, subject.level) == ("run", "subject")
    assert subject.subject_settings.first_level == "multi-run"


def test_an_old_run_gives_the_contrasts_that_steps_above_ask_for(read):
    run, *above = OLD["Steps"]
    model = read(
        {**OLD, "Steps": [{k: v for k, v in run.items() if k != "AutoContrasts"}, *above]}
    )
    assert [c.name for c in model.nodes[0].contrasts] == FACES
