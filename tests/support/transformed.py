"""Variables of a run, written by hand, and instructions carried out on them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from run_by_hand import CONFOUNDS, EVENTS

from twolevel.model.transformations.carry_out import transform
from twolevel.model.transformations.reading import read_instructions
from twolevel.model.transformations.variables import Dense, Sparse, Variable


def events() -> pd.DataFrame:
    """Events in lines 2, 3, 5, 6, 7 and 9 of a file; cells are text."""
    return pd.DataFrame(EVENTS, index=[0, 1, 3, 4, 5, 7])


def variables_of(table: pd.DataFrame) -> dict[str, Variable]:
    """Make a variable of each column."""
    timing = table[["onset", "duration"]]
    columns = [c for c in table if c not in timing]
    return {str(c): Sparse(timing.assign(value=table[c])) for c in columns}


def a_run() -> dict[str, Variable]:
    """Give variables of events and confounds."""
    dense = {name: Dense(pd.Series(values)) for name, values in CONFOUNDS.items()}
    return {**variables_of(events()), **dense}


def carried_out(*steps: dict[str, Any], there: dict[str, Variable] | None = None) -> Any:
    """Carry out instructions as they stand in a file, which must be read without a problem."""
    instructions, problems, _ = read_instructions("m.json", list(steps))
    assert not problems, "\n".join(map(str, problems))
    return transform(a_run() if there is None else there, instructions)


def cells(step: dict[str, Any] | list[dict[str, Any]], name: str) -> Any:
    """Return the values of a variable after instructions: a series."""
    steps = step if isinstance(step, list) else [step]
    return carried_out(*steps).variables[name].cells
