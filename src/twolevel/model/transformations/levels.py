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
            levels = indicators(bench, name)
            reference = self._reference(levels)
            bench.add_levels(name, self._constrained(levels, reference))
            bench.remove([] if reference is None else [f"{name}.{reference}"])

    def _reference(self, levels: dict[str, Variable]) -> str | None:
        """Choose the level that is left out; without a name, the first of several."""
        if self.constraint == "none" or self.ref_level is not None:
            return self.ref_level
        return min(levels) if len(levels) > 1 else None

    def _constrained(
        self, levels: dict[str, Variable], reference: str | None
    ) -> dict[str, Variable]:
        others = {name: one for name, one in levels.items() if name != reference}
        if self.constraint != "mean_zero" or reference not in levels:
            return others
        below = levels[reference].cells / max(len(others), 1)
        return {name: one.with_values(one.cells - below) for name, one in others.items()}
