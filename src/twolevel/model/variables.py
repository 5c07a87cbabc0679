"""From the variables that a run node names to the columns of a run's tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from twolevel.model.nodes import INTERCEPT, is_wild, matches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twolevel.model.nodes import Node

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
        Variables that X or a contrast names, other than by wildcards, and that this run has not.
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
    for name in node.x:
        if name == INTERCEPT:
            continue
        from_events = [v for v in (*levels, *modulators) if matches(v, name)]
        from_confounds = [c for c in confound_names if matches(c, name) and c not in from_events]
        conditions.update({v: _hrf_of(v, node) for v in from_events})
        confounds.update(dict.fromkeys(from_confounds))
    # A contrast may be on a level that X takes by a wildcard.
    missing = [x for x in _named(node) if x not in conditions and x not in confounds]
    return RunVariables(conditions, tuple(confounds), tuple(missing), (*levels, *modulators))


def _named(node: Node) -> list[str]:
    """List the variables that a node names, without wildcards, each once."""
    in_contrasts = [name for contrast in node.contrasts for name in contrast.variables]
    names = dict.fromkeys((*node.x, *in_contrasts))
    return [name for name in names if name != INTERCEPT and not is_wild(name)]


def condition_events(
    events: pd.DataFrame, variables: RunVariables, factors: Sequence[str]
) -> pd.DataFrame:
    """Write the events once per variable, as nilearn takes them.

    Parameters
    ----------
    events : pandas.DataFrame
        Columns ``onset``, ``duration`` (seconds) and those that the variables are made of.
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
        amplitude = _amplitudes(name, events, factors)
        rows = events.loc[amplitude.index]
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


def rows_taken(
    events: pd.DataFrame, variables: RunVariables, factors: Sequence[str]
) -> dict[str, pd.Index]:
    """Tell which events each condition takes: labels of rows."""
    return {name: _amplitudes(name, events, factors).index for name in variables.conditions}


def _amplitudes(name: str, events: pd.DataFrame, factors: Sequence[str]) -> pd.Series:
    """Return the amplitudes of the rows of a level, or of those with a value of a modulator."""
    for factor in factors:
        if name.startswith(f"{factor}.") and factor in events:
            of_level = events[factor].astype(str) == name.removeprefix(f"{factor}.")
            if of_level.any():
                return pd.Series(1.0, index=events.index[of_level])
    return events[name].dropna().astype(float)


def same_but_for_spelling(name: str) -> str:
    """Reduce the name of a level to what remains without blanks, case and the form of numbers.

    ``"Face "``, ``"face"`` and ``"FACE"`` become one, and so do ``"1"``, ``"01"`` and ``"1.0"``.
    """
    joined = "".join(name.split()).casefold()
    try:
        return joined if "_" in joined else repr(float(joined))
    except ValueError:
        return joined


def _hrf_of(name: str, node: Node) -> str | None:
    for hrf in node.hrfs:
        if any(matches(name, pattern) for pattern in hrf.variables):
            return hrf.model
    return None
