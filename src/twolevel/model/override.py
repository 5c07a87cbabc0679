"""Options of the command line that replace what the model file says."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from twolevel.errors import InputError, Problem
from twolevel.model.spec import GroupSettings, RunSettings, SubjectSettings

if TYPE_CHECKING:
    from twolevel.model.spec import Node, StatsModel


def override(model: StatsModel, options: dict[str, Any]) -> StatsModel:
    """Replace settings of the nodes, and record what was replaced.

    Parameters
    ----------
    options : dict of str to value
        Names of fields of `RunSettings`, `SubjectSettings` and `GroupSettings`; None is skipped.
        ``alpha`` applies to every test but ``fpr``, whose rate is per voxel.

    Raises
    ------
    InputError
        An option is for a level that the model does not have.
    """
    given = {name: value for name, value in options.items() if value is not None}
    known = {f.name for node in model.nodes for f in fields(node.settings)}
    if unknown := sorted(set(given) - known):
        raise InputError(
            [
                Problem(
                    f"--{name.replace('_', '-')}",
                    f'an option for a level that the model "{model.name}" does not have',
                    "a model with a Dataset node",
                    "add the node or leave the option out",
                )
                for name in unknown
            ]
        )
    nodes = tuple(_override_node(node, given) for node in model.nodes)
    return replace(model, nodes=nodes, overrides=tuple(sorted(given.items())))


def _override_node(node: Node, given: dict[str, Any]) -> Node:
    settings = node.settings
    here = {f.name: given[f.name] for f in fields(settings) if f.name in given}
    changed: RunSettings | SubjectSettings | GroupSettings = replace(settings, **here)
    if isinstance(changed, GroupSettings) and "alpha" in here:
        tests = tuple(t if t.test == "fpr" else replace(t, alpha=None) for t in changed.tests)
        changed = replace(changed, tests=tests)
    return replace(node, settings=changed)
