"""Reading BIDS Stats Models."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bsmschema.models as bsm
import yaml
from pydantic import BaseModel, ValidationError

from twolevel.errors import ModelError, Problem
from twolevel.model.labels import contrast_label
from twolevel.model.software import settings_of
from twolevel.model.spec import INTERCEPT, Contrast, Edge, Hrf, Instruction, Node, StatsModel

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_model", "presets", "read_model"]

LEVELS = ("Run", "Subject", "Dataset")
GROUP_BY = {
    "Run": ({"run", "subject"}, {"run", "subject", "session"}, {"run", "subject", "task"}),
    "Subject": ({"subject", "contrast"},),
    "Dataset": ({"contrast"},),
}
INSTRUCTIONS = {
    "Factor": {"Name", "Input"},
    "Convolve": {"Name", "Input", "Model", "Derivative", "Dispersion"},
}
HRF_MODELS = ("spm", "glover")
MAX_CUTOFF_HZ = 1.0
ALL_HRF_MODELS = tuple(
    model + more
    for model in HRF_MODELS
    for more in ("", " + derivative", " + derivative + dispersion")
)
INPUT_ENTITIES = {"task", "subject", "session", "run"}


def presets() -> dict[str, Path]:
    """Return the models that come with the package, by name.

    Returns
    -------
    dict of str to Path
    """
    folder = Path(str(resources.files("twolevel.model") / "presets"))
    return {path.name.removesuffix("_smdl.json"): path for path in sorted(folder.glob("*.json"))}


def find_model(name: str | None, bids_dir: Path) -> Path:
    """Find the model file that a user means.

    Parameters
    ----------
    name : str or None
        A file, the name of a preset, or None for the one model under ``models/`` of the dataset.
    bids_dir : Path
        The raw dataset.

    Returns
    -------
    Path

    Raises
    ------
    ModelError
        There is no such file, or not exactly one.
    """
    there = presets()
    if name is None:
        found = sorted(
            path
            for path in (bids_dir / "models").glob("*")
            if path.suffix in {".json", ".yaml", ".yml"}
        )
        if len(found) == 1:
            return found[0]
        raise ModelError(
            Problem(
                "--model",
                f"no --model, and {len(found)} model files under {bids_dir / 'models'}",
                "a model: a BIDS Stats Model file, or the name of a preset",
                f"give --model FILE, or --model with one of: {', '.join(there)}",
            )
        )
    if Path(name).is_file():
        return Path(name)
    if name in there:
        return there[name]
    raise ModelError(
        Problem(
            f"--model {name}",
            "neither a file nor a preset",
            f"a BIDS Stats Model file (JSON or YAML), or one of: {', '.join(there)}",
            "check the path",
        )
    )


def read_model(path: Path | str) -> StatsModel:
    """Read a BIDS Stats Model.

    Parameters
    ----------
    path : Path or str
        JSON or YAML, version 1.0.0 of the standard.

    Returns
    -------
    StatsModel

    Raises
    ------
    ModelError
        The file is no valid model, or asks for something that is not offered; every place at once.
    """
    path = Path(path)
    content = _load(path)
    try:
        parsed = bsm.BIDSStatsModel.model_validate(content)
    except ValidationError as error:
        raise ModelError(list(_schema_problems(path, "", error))) from error
    problems = [
        Problem(
            f"{path}: {place}",
            "an unknown key",
            "a key of BIDS Stats Models 1.0.0",
            "correct the spelling or remove it",
        )
        for place in _unknown_keys(content, parsed)
    ]
    problems.extend(_unsupported(path, parsed))
    if problems:
        raise ModelError(problems)
    try:
        nodes = tuple(_node(node) for node in parsed.Nodes)
    except ValidationError as error:
        raise ModelError(list(_schema_problems(path, "Software.twolevel: ", error))) from error
    model = StatsModel(
        name=parsed.Name,
        description=parsed.Description or "",
        nodes=nodes,
        edges=tuple(Edge(e.Source, e.Destination) for e in parsed.Edges or ()),
        inputs=tuple(
            (entity, tuple(str(value) for value in values))
            for entity, values in (parsed.Input or {}).items()
        ),
    )
    if clashes := list(_label_clashes(path, model)):
        raise ModelError(clashes)
    return model


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelError(
            Problem(str(path), "no such file", "a BIDS Stats Model", "check the path")
        )
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text) if path.suffix in {".yaml", ".yml"} else json.loads(text)
    except (json.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(
            Problem(
                str(path), f"no valid JSON or YAML: {error}", "a BIDS Stats Model", "correct it"
            )
        ) from error
    if not isinstance(content, dict):
        raise ModelError(
            Problem(str(path), f"a {type(content).__name__}", "an object with Nodes", "correct it")
        )
    return content


def _schema_problems(path: Path, prefix: str, error: ValidationError) -> Iterator[Problem]:
    for detail in error.errors():
        place = ".".join(str(part) for part in detail["loc"])
        yield Problem(
            f"{path}: {prefix}{place}",
            repr(detail["input"])[:80],
            detail["msg"],
            "correct the model file",
        )


def _unknown_keys(content: object, parsed: object, place: str = "") -> Iterator[str]:
    """Name the keys of the file that the schema dropped without a word."""
    if isinstance(parsed, BaseModel) and isinstance(content, dict):
        for key, value in content.items():
            here = f"{place}.{key}".lstrip(".")
            if key not in type(parsed).model_fields:
                yield here
            else:
                yield from _unknown_keys(value, getattr(parsed, key), here)
    elif isinstance(parsed, list) and isinstance(content, list):
        for index, (value, item) in enumerate(zip(content, parsed, strict=True)):
            yield from _unknown_keys(value, item, f"{place}[{index}]")


def _unsupported(path: Path, model: bsm.BIDSStatsModel) -> Iterator[Problem]:
    """Name what the standard allows and this version does not carry out."""
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
            f"some of {sorted(INPUT_ENTITIES)}",
            "select by these, or with options of the command line",
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
        yield from _unsupported_in_node(place, node)
        run_node = node.Level == "Run"
        yield from (
            _unsupported_at_run(place, node) if run_node else _unsupported_above(place, node)
        )


def _unsupported_in_node(place: str, node: bsm.Node) -> Iterator[Problem]:
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


def _unsupported_at_run(place: str, node: bsm.Node) -> Iterator[Problem]:
    if node.Model.Type != "glm":
        yield Problem(f"{place}: Type", node.Model.Type, "glm", "use glm")
    for step in node.Transformations.Instructions if node.Transformations else ():
        yield from _unsupported_instruction(place, step)
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
    wild = any("*" in x or "?" in x for x in known)
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
    weights = _one_row(contrast)
    try:
        numbers = [float(Fraction(str(weight))) for weight in weights]
    except (ValueError, ZeroDivisionError):
        numbers = []
    if len(numbers) != len(contrast.ConditionList):
        yield Problem(
            place,
            f"Weights {contrast.Weights}",
            f"{len(contrast.ConditionList)} numbers (or fractions as text), one a condition",
            "write as many weights as conditions",
        )


def _unsupported_instruction(place: str, step: object) -> Iterator[Problem]:
    if not isinstance(step, dict) or not _is_names(step.get("Input")):
        yield Problem(
            f"{place}: Transformations",
            f"instruction {step!r}",
            '{"Name": ..., "Input": [names of variables]}',
            "correct the instruction",
        )
        return
    keys = INSTRUCTIONS.get(str(step.get("Name")))
    if keys is None:
        yield Problem(
            f"{place}: Transformations",
            f"instruction {step.get('Name')!r}",
            f"one of {sorted(INSTRUCTIONS)}",
            "prepare that variable in the events",
        )
        return
    if unknown := sorted(set(step) - keys):
        yield Problem(
            f"{place}: {step['Name']}", f"keys {unknown}", f"some of {sorted(keys)}", "remove them"
        )
    if step["Name"] == "Convolve" and step.get("Model", "spm") not in HRF_MODELS:
        yield Problem(
            f"{place}: Convolve",
            f"Model {step['Model']!r}",
            f"one of {HRF_MODELS}",
            "choose one of these",
        )


def _is_names(value: object) -> bool:
    if isinstance(value, str):
        return bool(value)
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _one_row(contrast: bsm.Contrast) -> list[Any]:
    """Return the weights of a t contrast, which may be written as a matrix of one row."""
    weights = contrast.Weights
    if weights and isinstance(weights[0], list):
        return list(weights[0]) if len(weights) == 1 else []
    return list(weights)


def _unsupported_above(place: str, node: bsm.Node) -> Iterator[Problem]:
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


def _node(node: bsm.Node) -> Node:
    software = (node.Model.Software or {}).get("twolevel", {})
    steps = node.Transformations.Instructions if node.Transformations else ()
    hrf = node.Model.HRF
    return Node(
        name=node.Name,
        level=node.Level.lower(),
        group_by=tuple(node.GroupBy),
        x=tuple(str(x) for x in node.Model.X),
        settings=settings_of(node.Level, software),
        instructions=tuple(_instruction(step) for step in steps),
        hrf=Hrf(tuple(hrf.Variables), hrf.Model.lower()) if hrf else None,
        contrasts=tuple(_contrasts(node)),
        dummy_contrasts=node.DummyContrasts is not None,
        estimator=node.Model.Type,
        high_pass_hz=node.Model.Options.HighPassFilterCutoffHz if node.Model.Options else None,
    )


def _instruction(step: dict[str, Any]) -> Instruction:
    inputs = step.get("Input", [])
    parameters = {}
    if step["Name"] == "Convolve":
        parts = [step.get("Model", "spm")]
        parts += ["derivative"] if step.get("Derivative") or step.get("Dispersion") else []
        parts += ["dispersion"] if step.get("Dispersion") else []
        parameters["Model"] = " + ".join(parts)
    return Instruction(
        step["Name"],
        (inputs,) if isinstance(inputs, str) else tuple(inputs),
        tuple(parameters.items()),
    )


def _contrasts(node: bsm.Node) -> Iterator[Contrast]:
    for contrast in node.Contrasts or ():
        pairs = zip(contrast.ConditionList, _one_row(contrast), strict=True)
        yield Contrast(
            contrast.Name,
            contrast_label(contrast.Name),
            tuple((str(name), (float(Fraction(str(weight))),)) for name, weight in pairs),
            contrast.Test,
        )
    if node.DummyContrasts and node.Level == "Run":
        plain = [str(x) for x in node.Model.X if str(x) != INTERCEPT and "*" not in str(x)]
        for name in node.DummyContrasts.Contrasts or plain:
            yield Contrast(str(name), contrast_label(str(name)), ((str(name), (1.0,)),), "t")


def _label_clashes(path: Path, model: StatsModel) -> Iterator[Problem]:
    for node in model.nodes:
        seen: dict[str, str] = {}
        if node.level == "run" and not node.contrasts:
            yield Problem(
                f'{path}: node "{node.name}"',
                "no contrast",
                "at least one contrast",
                "add Contrasts or DummyContrasts",
            )
        for contrast in node.contrasts:
            if not contrast.label or contrast.label in seen:
                yield Problem(
                    f'{path}: contrast "{contrast.name}"',
                    f'the label "{contrast.label}", as of "{seen.get(contrast.label, "")}"',
                    "a label of letters and digits that no other contrast has",
                    "rename the contrast",
                )
            seen[contrast.label] = contrast.name
