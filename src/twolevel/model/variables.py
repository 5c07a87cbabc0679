"""From the variables that a run node names to the columns of a run's tables."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pandas as pd

from twolevel.model.spec import INTERCEPT, is_wild

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twolevel.model.spec import Node

__all__ = ["RunVariables", "condition_events", "matches", "resolve_variables"]

TIMING = {"onset", "duration"}


@dataclass(frozen=True)
class RunVariables:
    """The variables of a run node, found in one run.

    Attributes
    ----------
    conditions : dict of str to (str or None)
        Variables from the events, each with its HRF model (None: not convolved), in the order of
        the model's X.
    confounds : tuple of str
        Columns of the confounds table.
    missing : tuple of str
        Variables (not wildcards) that this run has not.
    available : tuple of str
        Variables from the events that the model could name.
    """

    conditions: dict[str, str | None]
    confounds: tuple[str, ...]
    missing: tuple[str, ...]
    available: tuple[str, ...]


def resolve_variables(
    node: Node, events: pd.DataFrame, confound_names: Sequence[str]
) -> RunVariables:
    """Find the variables of a run node in the tables of one run.

    ``trial_type.face`` is the level ``face`` of a column that the model makes a factor; another
    name is a numeric column of the events, which modulates amplitude, or else a confound.

    Parameters
    ----------
    node : Node
        At run level.
    events : pandas.DataFrame
        The run's events.
    confound_names : sequence of str
        Columns of the run's confounds table.

    Returns
    -------
    RunVariables
    """
    levels = [
        f"{factor}.{level}"
        for factor in node.factors
        if factor in events
        for level in sorted(events[factor].dropna().astype(str).unique())
    ]
    modulators = [
        str(column)
        for column in events
        if column not in TIMING
        and pd.api.types.is_numeric_dtype(events[column])
        and events[column].notna().any()
    ]
    conditions: dict[str, str | None] = {}
    confounds: dict[str, None] = {}
    missing = []
    for name in node.x:
        if name == INTERCEPT:
            continue
        wild = is_wild(name)
        from_events = [v for v in (*levels, *modulators) if matches(v, name)]
        from_confounds = [c for c in confound_names if matches(c, name) and c not in from_events]
        conditions.update({v: _hrf_of(v, node) for v in from_events})
        confounds.update(dict.fromkeys(from_confounds))
        if not wild and not from_events and not from_confounds:
            missing.append(name)
    return RunVariables(conditions, tuple(confounds), tuple(missing), (*levels, *modulators))


def condition_events(
    events: pd.DataFrame, variables: RunVariables, factors: Sequence[str]
) -> pd.DataFrame:
    """Write the events once per variable, as nilearn takes them.

    Parameters
    ----------
    events : pandas.DataFrame
        Columns ``onset``, ``duration`` (seconds) and those that the variables are made of.
    variables : RunVariables
    factors : sequence of str
        Columns whose levels are variables.

    Returns
    -------
    pandas.DataFrame
        ``onset``, ``duration``, ``trial_type`` (the variable), ``modulation`` (1 for a level of a
        factor, otherwise the column's value; rows without a value are left out).
    """
    parts = []
    for name in variables.conditions:
        factor = next((f for f in factors if name.startswith(f"{f}.")), None)
        if factor is not None:
            rows = events[events[factor].astype(str) == name.removeprefix(f"{factor}.")]
            amplitude = pd.Series(1.0, index=rows.index)
        else:
            rows = events[events[name].notna()]
            amplitude = rows[name].astype(float)
        parts.append(
            pd.DataFrame(
                {
                    "onset": rows["onset"].astype(float),
                    "duration": rows["duration"].astype(float),
                    "trial_type": name,
                    "modulation": amplitude,
                }
            )
        )
    if not parts:
        return pd.DataFrame({"onset": [], "duration": [], "trial_type": [], "modulation": []})
    return pd.concat(parts, ignore_index=True)


def matches(name: str, pattern: str) -> bool:
    """Tell whether a name fits a pattern of the standard: ``*`` and ``?`` are wild.

    Parameters
    ----------
    name, pattern : str

    Returns
    -------
    bool
    """
    # Brackets are no wildcards in the standard, but they are in fnmatch.
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _hrf_of(name: str, node: Node) -> str | None:
    for hrf in node.hrfs:
        if any(matches(name, pattern) for pattern in hrf.variables):
            return hrf.model
    return None
