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
    subjects = [str(s) for s in asked.get("subject", [])] + ["x1", "x2", "x3"]
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


def conditions_by_hand(node: Content, events: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Carry out the instructions in pandas; onset, duration and value of every variable."""
    found = {str(c): events[TIMES].assign(value=events[c]) for c in events if c not in TIMES}
    for step in steps_of(node):
        inputs, outputs = listed(step.get("Input", [])), listed(step.get("Output", []))
        pairs = list(zip(inputs, outputs or inputs, strict=False))
        match step["Name"]:
            case "Copy":
                found |= {new: found[old] for old, new in pairs}
            case "Rename":
                found |= {new: found.pop(old) for old, new in pairs}
            case "Replace":
                for old, new in pairs:
                    table = found[old]
                    swapped = {str(k): v for k, v in step["Replace"].items()}
                    values = [
                        swapped.get(f"{v:g}" if isinstance(v, float) else str(v), v)
                        for v in table["value"]
                    ]
                    found[new] = table.assign(value=values)
            case "Factor":
                for name in inputs:
                    found |= _levels(name, found[name])
            case "Assign":
                source, target = found[inputs[0]], listed(step["Target"])[0]
                rows = found[target].index
                durations = source["value"].astype(float).reindex(rows)
                kept = found[target].assign(**{step["TargetAttr"]: durations})
                found[target] = kept[durations.notna()]
            case "Threshold":
                limit = step.get("Threshold", 0)
                for old, new in pairs:
                    values = found[old]["value"].astype(float)
                    size = values if step.get("Signed", True) else values.abs()
                    found[new] = found[old].assign(value=(size > limit).astype(float))
            case "Demean" | "Scale":
                for old, new in pairs:
                    values = found[old]["value"].astype(float)
                    values = values - values.mean()
                    if step["Name"] == "Scale" and step.get("Rescale", True):
                        values = values / values.std(ddof=0)
                    found[new] = found[old].assign(value=values)
            case "Concatenate":
                parts = [found[name]["value"].astype(str) for name in inputs]
                joined = parts[0].str.cat(parts[1:], sep="_")
                found[outputs[0]] = found[inputs[0]].assign(value=joined)
            case "Convolve":
                pass
            case other:
                raise NotImplementedError(other)
    for name in names_in(node):
        column, dot, _ = name.partition(".")
        if dot and name not in found and column in found:
            found |= _levels(column, found[column])
    return found


def _levels(name: str, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    values = table["value"].map(lambda v: f"{v:g}" if isinstance(v, float) else str(v))
    return {
        f"{name}.{level}": table[values == level].assign(value=1.0)
        for level in sorted(set(values))
    }
