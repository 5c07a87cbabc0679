"""The model as a graph: which contrasts flow where, and which unit of a node fits which rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twolevel.model.spec import ENTITY_KEYS, ContrastName, Edge, Node, Stage, stage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twolevel.model.spec import StatsModel

# What tells the rows of a design apart: a unit has it in its names only where it is grouped by it.
# Everything else that all rows share (task, space, ...) is in its names anyway.
REPEATED = frozenset({"sub", "ses", "run"})
CONTRAST = "contrast"


@dataclass(frozen=True)
class Row:
    """What a unit fits one of: the time series of a run, or a map that another unit passes on.

    Attributes
    ----------
    entities : tuple of (str, str)
        As in file names.
    contrast : ContrastName or None
        That the map is of; None for a run.
    """

    entities: tuple[tuple[str, str], ...]
    contrast: ContrastName | None = None


@dataclass(frozen=True)
class Unit:
    """A design of a node: one for each combination of what the node is grouped by.

    Attributes
    ----------
    entities : tuple of (str, str)
        As in the names of its outputs.
    inputs : tuple of Row
        The rows of its design; for a run node the one run whose volumes are the rows.
    """

    stage: Stage
    entities: tuple[tuple[str, str], ...]
    inputs: tuple[Row, ...]
    contrast: ContrastName | None = None

    @property
    def outputs(self) -> tuple[Row, ...]:
        """The maps that it passes on."""
        return tuple(
            Row(self.entities, contrast)
            for contrast in passed_on(self.stage.node, [self.contrast] if self.contrast else [])
        )


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


def units_of(stage: Stage, rows: Sequence[Row]) -> tuple[Unit, ...]:
    """Group the rows that come to a node: a unit for each combination of what it is grouped by.

    At the run level each run is a unit, whatever its name holds: time goes on within a run only.
    """
    if stage.node.level == "run":
        return tuple(Unit(stage, row.entities, (row,)) for row in rows)
    keys = {ENTITY_KEYS.get(key, key) for key in stage.node.group_by}
    groups: dict[tuple[tuple[str | None, ...], ContrastName | None], list[Row]] = {}
    for row in rows:
        entities = dict(row.entities)
        place = tuple(entities.get(key) for key in sorted(keys - {CONTRAST}))
        groups.setdefault((place, row.contrast if CONTRAST in keys else None), []).append(row)
    return tuple(
        Unit(
            stage,
            _shared([dict(row.entities) for row in group], without=REPEATED - keys),
            tuple(group),
            contrast,
        )
        for (_, contrast), group in groups.items()
    )


def expand(model: StatsModel, runs: Sequence[Row]) -> tuple[Unit, ...]:
    """Return the units of all nodes, each after those whose maps it gets.

    Parameters
    ----------
    runs : sequence of Row
        What the nodes without a source are applied to.
    """
    units: list[Unit] = []
    maps: dict[str, list[Row]] = {}
    for node in in_order(model):
        sources = [edge.source for edge in edges_of(model) if edge.destination == node.name]
        rows = [row for source in sources for row in maps[source]] if sources else list(runs)
        made = units_of(stage_of(model, node.level), rows)
        maps[node.name] = [row for unit in made for row in unit.outputs]
        units += made
    return tuple(units)


def _shared(
    names: Sequence[Mapping[str, str]], without: frozenset[str] | set[str]
) -> tuple[tuple[str, str], ...]:
    """Return the entities that all names have with one value, but for some."""
    first, *others = names
    return tuple(
        (key, value)
        for key, value in first.items()
        if key not in without and all(name.get(key) == value for name in others)
    )
