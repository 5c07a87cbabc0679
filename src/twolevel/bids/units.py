"""Units: each design of a node, with the rows that it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twolevel.bids.entities import Entities
from twolevel.model.nodes import ENTITY_KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twolevel.model.nodes import ContrastName, Node
    from twolevel.model.stages import Stage

# What tells the rows of a design apart: a unit has it in its names only where it is grouped by it.
# Everything else that all rows share (task, space, ...) is in its names anyway.
REPEATED = ("sub", "ses", "run")
CONTRAST = "contrast"


@dataclass(frozen=True)
class StatMap:
    """A map that goes up to another node: a row of its design.

    Attributes
    ----------
    entities : Entities
        Of its unit, without the contrast.
    path, mask : Path
        The map, and the mask that belongs to it.
    """

    entities: Entities
    contrast: ContrastName
    path: Path
    mask: Path


@dataclass(frozen=True)
class Unit:
    """A design of a node: one for each combination of what the node is grouped by.

    Attributes
    ----------
    entities : Entities
        Of the names of its outputs.
    contrast : ContrastName or None
        That its inputs are of; None where they are of several.
    inputs : tuple of StatMap
        The rows of its design.
    """

    stage: Stage
    entities: Entities
    contrast: ContrastName | None
    inputs: tuple[StatMap, ...]

    @property
    def node(self) -> Node:
        """Whose design it is."""
        return self.stage.node

    @property
    def digest(self) -> str:
        """Changes with whatever changes numbers, in the node and in those before it."""
        return self.stage.digest


def units_of(stage: Stage, maps: Sequence[StatMap]) -> tuple[Unit, ...]:
    """Group the maps that come to a node: a unit for each combination of what it is grouped by."""
    keys = {ENTITY_KEYS.get(key, key) for key in stage.node.group_by}
    groups: dict[tuple[Entities, ContrastName | None], list[StatMap]] = {}
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
