from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from model_parts import stage_at

from twolevel.model.graph import (
    ancestors,
    arriving,
    edges_of,
    estimated,
    estimates,
    in_order,
    run_node,
    with_found,
)
from twolevel.model.nodes import Contrast, ContrastName, Edge, StatsModel
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


def test_a_contrast_of_a_node_appends_its_name_to_what_comes(model: StatsModel) -> None:
    contrast = Contrast("post_vs_pre", "postVsPre", (("ses-post", (1.0,)), ("ses-pre", (-1.0,))))
    node = replace(model.nodes[1], contrasts=(contrast,), x=("ses-pre", "ses-post", "1"))
    cash = ContrastName("cash", "cash", "1*cash")
    own, mean = estimated(node, [cash])
    assert (own.name, own.label, own.own) == ("cash post_vs_pre", "cashPostVsPre", "post_vs_pre")
    assert own.expression == "1*ses-post - 1*ses-pre, of cash"
    assert mean == replace(cash, own="1")


def test_over_several_contrasts_a_node_names_them_and_its_own(model: StatsModel) -> None:
    contrast = Contrast("both", "both", (("cash", (0.5,)), ("explode", (0.5,))))
    group_by, x = ("subject",), ("cash", "explode")
    node = replace(model.nodes[1], group_by=group_by, x=x, contrasts=(contrast,))
    changed = replace(model, nodes=(model.nodes[0], node))
    names = [(c.name, c.label, c.own) for c in estimates(changed, node)]
    assert names == [("both", "both", "both"), ("cash", "cash", "cash"),
                     ("explode", "explode", "explode")]  # fmt: skip
    only = replace(node, dummies=("explode",))
    assert [c.name for c in estimates(changed, only)] == ["both", "explode"]


def test_f_ends_where_it_is_and_filters_let_only_some_through(model: StatsModel) -> None:
    f = Contrast("any", "any", (("trial_type.cash_demean", (1.0, 0.0)),), "F")
    run = replace(model.nodes[0], contrasts=(f, *model.nodes[0].contrasts))
    changed = replace(model, nodes=(run, *model.nodes[1:]))
    assert "any" in [c.name for c in estimates(changed, run)]
    assert "any" not in [c.name for c in arriving(changed, model.nodes[1])]
    edges = (Edge("run", "subject", (("contrast", ("pumps", "explode")),)), model.edges[1])
    assert [c.name for c in arriving(replace(model, edges=edges), model.nodes[2])] == [
        "pumps", "explode",
    ]  # fmt: skip


def test_a_filter_counts_in_the_digest_and_what_a_wildcard_found_does_not(
    model: StatsModel,
) -> None:
    edges = (Edge("run", "subject", (("contrast", ("pumps",)),)), model.edges[1])
    digests = [stage_at(model, level).digest for level in ("run", "subject", "dataset")]
    filtered = replace(model, edges=edges)
    now = [stage_at(filtered, level).digest for level in ("run", "subject", "dataset")]
    assert [a == b for a, b in zip(now, digests, strict=True)] == [True, False, False]
    found = with_found(model, [Contrast("rt", "rt", (("rt", (1.0,)),), found=True)])
    assert found.nodes[0].contrasts[-1].name == "rt"
    assert [stage_at(found, level).digest for level in ("run", "subject", "dataset")] == digests
