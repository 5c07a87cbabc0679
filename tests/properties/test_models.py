"""Models of any kind: what is written is read as the same."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from twolevel.model.declared import checker
from twolevel.model.labels import contrast_label
from twolevel.model.nodes import Contrast, Edge, Hrf, Level, Node, StatsModel
from twolevel.model.read import read_model
from twolevel.model.settings import SETTINGS, Settings
from twolevel.model.transformations.reading import read_instructions
from twolevel.model.transformations.table import TRANSFORMATIONS
from twolevel.model.write import as_text, model_content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twolevel.model.nodes import Transformation

WORDS = st.text("abcXYZ019_é", min_size=1, max_size=6).filter(contrast_label)
VARIABLES = st.lists(
    WORDS.map(lambda word: f"trial_type.{word}"), min_size=1, max_size=5, unique_by=contrast_label
)
WEIGHTS = st.floats(-1e6, 1e6).filter(bool)  # a contrast has to ask for something
# What each transformation needs beside Input, and keys that are not the default.
INSTRUCTIONS: dict[str, list[dict[str, Any]]] = {
    "Factor": [{}, {"Constraint": "drop_one", "RefLevel": "01"}],
    "Convolve": [
        {},
        {"Model": "glover", "Derivative": True},
        {"Model": "fir", "FirDelays": [0, 2]},
    ],
    "Copy": [{"Output": ["b"]}],
    "Rename": [{"Output": ["b"]}],
    "Replace": [
        {"Replace": {"1": "one", "two": 2}},
        {"Replace": [{"key": "^a.*", "value": "b", "regex": True}]},
        {"Replace": {"0": 1.5}, "Attribute": "duration"},
    ],
    "Assign": [{"Target": ["b"], "TargetAttr": "duration"}],
    "Scale": [{}, {"Rescale": False, "ReplaceNa": "after"}],
    "Demean": [{}, {"Within": ["trial_type"]}],
    "Threshold": [{"Threshold": 0.25, "Binarize": True, "Signed": False}],
    "Orthogonalize": [{"Other": ["b"]}],
    "Product": [{"Input": ["a", "b"], "Output": ["c"]}],
    "Sum": [{"Input": ["a", "b"], "Output": ["c"], "Weights": [1, -0.5]}],
    "And": [{"Input": ["a", "b"], "Output": ["c"]}],
    "Or": [{"Input": ["a", "b"], "Output": ["c"]}],
    "Concatenate": [{"Input": ["a", "b"], "Output": ["c"]}],
    "Filter": [{"Query": "b > 0.5"}],
    "Split": [{"By": ["trial_type"]}],
    "LabelIdenticalRows": [{"Cumulative": True}],
    "Constant": [{"Input": None, "Output": ["b"], "Value": 3}],
    "Add": [{"Value": 1}],
    "Subtract": [{"Value": 1, "Query": "a > 2"}],
    "Multiply": [{"Value": 1.5}],
    "Divide": [{"Value": 4}],
    "Power": [{"Value": 2, "Output": ["b"]}],
    "Lag": [{"Shift": 2, "Difference": True}],
    "Derivative": [{"Order": 2}],
}
STEPS = [
    {key: value for key, value in {"Name": name, "Input": ["a"], **keys}.items() if value}
    for name in TRANSFORMATIONS
    for keys in INSTRUCTIONS.get(name, [{}])
]
SAID: dict[Level, list[dict[str, Any]]] = {
    "run": [
        {},
        {"SmoothingFWHM": 4.5, "NoiseModel": "ar3"},
        {"Events": [{"Where": "rt > 2", "Drop": True}, {"Scale": {"onset": 0.001}}]},
        {"Events": [{"Recode": {"trial_type": {"1": "face", "2": "house"}}}, {"Strip": ["a"]}]},
        {"ConfoundStrategy": "compcor", "Downsample": 2},
    ],
    "session": [{}, {"FixedEffects": "precision"}],
    "subject": [{}, {"FixedEffects": "precision"}, {"Estimator": "ols"}],
    "dataset": [{}, {"Alpha": 0.01, "NPerm": 77, "Tests": [{"Test": "fpr"}, {"Test": "fdr"}]}],
}


def read_steps(steps: Sequence[dict[str, Any]]) -> tuple[Transformation, ...]:
    instructions, problems, _ = read_instructions("here", list(steps))
    assert problems == []
    return instructions


def said_to(level: Level) -> st.SearchStrategy[Settings]:
    return st.sampled_from(SAID[level]).map(checker(SETTINGS[level]).validate_python)


def of_one(name: str, test: Any = "t") -> Contrast:
    return Contrast(name, contrast_label(name), ((name, (1.0,)),), test)


@st.composite
def contrasts(draw: st.DrawFn, x: Sequence[str], prefix: str) -> tuple[Contrast, ...]:
    """Draw contrasts of variables, t of one row and F of up to three."""
    names = draw(st.lists(WORDS, max_size=3, unique_by=contrast_label))
    found = []
    for name in (f"{prefix}{name}" for name in names):
        of = draw(st.lists(st.sampled_from(x), min_size=1, max_size=4, unique=True))
        test: Literal["t", "F"] = draw(st.sampled_from(["t", "F"]))
        n_rows = draw(st.integers(1, 3)) if test == "F" else 1
        weights = tuple((v, tuple(draw(WEIGHTS) for _ in range(n_rows))) for v in of)
        found.append(Contrast(name, contrast_label(name), weights, test))
    return tuple(found)


@st.composite
def run_nodes(draw: st.DrawFn) -> Node:
    x = draw(VARIABLES)
    own = draw(contrasts(x, "c"))
    has_dummies = draw(st.booleans()) or not own
    dummies = draw(st.lists(st.sampled_from(x), unique=True)) if has_dummies else []
    model = draw(st.sampled_from(["spm", "glover", "spm + derivative", "fir"]))
    hrf = Hrf(tuple(x), model, (0, 1, 3) if model == "fir" else ())
    more = draw(st.sampled_from([(), ("cosine*",)]))
    test: Literal["t", "F"] = draw(st.sampled_from(["t", "F"]))
    return Node(
        "run",
        "run",
        draw(st.sampled_from([("run", "subject"), ("run", "session", "subject")])),
        (*x, *more, "1"),
        draw(said_to("run")),
        read_steps(draw(st.lists(st.sampled_from(STEPS), max_size=3))),
        hrf if draw(st.booleans()) else None,
        (*own, *(of_one(name, test) for name in (dummies or x) if has_dummies)),
        has_dummies,
        tuple(dummies),
        high_pass_hz=draw(st.none() | st.floats(1e-6, 0.5)),
        dummy_test=test if has_dummies else "t",
    )


@st.composite
def nodes_above(draw: st.DrawFn, name: str, level: Level, group_by: tuple[str, ...]) -> Node:
    """Draw a node whose X is the mean, with dummies, contrasts of its own, or both."""
    own = draw(contrasts(["1"], "above"))
    own = tuple(c for c in own if c.test == "t")
    return Node(
        name,
        level,
        group_by,
        ("1",),
        draw(said_to(level)),
        contrasts=own,
        dummy_contrasts=draw(st.booleans()) or not own,
        estimator="glm" if level == "dataset" else "meta",
    )


@st.composite
def models(draw: st.DrawFn) -> StatsModel:
    nodes = [draw(run_nodes())]
    if draw(st.booleans()):
        nodes.append(draw(nodes_above("session", "session", ("subject", "session", "contrast"))))
    nodes.append(draw(nodes_above("subject", "subject", ("subject", "contrast"))))
    if draw(st.booleans()):
        nodes.append(draw(nodes_above("group", "dataset", ("contrast",))))
    only = draw(st.sampled_from([(), (("contrast", ("a", "b")),), (("session", ("pre",)),)]))
    edges = tuple(
        Edge(a.name, b.name, only if a.level == "run" else ()) for a, b in pairwise(nodes)
    )
    return StatsModel(
        draw(WORDS),
        tuple(nodes),
        edges,
        draw(st.sampled_from([(), (("task", ("a", "b")),), (("subject", ("01",)),)])),
        draw(st.text(max_size=30)),
    )


@given(models())
@settings(max_examples=80, deadline=None)
def test_reading_what_was_written_gives_the_same_model(model: StatsModel):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_text(as_text(model_content(model)), encoding="utf-8")
        again = read_model(path)
    assert again.nodes == model.nodes
    assert again.edges == model.edges
    assert again.inputs == model.inputs
    assert (again.name, again.description) == (model.name, model.description)
    assert model_content(again) == model_content(model)


def test_every_transformation_is_among_them():
    assert {step["Name"] for step in STEPS} == set(TRANSFORMATIONS)
