"""Transformations that are about which rows a variable has, and which of them are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import pandas as pd
from annotated_types import MinLen

from twolevel.model.transformations.conditions import condition
from twolevel.model.transformations.instruction import Instruction, Name, Names, OfEach, key
from twolevel.model.transformations.variables import Dense, level_name

if TYPE_CHECKING:
    from twolevel.model.transformations.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Filter(OfEach):
    """Rows of which a condition does not hold leave the variable."""

    query: Name = key("the condition, over variables, onset and duration")
    by: tuple[Name, ...] = key("variables that the condition names; it may name any", ())
    works_on_text: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse what is no condition."""
        super().__post_init__()
        condition(self.query)

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:
        """Keep the rows of which it holds."""
        bench.names(self.by)
        return values[condition(self.query).holds(bench[name], bench)]


@dataclass(frozen=True, kw_only=True)
class DropNA(OfEach):
    """Rows without a value leave the variable."""

    works_on_text: ClassVar[bool] = True

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:  # noqa: ARG002
        """Keep the rows that have one."""
        return values.dropna()


@dataclass(frozen=True, kw_only=True)
class LabelIdenticalRows(OfEach):
    """The number of a row among those of the same value in a row, from 1; missing stays missing.

    The result is called ``x_label`` where Output does not name it.
    """

    cumulative: bool = key("count all rows of the same value, also with others between", False)
    works_on_text: ClassVar[bool] = True
    suffix: ClassVar[str] = "_label"

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:  # noqa: ARG002
        """Count."""
        there = values.dropna().map(level_name)
        alike = there if self.cumulative else (there != there.shift()).cumsum()
        return (there.groupby(alike).cumcount() + 1.0).reindex(values.index)


@dataclass(frozen=True, kw_only=True)
class Split(Instruction):
    """A variable ``x.level`` for each level of another one, with the rows of that level only."""

    input: Names = key("the variables that are split")
    by: Names = key("the columns whose levels split them; joined by a dot where they are several")

    def carry_out(self, bench: Workbench) -> None:
        """Make the variables; the whole one stays."""
        for name in bench.names(self.input):
            variable = bench[name]
            by = bench.columns(self.by, variable).dropna()
            rows = [".".join(map(level_name, row)) for row in by.itertuples(index=False)]
            level_of = pd.Series(rows, index=by.index, dtype=object)
            parts = {
                level: variable.with_values(variable.cells[level_of.index[level_of == level]])
                for level in sorted(level_of.unique())
            }
            bench.add_levels(name, parts)


@dataclass(frozen=True, kw_only=True)
class Constant(Instruction):
    """A variable with one value in every row of the events."""

    output: Annotated[tuple[Name, ...], MinLen(1)] = key("the name of the result")
    value: float | str = key("its value", 1.0)

    def __post_init__(self) -> None:
        """Refuse several results."""
        if len(self.output) != 1:
            raise ValueError("one name in Output")

    def carry_out(self, bench: Workbench) -> None:
        """Make it of all rows that any variable of the events has."""
        events = [n for n, v in bench.variables.items() if not isinstance(v, Dense)]
        _, rows = bench.side_by_side(events, as_text=True)
        bench[self.output[0]] = rows.with_values(
            pd.Series([self.value] * len(rows.cells), index=rows.cells.index)
        )
