"""Reading BIDS Stats Models."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import bsmschema.models as bsm
from pydantic import BaseModel, ValidationError

from twolevel.errors import ModelError, Problem
from twolevel.files.plain_text import MOST_VALUES, parse_json, parse_yaml
from twolevel.model.complete import unsound
from twolevel.model.connections import (
    above_problems,
    graph_problems,
    label_problems,
    lost_names,
)
from twolevel.model.lenient import strict_form
from twolevel.model.nodes import ENTITY_KEYS, Edge, Node, StatsModel
from twolevel.model.read_node import read_node
from twolevel.model.schema_messages import place_of, schema_problems, unknown_key
from twolevel.model.settings import SETTINGS
from twolevel.model.supported import ALWAYS, input_problems
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twolevel.model.nodes import Level

LARGEST_BYTES = 2**24  # 16 MiB: no model is longer
BYTE_ORDER_MARK = "\ufeff"


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
        JSON or YAML, version 1.0.0 of the standard or nearly so.

    Returns
    -------
    StatsModel
        Its notes say what was read otherwise than it is written.

    Raises
    ------
    ModelError
        The file is no valid model, or asks for something that is not offered; every place at once.
    """
    path = Path(path)
    written, notes = _load(path)
    content, more = strict_form(written, path.name.split(".")[0].removesuffix("_smdl"))
    notes += more
    problems: list[Problem] = []
    try:
        bsm.BIDSStatsModel.model_validate(content)
    except ValidationError as error:
        problems.extend(schema_problems("", content, error))
    if (version := str(content.get("BIDSModelVersion"))).partition(".")[0] != "1":
        problems.append(
            Problem("BIDSModelVersion", version, "1.0.0", "write the model for version 1.0.0")
        )
    nodes = _nodes(content, problems, notes)
    if isinstance(content.get("Input"), dict) and not problems:
        problems.extend(input_problems(content["Input"]))
    problems.sort(key=lambda problem: problem.where.startswith("node "))
    model = None
    if nodes is not None:
        model = _model(content, nodes)
        problems.extend(_connected(model, notes, complete=not problems))
    if problems or model is None:
        raise ModelError(
            [Problem(f"{path}: {p.where}", p.found, p.expected, p.remedy) for p in problems]
        )
    return replace(model, notes=tuple(notes))


def _load(path: Path) -> tuple[dict[str, Any], list[Note]]:
    if not path.is_file():
        found = "a folder, or no file that can be read" if path.exists() else "no such file"
        raise ModelError(Problem(str(path), found, "a BIDS Stats Model", "check the path"))
    if path.stat().st_size > LARGEST_BYTES:
        found = f"{path.stat().st_size} bytes"
        raise ModelError(Problem(str(path), found, "a BIDS Stats Model", "check the path"))
    parse = parse_yaml if path.suffix in {".yaml", ".yml"} else _parse_json
    notes = []
    try:
        text = path.read_text(encoding="utf-8")
        if text.startswith(BYTE_ORDER_MARK):
            notes.append(Note("the file begins with a byte-order mark, which is skipped"))
        content = parse(text.removeprefix(BYTE_ORDER_MARK))
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
    return content, notes


def _parse_json(text: str) -> Any:
    return parse_json(text, most_values=MOST_VALUES)


def _nodes(
    content: dict[str, Any], problems: list[Problem], notes: list[Note]
) -> list[Node] | None:
    """Read the nodes; what is wrong with them goes to the problems.

    Returns
    -------
    list of Node or None
        In place of what cannot be read, a node of that name and level; None where it is not even
        known how the nodes are joined.
    """
    problems.extend(_unknown_keys(content, bsm.BIDSStatsModel, content, ()))
    nodes: list[Node | None] = []
    there = content.get("Nodes")
    for number, written in enumerate(there if isinstance(there, list) else ()):
        loc = ("Nodes", number)
        node = None
        try:
            parsed = bsm.Node.model_validate(written)
        except ValidationError:
            pass  # the schema has said what is wrong
        else:
            unknown = list(_unknown_keys(content, parsed, written, loc))
            node, found, more = read_node(place_of(loc, content), parsed)
            problems.extend([*unknown, *found])
            notes.extend(more)
        nodes.append(node or _stand_in(written))
    known = [node for node in nodes if node is not None]
    edges = content.get("Edges") or []
    joined = isinstance(edges, list) and all(_is_edge(edge) for edge in edges)
    named = isinstance(there, list) and isinstance(content.get("Name"), str)
    return known if named and joined and len(known) == len(nodes) else None


def _stand_in(written: Any) -> Node | None:
    """Return a node of the name and the level of one that cannot be read."""
    said = written if isinstance(written, dict) else {}
    name, level = said.get("Name"), said.get("Level")
    settings = SETTINGS.get(level.lower()) if isinstance(level, str) else None
    if not isinstance(name, str) or not isinstance(level, str) or settings is None:
        return None
    return Node(name, cast("Level", level.lower()), (), (), settings())


def _is_edge(edge: Any) -> bool:
    try:
        bsm.Edge.model_validate(edge)
    except ValidationError:
        return False
    return True


def _unknown_keys(
    whole: object, parsed: object, content: object, loc: tuple[int | str, ...]
) -> Iterator[Problem]:
    """Name the keys of the file that the schema dropped without a word.

    Of a class instead of what was parsed, only its own keys are known.
    """
    if isinstance(content, dict):
        of_class = isinstance(parsed, type)
        kind: Any = parsed if of_class else type(parsed)
        if not issubclass(kind, BaseModel):
            return
        for key, value in content.items():
            if key not in kind.model_fields:
                here = place_of((*loc, key), whole)
                yield unknown_key(here, key, list(kind.model_fields))
            elif not of_class:
                yield from _unknown_keys(whole, getattr(parsed, key), value, (*loc, key))
    elif isinstance(parsed, list) and isinstance(content, list):
        for index, (value, item) in enumerate(zip(content, parsed, strict=True)):
            yield from _unknown_keys(whole, item, value, (*loc, index))


def _model(content: dict[str, Any], nodes: list[Node]) -> StatsModel:
    names = {key: name for name, key in ENTITY_KEYS.items()}
    selected = content.get("Input")
    return StatsModel(
        name=content["Name"],
        description=content.get("Description") or "",
        nodes=tuple(nodes),
        edges=tuple(
            Edge(
                edge["Source"],
                edge["Destination"],
                tuple(
                    (key, tuple(map(str, values)))
                    for key, values in (edge.get("Filter") or {}).items()
                ),
            )
            for edge in content.get("Edges") or ()
        ),
        inputs=tuple(
            (names.get(str(entity), str(entity)), tuple(str(value) for value in values))
            for entity, values in (selected if isinstance(selected, dict) else {}).items()
            if entity not in ALWAYS and isinstance(values, list)
        ),
    )


def _connected(model: StatsModel, notes: list[Note], *, complete: bool) -> list[Problem]:
    """Name what is wrong with the graph, and with a complete model as a whole."""
    problems = list(graph_problems(model))
    problems.extend(label_problems(model))
    if complete and not problems:
        problems.extend(above_problems(model))
        problems.extend(unsound(model))
        notes.extend(lost_names(model))
    return problems
