"""The dialect before version 1.0 of BIDS Stats Models, translated."""

from __future__ import annotations

from typing import Any

from twolevel.notes import Note

STEPS = ("steps", "blocks")
GONE = ("high_pass_filter_cutoff_secs", "highpassfiltercutoffsecs")


def is_old(content: dict[str, Any]) -> bool:
    """Tell whether a model is of the dialect before 1.0: of steps, or with AutoContrasts."""
    keys = {str(key).casefold() for key in content}
    nodes = content.get("Nodes")
    automatic = isinstance(nodes, list) and any("AutoContrasts" in n for n in _objects(nodes))
    return automatic or ("nodes" not in keys and bool(keys & {*STEPS}))


def translated(content: dict[str, Any]) -> tuple[dict[str, Any], list[Note]]:
    """Write a model of that dialect as people write 1.0, and say what it became.

    A first step of the level Subject, over all runs at once, becomes a Run and a Subject node; the
    Transformations of steps above the runs, which repeat those of the runs, are left out.
    """
    said = ["Steps are Nodes, AutoContrasts are DummyContrasts"]
    new = {("Nodes" if key.casefold() in STEPS else key): v for key, v in content.items()}
    steps = new["Nodes"]
    if isinstance(steps, list):
        nodes = [_node(step) for step in steps]
        levels = [str(n.get("Level")).casefold() for n in _objects(nodes)]
        if "run" not in levels and levels[:1] == ["subject"] and isinstance(nodes[0], dict):
            nodes[0:1] = _split(nodes[0])
            said.append("a Subject step over all runs is a Run node and FirstLevel multi-run")
        elif levels[:2] == ["subject", "run"]:
            nodes[0], nodes[1] = nodes[1], nodes[0]
        _above_the_run(nodes)
        new["Nodes"] = nodes
    what = "the dialect before version 1.0 of the standard is translated"
    return new, [Note(what, detail="; ".join(said))]


def _objects(items: list[Any]) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)]


def _node(step: Any) -> Any:
    """Translate a step."""
    if not isinstance(step, dict):
        return step
    node = {key: value for key, value in step.items() if value != []}
    automatic = node.pop("AutoContrasts", None)
    if automatic and "DummyContrasts" not in node:
        node["DummyContrasts"] = {"Test": "t"}
        if isinstance(automatic, list):
            node["DummyContrasts"]["Contrasts"] = automatic
    instructions = node.get("Transformations")
    if isinstance(instructions, list):
        node["Transformations"] = [_instruction(one) for one in instructions]
    if isinstance(node.get("Model"), dict):
        node["Model"] = _model(node["Model"])
    return node


def _instruction(step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    names = {"inputs": "Input", "input": "Input", "output": "Output", "outputs": "Output"}
    return {names.get(str(key).casefold(), key): value for key, value in step.items()}


def _model(content: dict[str, Any]) -> dict[str, Any]:
    model = dict(content)
    options = model.get("Options")
    options = dict(options) if isinstance(options, dict) else {}
    if isinstance(mask := model.get("Mask"), str) and not mask.strip():
        del model["Mask"]
    elif mask is not None:
        options["Mask"] = model.pop("Mask")
    for key in [key for key in options if key.casefold() in GONE]:
        if isinstance(seconds := options[key], (int, float)) and seconds > 0:
            options["HighPassFilterCutoffHz"] = 1 / seconds
            del options[key]
    if options:
        model["Options"] = options
    return model


def _split(step: Any) -> list[Any]:
    """Make a Run and a Subject node of a step over all runs of a subject."""
    run = {**step, "Level": "Run", "Name": "run"}
    settings = {"Software": {"twolevel": {"FirstLevel": "multi-run"}}}
    subject = {
        "Level": "Subject",
        "Name": step.get("Name") or "subject",
        "GroupBy": ["subject", "contrast"],
        "Model": {"Type": "meta", "X": [1], **settings},
        "DummyContrasts": {"Test": "t"},
    }
    return [run, subject]


def _above_the_run(nodes: list[Any]) -> None:
    """Let steps above the run pass on what they name, and the run what they are made of."""
    runs = [n for n in _objects(nodes) if str(n.get("Level")).casefold() == "run"]
    above = [n for n in _objects(nodes) if n not in runs]
    asked: dict[str, None] = {}
    for node in above:
        node.pop("Transformations", None)
        dummies = node.setdefault("DummyContrasts", {"Test": "t"})
        automatic = _names(dummies.get("Contrasts")) if isinstance(dummies, dict) else []
        named = node.get("Contrasts")
        contrasts = _objects(named) if isinstance(named, list) else []
        needed = [name for contrast in contrasts for name in _names(contrast.get("ConditionList"))]
        asked |= dict.fromkeys([*automatic, *needed])
        model = node.get("Model") or {}
        if needed and isinstance(model, dict) and not model.get("X"):
            node["Model"] = {**model, "X": list(dict.fromkeys([*automatic, *needed]))}
    for run in runs:
        model = run.get("Model")
        x = _names(model.get("X")) if isinstance(model, dict) else []
        wanted = [name for name in x if name in asked]
        if wanted and "Contrasts" not in run and "DummyContrasts" not in run:
            run["DummyContrasts"] = {"Contrasts": wanted, "Test": "t"}


def _names(value: object) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []
