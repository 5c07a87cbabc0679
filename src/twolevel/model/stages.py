"""What a step has to know of the model, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from twolevel.model.graph import ancestors, edges_to, run_node
from twolevel.model.nodes import Scope, Transformation

if TYPE_CHECKING:
    from twolevel.model.nodes import Edge, Node, StatsModel


@dataclass(frozen=True)
class Stage:
    """What the steps of one node have to know of the model.

    Attributes
    ----------
    overrides : tuple of (str, value)
        Options that replaced settings of this node.
    digest : str
        Changes with everything, in this node and those it gets maps from, that changes numbers.
    scope : Scope
        Of the data.
    sources : tuple of Edge
        Those that lead to the node.
    smoothing_fwhm_mm : float
        Of the runs.
    """

    model_name: str
    node: Node
    overrides: tuple[tuple[str, Any], ...]
    digest: str
    scope: Scope = Scope()
    sources: tuple[Edge, ...] = ()
    smoothing_fwhm_mm: float = 0.0


def stage_of(model: StatsModel, node: Node) -> Stage:
    """Cut from a model what a node of it needs.

    A change in nodes that get maps from it then leaves its results valid.
    """
    names = {f.name for f in fields(node.settings)} | ({"seed"} if node.level == "run" else set())
    lineage = (*ancestors(model, node), node)
    # An edge without a filter says no more than the order of the nodes does.
    filters = tuple(edge for n in lineage for edge in edges_to(model, n) if edge.filters)
    return Stage(
        model.name,
        node,
        tuple(item for item in model.overrides if item[0] in names),
        digest_of(lineage, filters),
        model.scope,
        edges_to(model, node),
        run_node(model).run_settings.smoothing_fwhm_mm,
    )


def digest_of(nodes: tuple[Node, ...], filters: tuple[Edge, ...] = ()) -> str:
    """Make a digest of what nodes say.

    A value that is the default is not said: a stated one counts as much as an unstated one, and a
    field that is new, with a default, leaves every digest as it is. A default that changes gives
    other numbers the same digest: maps of another version of the program are refused anyway.
    Contrasts that a wildcard found in the data are not said either.

    Parameters
    ----------
    nodes : tuple of Node
        A node, after those it gets maps from.
    filters : tuple of Edge
        Those edges between them that let only a part through.
    """
    stated = tuple(
        replace(node, contrasts=tuple(c for c in node.contrasts if not c.found)) for node in nodes
    )
    said = json.dumps(
        _said(stated) + _said(filters), sort_keys=True, separators=(",", ":"), allow_nan=False
    )
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
