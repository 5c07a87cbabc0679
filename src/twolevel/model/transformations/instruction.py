"""What all transformations share: their keys, and what they may ask of the variables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import MinLen

from twolevel.model.declared import key_of
from twolevel.model.nodes import Transformation

if TYPE_CHECKING:
    import pandas as pd

    from twolevel.model.transformations.workbench import Workbench

Name = Annotated[str, MinLen(1)]
Names = Annotated[tuple[Name, ...], MinLen(1)]


def key(text: str, default: Any = MISSING) -> Any:
    """Declare a key of an instruction, one that must be there where it has no default."""
    return field(default=default, metadata={"description": text})


@dataclass(frozen=True, kw_only=True)
class Instruction(Transformation, ABC):
    """One step of a transformer; its fields are the keys in the file."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid",
        "alias_generator": key_of,
        "serialize_by_alias": True,
        "allow_inf_nan": False,
        "strict": True,
    }

    @abstractmethod
    def carry_out(self, bench: Workbench) -> None:
        """Change the variables."""

    def as_in_file(self, said: dict[str, Any]) -> dict[str, Any]:
        """Write its keys and values as a file has them, given those of the fields."""
        return said

    def remarks(self) -> list[str]:
        """Say what a reader of the instruction might expect otherwise."""
        return []


@dataclass(frozen=True, kw_only=True)
class OfEach(Instruction):
    """An instruction that makes one column of each: in its place, or under the name in Output."""

    input: Names = key("the variables")
    output: tuple[Name, ...] = key("names of the results, one for each of Input", ())
    works_on_text: ClassVar[bool] = False
    needs_volumes: ClassVar[bool] = False
    suffix: ClassVar[str] = ""  # of the result where Output does not name it

    def __post_init__(self) -> None:
        """Refuse another number of names than inputs; wildcards are counted later."""
        refuse_other_length("Output", self.output, self.input)

    @abstractmethod
    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:
        """Make the new values of a variable; rows that the result lacks leave it."""

    def carry_out(self, bench: Workbench) -> None:
        """Change each input as it was before this instruction."""
        results = {}
        for name, output in bench.pairs(self.input, self.output):
            variable = bench.dense(name) if self.needs_volumes else bench[name]
            values = variable.cells if self.works_on_text else bench.numbers(name)
            target = output if self.output else name + self.suffix
            results[target] = variable.with_values(self.column(values, name, bench))
        bench.update(results)


@dataclass(frozen=True, kw_only=True)
class OfAll(Instruction):
    """An instruction that makes one column of several, row by row."""

    input: Names = key("the variables")
    output: Annotated[tuple[Name, ...], MinLen(1)] = key("the name of the result")
    works_on_text: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse several results."""
        if len(self.output) != 1:
            raise ValueError("one name in Output")

    @abstractmethod
    def row_by_row(self, columns: pd.DataFrame) -> pd.Series:
        """Make the new values; rows that the result lacks are not in the variable."""

    def carry_out(self, bench: Workbench) -> None:
        """Make the column."""
        names = bench.names(self.input)
        frame, like = bench.side_by_side(names, as_text=self.works_on_text)
        bench[self.output[0]] = like.with_values(self.row_by_row(frame))


def refuse_other_length(what: str, given: tuple[Any, ...], names: tuple[str, ...]) -> None:
    """Refuse a list that is not as long as the one it goes with, and results of one name."""
    is_open = any("*" in name or "?" in name for name in names)
    if given and len(given) != len(names) and not is_open:
        raise ValueError(f"as many values in {what} as in Input: {len(names)}")
    if what == "Output" and len(set(given)) < len(given):
        raise ValueError("each name once in Output")
