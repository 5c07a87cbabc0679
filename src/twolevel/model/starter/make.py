"""The model to start with, and what was chosen and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolevel.model.starter.conditions import (
    choose_conditions,
    in_few_runs,
    is_in_milliseconds,
    response_times,
)
from twolevel.model.starter.content import (
    SMOOTHING_MM,
    choose_confounds,
    edges_between,
    edits_of_events,
    nodes_above,
    run_node,
)
from twolevel.model.starter.words import (
    about_confounds,
    about_contrasts,
    about_levels,
    about_response_times,
    about_task,
    description,
)

if TYPE_CHECKING:
    from twolevel.model.starter.survey import Survey

HIGH_PASS_HZ = 1 / 128


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
    confounds, drift = choose_confounds(found)
    edits, edited = edits_of_events(found, conditions)
    times = response_times(found.events)[:1] if with_response_time else []
    if times and is_in_milliseconds(found.events[times[0]]):
        edits.append({"Scale": {times[0]: 0.001}})
    node = run_node(found, conditions, confounds, times, edits)
    if drift:
        node["Model"]["Options"] = {"HighPassFilterCutoffHz": HIGH_PASS_HZ}
    nodes = [node, *nodes_above(found)]
    content: dict[str, Any] = {
        "Name": found.task or "starter",
        "BIDSModelVersion": "1.0.0",
        "Description": " ".join(description(found, conditions, times)),
    }
    if found.task:
        content["Input"] = {"task": [found.task]}
    content |= {"Nodes": nodes, "Edges": edges_between(nodes)}
    choices = [
        *about_task(found),
        conditions.why,
        *in_few_runs(conditions, len(found.runs)),
        *edited,
        *(about_response_times(times) if with_response_time else []),
        *about_contrasts(node),
        *about_confounds(found, confounds, drift=drift),
        f"smoothing: {SMOOTHING_MM:g} mm; response to events: SPM's canonical one",
        *about_levels(found, nodes),
    ]
    return Starter(content, tuple(choices))
