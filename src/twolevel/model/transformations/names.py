"""Transformations that are about names: what there is, and how it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import MinLen

from twolevel.model.transformations.instruction import (
    Instruction,
    Name,
    Names,
    key,
    refuse_other_length,
)
from twolevel.model.transformations.variables import Dense

if TYPE_CHECKING:
    from twolevel.model.transformations.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Copy(Instruction):
    """The same variables once more, under other names."""

    input: Names = key("the variables")
    output: Annotated[tuple[Name, ...], MinLen(1)] = key("their other names, in order")

    def __post_init__(self) -> None:
        """Refuse another number of names."""
        refuse_other_length("Output", self.output, self.input)

    def carry_out(self, bench: Workbench) -> None:
        """Copy."""
        bench.update({new: bench[old] for old, new in bench.pairs(self.input, self.output)})


@dataclass(frozen=True, kw_only=True)
class Rename(Copy):
    """The same variables under other names only."""

    def carry_out(self, bench: Workbench) -> None:
        """Rename all at once, so that two may change places."""
        pairs = list(bench.pairs(self.input, self.output))
        renamed = {new: bench[old] for old, new in pairs}
        bench.remove(old for old, _ in pairs)
        bench.update(renamed)


@dataclass(frozen=True, kw_only=True)
class Delete(Instruction):
    """Variables are there no longer."""

    input: Names = key("the variables that go")

    def carry_out(self, bench: Workbench) -> None:
        """Remove them."""
        bench.remove(bench.names(self.input, convolved_too=True))


@dataclass(frozen=True, kw_only=True)
class Select(Instruction):
    """Of the variables of the events, only these stay; which confounds do is for X to say."""

    input: Names = key("the variables that stay")

    def carry_out(self, bench: Workbench) -> None:
        """Remove the others."""
        kept = bench.names(self.input, convolved_too=True)
        there = bench.variables.items()
        others = [n for n, v in there if n not in kept and not isinstance(v, Dense)]
        bench.remove(others)
