"""The variables of a run while instructions change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from twolevel.errors import InputError, Problem, did_you_mean
from twolevel.model.nodes import is_wild, matches
from twolevel.model.transformations.variables import TIMING, Dense, Sparse, level_name, numbers
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twolevel.model.nodes import Hrf
    from twolevel.model.transformations.variables import Variable

SHOWN = 5


class Workbench:
    """The variables by name, what is to be convolved, and what is worth saying.

    Parameters
    ----------
    variables : mapping of str to (Sparse or Dense)
        Those of a run: of its events and its confounds.
    """

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self.variables = dict(variables)
        self.hrfs: dict[str, Hrf] = {}
        self.notes: list[Note] = []
        self.step = "Transformations"
        self._split: dict[str, Variable] = {}  # what has a variable of its own per level
        self._gone: set[str] = set()

    def __setitem__(self, name: str, variable: Variable) -> None:
        self._refuse_time(name)
        self.variables[name] = variable
        self._gone.discard(name)

    def __getitem__(self, name: str) -> Variable:
        """Return a variable; a level that does not occur in this run is 0 everywhere.

        Onsets and durations of the events can be read like one.
        """
        if self._is_time(name):
            _, rows = self.side_by_side(self._events(), as_text=True)
            return rows.with_values(rows.table[name]) if isinstance(rows, Sparse) else rows
        if name not in self.variables:
            whole = self._split[longest_prefix(name, self._split) or ""]
            return whole.with_values(pd.Series(0.0, index=whole.cells.index))
        return self.variables[name]

    def update(self, variables: Mapping[str, Variable]) -> None:
        """Add variables, or put them in the place of others."""
        for name, variable in variables.items():
            self[name] = variable

    def remove(self, names: Iterable[str]) -> None:
        """Remove variables, convolved or not."""
        for name in names:
            self._refuse_time(name)
            self.variables.pop(name, None)
            self.hrfs.pop(name, None)
            self._gone.add(name)

    def add_levels(self, name: str, levels: Mapping[str, Variable]) -> None:
        """Add a variable per level, ``name.level``."""
        self._split[name] = self.variables[name]
        self.update({f"{name}.{level}": one for level, one in levels.items()})

    def names(self, patterns: Sequence[str], *, convolved_too: bool = False) -> list[str]:
        """Find the variables that an instruction names, wildcards allowed.

        A wildcard without a match is nothing; so is, later, a level that this run lacks. A name
        that stands twice is there twice; wildcards add what no name before has found.
        """
        found: list[str] = []
        for pattern in patterns:
            self.take_as_factor(pattern)
            if is_wild(pattern):
                there = [n for n in self.variables if matches(n, pattern)]
                found += [n for n in there if n not in found and n not in patterns]
            elif pattern in self.variables or self._is_level(pattern) or self._is_time(pattern):
                found.append(pattern)
            else:
                raise self._unknown(pattern)
        if not convolved_too:
            self.refuse_convolved(found)
        return found

    def refuse_convolved(self, names: Iterable[str]) -> None:
        """Refuse what a Convolve before has taken."""
        if again := [name for name in dict.fromkeys(names) if name in self.hrfs]:
            raise self.problem(
                f"{', '.join(again)}: convolved already",
                "variables that no Convolve before has taken",
                "put Convolve last, and name each variable in one of them only",
            )

    def pairs(self, patterns: Sequence[str], outputs: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Find the variables that an instruction names, each with the name of its result."""
        names = self.names(patterns)
        if outputs and len(outputs) != len(names):
            raise self.problem(
                f"{len(names)} variables in this run ({', '.join(names)}) for "
                f"{len(outputs)} names in Output",
                "a name for each",
                "list the variables in Input, without wildcards",
            )
        yield from list(zip(names, outputs or names, strict=True))

    def numbers(self, name: str) -> pd.Series:
        """Return the values of a variable as numbers, NaN where they are missing.

        Raises
        ------
        InputError
            Some are none; with the first lines.
        """
        variable = self[name]
        found = numbers(variable.cells)
        wrong = variable.cells[variable.cells.notna() & found.isna()]
        if wrong.empty:
            return found
        places = ", ".join(
            f'{variable.place_of(row)} ("{cell}")' for row, cell in wrong.iloc[:SHOWN].items()
        )
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise self.problem(
            f"no number in column {name}: {places}{more}",
            "numbers, and n/a where there is no value",
            f"correct these cells, or name the levels: {name} in a Factor before it, then "
            f"{name}.LEVEL",
        )

    def side_by_side(
        self, names: Sequence[str], *, as_text: bool = False
    ) -> tuple[pd.DataFrame, Variable]:
        """Put variables into one table by their rows, and return what its rows are.

        Onset and duration of a row are those of the first variable that has it. Where rows differ
        between variables, those of all are in the order of their onsets.
        """
        parts = [self[name] for name in names]
        columns = [
            p.cells if as_text else self.numbers(n) for p, n in zip(parts, names, strict=True)
        ]
        self.refuse_mixed(names)
        if not parts:
            raise self.problem(
                "no variable in this run", "at least one", "name variables that every run has"
            )
        rows = _rows_of_all(parts)
        frame = pd.concat([column.reindex(rows.cells.index) for column in columns], axis=1)
        frame.columns = pd.Index(names)
        return frame, rows

    def refuse_mixed(self, names: Sequence[str]) -> None:
        """Refuse values per event beside values per volume."""
        dense = [name for name in names if isinstance(self[name], Dense)]
        if dense and len(dense) < len(names):
            sparse = [name for name in names if name not in dense]
            raise self._mixed(", ".join(sparse), ", ".join(dense))

    def sparse(self, name: str) -> Sparse:
        """Return a variable that has a value per event, and refuse another."""
        variable = self[name]
        if isinstance(variable, Dense):
            raise self.problem(
                f"{name}, which has a value per volume",
                "a variable with a value per event",
                "name a column of the events",
            )
        return variable

    def dense(self, name: str) -> Dense:
        """Return a variable that has a value per volume, and refuse another."""
        variable = self[name]
        if isinstance(variable, Sparse):
            raise self.problem(
                f"{name}, which has a value per event",
                "a variable with a value per volume",
                "name a confound: what comes before an event is no volume before",
            )
        return variable

    def columns(self, names: Sequence[str], variable: Variable) -> pd.DataFrame:
        """Put variables beside another one, row by row: missing where they lack its rows.

        Onset and duration of the other one are columns too, where no variable has these names.
        """
        frame = pd.DataFrame(index=variable.cells.index)
        for name in names:
            if isinstance(variable, Sparse) and name in TIMING and name not in self.variables:
                frame[name] = variable.table[name]
                continue
            for found in self.names([name]):
                if isinstance(self[found], Dense) != isinstance(variable, Dense):
                    pair = (found, "the other"), ("the other", found)
                    raise self._mixed(*pair[isinstance(self[found], Dense)])
                frame[found] = self[found].cells.reindex(frame.index)
        return frame

    def with_times(self, variable: Sparse, time: str, values: pd.Series) -> Sparse:
        """Return events with other onsets or durations; those without one leave."""
        table = variable.table.assign(**{time: values.astype(float)})
        table = table[table[time].notna()]
        below = table.index[table["duration"] < 0]
        if len(below):
            raise self.problem(
                f"a duration of {table.loc[below[0], 'duration']:g} s in "
                f"{variable.place_of(below[0])}",
                "0 s or more",
                "correct these rows, or leave them out",
            )
        return Sparse(table)

    def problem(self, found: str, expected: str, remedy: str) -> InputError:
        """Describe what an instruction cannot do in this run."""
        return InputError(Problem(self.step, found, expected, remedy))

    def _mixed(self, sparse: str, dense: str) -> InputError:
        return self.problem(
            f"values per event ({sparse}) with values per volume ({dense})",
            "variables of one kind: they have no rows in common",
            "combine events with events, and confounds with confounds",
        )

    def _events(self) -> list[str]:
        return [name for name, one in self.variables.items() if isinstance(one, Sparse)]

    def _is_time(self, name: str) -> bool:
        return name in TIMING and name not in self.variables and bool(self._events())

    def _refuse_time(self, name: str) -> None:
        """Refuse to put something in the place of onsets or durations."""
        if self._is_time(name):
            raise self.problem(
                f"{name} as the name of a result, or to be removed",
                f"another name in Output: every event has its {name}",
                f'use Assign with "TargetAttr": "{name}", Replace, or Add',
            )

    def _is_level(self, name: str) -> bool:
        return longest_prefix(name, self._split) is not None and name not in self._gone

    def take_as_factor(self, pattern: str) -> None:
        """Make levels of a column that is named by its levels before any Factor made them."""
        column = longest_prefix(pattern, self.variables)
        if column is None or longest_prefix(pattern, self._split):
            return
        there = any(matches(name, pattern) for name in self.variables)
        if there or isinstance(self.variables[column], Dense):
            return
        self.notes.append(
            Note(f"{column} is taken as a factor: no Factor instruction comes before its levels")
        )
        self.add_levels(column, indicators(self, column))

    def _unknown(self, name: str) -> InputError:
        meant = did_you_mean(name, self.variables)
        return self.problem(
            f'no variable "{name}" in this run',
            f"one of {', '.join(self.variables) or 'none'}",
            meant or "correct the name",
        )


def _rows_of_all(parts: Sequence[Variable]) -> Variable:
    """Return a variable with the rows of several: in their order if that is one, else by onset."""
    first, *others = parts
    tables = [part.table for part in parts if isinstance(part, Sparse)]
    if not tables or all(other.cells.index.equals(first.cells.index) for other in others):
        return first
    together = pd.concat(tables)
    once = together[~together.index.duplicated()].sort_index()
    return Sparse(once.sort_values("onset", kind="stable"))


def longest_prefix(name: str, columns: Iterable[str]) -> str | None:
    """Return the longest column of which a name is a level, whether or not it occurs."""
    return max((c for c in columns if name.startswith(f"{c}.")), key=len, default=None)


def indicators(bench: Workbench, column: str) -> dict[str, Variable]:
    """Make of a column a variable per level, sorted: 1 in its rows, 0 in all others."""
    variable = bench[column]
    values = variable.cells
    if (empty := values.map(lambda cell: isinstance(cell, str) and not cell.strip())).any():
        places = ", ".join(variable.place_of(row) for row in values.index[empty][:SHOWN])
        raise bench.problem(
            f"an empty cell in column {column}: {places}",
            "a value, or n/a where there is none",
            "write n/a into these cells, or what is missing there",
        )
    names = values[values.notna()].map(level_name).reindex(values.index)
    return {
        level: variable.with_values((names == level).astype(float))
        for level in sorted(names.dropna().unique())
    }
