"""What does not matter to a model: the order of edges and nodes, and what nodes are called."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twolevel.model.complete import complete
from twolevel.model.graph import estimates, in_order
from twolevel.model.read import read_model

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.model.nodes import StatsModel

FACES = ["trial_type.face", "trial_type.house"]
LEVELS = ("Run", "Session", "Subject", "Dataset", "Dataset")
GROUP_BY = {
    "Run": ["run", "subject"],
    "Session": ["session", "subject", "contrast"],
    "Subject": ["subject", "contrast"],
    "Dataset": ["contrast"],
}
NAMES = st.lists(
    st.text("abcXYZ 12_-é", min_size=1, max_size=8).filter(str.strip),
    min_size=len(LEVELS), max_size=len(LEVELS), unique=True,
)  # fmt: skip
MANY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def model_of(names: list[str], order: list[int], filtered: bool) -> dict[str, Any]:
    """Make a model of runs, sessions, subjects and two groups."""
    nodes: list[dict[str, Any]] = [
        {"Level": level, "Name": name, "GroupBy": GROUP_BY[level],
         "Model": {"Type": "meta" if level in {"Session", "Subject"} else "glm", "X": [1]},
         "DummyContrasts": {"Test": "t"}}
        for level, name in zip(LEVELS, names, strict=True)
    ]  # fmt: skip
    nodes[0]["Model"]["X"] = [*FACES, 1]
    run, session, subject, group, other = names
    edges: list[dict[str, Any]] = [
        {"Source": run, "Destination": session},
        {"Source": session, "Destination": subject},
        {"Source": subject, "Destination": group},
        {"Source": subject, "Destination": other},
    ]
    if filtered:
        edges[3]["Filter"] = {"contrast": FACES[:1]}
    return {"Name": "m", "BIDSModelVersion": "1.0.0", "Nodes": nodes,
            "Edges": [edges[n] for n in order]}  # fmt: skip


def read(content: dict[str, Any], folder: Path) -> StatsModel:
    """Read a model, completed."""
    path = folder / "m_smdl.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return complete(read_model(path))


def meaning(model: StatsModel) -> list[Any]:
    """Say what a model estimates node by node, without the names of the nodes."""
    return [
        (replace(node, name=""), tuple(contrast.label for contrast in estimates(model, node)))
        for node in in_order(model)
    ]


@MANY
@given(st.permutations(range(4)), st.booleans())
def test_the_order_of_edges_does_not_matter(tmp_path, order, filtered):
    names = ["run", "session", "subject", "group", "other"]
    model = read(model_of(names, list(order), filtered), tmp_path)
    assert meaning(model) == meaning(read(model_of(names, [0, 1, 2, 3], filtered), tmp_path))


@MANY
@given(NAMES, st.booleans())
def test_the_names_of_nodes_do_not_matter(tmp_path, names, filtered):
    usual = ["run", "session", "subject", "group", "other"]
    model = read(model_of(names, [0, 1, 2, 3], filtered), tmp_path)
    assert meaning(model) == meaning(read(model_of(usual, [0, 1, 2, 3], filtered), tmp_path))


@MANY
@given(st.permutations(range(len(LEVELS))))
def test_with_edges_the_order_of_nodes_does_not_matter(tmp_path, order):
    content = model_of(["run", "session", "subject", "group", "other"], [0, 1, 2, 3], True)
    before = {node.name: node for node in read(content, tmp_path).nodes}
    content["Nodes"] = [content["Nodes"][n] for n in order]
    assert {node.name: node for node in read(content, tmp_path).nodes} == before
