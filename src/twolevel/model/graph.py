"""The model as a graph: which node gets maps from which, and of which contrasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.model.nodes import ContrastName, Edge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twolevel.model.nodes import Node, StatsModel


def edges_of(model: StatsModel) -> tuple[Edge, ...]:
    """Return the edges; a model that states none joins each node to the next."""
    if model.edges:
        return model.edges
    pairs = zip(model.nodes, model.nodes[1:], strict=False)
    return tuple(Edge(source.name, destination.name) for source, destination in pairs)


def in_order(model: StatsModel) -> tuple[Node, ...]:
    """Return the nodes, each after those that it gets maps from."""
    by_name = {node.name: node for node in model.nodes}
    done: dict[str, Node] = {}

    def visit(name: str) -> None:
        for edge in edges_of(model):
            if edge.destination == name and edge.source not in done:
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


def passed_on(node: Node, arriving: Iterable[ContrastName]) -> Iterator[ContrastName]:
    """Name the contrasts that a node passes on, of those that arrive."""
    if node.level == "run":
        yield from (ContrastName(c.name, c.label, c.expression) for c in node.contrasts)
    elif node.dummy_contrasts:
        yield from arriving


def arriving(model: StatsModel, node: Node) -> tuple[ContrastName, ...]:
    """Name the contrasts whose maps come to a node, each once, in the order of the model."""
    by_name = {n.name: n for n in model.nodes}
    found = [
        contrast
        for edge in edges_of(model)
        if edge.destination == node.name
        for contrast in passed_on(by_name[edge.source], arriving(model, by_name[edge.source]))
    ]
    return tuple(dict.fromkeys(found))


def run_node(model: StatsModel) -> Node:
    """Return the node that the runs come to: the only one that no edge leads to."""
    destinations = {edge.destination for edge in edges_of(model)}
    (root,) = (node for node in model.nodes if node.name not in destinations)
    return root
