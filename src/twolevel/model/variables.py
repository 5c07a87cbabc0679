"""From the variables that a run node names to the events and columns of a run's tables."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from twolevel.model.nodes import INTERCEPT, is_wild, matches
from twolevel.model.transformations.carry_out import transform
from twolevel.model.transformations.conditions import columns_in
from twolevel.model.transformations.convolve import Convolve
from twolevel.model.transformations.levels import Factor
from twolevel.model.transformations.variables import Dense, Sparse, numbers
from twolevel.model.transformations.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twolevel.model.nodes import Hrf, Node
    from twolevel.model.transformations.carry_out import Transformed
    from twolevel.notes import Note

TIMING = {"onset", "duration"}
ROWS = ("onset", "duration", "modulation")


@dataclass(frozen=True, eq=False)
class RunVariables:
    """The variables of a run node, found in one run.

    Attributes
    ----------
    conditions : dict of str to (str or None)
        Variables from the events, each with its HRF model as nilearn names it (None: not
        convolved), in the order of the model's X.
    rows : dict of str to pandas.DataFrame
        The events of each: ``onset``, ``duration`` (seconds), ``modulation`` (the amplitude),
        indexed by the row of the events.
    fir_delays : dict of str to tuple of int
        Of those whose model is ``fir``.
    dense : pandas.DataFrame of n_volumes rows
        Confounds that the model's instructions made or changed.
    confounds : tuple of str
        Columns of the confounds tables that are taken as they are.
    missing : tuple of str
        Variables that X or a contrast names, other than by wildcards, and that this run has not.
    available : tuple of str
        Variables from the events that the model could name.
    factors : tuple of str
        Columns of the events whose levels are variables.
    """

    conditions: dict[str, str | None]
    rows: dict[str, pd.DataFrame]
    confounds: tuple[str, ...]
    missing: tuple[str, ...]
    available: tuple[str, ...]
    factors: tuple[str, ...] = ()
    fir_delays: dict[str, tuple[int, ...]] = field(default_factory=dict)
    dense: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[Note, ...] = ()

    @property
    def columns(self) -> set[str]:
        """The names of the columns of the design that contrasts may name."""
        named = {c for name in self.conditions for c in self.columns_of(name)}
        return {*named, *self.confounds, *map(str, self.dense), INTERCEPT}

    @property
    def per_volume(self) -> tuple[str, ...]:
        """The confounds, as they are or as instructions made them."""
        return (*self.confounds, *map(str, self.dense))

    def delays_of(self, condition: str) -> list[str]:
        """Name the regressors of a condition that has one for each delay; none of others."""
        return self.columns_of(condition) if condition in self.fir_delays else []

    def main_columns_of(self, condition: str) -> list[str]:
        """Name the regressors of a condition without those of its derivatives."""
        if condition not in self.conditions:
            return []
        return self.delays_of(condition) or [condition]

    def columns_of(self, condition: str) -> list[str]:
        """Name the regressors of a condition, as nilearn does."""
        return regressors_of(condition, self.conditions[condition], self.fir_delays.get(condition))


def regressors_of(
    name: str, model: str | None, fir_delays: Sequence[int] | None = None
) -> list[str]:
    """Name the regressors of a condition, as nilearn does: with its derivatives or delays."""
    if model == "fir":
        return [f"{name}_delay_{delay}" for delay in fir_delays or ()]
    more = [part.strip() for part in (model or "").split("+")[1:]]
    return [name, *(f"{name}_{part}" for part in more)]


def steps_of(node: Node) -> tuple[Any, ...]:
    """Return the instructions of a run node; its HRF is a convolution after all of them."""
    if node.hrf is None:
        return node.instructions
    variables = tuple(name for name in node.hrf.variables if name != INTERCEPT)
    base, *more = (part.strip() for part in node.hrf.model.split("+"))
    last = Convolve(
        input=variables,
        model=base,  # type: ignore[arg-type]  # checked when the model was read
        derivative="derivative" in more,
        dispersion="dispersion" in more,
        fir_delays=node.hrf.fir_delays,
    )
    return (*node.instructions, *([last] if variables else []))


def convolved_names(node: Node) -> list[str]:
    """List the variables that a node convolves, wildcards as they are."""
    steps = [step for step in steps_of(node) if isinstance(step, Convolve)]
    return list(dict.fromkeys(name for step in steps for name in step.input))


def named_variables(node: Node) -> list[str]:
    """List what X and the contrasts of a node name, wildcards as they are, each once."""
    in_contrasts = [name for contrast in node.contrasts for name in contrast.variables]
    return [name for name in dict.fromkeys((*node.x, *in_contrasts)) if name != INTERCEPT]


def made_columns(node: Node) -> set[str]:
    """Name what instructions of a node make: no table needs to have it."""
    return {name for step in node.instructions for name in getattr(step, "output", ())}


def required_factors(node: Node) -> tuple[str, ...]:
    """Return the columns that a Factor names and that the events must have."""
    made: set[str] = set()
    found: dict[str, None] = {}
    for step in node.instructions:
        if isinstance(step, Factor):
            found.update(dict.fromkeys(n for n in step.input if n not in made and not is_wild(n)))
        made.update(getattr(step, "output", ()))
    return tuple(found)


def possible_factors(node: Node) -> tuple[str, ...]:
    """Return what may be a column of the events of which a level is named: ``a``, ``a.b``."""
    names = [*named_variables(node), *convolved_names(node), *_texts(node.instructions)]
    return tuple(dict.fromkeys(prefix for name in names for prefix in _prefixes(name)))


def columns_of_instructions(node: Node) -> tuple[str, ...]:
    """Return the names in a node's instructions: columns of these names are read as text."""
    return tuple(dict.fromkeys(_texts(node.instructions)))


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    for n in range(1, len(parts)):
        if not is_wild(prefix := ".".join(parts[:n])):
            yield prefix


def _texts(value: Any) -> Iterator[str]:
    """Find every text in an instruction: some of them are names of columns."""
    if isinstance(value, str):
        yield value
        yield from columns_in(value)
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item)
    elif is_dataclass(value):
        for one in fields(value):
            yield from _texts(getattr(value, one.name))


def resolve_variables(
    node: Node,
    events: pd.DataFrame,
    confound_names: Sequence[str],
    dense: Mapping[str, Any] | None = None,
) -> RunVariables:
    """Find the variables of a run node in the tables of one run.

    The node's instructions are carried out on the columns of the events, and on those confounds
    that they name. ``trial_type.face`` is the level ``face`` of a column, whether or not a Factor
    makes it one; another name is a column, or what an instruction made; or else a confound.

    Parameters
    ----------
    node : Node
        At run level.
    events : pandas.DataFrame
        The run's events.
    confound_names : sequence of str
        Columns of the run's confounds tables.
    dense : mapping of str to array of n_volumes numbers, optional
        Those of them that the instructions name.

    Raises
    ------
    InputError
        An instruction cannot be carried out in this run.
    """
    columns = [str(column) for column in events if column not in TIMING]
    times = events[["onset", "duration"]]
    start: dict[str, Sparse | Dense] = {
        name: Sparse(times.assign(value=events[name])) for name in columns
    }
    start |= {name: Dense(values) for name, values in (dense or {}).items() if name not in start}
    done = transform(start, steps_of(node), named=named_variables(node))
    factors = _factors(node, columns)
    usable = _usable(done, start, factors)
    _refuse_half_numbers(node, done.variables, {*usable, *factors})
    conditions, confounds, changed = _taken(node, done, usable, confound_names)
    found = RunVariables(
        conditions,
        {name: usable[name] for name in conditions},
        confounds,
        (),
        tuple(usable),
        factors,
        {v: done.hrfs[v].fir_delays for v in conditions if conditions[v] == "fir"},
        pd.DataFrame({v: numbers(done.variables[v].cells).to_numpy() for v in changed}),
        done.notes,
    )
    return replace(found, missing=tuple(_missing(node, found)))


def _taken(
    node: Node,
    done: Transformed,
    usable: Mapping[str, pd.DataFrame],
    confound_names: Sequence[str],
) -> tuple[dict[str, str | None], tuple[str, ...], tuple[str, ...]]:
    """Find what X names: conditions, confounds as they are, and those that instructions changed.

    X may name a condition by one of its further regressors alone (``x_derivative``).
    """
    named = named_variables(node)
    derived = {
        column: [v]
        for v in usable
        if (hrf := done.hrfs.get(v)) and v not in named
        for column in regressors_of(v, hrf.model, hrf.fir_delays)
    }
    per_volume = [v for v, variable in done.variables.items() if isinstance(variable, Dense)]
    as_they_are = [c for c in confound_names if c not in usable and c not in per_volume]
    conditions: dict[str, str | None] = {}
    confounds: dict[str, None] = {}
    changed: dict[str, None] = {}
    for x in (name for name in named if name in node.x):
        from_events = [v for v in usable if matches(v, x)] or derived.get(x, [])
        conditions.update({v: _model_of(done.hrfs.get(v)) for v in from_events})
        changed.update(dict.fromkeys(v for v in per_volume if matches(v, x)))
        confounds.update(dict.fromkeys(c for c in as_they_are if matches(c, x)))
    return conditions, tuple(confounds), tuple(changed)


def _missing(node: Node, found: RunVariables) -> Iterator[str]:
    """Name what X and the contrasts name and a run has not, wildcards aside."""
    there = found.columns
    # X names a condition; what a contrast names must be a column: a delay of it, for fir.
    in_contrasts = {name for contrast in node.contrasts for name in contrast.variables}
    for name in named_variables(node):
        is_condition = name in found.conditions and name not in in_contrasts
        if not is_wild(name) and name not in there and not is_condition:
            yield name


def _model_of(hrf: Hrf | None) -> str | None:
    return None if hrf is None else hrf.model


def _factors(node: Node, columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of the events whose levels the model names, or makes variables of."""
    stated = [n for step in node.instructions if isinstance(step, Factor) for n in step.input]
    possible = set(possible_factors(node))
    return tuple(c for c in columns if any(matches(c, s) for s in stated) or c in possible)


def _refuse_half_numbers(
    node: Node, variables: Mapping[str, Sparse | Dense], others: set[str]
) -> None:
    """Refuse variables of the events that X takes and that hold numbers and text."""
    bench = Workbench(variables)
    bench.step = "X"
    taken = (name for name in variables if any(matches(name, x) for x in node.x))
    for name in (name for name in taken if name not in others):
        variable = variables[name]
        if isinstance(variable, Sparse) and numbers(variable.cells).notna().any():
            bench.numbers(name)


def _usable(
    done: Transformed, start: Mapping[str, Sparse | Dense], factors: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Find the variables with an event, and their events: levels first, then columns.

    Rows with a missing value are no events; nor are rows with 0, but for the columns of the
    events themselves: an event may have the amplitude 0. A column whose levels are variables is
    none itself.
    """
    columns = [name for name, variable in start.items() if isinstance(variable, Sparse)]
    made = [name for name in done.variables if name not in columns]
    usable = {}
    for name in (*made, *columns):
        variable = done.variables.get(name)
        if not isinstance(variable, Sparse):
            continue
        if name in factors and variable is start.get(name):
            continue
        amplitude = numbers(variable.cells)
        if (variable.cells.notna() & amplitude.isna()).any():
            continue  # text: its levels may be variables, it is none
        there = amplitude.notna() & ((amplitude != 0) | (name in columns))
        if there.any():
            table = variable.table.loc[there, ["onset", "duration"]].astype(float)
            usable[name] = table.assign(modulation=amplitude[there])
    return usable


def condition_events(variables: RunVariables) -> pd.DataFrame:
    """Write the events once per condition, as nilearn takes them.

    Returns
    -------
    pandas.DataFrame
        ``onset``, ``duration``, ``trial_type`` (the variable), ``modulation``.
    """
    parts = [rows.assign(trial_type=name) for name, rows in variables.rows.items()]
    if not parts:
        return pd.DataFrame({"onset": [], "duration": [], "trial_type": [], "modulation": []})
    return pd.concat(parts, ignore_index=True)[["onset", "duration", "trial_type", "modulation"]]


def same_but_for_spelling(name: str) -> str:
    """Reduce the name of a level to what remains without blanks, case and the form of numbers.

    ``"Face "``, ``"face"`` and ``"FACE"`` become one, and so do ``"1"``, ``"01"`` and ``"1.0"``.
    """
    joined = "".join(name.split()).casefold()
    try:
        return joined if "_" in joined else repr(float(joined))
    except ValueError:
        return joined
