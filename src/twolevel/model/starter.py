"""A model to start with, made from what a dataset holds, and what was chosen and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from twolevel.model.conditions import (
    Conditions,
    choose_conditions,
    in_few_runs,
    is_in_milliseconds,
    is_numeric,
    modulators,
    other_factors,
    response_times,
)
from twolevel.model.labels import contrast_label
from twolevel.model.nodes import INTERCEPT, is_wild

if TYPE_CHECKING:
    from collections.abc import Iterable

HIGH_PASS_HZ = 1 / 128
SMOOTHING_MM = 6.0
FEWEST_FOR_A_GROUP = 2
VOLUMES_PER_REGRESSOR = 4  # fewer are too few for 24 regressors of motion
MOST_GROUPS = 6
AXES = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
OLD_AXES = ("X", "Y", "Z", "RotX", "RotY", "RotZ")  # fMRIPrep before 1.2
EXPANSIONS = ("", "_derivative1", "_power2", "_derivative1_power2")
TISSUES = (("white_matter", "csf"), ("WhiteMatter", "CSF"))
COSINES = ("cosine*", "Cosine*")
NON_STEADY = ("non_steady_state_outlier*", "NonSteadyStateOutlier*")
RT_COLUMN, RT_LEVEL = "rt_reg", "rt"
EVERY_EVENT = "not isna(onset)"


@dataclass(frozen=True)
class Survey:
    """What a dataset offers to a model of one task.

    Attributes
    ----------
    task : str
        Empty where file names hold none.
    other_tasks : tuple of str
        Those that the model is not for.
    runs : tuple of (str, str)
        Subject and session of each; an empty session where there is none.
    events : pandas.DataFrame
        Of all runs, as text, with the columns that every run has; the first level of the index is
        the run.
    confounds : tuple of str
        Columns that every run has, with a number for each volume but the first.
    some_confounds : tuple of str
        Columns of which that is not true.
    n_without_confounds : int
        Runs whose table of confounds is not there.
    n_volumes : int
        Of the shortest run; 0 where no run has confounds.
    participants : pandas.DataFrame or None
        Rows of participants.tsv of these subjects, as text.
    has_images : bool
        There are preprocessed images.
    """

    task: str
    other_tasks: tuple[str, ...]
    runs: tuple[tuple[str, str], ...]
    events: pd.DataFrame
    confounds: tuple[str, ...] = ()
    some_confounds: tuple[str, ...] = ()
    n_without_confounds: int = 0
    n_volumes: int = 0
    participants: pd.DataFrame | None = None
    has_images: bool = True

    @property
    def n_subjects(self) -> int:
        """How many subjects have runs."""
        return len({subject for subject, _ in self.runs})

    @property
    def has_sessions(self) -> bool:
        """Whether a subject has several sessions."""
        of_subjects = Counter(subject for subject, _ in set(self.runs))
        return max(of_subjects.values()) > 1


@dataclass(frozen=True)
class Starter:
    """A model to start with.

    Attributes
    ----------
    content : dict
        As its file holds it.
    choices : tuple of str
        What was chosen, and why.
    """

    content: dict[str, Any]
    choices: tuple[str, ...]


def starter_model(found: Survey, *, with_response_time: bool = False) -> Starter:
    """Make a model that runs as it is.

    Parameters
    ----------
    found : Survey
    with_response_time : bool
        Add a regressor of all events whose durations are the response times, where there are any.
    """
    conditions = choose_conditions(found.events)
    confounds, drift = _confounds(found)
    edits, edited = _edits(found, conditions)
    times = response_times(found.events)[:1] if with_response_time else []
    if times and is_in_milliseconds(found.events[times[0]]):
        edits.append({"Scale": {times[0]: 0.001}})
    node = _run_node(found, conditions, confounds, times, edits)
    if drift:
        node["Model"]["Options"] = {"HighPassFilterCutoffHz": HIGH_PASS_HZ}
    nodes = [node, *_nodes_above(found)]
    content: dict[str, Any] = {
        "Name": found.task or "starter",
        "BIDSModelVersion": "1.0.0",
        "Description": " ".join(_description(found, conditions, times)),
    }
    if found.task:
        content["Input"] = {"task": [found.task]}
    content |= {"Nodes": nodes, "Edges": _edges(nodes)}
    choices = [
        *_about_task(found),
        conditions.why,
        *in_few_runs(conditions, len(found.runs)),
        *edited,
        *_about_contrasts(node),
        *_about_confounds(found, confounds, drift=drift),
        f"smoothing: {SMOOTHING_MM:g} mm; response to events: SPM's canonical one",
        *_about_levels(found, nodes),
    ]
    return Starter(content, tuple(choices))


def _run_node(
    found: Survey,
    conditions: Conditions,
    confounds: list[str],
    times: list[str],
    edits: list[dict[str, Any]],
) -> dict[str, Any]:
    variables = conditions.variables
    if any(is_wild(name) for name in variables):  # they would be patterns
        variables = [f"{conditions.column}.*"]
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
    group_by = ["run", "session", "subject"] if any(s for _, s in found.runs) else ["run", "subject"]
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
            "Replace": dict.fromkeys(conditions.levels, RT_LEVEL),
            "Attribute": "value",
        },
    ]


def _contrasts(conditions: Conditions, variables: list[str]) -> dict[str, Any]:
    """Compare each condition with the baseline, and two conditions with each other."""
    if not set(variables) <= set(conditions.variables):
        return {"DummyContrasts": {"Test": "t"}}
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
    if len(dummies) == 2:  # noqa: PLR2004  # the difference of two
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


def _confounds(found: Survey) -> tuple[list[str], bool]:
    """Choose confounds by name, and tell whether a high-pass is to be added."""
    there = found.confounds
    cosines = [p for p in COSINES if _fit(p, there)]
    tissues = [name for pair in TISSUES for name in pair if set(pair) <= set(there)]
    motion = next((list(axes) for axes in (AXES, OLD_AXES) if {*axes} <= {*there}), [])
    expanded = [axis + more for axis in AXES for more in EXPANSIONS]
    n_others = len(tissues) + sum(len(_fit(p, there)) for p in cosines) + 1
    enough = found.n_volumes >= VOLUMES_PER_REGRESSOR * (len(expanded) + n_others)
    if {*expanded} <= {*there} and enough:
        # Patterns are shorter, where they stand for nothing else.
        every = {*there, *found.some_confounds}
        as_patterns = {c for c in every if c.startswith(("trans_", "rot_"))} == {*expanded}
        motion = ["trans_*", "rot_*"] if as_patterns else expanded
    steady = [p for p in NON_STEADY if _fit(p, (*there, *found.some_confounds))]
    return [*motion, *tissues, *cosines, *(steady if there else [])], not cosines


def _fit(pattern: str, columns: Iterable[str]) -> list[str]:
    return [column for column in columns if column.startswith(pattern[:-1])]


def _edits(found: Survey, conditions: Conditions) -> tuple[list[dict[str, Any]], list[str]]:
    """Name the one condition where no column does, and give events a duration."""
    edits: list[dict[str, Any]] = []
    said = []
    if conditions.are_made:
        name = next(iter(conditions.levels))
        edits.append({"Where": EVERY_EVENT, "Set": {conditions.column: f'"{name}"'}})
    if "duration" not in found.events:
        missing = len(found.events)
    else:
        missing = int(found.events["duration"].isna().sum())
    if missing:
        edits.append({"Where": "isna(duration)", "Set": {"duration": "0"}})
        said.append(f"durations: {missing} of {len(found.events)} events have none: set to 0 s")
    return edits, said


def _nodes_above(found: Survey) -> list[dict[str, Any]]:
    dummies = {"DummyContrasts": {"Test": "t"}}
    mean = {"Model": {"Type": "meta", "X": [1]}} | dummies
    nodes: list[dict[str, Any]] = []
    if found.has_sessions:
        group_by = ["subject", "session", "contrast"]
        nodes.append({"Level": "Session", "Name": "session", "GroupBy": group_by} | mean)
    nodes.append({"Level": "Subject", "Name": "subject", "GroupBy": ["subject", "contrast"]} | mean)
    if found.n_subjects >= FEWEST_FOR_A_GROUP:
        model = {"Model": {"Type": "glm", "X": [1]}}
        nodes.append(
            {"Level": "Dataset", "Name": "group", "GroupBy": ["contrast"]} | model | dummies
        )
    return nodes


def _edges(nodes: list[dict[str, Any]]) -> list[dict[str, str]]:
    names = [node["Name"] for node in nodes]
    return [
        {"Source": source, "Destination": destination}
        for source, destination in zip(names, names[1:], strict=False)
    ]


def _description(found: Survey, conditions: Conditions, times: list[str]) -> list[str]:
    """Say what could be added, for whoever opens the file."""
    said = ["A model to start with, written by `twolevel model`."]
    if columns := modulators(found.events, conditions):
        said.append(
            f"Columns of numbers that could modulate the response ({', '.join(columns)}): name one "
            "in X and in Convolve; demean it first (Demean), beside its condition."
        )
    if others := [c for c in other_factors(found.events) if c != conditions.column]:
        said.append(f"Other columns whose levels could be conditions: {', '.join(others)}.")
    if (columns := response_times(found.events)) and not times:
        said.append(
            f"Response times ({', '.join(columns)}): `twolevel model --with-response-time` adds a "
            "regressor of all events that last as long (Copy, Replace, Factor, Assign)."
        )
    if groups := _groups(found):
        said.append(f"Columns of participants.tsv that make groups: {'; '.join(groups)}.")
    if numbers := _covariates(found):
        said.append(f"Columns of participants.tsv with numbers: {', '.join(numbers)}.")
    return said


def _groups(found: Survey) -> list[str]:
    """Name the columns of participants.tsv of a few levels, with the size of each group."""
    result = []
    for column in _of_participants(found):
        counts = found.participants[column].value_counts() if found.participants is not None else {}
        if 1 < len(counts) <= MOST_GROUPS and max(counts) > 1:
            sizes = ", ".join(f"{level} {counts[level]}" for level in sorted(counts.index))
            result.append(f"{column} ({sizes})")
    return result


def _covariates(found: Survey) -> list[str]:
    table = found.participants
    return [
        column
        for column in _of_participants(found)
        if table is not None and is_numeric(table[column]) and table[column].nunique() > MOST_GROUPS
    ]


def _of_participants(found: Survey) -> list[str]:
    table = found.participants
    return [str(c) for c in table if c != "participant_id"] if table is not None else []


def _about_task(found: Survey) -> list[str]:
    sessions = sorted({session for _, session in found.runs if session})
    where = f", sessions {', '.join(sessions)}" if sessions else ""
    others = f"; not {', '.join(found.other_tasks)}" if found.other_tasks else ""
    said = [
        f"task: {found.task or 'the only one'}{others} "
        f"({found.n_subjects} subjects, {len(found.runs)} runs{where})"
    ]
    if not found.has_images:
        said.append("derivatives: none are there; confounds and runs may differ once they are")
    return said


def _about_contrasts(node: dict[str, Any]) -> list[str]:
    names = [contrast["Name"] for contrast in node.get("Contrasts", ())]
    more = f"; and {', '.join(names)}" if names else ""
    return [f"contrasts: each condition against the baseline{more}"]


def _about_confounds(found: Survey, chosen: list[str], *, drift: bool) -> list[str]:
    if found.n_without_confounds:
        why = f"{found.n_without_confounds} of {len(found.runs)} runs have no table of confounds"
        said = [f"confounds: none, because {why}"]
    elif chosen:
        said = [f"confounds, of those that every run has: {', '.join(chosen)}"]
    else:
        said = ["confounds: none, because no column that is known here is in every run"]
    if {*AXES} <= {*chosen}:
        said.append(
            "motion: 6 parameters; the other 18 are not in every run, or too many for runs of "
            f"{found.n_volumes} volumes"
        )
    if drift:
        said.append("high-pass: cosines of 128 s and more, added to the design")
    return said


def _about_levels(found: Survey, nodes: list[dict[str, Any]]) -> list[str]:
    said = [f"nodes: {' -> '.join(node['Level'] for node in nodes)}"]
    if found.has_sessions:
        said.append(
            "sessions: runs are averaged within each session, and sessions within each subject; "
            "the maps of the sessions are kept"
        )
    if found.n_subjects < FEWEST_FOR_A_GROUP:
        said.append("group: none, because there is one subject")
    if groups := _groups(found):
        said.append(f"groups: the group is one; participants.tsv has {'; '.join(groups)}")
    return said
