"""What the events of a task offer: conditions, modulators, response times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from twolevel.model.nodes import is_wild
from twolevel.model.transformations.variables import TIMING

if TYPE_CHECKING:
    from collections.abc import Iterator

TRIAL_TYPE = "trial_type"
ONE_CONDITION = "event"
MOST_LEVELS = 24  # more are stimuli or trials, not conditions
FEWEST_REPEATS = 2.0  # of a level in a run, on average
LONGEST_RESPONSE_S = 30.0  # a median above it is in milliseconds
NO_PATTERN = str.maketrans({"*": "_star", "?": "_query"})
# Names that others gave to the column of the conditions, the most telling first.
USUAL = (
    "condition", "conditions", "cond", "trialtype", "event_type", "eventtype", "stimulus_type",
    "stim_type", "stimtype", "block_type", "type", "category", "stimulus_category", "event",
    "stimulus", "stim", "task", "value",
)  # fmt: skip
# What no experimenter calls a condition.
NO_CONDITION = re.compile(
    r"onset|duration|sample|stim_file|hed|channel|identifier|run|session|subject|participant.*"
    r"|.*(response|accuracy|correct|rating|feedback|button|key).*|(.*_)?(rt|time|id|index|number)",
    re.IGNORECASE,
)
RESPONSE_TIME = re.compile(
    r"response_?times?|reaction_?times?|resp_?time|rts?|.*_rt|rt_.*", re.IGNORECASE
)


@dataclass(frozen=True)
class Conditions:
    """What the conditions of a task are.

    Attributes
    ----------
    column : str
        Of the events.
    levels : dict of str to int
        The number of runs that each is in, in their order.
    why : str
        What was chosen, for what reason.
    are_made : bool
        No column tells conditions apart: all events are one, which an edit has to name.
    """

    column: str
    levels: dict[str, int]
    why: str
    are_made: bool = False

    @property
    def renamed(self) -> dict[str, str]:
        """New names, of no other level, of the levels that a model would take for patterns."""
        names: dict[str, str] = {}
        for level in filter(is_wild, self.levels):
            name = level.translate(NO_PATTERN)
            while name in {*self.levels, *names.values()}:
                name += "_"
            names[level] = name
        return names

    @property
    def names(self) -> list[str]:
        """The levels as a model names them."""
        return [self.renamed.get(level, level) for level in self.levels]

    @property
    def variables(self) -> list[str]:
        """The conditions as variables of a model."""
        return [f"{self.column}.{name}" for name in self.names]


def choose_conditions(events: pd.DataFrame) -> Conditions:
    """Choose the column whose levels are the conditions.

    Parameters
    ----------
    events : pandas.DataFrame
        Of all runs, as text; the first level of the index is the run, the columns are those that
        every run has.
    """
    reason = f"there is no column {TRIAL_TYPE}"
    if TRIAL_TYPE in events:
        levels = _levels(events[TRIAL_TYPE])
        if 1 <= len(levels) <= MOST_LEVELS:
            return _chosen(TRIAL_TYPE, levels, "")
        reason = f"{TRIAL_TYPE} has {len(levels)} levels" if levels else f"{TRIAL_TYPE} is empty"
    for column in other_factors(events):
        return _chosen(column, _levels(events[column]), f" ({reason})")
    n_runs = len(events.index.unique(0))
    why = f"conditions: all events as one, named {ONE_CONDITION} ({reason}, and no other column"
    return Conditions(
        TRIAL_TYPE, {ONE_CONDITION: n_runs}, f"{why} repeats a few values in each run)", True
    )


def other_factors(events: pd.DataFrame) -> list[str]:
    """List the columns, other than trial_type, that may tell conditions apart, the best first."""
    found = []
    for column in map(str, events):
        levels = _levels(events[column])
        if column in TIMING or column == TRIAL_TYPE or NO_CONDITION.fullmatch(column):
            continue
        if not 1 <= len(levels) <= MOST_LEVELS or _is_measured(events[column]):
            continue
        if _repeats(events[column]) >= FEWEST_REPEATS:
            place = USUAL.index(column.lower()) if column.lower() in USUAL else len(USUAL)
            rank = (len(levels) == 1, place, is_numeric(events[column]), len(levels), column)
            found.append((rank, column))
    return [column for _, column in sorted(found)]


def modulators(events: pd.DataFrame, conditions: Conditions) -> list[str]:
    """List the columns of numbers that differ from event to event; response times are none."""
    return [
        column
        for column in map(str, events)
        if column not in {*TIMING, "sample", conditions.column}
        and not RESPONSE_TIME.fullmatch(column)
        and is_numeric(events[column])
        and len(events[column].dropna().unique()) > 1
    ]


def response_times(events: pd.DataFrame) -> list[str]:
    """List the columns that hold response times, by their names and numbers."""
    return [c for c in map(str, events) if RESPONSE_TIME.fullmatch(c) and is_numeric(events[c])]


def is_in_milliseconds(times: pd.Series) -> bool:
    """Tell whether response times are too large to be seconds."""
    return bool(pd.to_numeric(times, errors="coerce").median() > LONGEST_RESPONSE_S)


def is_numeric(column: pd.Series) -> bool:
    """Tell whether all that a column of text says is numbers."""
    said = column.dropna()
    return bool(len(said) and pd.to_numeric(said, errors="coerce").notna().all())


def _is_measured(column: pd.Series) -> bool:
    """Tell whether a column holds numbers that are not whole: no codes of conditions."""
    numbers = pd.to_numeric(column.dropna(), errors="coerce")
    return is_numeric(column) and bool((numbers % 1 != 0).any())


def _chosen(column: str, levels: dict[str, int], reason: str) -> Conditions:
    kind = f"the {len(levels)} levels" if len(levels) > 1 else "the only level"
    shown = ", ".join(f'"{level}"' for level in levels)
    return Conditions(column, levels, f"conditions: {kind} of {column}{reason}: {shown}")


def _levels(column: pd.Series) -> dict[str, int]:
    """Count the runs that each level is in; levels are sorted."""
    said = column.dropna()
    said = said[said.str.strip() != ""]
    runs = pd.DataFrame({"level": said, "run": said.index.get_level_values(0)}).drop_duplicates()
    counts = runs["level"].value_counts()
    return {str(level): int(counts[level]) for level in sorted(counts.index)}


def _repeats(column: pd.Series) -> float:
    """Compute how often a level occurs in a run, on average over the runs."""
    of_runs = column.dropna().groupby(level=0)
    return float((of_runs.size() / of_runs.nunique()).mean())


def in_few_runs(conditions: Conditions, n_runs: int) -> Iterator[str]:
    """Name the conditions that some runs lack."""
    for level, n in conditions.levels.items():
        if n < n_runs:
            yield f'"{level}" is in {n} of {n_runs} runs'
