from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from model_parts import stage_at

from twolevel.model.graph import ancestors, arriving, edges_of, in_order, run_node
from twolevel.model.nodes import Edge, StatsModel
from twolevel.model.read import find_model, read_model


@pytest.fixture(scope="module")
def model() -> StatsModel:
    return read_model(find_model("balloon", Path()))


def test_edges_may_be_left_out_and_nodes_may_stand_in_any_order(model: StatsModel) -> None:
    assert edges_of(replace(model, edges=())) == edges_of(model)
    backwards = replace(model, nodes=model.nodes[::-1], edges=model.edges[::-1])
    assert [node.name for node in in_order(backwards)] == ["run", "subject", "group"]
    assert [node.name for node in ancestors(backwards, model.nodes[2])] == ["run", "subject"]
    assert ancestors(backwards, model.nodes[0]) == ()
    assert run_node(backwards) == model.nodes[0]


def test_a_node_gets_the_contrasts_of_its_sources_each_once(model: StatsModel) -> None:
    other = replace(model.nodes[0], name="other", contrasts=model.nodes[0].contrasts[:1])
    two_roots = replace(
        model, nodes=(*model.nodes, other), edges=(*model.edges, Edge("other", "group"))
    )
    names = [contrast.label for contrast in arriving(two_roots, model.nodes[2])]
    assert names == [contrast.label for contrast in model.nodes[0].contrasts]
    assert arriving(model, model.nodes[0]) == ()


def test_nothing_goes_on_from_a_node_that_passes_nothing_on(model: StatsModel) -> None:
    silent = replace(model.nodes[1], dummy_contrasts=False)
    changed = replace(model, nodes=(model.nodes[0], silent, model.nodes[2]))
    assert arriving(changed, model.nodes[2]) == ()


def test_the_digest_of_a_node_is_that_of_itself_and_what_comes_before(model: StatsModel) -> None:
    backwards = replace(model, nodes=model.nodes[::-1])
    group = replace(model.nodes[2], name="other group")
    changed = replace(model, nodes=(*model.nodes[:2], group), edges=())
    for level in ("run", "subject", "dataset"):
        digest = stage_at(model, level).digest
        assert stage_at(backwards, level).digest == digest
        assert (stage_at(changed, level).digest == digest) is (level != "dataset")
