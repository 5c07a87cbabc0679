from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from twolevel.model.graph import (
    Row,
    ancestors,
    arriving,
    edges_of,
    expand,
    in_order,
)
from twolevel.model.read import find_model, read_model
from twolevel.model.spec import Edge, StatsModel

TASK = ("task", "T")


@pytest.fixture(scope="module")
def model() -> StatsModel:
    return read_model(find_model("balloon", Path()))


def runs(*names: tuple[str, str]) -> list[Row]:
    return [Row((("sub", subject), TASK, ("run", run))) for subject, run in names]


def test_there_is_a_unit_for_each_run_subject_and_contrast(model: StatsModel) -> None:
    units = expand(model, runs(("01", "1"), ("01", "2"), ("02", "1")))
    by_level = {
        level: [unit for unit in units if unit.stage.node.level == level]
        for level in ("run", "subject", "dataset")
    }
    assert {level: len(found) for level, found in by_level.items()} == {
        "run": 3,
        "subject": 2 * 5,
        "dataset": 5,
    }
    assert [unit.entities for unit in by_level["run"]] == [
        (("sub", "01"), TASK, ("run", "1")),
        (("sub", "01"), TASK, ("run", "2")),
        (("sub", "02"), TASK, ("run", "1")),
    ]
    first = by_level["subject"][0]
    assert first.entities == (("sub", "01"), TASK)
    assert [row.entities[-1] for row in first.inputs] == [("run", "1"), ("run", "2")]
    assert {row.contrast for row in first.inputs} == {first.contrast}
    group = by_level["dataset"][0]
    assert group.entities == (TASK,)
    assert [row.entities[0] for row in group.inputs] == [("sub", "01"), ("sub", "02")]
    assert [unit.contrast.label for unit in by_level["dataset"] if unit.contrast] == [
        "pumpsMinusControl",
        "controlMinusPumps",
        "pumps",
        "cash",
        "explode",
    ]


def test_what_all_rows_share_is_in_the_names_and_what_tells_them_apart_is_not(
    model: StatsModel,
) -> None:
    rows = [
        Row((("sub", "01"), ("ses", "a"), TASK, ("run", "1"), ("space", "S"))),
        Row((("sub", "01"), ("ses", "a"), TASK, ("run", "2"), ("space", "S"))),
    ]
    units = expand(model, rows)
    assert units[0].entities == rows[0].entities
    assert units[2].entities == (("sub", "01"), TASK, ("space", "S"))


def test_edges_may_be_left_out_and_nodes_may_stand_in_any_order(model: StatsModel) -> None:
    assert edges_of(replace(model, edges=())) == edges_of(model)
    backwards = replace(model, nodes=model.nodes[::-1], edges=model.edges[::-1])
    assert [node.name for node in in_order(backwards)] == ["run", "subject", "group"]
    assert [node.name for node in ancestors(backwards, model.nodes[2])] == ["run", "subject"]
    assert ancestors(backwards, model.nodes[0]) == ()


def test_a_node_gets_the_contrasts_of_its_sources_only(model: StatsModel) -> None:
    other = replace(model.nodes[0], name="other", contrasts=model.nodes[0].contrasts[:1])
    two_roots = replace(
        model, nodes=(*model.nodes, other), edges=(*model.edges, Edge("other", "group"))
    )
    assert len(arriving(two_roots, model.nodes[1])) == 5
    assert len(arriving(two_roots, model.nodes[2])) == 5
    assert arriving(model, model.nodes[0]) == ()
