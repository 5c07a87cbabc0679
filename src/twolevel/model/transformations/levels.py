"""Transformations that are about the levels of a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from twolevel.model.transformations.instruction import Instruction, Name, Names, key
from twolevel.model.transformations.workbench import indicators

if TYPE_CHECKING:
    from twolevel.model.transformations.variables import Variable
    from twolevel.model.transformations.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Factor(Instruction):
    """A variable ``column.level`` for each level, sorted: 1 in its rows, 0 elsewhere."""

    input: Names = key("columns whose levels become variables")
    constraint: Literal["none", "drop_one", "mean_zero"] = key(
        "drop_one leaves RefLevel out; mean_zero does too, and codes its rows as -1/(levels - 1)",
        "none",
    )
    ref_level: Name | None = key("the level that is left out; the first one if it is null", None)

    def __post_init__(self) -> None:
        """Refuse a reference that nothing refers to."""
        if self.ref_level is not None and self.constraint == "none":
            raise ValueError('RefLevel only with the Constraint "drop_one" or "mean_zero"')

    def remarks(self) -> list[str]:
        """Say that runs may have other references."""
        if self.constraint == "none" or self.ref_level is not None:
            return []
        return ["the level that is left out is the first one of each run: name it as RefLevel"]

    def carry_out(self, bench: Workbench) -> None:
        """Make the variables; the column itself stays."""
        for name in bench.names(self.input):
            bench.add_levels(name, self._constrained(indicators(bench, name)))

    def _constrained(self, levels: dict[str, Variable]) -> dict[str, Variable]:
        if self.constraint == "none" or len(levels) < 2:
            return levels
        reference = levels.pop(self.ref_level or min(levels), None)
        if reference is None or self.constraint == "drop_one":
            return levels
        below = reference.cells / len(levels)
        return {name: one.with_values(one.cells - below) for name, one in levels.items()}
