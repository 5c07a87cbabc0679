"""What a model leaves unsaid, and graphs that give no sound analysis."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from twolevel.model.complete import complete, unsound
from twolevel.model.graph import arriving, edges_of, estimates
from twolevel.model.nodes import Contrast, Edge, Node, StatsModel
from twolevel.model.settings import GroupSettings, RunSettings, SubjectSettings

if TYPE_CHECKING:
    from twolevel.errors import Problem

A, B = (Contrast(name, name, ((name, (1.0,)),)) for name in "ab")
RUN = Node("run", "run", ("run", "subject"), ("a", "b", "1"), RunSettings(), contrasts=(A, B))
SUBJECT = Node(
    "subject", "subject", ("subject", "contrast"), ("1",), SubjectSettings(),
    dummy_contrasts=True, estimator="meta",
)  # fmt: skip
GROUP = Node("group", "dataset", ("contrast",), ("1",), GroupSettings(), dummy_contrasts=True)


def model_of(*nodes: Node, edges: tuple[Edge, ...] = ()) -> StatsModel:
    return StatsModel("m", nodes, edges)


def refused(model: StatsModel) -> list[Problem]:
    return unsound(model)


def named(name: str, weight: float = -1.0, test: str = "t") -> Contrast:
    weights = (("1", (weight,)),) if test == "t" else (("1", (1.0, 2.0)),)
    return Contrast(name, name, weights, test)  # type: ignore[arg-type]


def test_a_model_that_says_everything_stays_as_it_is():
    model = model_of(RUN, SUBJECT, GROUP)
    assert unsound(model) == []
    assert complete(model) == replace(model, edges=edges_of(model))


def test_runs_are_averaged_before_the_group():
    by_session = replace(GROUP, name="each", group_by=("contrast", "session"))
    edges = (Edge("run", "group", (("contrast", ("a",)),)), Edge("run", "each"))
    model = complete(model_of(RUN, GROUP, by_session, edges=edges))
    added = {node.name: node for node in model.nodes[3:]}
    assert added["group subjects"].group_by == ("subject", "contrast")
    assert added["each subjects"].group_by == ("subject", "contrast", "session")
    assert model.edges == (
        Edge("run", "group subjects", (("contrast", ("a",)),)),
        Edge("group subjects", "group"),
        Edge("run", "each subjects"),
        Edge("each subjects", "each"),
    )
    assert [c.name for c in arriving(model, GROUP)] == ["a"]
    assert [c.name for c in arriving(model, by_session)] == ["a", "b"]
    assert [note.what for note in model.notes] == [
        f'node "{name}" gets maps of runs: the runs of a subject are averaged first (fixed '
        "effects), so that no run counts as a subject"
        for name in ("group", "each")
    ]


def test_glm_over_runs_is_told_to_be_fixed_effects():
    (note,) = complete(model_of(RUN, replace(SUBJECT, estimator="glm"))).notes
    assert note.what.startswith('node "subject": Type glm over the maps of a participant is taken')
    ols = replace(SUBJECT, estimator="glm", settings=SubjectSettings(estimator="ols"))
    assert complete(model_of(RUN, ols)).notes == ()


def test_a_group_of_groups_is_refused():
    other = replace(GROUP, name="other")
    (problem,) = refused(model_of(RUN, SUBJECT, GROUP, other))
    assert problem.where == 'Edges: "group" to "other"'
    assert 'lead the edge to "other" from the node before "group"' in problem.remedy


def test_two_nodes_that_give_maps_of_one_name_are_refused():
    other = replace(SUBJECT, name="other")
    edges = (Edge("run", "subject"), Edge("run", "other"))
    (problem,) = refused(model_of(RUN, SUBJECT, other, edges=edges))
    assert problem.where == 'nodes "subject" and "other"'
    assert problem.found == "both give maps of a, b for each of subject"
    with_names = replace(other, dummy_contrasts=False, contrasts=(named("neg"),))
    model = complete(model_of(RUN, SUBJECT, with_names, edges=edges))
    assert [c.label for c in estimates(model, with_names)] == ["aNeg", "bNeg"]
    assert unsound(model) == []


def test_entities_count_by_whichever_name_they_have():
    other = replace(SUBJECT, name="other", group_by=("contrast", "sub"))
    edges = (Edge("run", "subject"), Edge("run", "other"))
    (problem,) = refused(model_of(RUN, SUBJECT, other, edges=edges))
    assert problem.where == 'nodes "subject" and "other"'
    by_session = replace(GROUP, group_by=("ses", "contrast"))
    added = complete(model_of(RUN, by_session)).nodes[-1]
    assert added.group_by == ("subject", "contrast", "session")
    apart = replace(other, group_by=("sub", "ses", "contrast"))
    assert unsound(model_of(RUN, SUBJECT, apart, edges=edges)) == []


def test_nodes_over_runs_are_all_fitted_at_once_or_none():
    edges = (Edge("run", "subject"), Edge("run", "other"))
    other = replace(
        SUBJECT, name="other", group_by=("subject", "session", "contrast"),
        settings=SubjectSettings(first_level="multi-run"),
    )  # fmt: skip
    (problem,) = refused(model_of(RUN, SUBJECT, other, edges=edges))
    assert problem.where == "nodes subject, other: FirstLevel"


def test_f_over_subjects_is_refused():
    group = replace(GROUP, contrasts=(named("any", test="F"),))
    (problem,) = refused(model_of(RUN, SUBJECT, group))
    assert problem.found == "an F contrast over subjects"
