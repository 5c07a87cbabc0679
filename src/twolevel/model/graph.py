"""The model as a graph: which node gets maps from which, and of which contrasts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from twolevel.model.nodes import CONTRAST, INTERCEPT, ContrastName, Edge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from twolevel.model.nodes import Contrast, Node, StatsModel


def edges_of(model: StatsModel) -> tuple[Edge, ...]:
    """Return the edges; a model that states none joins each node to the next."""
    if model.edges:
        return model.edges
    pairs = zip(model.nodes, model.nodes[1:], strict=False)
    return tuple(Edge(source.name, destination.name) for source, destination in pairs)


def edges_to(model: StatsModel, node: Node) -> tuple[Edge, ...]:
    """Return the edges that lead to a node, in the order of the model."""
    return tuple(edge for edge in edges_of(model) if edge.destination == node.name)


def in_order(model: StatsModel) -> tuple[Node, ...]:
    """Return the nodes, each after those that it gets maps from."""
    by_name = {node.name: node for node in model.nodes}
    done: dict[str, Node] = {}

    def visit(name: str) -> None:
        for edge in edges_to(model, by_name[name]):
            if edge.source not in done:
                visit(edge.source)
        done.setdefault(name, by_name[name])

    for name in by_name:
        visit(name)
    return tuple(done.values())


def ancestors(model: StatsModel, node: Node) -> tuple[Node, ...]:
    """Return the nodes that `node` gets maps from, directly or through others, in order."""
    above = {node.name}
    for other in reversed(in_order(model)):
        if any(e.source == other.name and e.destination in above for e in edges_of(model)):
            above.add(other.name)
    return tuple(n for n in in_order(model) if n.name in above and n is not node)


def estimated(node: Node, arriving: Sequence[ContrastName]) -> tuple[ContrastName, ...]:
    """Name the contrasts that a node estimates in one of its designs.

    Parameters
    ----------
    arriving : sequence of ContrastName
        Those of the rows of the design; one, where the node is grouped by contrast. A contrast of
        the node's own has its own name; where the rows are of one contrast it is appended to the
        name of that, and the node's mean keeps the name of that alone.
    """
    if node.level == "run":
        return tuple(
            ContrastName(c.name, c.label, c.expression, c.name, c.test) for c in node.contrasts
        )
    found = [_of_node(contrast, arriving) for contrast in node.contrasts]
    own = {contrast.name for contrast in node.contrasts}
    if node.dummy_contrasts:
        found += [name for name in _dummies(node, arriving) if name.name not in own]
    return tuple(found)


def _of_node(contrast: Contrast, arriving: Sequence[ContrastName]) -> ContrastName:
    """Name a contrast of a node above the runs."""
    name, label, expression = contrast.name, contrast.label, contrast.expression
    if len(arriving) == 1 and set(contrast.variables) != {arriving[0].name}:
        (of,) = arriving
        name, label = f"{of.name} {name}", of.label + label[:1].upper() + label[1:]
        expression = f"{expression}, of {of.name}"
    return ContrastName(name, label, expression, contrast.name, contrast.test)


def _dummies(node: Node, arriving: Sequence[ContrastName]) -> Iterator[ContrastName]:
    """Name what a node passes on as it is: its mean, and the contrasts that X names."""
    by_name = {name: a for a in arriving for name in (a.label, a.name)}
    for x in node.x:
        if x == INTERCEPT and len(arriving) == 1:
            (of,) = arriving
        elif x in by_name:
            of = by_name[x]
        else:
            continue
        if not node.dummies or {of.name, of.label, x} & set(node.dummies):
            yield replace(of, own=x)


def passes(edge: Edge, contrast: ContrastName) -> bool:
    """Tell whether the maps of a contrast go along an edge: F is at the end of its way."""
    wanted = dict(edge.filters).get(CONTRAST)
    named = wanted is None or bool({contrast.name, contrast.label} & set(wanted))
    return named and contrast.test == "t"


def arriving(model: StatsModel, node: Node) -> tuple[ContrastName, ...]:
    """Name the contrasts whose maps come to a node, each once, in the order of the model."""
    by_name = {n.name: n for n in model.nodes}
    found = [
        replace(contrast, own="")
        for edge in edges_to(model, node)
        for contrast in estimates(model, by_name[edge.source])
        if passes(edge, contrast)
    ]
    return unlike(found)


def estimates(model: StatsModel, node: Node) -> tuple[ContrastName, ...]:
    """Name all contrasts that a node estimates, whatever of them the data determine."""
    there = arriving(model, node)
    if node.level == "run" or CONTRAST not in node.keys:
        return estimated(node, there)
    return unlike(name for contrast in there for name in estimated(node, [contrast]))


def unlike(names: Iterable[ContrastName]) -> tuple[ContrastName, ...]:
    """Keep the first of the contrasts of one label."""
    first: dict[str, ContrastName] = {}
    for name in names:
        first.setdefault(name.label, name)
    return tuple(first.values())


def run_node(model: StatsModel) -> Node:
    """Return the node that the runs come to: the only one that no edge leads to."""
    destinations = {edge.destination for edge in edges_of(model)}
    (root,) = (node for node in model.nodes if node.name not in destinations)
    return root


def nodes_of_participants(model: StatsModel) -> tuple[Node, ...]:
    """Return the nodes over the maps of single participants, in order."""
    return tuple(node for node in in_order(model) if node.level in {"session", "subject"})


def nodes_of_group(model: StatsModel) -> tuple[Node, ...]:
    """Return the nodes over participants, in order."""
    return tuple(node for node in in_order(model) if node.level == "dataset")


def with_found(model: StatsModel, contrasts: Iterable[Contrast]) -> StatsModel:
    """Return a model whose run node also has the contrasts that its wildcards found."""
    node = run_node(model)
    known = {contrast.label for contrast in node.contrasts}
    more = tuple(contrast for contrast in contrasts if contrast.label not in known)
    changed = replace(node, contrasts=(*node.contrasts, *more))
    return replace(model, nodes=tuple(changed if n is node else n for n in model.nodes))
