"""Maps become the rows of units, by what a node is grouped by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from model_parts import stage_at

from twolevel.bids.entities import Entities
from twolevel.bids.units import MapName, arriving_maps, expand, same_names, units_of
from twolevel.model.graph import estimated
from twolevel.model.nodes import ContrastName, Edge
from twolevel.model.read import find_model, read_model
from twolevel.model.stages import Stage

A, B = (ContrastName(name, name, f"1*{name}") for name in "ab")


def a_map(contrast: ContrastName, **entities: str) -> MapName:
    names = Entities({"task": "t", "space": "MNI", **entities})
    return MapName(names, contrast)


@pytest.fixture
def stage() -> Stage:
    return stage_at(read_model(find_model("balloon", Path())), "dataset")


def grouped_by(stage: Stage, *keys: str) -> Stage:
    return replace(stage, node=replace(stage.node, group_by=keys))


def test_there_is_a_unit_for_each_contrast_with_a_row_for_each_subject(stage):
    maps = [a_map(c, sub=s) for c in (A, B) for s in ("01", "02")]
    units = units_of(stage, maps)
    assert [unit.contrast for unit in units] == [A, B]
    assert [unit.inputs for unit in units] == [tuple(maps[:2]), tuple(maps[2:])]
    assert {unit.entities for unit in units} == {Entities({"task": "t", "space": "MNI"})}


def test_what_a_node_is_grouped_by_stays_in_the_names(stage):
    maps = [a_map(A, sub=sub, ses=ses, run=run) for sub in "12" for ses in "ab" for run in "12"]
    (group,) = units_of(stage, maps)
    assert not {"sub", "ses", "run"} & group.entities.keys()
    by_subject = units_of(grouped_by(stage, "subject", "contrast"), maps)
    assert [unit.entities["sub"] for unit in by_subject] == ["1", "2"]
    by_session = units_of(grouped_by(stage, "session", "subject", "contrast"), maps)
    assert [(unit.entities["sub"], unit.entities["ses"]) for unit in by_session] == [
        ("1", "a"), ("1", "b"), ("2", "a"), ("2", "b"),
    ]  # fmt: skip
    assert [len(unit.inputs) for unit in by_session] == [2, 2, 2, 2]


def test_without_the_contrast_maps_of_several_are_rows_of_one_design(stage):
    maps = [a_map(c, sub=s) for s in ("01", "02") for c in (A, B)]
    units = units_of(grouped_by(stage, "subject"), maps)
    assert [unit.contrast for unit in units] == [None, None]
    assert [row.contrast for row in units[0].inputs] == [A, B]


def test_only_what_all_rows_share_names_a_unit(stage):
    maps = [a_map(A, sub="01"), replace(a_map(A, sub="02"), entities=Entities({"sub": "02"}))]
    (unit,) = units_of(stage, maps)
    assert unit.entities == Entities()


def test_no_maps_are_no_units(stage):
    assert units_of(stage, []) == ()


def test_entities_of_a_filter_let_only_some_maps_through(stage):
    maps = [a_map(A, sub="01", run=run) for run in ("01", "02")]
    edge = Edge("run", "group", (("run", ("1",)),))
    assert arriving_maps(replace(stage, sources=(edge,)), {"run": maps}) == maps[:1]
    of_contrast = Edge("run", "group", (("contrast", ("b",)),))
    assert arriving_maps(replace(stage, sources=(of_contrast,)), {"run": maps}) == []
    both = (edge, Edge("run", "group"))
    assert arriving_maps(replace(stage, sources=both), {"run": maps}) == maps


def test_a_model_is_turned_into_units_of_every_node():
    model = read_model(find_model("balloon", Path()))
    names = estimated(model.nodes[0], ())
    runs = {
        Entities({"sub": sub, "task": "t", "run": run}): names[: 1 if sub == "2" else 2]
        for sub in "12"
        for run in "12"
    }
    units = expand(model, runs)
    assert [len(of_node) for of_node in units.values()] == [4, 3, 2]
    assert [len(unit.inputs) for unit in units["group"]] == [2, 1]
    assert {unit.entities for unit in units["group"]} == {Entities({"task": "t"})}
    assert [unit.contrasts[0].label for unit in units["group"]] == [c.label for c in names[:2]]


def test_nodes_that_these_data_do_not_tell_apart_are_found():
    model = read_model(find_model("balloon", Path()))
    run, subject = model.nodes[:2]
    session = replace(
        subject, name="session", level="session", group_by=("session", "subject", "contrast")
    )
    edges = (Edge("run", "subject"), Edge("run", "session"))
    siblings = replace(model, nodes=(run, subject, session), edges=edges)
    names = estimated(run, ())[:1]
    with_sessions = {Entities({"sub": "1", "ses": s, "task": "t"}): names for s in "ab"}
    without = {Entities({"sub": "1", "task": "t", "run": r}): names for r in "12"}
    assert same_names(expand(siblings, with_sessions)) == []
    ((one, other, contrast),) = same_names(expand(siblings, without))
    assert (one.node.name, other.node.name, contrast) == ("subject", "session", names[0].name)
    chained = replace(siblings, edges=(Edge("run", "session"), Edge("session", "subject")))
    assert same_names(expand(chained, without)) == []
