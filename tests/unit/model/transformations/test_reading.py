"""What instructions may look like in a file, what is said of it, and how they are written."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from twolevel.model.nodes import Node
from twolevel.model.settings import RunSettings
from twolevel.model.stages import digest_of
from twolevel.model.transformations.reading import keys_of, read_instructions, written
from twolevel.model.transformations.table import NOT_OFFERED, TRANSFORMATIONS
from twolevel.model.variables import columns_of_instructions

PUBLIC = Path(__file__).parents[5] / "shared" / "data" / "models"
ONE_OF_EACH: list[dict[str, Any]] = [
    {"Name": "Factor", "Input": ["a"], "Constraint": "drop_one", "RefLevel": "x"},
    {"Name": "Copy", "Input": ["a"], "Output": ["b"]},
    {"Name": "Rename", "Input": ["a", "b"], "Output": ["c", "d"]},
    {"Name": "Delete", "Input": ["a*"]},
    {"Name": "Select", "Input": ["a"]},
    {"Name": "Replace", "Input": ["a"], "Replace": {"x": "y", "1": 2.5, "n/a": None}},
    {
        "Name": "Replace",
        "Input": ["a"],
        "Replace": [{"key": "^x.*", "value": "y", "regex": True}],
        "Attribute": "value",
    },
    {"Name": "Assign", "Input": ["rt"], "Target": ["a.x"], "TargetAttr": "duration"},
    {"Name": "Scale", "Input": ["a"], "Rescale": False, "ReplaceNa": "after"},
    {"Name": "Demean", "Input": ["a"], "Within": ["b"], "Output": ["c"]},
    {"Name": "Threshold", "Input": ["a"], "Threshold": 1.5, "Binarize": True},
    {"Name": "Orthogonalize", "Input": ["a"], "Other": ["b", "c"]},
    {"Name": "Product", "Input": ["a", "b"], "Output": ["c"]},
    {"Name": "Sum", "Input": ["a", "b"], "Weights": [1, -1.0], "Output": ["c"]},
    {"Name": "And", "Input": ["a", 'b == "x"'], "Output": ["c"]},
    {"Name": "Or", "Input": ["a", "b"], "Output": ["c"]},
    {"Name": "Not", "Input": ["a"]},
    {"Name": "Concatenate", "Input": ["a", "b"], "Output": ["c"]},
    {"Name": "Filter", "Input": ["a"], "Query": "rt > 0.2 and not isna(b)", "By": ["b"]},
    {"Name": "Split", "Input": ["a"], "By": ["b"]},
    {"Name": "DropNA", "Input": ["a"]},
    {"Name": "LabelIdenticalRows", "Input": ["a"], "Cumulative": True},
    {"Name": "Constant", "Output": ["c"], "Value": "x"},
    {"Name": "Add", "Input": ["a"], "Value": 1, "Query": "a > 0"},
    {"Name": "Subtract", "Input": ["a"], "Value": 0.5},
    {"Name": "Multiply", "Input": ["a"], "Value": 2.0},
    {"Name": "Divide", "Input": ["a"], "Value": 2.0},
    {"Name": "Power", "Input": ["a"], "Value": 2.0},
    {"Name": "Lag", "Input": ["a"], "Shift": 2.0, "Difference": True},
    {"Name": "Derivative", "Input": ["a"], "Initial": "NaN"},
    {"Name": "Convolve", "Input": ["a.*"], "Derivative": True, "Dispersion": True},
    {"Name": "Convolve", "Input": ["b"], "Model": "fir", "FirDelays": [0, 1, 2]},
]


def read(*steps: Any) -> Any:
    return read_instructions('m.json: node "run"', list(steps))


def problems(*steps: Any) -> list[str]:
    instructions, found, _ = read(*steps)
    assert len(instructions) < len(steps)
    return [str(one) for one in found]


def notes(step: Any) -> list[str]:
    instructions, found, noted = read(step)
    assert not found
    again, _, none = read(*map(written, instructions))
    assert again == instructions
    assert {n.what for n in none} <= {n.what for n in noted if " is read as " not in n.what} | {
        n.what for n in noted if "regular expression" in n.what
    }
    return [note.what for note in noted]


def test_what_is_written_strictly_is_read_without_a_word_and_written_the_same():
    instructions, found, noted = read(*ONE_OF_EACH)
    assert not found
    assert not noted
    assert [written(one) for one in instructions] == [
        {k: v for k, v in step.items() if (k, v) != ("Attribute", "value")} for step in ONE_OF_EACH
    ]
    assert {one["Name"] for one in ONE_OF_EACH} == set(TRANSFORMATIONS)
    assert json.loads(json.dumps([written(one) for one in instructions]))


def test_instructions_can_be_hashed_and_their_class_is_part_of_the_digest():
    instructions, _, _ = read(*ONE_OF_EACH)
    assert len(set(instructions)) == len(instructions)

    def digest(*steps: Any) -> str:
        made, _, _ = read(*steps)
        node = Node("run", "run", ("run",), ("1",), RunSettings(), instructions=made)
        return digest_of((node,))

    same_fields = [{"Name": n, "Input": ["a"], "Value": 2} for n in ("Add", "Multiply", "Power")]
    assert len({digest(step) for step in same_fields}) == len(same_fields)
    assert digest({"Name": "Not", "Input": ["a"]}) != digest({"Name": "DropNA", "Input": ["a"]})
    stated = {"Name": "Scale", "Input": ["a"], "Demean": True}
    assert digest(stated) == digest({"Name": "Scale", "Input": ["a"]})


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            {"Name": "factor", "Input": "trial_type"},
            ['"factor" is read as "Factor"', '"Input": "trial_type" is read as ["trial_type"]'],
        ),
        ({"Name": "Drop_na", "Input": ["a"]}, ['"Drop_na" is read as "DropNA"']),
        (
            {"name": "Or", "Input": ["a", "b"], "output": ["c"]},
            ['the key "output" is read as "Output"'],
        ),
        (
            {"Name": "Convolve", "Input": ["a"], "Model": "spm+derivative"},
            ['"Model": "spm+derivative" is read as "Model": "spm", "Derivative": true'],
        ),
        (
            {"Name": "Convolve", "Input": ["a"], "Model": "SPM + Derivative + Dispersion"},
            [
                (
                    '"Model": "SPM + Derivative + Dispersion" is read as "Model": "spm", '
                    '"Derivative": true, "Dispersion": true'
                )
            ],
        ),
        (
            {"Name": "Convolve", "Input": ["a"], "Model": "DoubleGamma"},
            ['"Model": "DoubleGamma" is read as "Model": "spm"'],
        ),
        (
            {"Name": "Convolve", "Input": ["a"], "Dispersion": True},
            ['"Dispersion": true brings "Derivative": true along'],
        ),
        (
            {"Name": "Factor", "Input": ["a"], "Constraint": "drop_one"},
            ["the level that is left out is the first one of each run: name it as RefLevel"],
        ),
        (
            {"Name": "Replace", "Input": ["a"], "Replace": {"key": "^R.*", "value": "r"}},
            [
                '"Replace" is read as a list of one {"key": ..., "value": ...}',
                '"key": "^R.*" is read with "regex": true',
            ],
        ),
        (
            {"Name": "Replace", "Input": ["a"], "Replace": {"a": "b"}, "Attribute": "amplitude"},
            ['"Attribute": "amplitude" is read as "value"'],
        ),
        (
            {"Name": "Assign", "Input": ["a"], "Target": ["b"], "InputAttr": "amplitude"},
            ['"InputAttr": "amplitude" is read as "value"'],
        ),
        (
            {"Name": "And", "Input": ["face_type==famous", "n == 1"], "Output": ["x"]},
            ['"Input": "face_type==famous" is read as "face_type == \\"famous\\""'],
        ),
        (
            {"Name": "Filter", "Input": ["a.1"], "Query": "a.1 == 1"},
            ['"Query": "a.1 == 1" is read as "`a.1` == 1"'],
        ),
        (
            {"Name": "Filter", "Input": ["a"], "Query": "b~=^x.*$"},
            ['"Query": "b~=^x.*$" is read as a regular expression, as bidspm does'],
        ),
        (
            {"Name": "Add", "Input": ["a"], "Value": "0.25"},
            ['"Value": "0.25" is read as 0.25'],
        ),
        ({"Name": "Scale", "Input": ["a"], "Description": "why", "ReplaceNa": None}, []),
    ],
)
def test_each_leniency_is_said_with_the_strict_form(step, said):
    assert notes(step) == said


def test_a_note_says_where():
    _, _, noted = read(
        {"Name": "Copy", "Input": ["a"], "Output": ["b"]}, {"Name": "not", "Input": ["a"]}
    )
    assert [note.where for note in noted] == ['m.json: node "run": instruction 2 (Not)']


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (
            {"Name": "Scael", "Input": ["a"]},
            (
                'm.json: node "run": instruction 1\n'
                '  found:    the instruction "Scael"\n'
                f"  expected: one of {', '.join(sorted(TRANSFORMATIONS))}\n"
                '  do:       Did you mean "Scale"?'
            ),
        ),
        (
            {"Name": "Scale", "Inputs": ["a"]},
            (
                'm.json: node "run": instruction 1 (Scale): Inputs\n'
                "  found:    an unknown key\n"
                "  expected: one of the keys Name, Description, Input, Output, Demean, Rescale, "
                "ReplaceNa\n"
                '  do:       Did you mean "Input"?'
            ),
        ),
        (
            {"Name": "Scale", "Input": ["a"], "Demean": "False"},
            (
                'm.json: node "run": instruction 1 (Scale): Demean\n'
                '  found:    "False"\n'
                "  expected: true or false\n"
                "  do:       correct the value"
            ),
        ),
        (
            {"Name": "Copy", "Input": ["a", "b"], "Output": ["c"]},
            (
                'm.json: node "run": instruction 1 (Copy)\n'
                '  found:    {"Input": ["a", "b"], "Output": ["c"]}\n'
                "  expected: as many values in Output as in Input: 2\n"
                "  do:       correct the value"
            ),
        ),
        (
            {"Name": "Convolve", "Input": ["a"], "Model": "gamma"},
            (
                'm.json: node "run": instruction 1 (Convolve): Model\n'
                '  found:    "gamma"\n'
                "  expected: one of 'spm', 'glover', 'fir'\n"
                "  do:       correct the value"
            ),
        ),
        (
            {"Input": ["a"]},
            (
                'm.json: node "run": instruction 1\n'
                '  found:    {"Input": ["a"]}\n'
                '  expected: {"Name": ..., "Input": [names of variables]}\n'
                "  do:       correct the instruction"
            ),
        ),
    ],
)
def test_what_cannot_be_read_says_where_and_what_to_do(step, text):
    assert text in problems(step)


@pytest.mark.parametrize("name", sorted(NOT_OFFERED))
def test_what_is_not_offered_is_refused_with_the_reason(name):
    (text,) = problems({"Name": name, "Input": ["a"]})
    assert f'found:    the instruction "{name}"' in text
    assert f"do:       {NOT_OFFERED[name]}" in text


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"Name": "Factor", "Input": ["a"], "RefLevel": "x"}, "RefLevel only with"),
        ({"Name": "Convolve", "Input": ["a"], "Model": "fir"}, 'FirDelays with Model "fir"'),
        ({"Name": "Convolve", "Input": ["a"], "FirDelays": [1]}, 'FirDelays with Model "fir"'),
        ({"Name": "Copy", "Input": ["a", "b"], "Output": ["c", "c"]}, "each name once in Output"),
        ({"Name": "Sum", "Input": ["a", "b"], "Output": ["c"], "Weights": [1]}, "in Weights as"),
        ({"Name": "Product", "Input": ["a", "b"], "Output": ["c", "d"]}, "one name in Output"),
        ({"Name": "Divide", "Input": ["a"], "Value": 0}, "a Value other than 0"),
        ({"Name": "Add", "Input": ["onset"], "Value": 1, "Output": ["x"]}, "no Output where"),
        ({"Name": "Add", "Input": ["a"], "Value": "x"}, "a number"),
        ({"Name": "Filter", "Input": ["a"], "Query": "a >"}, "a column, a number, quoted text"),
        ({"Name": "Filter", "Input": ["a"], "Query": "a + 1"}, "a condition, such as"),
        ({"Name": "Filter", "Input": ["a"], "Query": "a == ^(b"}, "a regular expression"),
        ({"Name": "Filter", "Input": ["a"], "Query": "__import__('os') == 1"}, "one of isna"),
        ({"Name": "Orthogonalize", "Input": ["a"], "Other": ["a"]}, "Other without variables"),
        ({"Name": "Assign", "Input": ["a", "b"], "Target": ["c"]}, "in Target as in Input: 2"),
        ({"Name": "Replace", "Input": ["a"], "Replace": {}}, "at least one value"),
        (
            {"Name": "Replace", "Input": ["a"], "Replace": {"1": "x"}, "Attribute": "onset"},
            'numbers as new values, for Attribute "onset"',
        ),
        (
            {"Name": "Replace", "Input": ["a"], "Replace": [{"key": "(", "value": "x"}]},
            "a regular expression: ",
        ),
        ({"Name": "Lag", "Input": ["a"], "Order": 7}, "a number, at most 5"),
        ({"Name": "Scale", "Input": []}, "at least one value"),
        ({"Name": "Scale", "Input": [3]}, "text"),
        ({"Name": "Threshold", "Input": ["a"], "Threshold": float("nan")}, "a finite number"),
    ],
)
def test_keys_that_mean_nothing_are_refused_when_the_model_is_read(step, expected):
    assert any(expected in text for text in problems(step)), "\n".join(problems(step))


def test_odd_names_in_a_query_are_put_between_backticks_each_once():
    step = {"Name": "Filter", "Input": ["a.1", "a.10"], "Query": "a.1 == 1 or a.10 == 1"}
    assert notes(step) == [
        '"Query": "a.1 == 1 or a.10 == 1" is read as "`a.1` == 1 or `a.10` == 1"'
    ]


def test_what_json_does_not_have_is_refused():
    (text,) = problems({"Name": "Add", "Input": ["a"], "Value": {1, 2}})
    assert "expected: values that JSON has" in text
    instructions, none, _ = read(
        {"Name": "Replace", "Input": ["a"], "Replace": {1: "x", 2.5: "y"}}
    )
    assert not none
    assert written(instructions[0])["Replace"] == {"1": "x", "2.5": "y"}


def test_all_problems_are_told_at_once():
    found = problems({"Name": "Group", "Input": ["a"]}, 3, {"Name": "Power", "Input": ["a"]})
    assert len(found) == 3
    instructions, (one,), _ = read_instructions("m.json", {"Name": "Copy"})
    assert not instructions
    assert "a list of instructions" in str(one)


def test_every_class_says_what_it_means_and_what_its_keys_are():
    for kind in TRANSFORMATIONS.values():
        assert kind.__doc__
        described = [one.metadata["description"] for one in fields(kind)]
        assert all(described)
        assert len(keys_of(kind)) == len(described)


def instructions_in(content: object) -> list[list[object]]:
    if isinstance(content, list):
        return [steps for item in content for steps in instructions_in(item)]
    if not isinstance(content, dict):
        return []
    found = []
    for key, value in content.items():
        if key.casefold() == "transformations":
            lists = value if isinstance(value, list) else value.get("Instructions", [])
            found.append(lists)
        else:
            found += instructions_in(value)
    return found


@pytest.mark.skipif(not PUBLIC.exists(), reason="the public models are not here")
def test_the_instructions_of_public_models_are_read_and_written_back():
    refused = set()
    for path in sorted(PUBLIC.glob("*_smdl.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except ValueError:
            continue
        for steps in instructions_in(content):
            instructions, found, _ = read_instructions(path.name, steps)
            refused |= {str(problem) for problem in found}
            again, none, _ = read_instructions("", [written(one) for one in instructions])
            assert again == instructions
            assert not none
    # Templates that were never filled in: "Inputs": [" "].
    assert all("): Input" in text for text in refused)
    assert len({text.split(":")[0] for text in refused}) == 3


def test_the_columns_of_conditions_are_found_in_instructions():
    instructions, _, _ = read(
        {"Name": "And", "Input": ["face==famous", "rot_x > 0"], "Output": ["x"]},
        {"Name": "Filter", "Input": ["rt"], "Query": "kind==^a.*$"},
        {"Name": "Replace", "Input": ["rt"], "Replace": {"a < ": "x"}},
    )
    node = Node("run", "run", ("run",), ("1",), RunSettings(), instructions=instructions)
    assert {"face", "rot_x", "rt", "kind"} <= set(columns_of_instructions(node))
