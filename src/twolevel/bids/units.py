"""Units: each design of a node, with the rows that it is over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twolevel.bids.entities import Entities
from twolevel.model.graph import estimated, in_order, passes, unlike
from twolevel.model.nodes import CONTRAST, ENTITY_KEYS, ContrastName
from twolevel.model.stages import stage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twolevel.model.nodes import Edge, Node, StatsModel
    from twolevel.model.stages import Stage

# What tells the rows of a design apart: a unit has it in its names only where it is grouped by it.
# Everything else that all rows share (task, space, ...) is in its names anyway.
REPEATED = ("sub", "ses", "run")


@dataclass(frozen=True)
class MapName:
    """What identifies an estimate that goes up to another node: a row of its design.

    Attributes
    ----------
    entities : Entities
        Of its unit, without the contrast.
    contrast : ContrastName
        However the node that estimated it calls it in its design.
    """

    entities: Entities
    contrast: ContrastName


@dataclass(frozen=True)
class Unit:
    """A design of a node: one for each combination of what the node is grouped by.

    Attributes
    ----------
    entities : Entities
        Of the names of its outputs.
    contrast : ContrastName or None
        That its inputs are of; None where they are of several.
    inputs : tuple of MapName
        The rows of its design.
    """

    stage: Stage
    entities: Entities
    contrast: ContrastName | None
    inputs: tuple[MapName, ...]

    @property
    def node(self) -> Node:
        """Whose design it is."""
        return self.stage.node

    @property
    def contrasts(self) -> tuple[ContrastName, ...]:
        """What is to be estimated; the data may not determine all of it."""
        return estimated(self.node, unlike(row.contrast for row in self.inputs))


def map_name(entities: Entities, contrast: ContrastName) -> MapName:
    """Name an estimate as the nodes above know it."""
    return MapName(entities, replace(contrast, own=""))


def units_of(stage: Stage, maps: Iterable[MapName]) -> tuple[Unit, ...]:
    """Group the maps that come to a node: a unit for each combination of what it is grouped by."""
    keys = stage.node.keys
    groups: dict[tuple[Entities, ContrastName | None], list[MapName]] = {}
    for found in maps:
        contrast = found.contrast if CONTRAST in keys else None
        groups.setdefault((found.entities.only(*keys), contrast), []).append(found)
    repeated = [key for key in REPEATED if key not in keys]
    return tuple(
        Unit(
            stage,
            Entities.shared([found.entities for found in group]).without(*repeated),
            contrast,
            tuple(group),
        )
        for (_, contrast), group in groups.items()
    )


def arriving_maps(stage: Stage, made: Mapping[str, Sequence[MapName]]) -> list[MapName]:
    """Return the maps that come to a node, of those that each node before it made."""
    found = [
        name
        for edge in stage.sources
        for name in made.get(edge.source, ())
        if passes(edge, name.contrast) and _has_entities(edge, name.entities)
    ]
    return list(dict.fromkeys(found))


def _has_entities(edge: Edge, entities: Entities) -> bool:
    """Tell whether maps of these entities go along an edge."""
    there = entities.normalised()
    wanted = {ENTITY_KEYS.get(key, key): labels for key, labels in edge.filters}
    return all(
        there.get(key) in {Entities({key: label}).normalised()[key] for label in labels}
        for key, labels in wanted.items()
        if key != CONTRAST
    )


def same_names(units: Mapping[str, Sequence[Unit]]) -> list[tuple[Unit, Unit, str]]:
    """Find contrasts of which two nodes, of one participant, would write maps of one name.

    Nodes that the model tells apart by what they are grouped by may have the same names in data
    without it, as in data without sessions. A node that takes the maps of the other is no such
    pair: its maps take their place.
    """
    seen: dict[tuple[Entities, str], Unit] = {}
    found = []
    for unit in (unit for of_node in units.values() for unit in of_node):
        if unit.node.level not in {"session", "subject"}:
            continue
        for contrast in unit.contrasts:
            other = seen.setdefault((unit.entities, contrast.label), unit)
            taken = {edge.source for edge in unit.stage.sources}
            if other.node is not unit.node and other.node.name not in taken:
                found.append((other, unit, contrast.name))
    return found


def expand(
    model: StatsModel, runs: Mapping[Entities, Sequence[ContrastName]]
) -> dict[str, tuple[Unit, ...]]:
    """Turn a model into units: what is going to be fitted, of which rows.

    Parameters
    ----------
    runs : mapping of Entities to sequence of ContrastName
        The contrasts that each run determines, as far as its tables tell.

    Returns
    -------
    dict of str to tuple of Unit
        By node, in the order of the graph; the units of the run node are the runs, without inputs.
    """
    units: dict[str, tuple[Unit, ...]] = {}
    made: dict[str, list[MapName]] = {}
    for node in in_order(model):
        stage = stage_of(model, node)
        if node.level == "run":
            units[node.name] = tuple(Unit(stage, entities, None, ()) for entities in runs)
            pairs = [(entities, name) for entities, names in runs.items() for name in names]
        else:
            units[node.name] = units_of(stage, arriving_maps(stage, made))
            pairs = [(unit.entities, name) for unit in units[node.name] for name in unit.contrasts]
        made[node.name] = [map_name(entities, contrast) for entities, contrast in pairs]
    return units
