"""What a model leaves unsaid is completed; graphs that give no sound analysis are found."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from twolevel.errors import Problem
from twolevel.model.graph import (
    edges_of,
    edges_to,
    estimates,
    nodes_of_group,
    nodes_of_participants,
    run_node,
)
from twolevel.model.nodes import CONTRAST, INTERCEPT, Edge, Node
from twolevel.model.settings import SubjectSettings
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twolevel.model.nodes import StatsModel

OVER_RUNS: tuple[str, ...] = ("subject", CONTRAST)


def complete(model: StatsModel) -> StatsModel:
    """Return a sound model with a node over the runs of each subject wherever one is needed."""
    model = _with_subjects(model)
    notes = [
        Note(
            f'node "{node.name}": Type glm over the maps of a participant is taken as fixed '
            "effects",
            detail="the effect is the same; its variance is that of the runs' own errors; "
            '"Software": {"twolevel": {"Estimator": "ols"}} takes the spread of the runs',
        )
        for node in nodes_of_participants(model)
        if node.estimator == "glm" and node.subject_settings.estimator == "fixed"
    ]
    return replace(model, notes=(*model.notes, *notes))


def unsound(model: StatsModel) -> list[Problem]:
    """Refuse a group made of the group, maps of one name, F over subjects."""
    model = _with_subjects(model)
    return [*_group_of_group(model), *_clashes(model), *_at_once(model), *_f(model)]


def _with_subjects(model: StatsModel) -> StatsModel:
    """Average the runs of each subject where a node of the group gets maps of runs.

    No run may count as a subject.
    """
    run, nodes, notes = run_node(model), list(model.nodes), list(model.notes)
    edges: list[Edge] = []
    for edge in edges_of(model):
        group = next(node for node in model.nodes if node.name == edge.destination)
        if edge.source != run.name or group.level != "dataset":
            edges.append(edge)
            continue
        name = f"{group.name} subjects"
        settings, keys = SubjectSettings(), OVER_RUNS
        if "ses" in group.keys:
            keys = (*keys, "session")
        node = Node(name, "subject", keys, (INTERCEPT,), settings, dummy_contrasts=True)
        nodes.append(replace(node, estimator="meta"))
        edges += [replace(edge, destination=name), Edge(name, group.name)]
        notes.append(
            Note(
                f'node "{group.name}" gets maps of runs: the runs of a subject are averaged first '
                "(fixed effects), so that no run counts as a subject",
                detail=f'a node "{name}" of the level Subject says the same',
            )
        )
    return replace(model, nodes=tuple(nodes), edges=tuple(edges), notes=tuple(notes))


def _group_of_group(model: StatsModel) -> Iterator[Problem]:
    """Refuse nodes that take maps of the group: these have no subjects any more."""
    levels = {node.name: node.level for node in model.nodes}
    for edge in edges_of(model):
        if levels[edge.source] == "dataset":
            yield Problem(
                f'Edges: "{edge.source}" to "{edge.destination}"',
                "maps of a Dataset node as the input of another node",
                "maps of a Run, Session or Subject node",
                f'lead the edge to "{edge.destination}" from the node before "{edge.source}"; '
                "without Edges each node follows the one before it",
            )


def _clashes(model: StatsModel) -> Iterator[Problem]:
    """Refuse nodes whose maps would have the same names."""
    for one, other in combinations(nodes_of_participants(model), 2):
        if one.keys - {CONTRAST} != other.keys - {CONTRAST}:
            continue
        labels = {contrast.label for contrast in estimates(model, one)}
        both = [c for c in estimates(model, other) if c.label in labels]
        if both and other.name not in {edge.destination for edge in edges_to(model, one)}:
            yield Problem(
                f'nodes "{one.name}" and "{other.name}"',
                f"both give maps of {', '.join(c.name for c in both)} for each of "
                f"{', '.join(key for key in one.group_by if key != CONTRAST)}",
                "names of their own",
                "name the contrasts of one of them (Contrasts instead of DummyContrasts), or "
                "filter its edge",
            )


def _at_once(model: StatsModel) -> Iterator[Problem]:
    """Refuse nodes over runs that differ in whether the runs are fitted at once."""
    run = run_node(model).name
    over_runs = [
        node
        for node in nodes_of_participants(model)
        if any(edge.source == run for edge in edges_to(model, node))
    ]
    if len({node.subject_settings.first_level for node in over_runs}) > 1:
        yield Problem(
            f"nodes {', '.join(node.name for node in over_runs)}: FirstLevel",
            "per-run and multi-run",
            "one of them for all nodes over the runs",
            "state the same FirstLevel in each",
        )


def _f(model: StatsModel) -> Iterator[Problem]:
    """Refuse F over subjects."""
    for node in nodes_of_group(model):
        for contrast in node.contrasts:
            if contrast.test == "F":
                yield Problem(
                    f'node "{node.name}": contrast "{contrast.name}"',
                    "an F contrast over subjects",
                    "t contrasts in a Dataset node",
                    "ask for F at the Run, Session or Subject level, or for its rows one by one",
                )
