"""The parts of a model to start with, as its file holds them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from twolevel.model.labels import contrast_label
from twolevel.model.nodes import INTERCEPT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twolevel.model.starter.conditions import Conditions
    from twolevel.model.starter.survey import Survey

SMOOTHING_MM = 6.0
FEWEST_FOR_A_GROUP = 2
VOLUMES_PER_REGRESSOR = 4  # fewer are too few for 24 regressors of motion
AXES = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
EXPANSIONS = ("", "_derivative1", "_power2", "_derivative1_power2")
TISSUES = ("white_matter", "csf")
COSINES, NON_STEADY = "cosine*", "non_steady_state_outlier*"
RT_COLUMN, RT_LEVEL = "rt_reg", "rt"


def run_node(
    found: Survey,
    conditions: Conditions,
    confounds: list[str],
    times: list[str],
    edits: list[dict[str, Any]],
) -> dict[str, Any]:
    """Make the node of the runs: events, confounds, constant, and the contrasts of conditions."""
    variables = conditions.variables
    steps: list[dict[str, Any]] = []
    factors = [conditions.column]
    assign = []
    convolved = list(variables)
    for column in times:
        factors.append(RT_COLUMN)
        convolved.append(f"{RT_COLUMN}.{RT_LEVEL}")
        steps += _response_time_steps(conditions)
        assign = [
            {
                "Name": "Assign",
                "Input": [column],
                "Target": [f"{RT_COLUMN}.{RT_LEVEL}"],
                "TargetAttr": "duration",
            }
        ]
    steps += [
        {"Name": "Factor", "Input": factors},
        *assign,
        {"Name": "Convolve", "Model": "spm", "Input": convolved},
    ]
    settings: dict[str, Any] = {"SmoothingFWHM": SMOOTHING_MM}
    if edits:
        settings["Events"] = edits
    group_by = (
        ["run", "session", "subject"] if any(s for _, s in found.runs) else ["run", "subject"]
    )
    return {
        "Level": "Run",
        "Name": "run",
        "GroupBy": group_by,
        "Transformations": {"Transformer": "pybids-transforms-v1", "Instructions": steps},
        "Model": {
            "Type": "glm",
            "X": [*convolved, *confounds, int(INTERCEPT)],
            "Software": {"twolevel": settings},
        },
        **_contrasts(conditions, variables),
    }


def _response_time_steps(conditions: Conditions) -> list[dict[str, Any]]:
    return [
        {"Name": "Copy", "Input": [conditions.column], "Output": [RT_COLUMN]},
        {
            "Name": "Replace",
            "Input": [RT_COLUMN],
            "Replace": dict.fromkeys(conditions.names, RT_LEVEL),
            "Attribute": "value",
        },
    ]


def _contrasts(conditions: Conditions, variables: list[str]) -> dict[str, Any]:
    """Compare each condition with the baseline, and two conditions with each other."""
    named: list[dict[str, Any]] = []
    seen: set[str] = set()
    dummies = []
    for number, name in enumerate(variables, start=1):
        label = contrast_label(name)
        if label in seen or label == contrast_label(conditions.column):
            own = {"Name": f"{label}{number}", "ConditionList": [name], "Weights": [1]}
            named.append(own | {"Test": "t"})
        else:
            dummies.append(name)
        seen.add(label)
    if len(dummies) == 2:  # the difference of two
        first, second = (contrast_label(name.partition(".")[2]) for name in dummies)
        named.append(
            {
                "Name": f"{first}Minus{second[:1].upper()}{second[1:]}",
                "ConditionList": dummies,
                "Weights": [1, -1],
                "Test": "t",
            }
        )
    result: dict[str, Any] = {"Contrasts": named} if named else {}
    return result | ({"DummyContrasts": {"Test": "t", "Contrasts": dummies}} if dummies else {})


def choose_confounds(found: Survey) -> tuple[list[str], bool]:
    """Choose confounds by name, and tell whether a high-pass is to be added."""
    there, every = {*found.confounds}, {*found.confounds, *found.some_confounds}
    cosines = [COSINES] if _fit(COSINES, there) else []
    steady = [NON_STEADY] if there and _fit(NON_STEADY, every) else []
    tissues = [*TISSUES] if {*TISSUES} <= there else []
    motion = [*AXES] if {*AXES} <= there else []
    expanded = [axis + more for axis in AXES for more in EXPANSIONS]
    n_others = len(tissues) + len(_fit(COSINES, there)) + 1
    enough = found.n_volumes >= VOLUMES_PER_REGRESSOR * (len(expanded) + n_others)
    if {*expanded} <= there and enough:
        # Patterns are shorter, where they stand for nothing else.
        as_patterns = {*_fit("trans_*", every), *_fit("rot_*", every)} == {*expanded}
        motion = ["trans_*", "rot_*"] if as_patterns else expanded
    return [*motion, *tissues, *cosines, *steady], not cosines


def _fit(pattern: str, columns: Iterable[str]) -> list[str]:
    return [column for column in columns if column.startswith(pattern.removesuffix("*"))]


def edits_of_events(
    found: Survey, conditions: Conditions
) -> tuple[list[dict[str, Any]], list[str]]:
    """Name conditions that no column names, or as patterns; give events a duration."""
    edits: list[dict[str, Any]] = []
    said = []
    if conditions.are_made:
        name = next(iter(conditions.levels))
        edits.append({"Set": {conditions.column: f'"{name}"'}})
    if renamed := conditions.renamed:
        edits.append({"Recode": {conditions.column: renamed}})
        listed = ", ".join(f'"{old}" is "{new}"' for old, new in renamed.items())
        said.append(f"names: {listed}; a model would take * and ? for patterns")
    has_durations = "duration" in found.events
    missing = int(found.events["duration"].isna().sum()) if has_durations else len(found.events)
    if missing:
        where = {"Where": "isna(duration)"} if has_durations else {}
        edits.append({**where, "Set": {"duration": "0"}})
        said.append(f"durations: {missing} of {len(found.events)} events have none: set to 0 s")
    return edits, said


def nodes_above(found: Survey) -> list[dict[str, Any]]:
    """Make the nodes that average over runs, over sessions where there are any, over subjects."""
    dummies = {"DummyContrasts": {"Test": "t"}}
    mean = {"Model": {"Type": "meta", "X": [1]}} | dummies
    nodes: list[dict[str, Any]] = []
    if found.has_sessions:
        group_by = ["subject", "session", "contrast"]
        nodes.append({"Level": "Session", "Name": "session", "GroupBy": group_by} | mean)
    nodes.append(
        {"Level": "Subject", "Name": "subject", "GroupBy": ["subject", "contrast"]} | mean
    )
    if found.n_subjects >= FEWEST_FOR_A_GROUP:
        model = {"Model": {"Type": "glm", "X": [1]}}
        nodes.append(
            {"Level": "Dataset", "Name": "group", "GroupBy": ["contrast"]} | model | dummies
        )
    return nodes


def edges_between(nodes: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Join each node to the next."""
    names = [node["Name"] for node in nodes]
    return [
        {"Source": source, "Destination": destination} for source, destination in pairwise(names)
    ]
