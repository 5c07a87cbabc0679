"""Values that replace what the model file says."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from twolevel.errors import InputError, Problem, did_you_mean
from twolevel.model.confound_options import unfit_confounds
from twolevel.model.declared import checker, declared
from twolevel.model.schema_messages import schema_problems
from twolevel.model.settings import SETTINGS, GroupSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twolevel.model.nodes import StatsModel
    from twolevel.model.settings import Settings


def override(
    model: StatsModel, settings: Mapping[str, Any], *, seed: int | None = None
) -> StatsModel:
    """Replace settings of the nodes, and record what was replaced.

    Parameters
    ----------
    settings : mapping of str to value
        Names of fields of `RunSettings`, `SubjectSettings` and `GroupSettings`; None is skipped.
        ``alpha`` applies to every test but ``fpr``, whose rate is per voxel.
    seed : int, optional
        Of what is random in the runs.

    Raises
    ------
    InputError
        There is no such setting, no node that it belongs to, or a value is not allowed.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    problems = list(_without_node(model, given))
    nodes, stated = [], {}
    for node in model.nodes:
        names = [f.name for f in fields(node.settings) if f.name in given]
        checks = checker(type(node.settings))
        try:
            new = checks.validate_python(
                {name: given[name] for name in names}, by_alias=False, by_name=True
            )
        except ValidationError as error:
            problems.extend(schema_problems("settings: ", given, error))
            continue
        as_json = checks.dump_python(new, mode="json", by_alias=False)
        stated.update({name: as_json[name] for name in names})
        replaced = _replace(node.settings, {name: getattr(new, name) for name in names})
        problems.extend(unfit_confounds(replaced))
        nodes.append(replace(node, settings=replaced))
    if problems:
        raise InputError(problems)
    if seed is not None:
        nodes = [replace(node, seed=seed) if node.level == "run" else node for node in nodes]
        stated["seed"] = seed
    return replace(model, nodes=tuple(nodes), overrides=tuple(sorted(stated.items())))


def _without_node(model: StatsModel, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Name the settings that do not exist, and those for a level that the model does not have."""
    every = {one.name: one for cls in SETTINGS.values() for one in declared(cls)}
    here = {f.name for node in model.nodes for f in fields(node.settings)}
    for name in sorted(set(given) - here):
        if name in every:
            yield Problem(
                every[name].flags[0] if every[name].option else f"settings: {name}",
                f'an option for a level that the model "{model.name}" does not have',
                "a model with a Dataset node",
                "add the node or leave the option out",
            )
        else:
            yield Problem(
                f"settings: {name}",
                "no such setting",
                f"some of {', '.join(every)}",
                did_you_mean(name, every) or "correct the spelling or leave it out",
            )


def _replace(settings: Settings, new: Mapping[str, Any]) -> Settings:
    changed: Settings = replace(settings, **new)
    if isinstance(changed, GroupSettings) and "alpha" in new and "tests" not in new:
        tests = tuple(t if t.test == "fpr" else replace(t, alpha=None) for t in changed.tests)
        changed = replace(changed, tests=tests)
    return changed
