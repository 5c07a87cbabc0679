"""What a run node takes of the tables of a run: for the checks, and for the design itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from twolevel.bids.confound_columns import open_confounds
from twolevel.bids.confounds import take_confounds
from twolevel.bids.events import events_of_run
from twolevel.model.nodes import matches
from twolevel.model.variables import (
    columns_of_instructions,
    possible_factors,
    required_factors,
    resolve_variables,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from twolevel.bids.confound_columns import OpenConfounds
    from twolevel.bids.events import RunEvents
    from twolevel.model.nodes import Node
    from twolevel.model.variables import RunVariables


def events_for(
    node: Node,
    path: Path,
    timing: tuple[float, float] | None = None,
    n_volumes: int | None = None,
) -> RunEvents:
    """Read the events of a run as a run node takes them; see `events_of_run`."""
    return events_of_run(
        path,
        required_factors(node),
        node.x,
        possible=possible_factors(node),
        texts=columns_of_instructions(node),
        edits=node.run_settings.events,
        timing=timing,
        n_volumes=n_volumes,
    )


def confounds_for(node: Node, tables: Mapping[str, Path]) -> OpenConfounds:
    """Open the confounds of a run for what a run node names, in X and in its instructions."""
    asked = (*node.x, *columns_of_instructions(node))
    return open_confounds(tables, node.run_settings, asked)


def variables_of_run(
    node: Node, events: pd.DataFrame, opened: OpenConfounds | None
) -> RunVariables:
    """Find the variables of a run node in its events, and in its confounds if they are open."""
    if opened is None:
        return resolve_variables(node, events, ())
    texts = columns_of_instructions(node)
    named = [name for name in opened.names if any(matches(name, text) for text in texts)]
    dense = {}
    if named:
        as_they_are = replace(opened.settings, confound_strategy=None)
        table = take_confounds(replace(opened, settings=as_they_are), named).regressors
        dense = {str(name): table[name].to_numpy() for name in table}
    found = resolve_variables(node, events, opened.names, dense)
    # As of a confound that is taken as it is, a missing first value is that of the second volume.
    made = found.dense.copy()
    made.iloc[:1] = made.iloc[:1].fillna(made.iloc[1:2].squeeze(axis=0))
    return replace(found, dense=made)
