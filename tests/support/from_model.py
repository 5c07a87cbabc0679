"""Datasets that a public model can be run on, and its conditions by hand, in pandas alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tiny import N_VOLUMES, REPETITION_TIME, TinyRun, motion

from twolevel.bids.entities import Entities

if TYPE_CHECKING:
    from collections.abc import Iterator

    Content = dict[str, Any]
    Variables = dict[str, pd.DataFrame]

CONFOUND = re.compile(
    r"(trans|rot|cosine|a_comp_cor|motion_outlier|non_steady|csf|white_matter|global_signal"
    r"|framewise_displacement|std_dvars|dvars|aroma)"
)
TIMES = ["onset", "duration"]
N_SUBJECTS = 3


def run_node(content: Content) -> Content:
    """Return the node of the runs."""
    return next(node for node in content["Nodes"] if node["Level"].lower() == "run")


def steps_of(node: Content) -> list[Content]:
    """Return its instructions."""
    return list((node.get("Transformations") or {}).get("Instructions", []))


def listed(value: Any) -> list[Any]:
    """Take a value for a list of it."""
    return value if isinstance(value, list) else [value]


def names_in(node: Content) -> list[str]:
    """List the variables that a run node names."""
    model, dummies = node["Model"], node.get("DummyContrasts") or {}
    found = [*model["X"], *(model.get("HRF") or {}).get("Variables", [])]
    found += dummies.get("Contrasts", [])
    for contrast in node.get("Contrasts") or []:
        found += contrast["ConditionList"]
    for step in steps_of(node):
        found += [*listed(step.get("Input", [])), *listed(step.get("Target", []))]
    return [str(name) for name in dict.fromkeys(map(str, found)) if str(name) != "1"]


def raw_columns(node: Content, given: dict[str, list[str]]) -> dict[str, list[str] | None]:
    """Say which columns the events must have: the levels of each, None for numbers.

    `given` are those that no rule finds.
    """
    steps = steps_of(node)
    root: dict[str, str] = {}
    made: set[str] = set()
    levels: dict[str, list[str]] = {}
    new: dict[str, set[str]] = {}
    for step in steps:
        inputs, outputs = listed(step.get("Input", [])), listed(step.get("Output", []))
        if step["Name"] in {"Copy", "Rename"}:
            root[outputs[0]] = root.get(inputs[0], inputs[0])
        if step["Name"] == "Replace":
            for name in inputs:
                of = root.get(name, name)
                known = new.setdefault(of, set())
                levels.setdefault(of, []).extend(k for k in step["Replace"] if k not in known)
                known.update(map(str, step["Replace"].values()))
        made.update(outputs)
    columns: dict[str, list[str] | None] = {}
    for name in names_in(node):
        column, dot, level = name.partition(".")
        if "*" in name or "?" in name or CONFOUND.match(name) or name in made:
            continue
        of = root.get(column, column)
        if dot and (column not in made or column in root):
            if level not in new.get(of, set()):
                levels.setdefault(of, []).append(level)
        elif not dot and column not in made:
            columns.setdefault(of, None)
    columns |= {name: list(dict.fromkeys(found)) for name, found in levels.items()}
    return {**columns, **given}


def make_events(columns: dict[str, list[str] | None], seed: int) -> pd.DataFrame:
    """Make events in which every level occurs."""
    rng = np.random.default_rng(seed)
    most = max((len(found) for found in columns.values() if found), default=1)
    end = N_VOLUMES * REPETITION_TIME - 8
    n = max(3 * most, 12)
    onsets = np.sort(rng.uniform(2, end, n)).round(2)
    table = pd.DataFrame({"onset": onsets, "duration": rng.uniform(0.5, 2, n).round(2)})
    for name, found in columns.items():
        if found is None:
            values: Any = rng.uniform(0.2, 1.8, n).round(3)
        else:
            values = rng.permutation(np.resize(np.array(found, object), n))
        table[name] = values
    return table


def runs_for(content: Content, given: dict[str, list[str]] | None = None) -> Iterator[TinyRun]:
    """Make runs of three subjects, as the model's Input and nodes ask for them."""
    node, asked = run_node(content), content.get("Input") or {}
    columns = raw_columns(node, given or {})
    sessions = [str(s) for s in asked.get("session", ["1", "2"])][:2]
    by_session = "session" in node.get("GroupBy", [])
    runs = [str(r) for r in asked.get("run", ["1", "2"])][:2]
    subjects = [str(s) for s in asked.get("subject", ["x1", "x2", "x3"])]
    seed = 0
    for subject in subjects[:N_SUBJECTS]:
        for session in sessions if by_session else [""]:
            for task in asked.get("task", ["t"]):
                for run in runs:
                    seed += 1
                    names = {"sub": subject, "ses": session, "task": task, "run": run}
                    entities = Entities({k: v for k, v in names.items() if v})
                    yield TinyRun(
                        entities, make_events(columns, seed), confounds(seed), None, seed
                    )


def confounds(seed: int) -> pd.DataFrame:
    """Make the confounds that public models name."""
    rng = np.random.default_rng(seed)
    table = motion(seed)
    others = ["csf", "white_matter", "global_signal", "std_dvars"]
    for name in [*others, *(f"a_comp_cor_{n:02d}" for n in range(6))]:
        table[name] = rng.normal(0, 1, len(table))
    return table


def conditions_by_hand(node: Content, events: pd.DataFrame) -> Variables:
    """Carry out the instructions in pandas; onset, duration and value of every variable."""
    found = {str(c): events[TIMES].assign(value=events[c]) for c in events if c not in TIMES}
    for step in steps_of(node):
        inputs, outputs = listed(step.get("Input", [])), listed(step.get("Output", []))
        BY_HAND[step["Name"]](found, step, inputs, outputs or inputs)
    for name in names_in(node):
        column, dot, _ = name.partition(".")
        if dot and name not in found and column in found:
            found |= _levels(column, found[column])
    return found


def _copy(found: Variables, _: Content, inputs: list[str], outputs: list[str]) -> None:
    for old, new in zip(inputs, outputs, strict=True):
        found[new] = found[old]


def _rename(found: Variables, _: Content, inputs: list[str], outputs: list[str]) -> None:
    for old, new in zip(inputs, outputs, strict=True):
        found[new] = found.pop(old)


def _replace(found: Variables, step: Content, inputs: list[str], outputs: list[str]) -> None:
    swapped = {str(k): v for k, v in step["Replace"].items()}
    for old, new in zip(inputs, outputs, strict=True):
        texts = [f"{v:g}" if isinstance(v, float) else str(v) for v in found[old]["value"]]
        found[new] = found[old].assign(value=[swapped.get(text, text) for text in texts])


def _factor(found: Variables, _: Content, inputs: list[str], __: list[str]) -> None:
    for name in inputs:
        found.update(_levels(name, found[name]))


def _assign(found: Variables, step: Content, inputs: list[str], _: list[str]) -> None:
    target = listed(step["Target"])[0]
    values = found[inputs[0]]["value"].astype(float).reindex(found[target].index)
    kept = found[target].assign(**{step["TargetAttr"]: values})
    found[target] = kept[values.notna()]


def _threshold(found: Variables, step: Content, inputs: list[str], outputs: list[str]) -> None:
    for old, new in zip(inputs, outputs, strict=True):
        values = found[old]["value"].astype(float)
        size = values if step.get("Signed", True) else values.abs()
        found[new] = found[old].assign(value=(size > step.get("Threshold", 0)).astype(float))


def _scale(found: Variables, step: Content, inputs: list[str], outputs: list[str]) -> None:
    for old, new in zip(inputs, outputs, strict=True):
        values = found[old]["value"].astype(float)
        values = values - values.mean()
        if step["Name"] == "Scale" and step.get("Rescale", True):
            values = values / values.std(ddof=0)
        found[new] = found[old].assign(value=values)


def _concatenate(found: Variables, _: Content, inputs: list[str], outputs: list[str]) -> None:
    parts = [found[name]["value"].astype(str) for name in inputs]
    joined = pd.concat(parts, axis=1).agg("_".join, axis=1)
    found[outputs[0]] = found[inputs[0]].assign(value=joined)


def _nothing(_: Variables, __: Content, ___: list[str], ____: list[str]) -> None:
    """Convolve: nilearn does it."""


BY_HAND = {
    "Copy": _copy,
    "Rename": _rename,
    "Replace": _replace,
    "Factor": _factor,
    "Assign": _assign,
    "Threshold": _threshold,
    "Demean": _scale,
    "Scale": _scale,
    "Concatenate": _concatenate,
    "Convolve": _nothing,
}


def _levels(name: str, table: pd.DataFrame) -> Variables:
    values = table["value"].map(lambda v: f"{v:g}" if isinstance(v, float) else str(v))
    return {
        f"{name}.{level}": table[values == level].assign(value=1.0)
        for level in sorted(set(values))
    }
