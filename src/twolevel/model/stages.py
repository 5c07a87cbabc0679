"""What a step has to know of the model, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from twolevel.model.graph import ancestors
from twolevel.model.nodes import Scope, Transformation

if TYPE_CHECKING:
    from twolevel.model.nodes import Level, Node, StatsModel


@dataclass(frozen=True)
class Stage:
    """What a step of one level has to know of the model.

    Attributes
    ----------
    overrides : tuple of (str, value)
        Options that replaced settings of this node.
    digest : str
        Changes with everything, in this node and those it gets maps from, that changes numbers.
    scope : Scope
        Of the data.
    """

    model_name: str
    node: Node
    overrides: tuple[tuple[str, Any], ...]
    digest: str
    scope: Scope = Scope()


def stage_of(model: StatsModel, level: Level) -> Stage:
    """Cut from a model what the node of one level needs.

    A change in nodes that get maps from it then leaves its results valid.

    Parameters
    ----------
    level : {"run", "subject", "dataset"}
        The model has a node of it.
    """
    node = next(node for node in model.nodes if node.level == level)
    names = {f.name for f in fields(node.settings)} | ({"seed"} if level == "run" else set())
    return Stage(
        model.name,
        node,
        tuple(item for item in model.overrides if item[0] in names),
        digest_of((*ancestors(model, node), node)),
        model.scope,
    )


def digest_of(nodes: tuple[Node, ...]) -> str:
    """Make a digest of what nodes say.

    A value that is the default is not said: a stated one counts as much as an unstated one, and a
    field that is new, with a default, leaves every digest as it is. A default that changes gives
    other numbers the same digest: maps of another version of the program are refused anyway.

    Parameters
    ----------
    nodes : tuple of Node
        A node, after those it gets maps from.
    """
    said = json.dumps(_said(nodes), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _said(value: Any) -> Any:
    """Write as JSON what differs from the default; numbers that are equal are written alike."""
    if is_dataclass(value):
        pairs = ((f, getattr(value, f.name)) for f in fields(value))
        said = {f.name: _said(v) for f, v in pairs if f.default is MISSING or v != f.default}
        return {type(value).__name__: said} if isinstance(value, Transformation) else said
    if isinstance(value, tuple):
        return [_said(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
