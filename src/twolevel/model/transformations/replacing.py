"""Transformations that put other values, onsets or durations in the place of those there."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pandas as pd
from annotated_types import MinLen

from twolevel.files.tables import MISSING
from twolevel.model.transformations.instruction import (
    Instruction,
    Name,
    Names,
    key,
    refuse_other_length,
)
from twolevel.model.transformations.variables import TIMING, Sparse, level_name, number, numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twolevel.model.transformations.workbench import Workbench

Attribute = Literal["value", "duration", "onset"]


@dataclass(frozen=True)
class Replacement:
    """What is looked for, and what takes its place.

    Attributes
    ----------
    key : str
        A value as it stands; a number stands for every spelling of it, ``n/a`` for missing ones.
    value : str, float or None
        None and ``n/a`` for missing.
    regex : bool
        The key is a regular expression for the whole value.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid",
        "strict": True,
        "allow_inf_nan": False,
    }

    key: str
    value: str | float | None
    regex: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no regular expression."""
        try:
            re.compile(self.key if self.regex else "")
        except re.error as error:
            raise ValueError(f"a regular expression: {error}") from error

    @property
    def result(self) -> Any:
        """What is put into the column."""
        return math.nan if self.value in {None, MISSING} else self.value

    def is_cell(self, cell: Any) -> bool:
        """Tell whether a cell is the key, as it stands."""
        if self.regex:
            return False
        return self.key == MISSING if pd.isna(cell) else str(cell) == self.key

    def is_number(self, cell: Any) -> bool:
        """Tell whether a cell is the same number."""
        return not self.regex and number(cell) == number(self.key)

    def fits(self, cell: Any) -> bool:
        """Tell whether the expression describes a cell."""
        if not self.regex or pd.isna(cell):
            return False
        return re.fullmatch(self.key, level_name(cell)) is not None


@dataclass(frozen=True, kw_only=True)
class Replace(Instruction):
    """Other values, all at once: what one replacement makes, no other one takes.

    A value that is a key as it stands is taken before one that is the same number. Onsets and
    durations are replaced where they are such a number, or where a row has any other key as value.
    """

    input: Names = key("the variables")
    replace: Annotated[tuple[Replacement, ...], MinLen(1)] = key("{old value: new value}")
    attribute: Literal["value", "duration", "onset", "all"] = key("what is replaced", "value")
    output: tuple[Name, ...] = key("names of the results, one for each of Input", ())

    def __post_init__(self) -> None:
        """Refuse times that are no numbers."""
        refuse_other_length("Output", self.output, self.input)
        texts = [r.value for r in self.replace if isinstance(r.result, str)]
        if texts and self.attribute != "value":
            raise ValueError(f'numbers as new values, for Attribute "{self.attribute}"')

    def carry_out(self, bench: Workbench) -> None:
        """Replace in each variable."""
        results = {}
        for name, output in bench.pairs(self.input, self.output):
            variable = bench[name]
            values = variable.cells
            if self.attribute in {"value", "all"}:
                variable = variable.with_values(self.column(values, self.replace, values))
            for time in TIMING:
                if self.attribute in {time, "all"}:
                    events = variable if isinstance(variable, Sparse) else bench.sparse(name)
                    variable = bench.with_times(events, time, self.times(values, events, time))
            results[output] = variable
        bench.update(results)

    def times(self, values: pd.Series, events: Sparse, time: str) -> pd.Series:
        """Make the new onsets or durations, given the values as they were."""
        of_values = [one for one in self.replace if one.regex or math.isnan(number(one.key))]
        of_times = [one for one in self.replace if one not in of_values]
        times = events.table[time]
        changed = self.column(times, of_times, times)
        return numbers(self.column(values.reindex(times.index), of_values, changed))

    def column(
        self, cells: pd.Series, replacements: Sequence[Replacement], otherwise: pd.Series
    ) -> pd.Series:
        """Put the new values into a column, where a replacement fits a cell."""
        tests: list[Callable[[Replacement, Any], bool]] = [
            Replacement.is_cell,
            Replacement.is_number,
            Replacement.fits,
        ]

        def replaced(cell: Any, other: Any) -> Any:
            found = (one.result for test in tests for one in replacements if test(one, cell))
            return next(found, other)

        new = [replaced(cell, other) for cell, other in zip(cells, otherwise, strict=True)]
        return pd.Series(new, index=cells.index, dtype=object)

    def as_in_file(self, said: dict[str, Any]) -> dict[str, Any]:
        """Write ``{old: new}`` where there is no regular expression."""
        if any(one.regex for one in self.replace):
            return said
        return {**said, "Replace": {one.key: one.value for one in self.replace}}


@dataclass(frozen=True, kw_only=True)
class Assign(Instruction):
    """Values, onsets or durations of variables become those of others, row by row.

    Rows of a target for which there is no value leave it.
    """

    input: Names = key("the variables that give")
    target: Names = key("the variables that take; one of Input may give to all")
    input_attr: Attribute = key("what is given", "value")
    target_attr: Attribute = key("what it becomes", "value")
    output: tuple[Name, ...] = key("names of the results, one for each of Target", ())

    def __post_init__(self) -> None:
        """Refuse lists that do not go together."""
        if len(self.input) > 1:
            refuse_other_length("Target", self.target, self.input)
        if self.output and len(self.output) != len(self.target):
            raise ValueError(f"as many values in Output as in Target: {len(self.target)}")

    def carry_out(self, bench: Workbench) -> None:
        """Assign to each target."""
        names = bench.names(self.input)
        results = {}
        for index, (target, output) in enumerate(bench.pairs(self.target, self.output)):
            if len(names) not in {1, len(self.target)}:
                raise bench.problem(
                    f"{len(names)} variables of Input in this run for {len(self.target)} targets",
                    "one, or one for each",
                    "list them without wildcards",
                )
            name = names[0] if len(names) == 1 else names[index]
            results[output] = self._assigned(name, target, bench)
        bench.update(results)

    def _assigned(self, name: str, target: str, bench: Workbench) -> Sparse:
        source, events = bench.sparse(name), bench.sparse(target)
        if self.input_attr != "value":
            given = source.table[self.input_attr]
        else:
            given = source.cells if self.target_attr == "value" else bench.numbers(name)
        given = given.reindex(events.cells.index)
        rows = events.with_values(events.cells[given.notna()])
        if self.target_attr == "value":
            return rows.with_values(given[given.notna()])
        return bench.with_times(rows, self.target_attr, given[given.notna()])
