"""What BIDS Stats Models allow and this version does not carry out, named place by place."""

from __future__ import annotations

from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

from twolevel.errors import Problem
from twolevel.model.nodes import ENTITY_KEYS, INTERCEPT, is_wild
from twolevel.model.schema_messages import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import bsmschema.models as bsm

GROUP_BY = {
    "Run": ({"run", "subject"}, {"run", "subject", "session"}, {"run", "subject", "task"}),
    "Subject": ({"subject", "contrast"},),
    "Dataset": ({"contrast"},),
}
HRF_MODELS = ("spm", "glover")
MAX_CUTOFF_HZ = 1.0
LONGEST_NUMBER = 40  # characters
ALL_HRF_MODELS = tuple(
    model + more
    for model in HRF_MODELS
    for more in ("", " + derivative", " + derivative + dispersion")
)
INPUT_ENTITIES = {*ENTITY_KEYS, *ENTITY_KEYS.values()}


def unsupported(path: Path, model: bsm.BIDSStatsModel) -> Iterator[Problem]:
    """Name what a model asks for and what is not offered."""
    levels = [node.Level for node in model.Nodes]
    if levels not in (["Run", "Subject"], ["Run", "Subject", "Dataset"]):
        yield Problem(
            f"{path}: Nodes",
            " -> ".join(levels) or "none",
            "Run -> Subject, or Run -> Subject -> Dataset",
            "write one node for each of these levels, in this order",
        )
    names = [node.Name for node in model.Nodes]
    edges = [(edge.Source, edge.Destination) for edge in model.Edges or ()]
    if edges and edges != list(pairwise(names)):
        yield Problem(
            f"{path}: Edges",
            str(edges),
            "each node joined to the next",
            "leave Edges out, or join the nodes in their order",
        )
    if any(edge.Filter for edge in model.Edges or ()):
        yield Problem(
            f"{path}: Edges",
            "a Filter",
            "edges without Filter",
            "remove the Filter: every contrast goes up",
        )
    if unknown := sorted(set(model.Input or {}) - INPUT_ENTITIES):
        yield Problem(
            f"{path}: Input",
            f"entities {unknown}",
            f"some of {', '.join(ENTITY_KEYS)}",
            "select by these; the space with --space",
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield Problem(
            f"{path}: Nodes",
            f"several nodes of the name {twice}",
            "names of their own",
            "rename them",
        )
    if not model.BIDSModelVersion.startswith("1."):
        yield Problem(
            f"{path}: BIDSModelVersion",
            model.BIDSModelVersion,
            "1.0.0",
            "write the model for version 1.0.0",
        )
    for node in model.Nodes:
        place = f'{path}: node "{node.Name}"'
        yield from _in_node(place, node)
        run_node = node.Level == "Run"
        yield from (_at_run(place, node) if run_node else _above_run(place, node))


def _in_node(place: str, node: bsm.Node) -> Iterator[Problem]:
    allowed = GROUP_BY.get(node.Level, ())
    if allowed and set(node.GroupBy) not in allowed:
        yield Problem(
            f"{place}: GroupBy",
            str(node.GroupBy),
            str(sorted(allowed[0])),
            f"group the {node.Level} node by these",
        )
    if node.Model.Formula is not None:
        yield Problem(
            f"{place}: Formula", node.Model.Formula, "no Formula", "list the columns in X"
        )
    options = node.Model.Options
    cutoff = options.HighPassFilterCutoffHz if options is not None else None
    if cutoff is not None and not (0 < cutoff < MAX_CUTOFF_HZ and node.Level == "Run"):
        yield Problem(
            f"{place}: HighPassFilterCutoffHz",
            str(cutoff),
            "a frequency in Hz above 0, at the run level only",
            "correct or remove it",
        )
    for key in ("LowPassFilterCutoffHz", "ReplaceVariables", "Mask", "Aggregate"):
        if options is not None and getattr(options, key) not in (None, "none"):
            yield Problem(
                f"{place}: Options.{key}",
                str(getattr(options, key)),
                "no such option",
                "remove it: it is not carried out",
            )
    tests = [c.Test for c in node.Contrasts or ()]
    tests += [node.DummyContrasts.Test] if node.DummyContrasts else []
    if other := sorted(set(tests) - {"t"}):
        yield Problem(f"{place}: contrasts", f"Test {other}", 'Test "t"', "use t contrasts")


def _at_run(place: str, node: bsm.Node) -> Iterator[Problem]:
    if node.Model.Type != "glm":
        yield Problem(f"{place}: Type", node.Model.Type, "glm", "use glm")
    hrf = node.Model.HRF
    if hrf is not None and (hrf.Model.lower() not in ALL_HRF_MODELS or hrf.Parameters):
        yield Problem(
            f"{place}: HRF",
            f"{hrf.Model!r} with Parameters {hrf.Parameters}",
            f"one of {ALL_HRF_MODELS}, without Parameters",
            "choose one of these",
        )
    known = {str(x) for x in node.Model.X}
    named = {
        f'contrast "{c.Name}"': [str(n) for n in c.ConditionList] for c in node.Contrasts or ()
    }
    if node.DummyContrasts and node.DummyContrasts.Contrasts:
        named["DummyContrasts"] = [str(n) for n in node.DummyContrasts.Contrasts]
    if hrf is not None:
        named["HRF"] = list(hrf.Variables)
    wild = any(is_wild(x) for x in known)
    for what, names in named.items():
        strange = [name for name in names if name not in known]
        if strange and not wild:
            yield Problem(
                f"{place}: {what}",
                f"variables {strange}",
                f"variables of X: {sorted(known)}",
                "correct the names",
            )
        if len(set(names)) < len(names) or not names:
            yield Problem(
                f"{place}: {what}",
                f"variables {names}",
                "at least one, and each once",
                "correct the list",
            )
    for contrast in node.Contrasts or ():
        yield from _bad_weights(f'{place}: contrast "{contrast.Name}"', contrast)


def _bad_weights(place: str, contrast: bsm.Contrast) -> Iterator[Problem]:
    weights = weights_of(contrast)
    try:
        numbers = [number_of(weight) for weight in weights]
    except ValueError:
        numbers = []
    if len(numbers) != len(contrast.ConditionList) or not any(numbers):
        yield Problem(
            place,
            f"Weights {shown(contrast.Weights)}",
            f"{len(contrast.ConditionList)} numbers (or fractions as text), one a condition",
            "write as many weights as conditions, not all of them 0",
        )


def number_of(weight: float | str) -> float:
    """Read a weight: a number, or a fraction as text.

    Parameters
    ----------
    weight : float or str
        ``0.5``, ``"1/3"``.

    Returns
    -------
    float
        Finite.

    Raises
    ------
    ValueError
        It is no such number.
    """
    numerator, _, denominator = str(weight).partition("/")
    try:
        number = float(numerator) / float(denominator or "1")
    except (ZeroDivisionError, OverflowError) as error:
        raise ValueError(str(error)) from error
    if not isfinite(number) or len(str(weight)) > LONGEST_NUMBER:
        raise ValueError("no finite number")
    return number


def weights_of(contrast: bsm.Contrast) -> list[Any]:
    """Return the weights of a t contrast, which may be a matrix of one row; empty for several."""
    weights = contrast.Weights
    if weights and isinstance(weights[0], list):
        return list(weights[0]) if len(weights) == 1 else []
    return list(weights)


def _above_run(place: str, node: bsm.Node) -> Iterator[Problem]:
    if node.Level == "Dataset" and node.Model.Type != "glm":
        yield Problem(f"{place}: Type", node.Model.Type, "glm: ordinary least squares", "use glm")
    if [str(x) for x in node.Model.X] != [INTERCEPT]:
        yield Problem(
            f"{place}: X",
            str(node.Model.X),
            "[1]: the mean",
            "only the mean over runs and over subjects is offered",
        )
    if node.Contrasts or node.DummyContrasts is None or node.DummyContrasts.Contrasts:
        yield Problem(
            f"{place}: contrasts",
            "named contrasts, or no DummyContrasts",
            '"DummyContrasts": {"Test": "t"}',
            "let every contrast from below go on under its own name",
        )
    if node.Transformations is not None or node.Model.HRF is not None:
        yield Problem(f"{place}", "Transformations or HRF", "none above the run", "remove them")
