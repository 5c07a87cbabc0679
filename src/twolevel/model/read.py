"""Reading BIDS Stats Models."""

from __future__ import annotations

from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bsmschema.models as bsm
from pydantic import BaseModel, ValidationError

from twolevel.errors import ModelError, Problem, Problems
from twolevel.files.plain_text import MOST_VALUES, parse_json, parse_yaml
from twolevel.model.confound_options import unfit_confounds
from twolevel.model.declared import checker, declared
from twolevel.model.labels import contrast_label
from twolevel.model.nodes import (
    ENTITY_KEYS,
    INTERCEPT,
    Contrast,
    Edge,
    Hrf,
    Node,
    StatsModel,
    is_wild,
)
from twolevel.model.schema_messages import schema_problems, unknown_key
from twolevel.model.settings import SETTINGS
from twolevel.model.supported import number_of, unsupported, weights_of
from twolevel.model.transformations.reading import read_instructions

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_BYTES = 2**24  # 16 MiB: no model is longer


def presets() -> dict[str, Path]:
    """Return the models that come with the package, by name."""
    folder = Path(str(resources.files("twolevel.model") / "presets"))
    return {path.name.removesuffix("_smdl.json"): path for path in sorted(folder.glob("*.json"))}


def find_model(name: str | None, bids_dir: Path) -> Path:
    """Find the model file that a user means: a file, a preset, or None for the dataset's own.

    Raises
    ------
    ModelError
        There is no such file, or not exactly one under ``models/`` of the dataset.
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
        raise ModelError(list(schema_problems(f"{path}: ", content, error))) from error
    problems = list(_unknown_keys(path, content, parsed))
    problems.extend(unsupported(path, parsed))
    if problems:
        raise ModelError(problems)
    collected = Problems()
    attempts = [collected.attempt(partial(_node, path, node)) for node in parsed.Nodes]
    if collected.found:
        raise ModelError(collected.found)
    nodes = tuple(node for node in attempts if node is not None)
    names = {key: name for name, key in ENTITY_KEYS.items()}
    model = StatsModel(
        name=parsed.Name,
        description=parsed.Description or "",
        nodes=nodes,
        edges=tuple(Edge(e.Source, e.Destination) for e in parsed.Edges or ()),
        inputs=tuple(
            (names.get(entity, entity), tuple(str(value) for value in values))
            for entity, values in (parsed.Input or {}).items()
        ),
    )
    if clashes := list(_label_clashes(path, model)):
        raise ModelError(clashes)
    return model


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        found = "a folder, or no file that can be read" if path.exists() else "no such file"
        raise ModelError(Problem(str(path), found, "a BIDS Stats Model", "check the path"))
    if path.stat().st_size > LARGEST_BYTES:
        found = f"{path.stat().st_size} bytes"
        raise ModelError(Problem(str(path), found, "a BIDS Stats Model", "check the path"))
    parse = parse_yaml if path.suffix in {".yaml", ".yml"} else _parse_json
    try:
        content = parse(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
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


def _parse_json(text: str) -> Any:
    return parse_json(text, most_values=MOST_VALUES)


def _unknown_keys(
    path: Path, content: object, parsed: object, place: str = ""
) -> Iterator[Problem]:
    """Name the keys of the file that the schema dropped without a word."""
    if isinstance(parsed, BaseModel) and isinstance(content, dict):
        known = type(parsed).model_fields
        for key, value in content.items():
            here = f"{place}.{key}".lstrip(".")
            if key not in known:
                yield unknown_key(f"{path}: {here}", key, list(known))
            else:
                yield from _unknown_keys(path, value, getattr(parsed, key), here)
    elif isinstance(parsed, list) and isinstance(content, list):
        for index, (value, item) in enumerate(zip(content, parsed, strict=True)):
            yield from _unknown_keys(path, value, item, f"{place}[{index}]")


def _node(path: Path, node: bsm.Node) -> Node:
    software = (node.Model.Software or {}).get("twolevel", {})
    place = f'{path}: node "{node.Name}": Software.twolevel: '
    of_level = SETTINGS[node.Level.lower()]
    try:
        settings = checker(of_level).validate_python(software)
    except ValidationError as error:
        known = [one.key for one in declared(of_level)]
        raise ModelError(list(schema_problems(place, software, error, known))) from error
    if unfit := list(unfit_confounds(settings, place)):
        raise ModelError(unfit)
    steps = node.Transformations.Instructions if node.Transformations else []
    place = f'{path}: node "{node.Name}": Transformations'
    instructions, problems, _ = read_instructions(place, list(steps))
    if problems:
        raise ModelError(problems)
    hrf = node.Model.HRF
    return Node(
        name=node.Name,
        level=node.Level.lower(),
        group_by=tuple(node.GroupBy),
        x=tuple(str(x) for x in node.Model.X),
        settings=settings,
        instructions=instructions,
        hrf=Hrf(tuple(hrf.Variables), hrf.Model.lower()) if hrf else None,
        contrasts=tuple(_contrasts(node)),
        dummy_contrasts=node.DummyContrasts is not None,
        estimator=node.Model.Type,
        high_pass_hz=node.Model.Options.HighPassFilterCutoffHz if node.Model.Options else None,
    )


def _contrasts(node: bsm.Node) -> Iterator[Contrast]:
    for contrast in node.Contrasts or ():
        pairs = zip(contrast.ConditionList, weights_of(contrast), strict=True)
        yield Contrast(
            contrast.Name,
            contrast_label(contrast.Name),
            tuple((str(name), (number_of(weight),)) for name, weight in pairs),
            contrast.Test,
        )
    if node.DummyContrasts and node.Level == "Run":
        names = [str(x) for x in node.Model.X]
        plain = [x for x in names if x != INTERCEPT and not is_wild(x)]
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
