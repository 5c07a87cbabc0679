"""Writing a model in the strict form of BIDS Stats Models 1.0.0."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twolevel.model.declared import checker
from twolevel.model.labels import contrast_label
from twolevel.model.nodes import INTERCEPT, Contrast, is_wild
from twolevel.model.transformations.instruction import Instruction
from twolevel.model.transformations.reading import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twolevel.model.nodes import Edge, Hrf, Node, StatsModel

WIDTH = 96  # of a line that holds a list or an object as a whole


def model_content(model: StatsModel) -> dict[str, Any]:
    """Return what the file of a model holds.

    Reading that gives the same model, but for notes, and for what no file states: options of the
    command line and the data that it is applied to. Settings that are the default are not written.

    Parameters
    ----------
    model : StatsModel

    Returns
    -------
    dict
        As `read_model` takes it, in JSON or YAML.
    """
    content: dict[str, Any] = {"Name": model.name, "BIDSModelVersion": "1.0.0"}
    if model.description:
        content["Description"] = model.description
    if model.inputs:
        content["Input"] = {entity: list(values) for entity, values in model.inputs}
    content["Nodes"] = [_node(node) for node in model.nodes]
    if model.edges:
        content["Edges"] = [_edge(edge) for edge in model.edges]
    return content


def as_text(content: Any) -> str:
    """Write JSON for people: what is short stays on a line of its own."""
    return f"{_lines(content, 0)}\n"


def _lines(item: Any, indent: int, before: int = 0) -> str:
    """Write a value that stands behind so many characters on its line."""
    flat = json.dumps(item, ensure_ascii=False)
    if not isinstance(item, (dict, list)) or indent + before + len(flat) < WIDTH:
        return flat
    inner, outer = " " * (indent + 2), " " * indent
    if isinstance(item, list):
        parts = [f"{inner}{_lines(value, indent + 2)}" for value in item]
        return "[\n" + ",\n".join(parts) + f"\n{outer}]"
    named = [(f"{json.dumps(key, ensure_ascii=False)}: ", value) for key, value in item.items()]
    parts = [f"{inner}{key}{_lines(value, indent + 2, len(key))}" for key, value in named]
    return "{\n" + ",\n".join(parts) + f"\n{outer}}}"


def _node(node: Node) -> dict[str, Any]:
    content: dict[str, Any] = {
        "Level": node.level.capitalize(),
        "Name": node.name,
        "GroupBy": list(node.group_by),
    }
    if node.instructions:
        content["Transformations"] = {
            "Transformer": "pybids-transforms-v1",
            "Instructions": [
                written(step) for step in node.instructions if isinstance(step, Instruction)
            ],
        }
    content["Model"] = _model(node)
    named = _named(node)
    if named:
        content["Contrasts"] = [_contrast(contrast) for contrast in named]
    if node.dummy_contrasts:
        content["DummyContrasts"] = {"Test": node.dummy_test}
        if node.dummies:
            content["DummyContrasts"]["Contrasts"] = _variables(node.dummies)
    return content


def _model(node: Node) -> dict[str, Any]:
    content: dict[str, Any] = {"Type": node.estimator, "X": _variables(node.x)}
    if node.formula is not None:
        content["Formula"] = node.formula
    if node.hrf is not None:
        content["HRF"] = _hrf(node.hrf)
    options = {
        "HighPassFilterCutoffHz": node.high_pass_hz,
        "LowPassFilterCutoffHz": node.low_pass_hz,
    }
    if stated := {key: value for key, value in options.items() if value is not None}:
        content["Options"] = stated
    settings = checker(type(node.settings)).dump_python(
        node.settings, mode="json", exclude_defaults=True
    )
    if settings:
        content["Software"] = {"twolevel": settings}
    return content


def _variables(names: tuple[str, ...]) -> list[str | int]:
    return [int(name) if name == INTERCEPT else name for name in names]


def _hrf(hrf: Hrf) -> dict[str, Any]:
    content: dict[str, Any] = {"Variables": list(hrf.variables), "Model": hrf.model}
    if hrf.fir_delays:
        content["Parameters"] = {"FirDelays": list(hrf.fir_delays)}
    return content


def _edge(edge: Edge) -> dict[str, Any]:
    content: dict[str, Any] = {"Source": edge.source, "Destination": edge.destination}
    if edge.filters:
        content["Filter"] = {entity: list(values) for entity, values in edge.filters}
    return content


def _contrast(contrast: Contrast) -> dict[str, Any]:
    rows = [[_number(weight) for weight in row.values()] for row in contrast.rows]
    return {
        "Name": contrast.name,
        "ConditionList": _variables(contrast.variables),
        "Weights": rows[0] if contrast.test == "t" else rows,
        "Test": contrast.test,
    }


def _number(weight: float) -> float:
    return int(weight) if weight.is_integer() else weight


def _named(node: Node) -> tuple[Contrast, ...]:
    """Return the contrasts that DummyContrasts does not stand for: those before the others."""
    stated = tuple(contrast for contrast in node.contrasts if not contrast.found)
    for n in range(len(stated) + 1):
        names = {contrast.name for contrast in stated[:n]}
        rest = tuple(c for c in _dummies(node) if c.name not in names)
        if stated[:n] + rest == stated:
            return stated[:n]
    return stated


def _dummies(node: Node) -> Iterator[Contrast]:
    """Make the contrasts that DummyContrasts stands for at the run level."""
    if node.dummy_contrasts and node.level == "run":
        for name in node.dummies or [x for x in node.x if x != INTERCEPT and not is_wild(x)]:
            yield Contrast(name, contrast_label(name), ((name, (1.0,)),), node.dummy_test)
