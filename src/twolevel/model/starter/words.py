"""What was chosen for a model to start with, and what else there is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twolevel.model.starter.conditions import (
    is_numeric,
    modulators,
    other_factors,
    response_times,
)
from twolevel.model.starter.content import AXES, FEWEST_FOR_A_GROUP, RT_COLUMN, RT_LEVEL

if TYPE_CHECKING:
    from twolevel.model.starter.conditions import Conditions
    from twolevel.model.starter.survey import Survey

MOST_GROUPS = 6


def description(found: Survey, conditions: Conditions, times: list[str]) -> list[str]:
    """Say what could be added, for whoever opens the file."""
    said = ["A model to start with, written by `twolevel model`."]
    if columns := modulators(found.events, conditions):
        said.append(
            f"Columns of numbers that could modulate the response ({', '.join(columns)}): name "
            "one in X and in Convolve; demean it first (Demean), beside its condition."
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


def about_task(found: Survey) -> list[str]:
    """Say which task it is, and how much there is of it."""
    sessions = sorted({session for _, session in found.runs if session})
    where = f", sessions {', '.join(sessions)}" if sessions else ""
    others = f"; not {', '.join(found.other_tasks)}" if found.other_tasks else ""
    size = f"{found.n_subjects} subjects, {len(found.runs)} runs{where}"
    said = [f"task: {found.task or 'the only one'}{others} ({size})"]
    if not found.has_images:
        said.append("derivatives: none are there; confounds and runs may differ once they are")
    return said


def about_response_times(times: list[str]) -> list[str]:
    """Say where the response times that were asked for come from."""
    if not times:
        return ["response times: no column of the events holds any"]
    return [f"response times: {RT_COLUMN}.{RT_LEVEL}, all events, as long as {times[0]} says"]


def about_contrasts(node: dict[str, Any]) -> list[str]:
    """Say which contrasts the runs have."""
    names = [contrast["Name"] for contrast in node.get("Contrasts", ())]
    more = f"; and {', '.join(names)}" if names else ""
    return [f"contrasts: each condition against the baseline{more}"]


def about_confounds(found: Survey, chosen: list[str], *, drift: bool) -> list[str]:
    """Say which confounds enter, and why not others."""
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


def about_levels(found: Survey, nodes: list[dict[str, Any]]) -> list[str]:
    """Say what is averaged over what."""
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


def _groups(found: Survey) -> list[str]:
    """Name the columns of participants.tsv of a few levels, with the size of each group."""
    result = []
    for column, values in found.participants.items():
        counts = values.value_counts()
        fewest = 2 if is_numeric(values) else 1
        if 1 < len(counts) <= MOST_GROUPS and max(counts) > 1 and min(counts) >= fewest:
            sizes = ", ".join(f"{level} {counts[level]}" for level in sorted(counts.index))
            result.append(f"{column} ({sizes})")
    return result


def _covariates(found: Survey) -> list[str]:
    """Name the columns of participants.tsv that hold numbers, other than those of groups."""
    groups = {text.partition(" (")[0] for text in _groups(found)}
    return [
        str(column)
        for column, values in found.participants.items()
        if is_numeric(values) and len(values.dropna().unique()) > 1 and str(column) not in groups
    ]
