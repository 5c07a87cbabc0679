"""Transformations that make one variable of several, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from twolevel.model.transformations.conditions import condition, is_condition
from twolevel.model.transformations.instruction import (
    Names,
    OfAll,
    OfEach,
    key,
    refuse_other_length,
)
from twolevel.model.transformations.variables import level_name, truth

if TYPE_CHECKING:
    from twolevel.model.transformations.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Product(OfAll):
    """The product; missing in rows where one of the values is."""

    def row_by_row(self, columns: pd.DataFrame) -> pd.Series:
        """Multiply."""
        return columns.prod(axis=1, skipna=False)


@dataclass(frozen=True, kw_only=True)
class Sum(OfAll):
    """The weighted sum of the values that are there; missing in rows without any."""

    weights: tuple[float, ...] = key("one for each of Input; 1 where there are none", ())

    def __post_init__(self) -> None:
        """Refuse another number of weights."""
        super().__post_init__()
        refuse_other_length("Weights", self.weights, self.input)

    def carry_out(self, bench: Workbench) -> None:
        """Refuse another number of weights than variables of this run."""
        names = bench.names(self.input)
        if self.weights and len(names) != len(self.weights):
            raise bench.problem(
                f"{len(names)} variables in this run for {len(self.weights)} Weights",
                "a weight for each",
                "list the variables in Input, without wildcards",
            )
        super().carry_out(bench)

    def row_by_row(self, columns: pd.DataFrame) -> pd.Series:
        """Add."""
        weighted = columns * list(self.weights) if self.weights else columns
        return weighted.sum(axis=1, min_count=1)


@dataclass(frozen=True, kw_only=True)
class Concatenate(OfAll):
    """The values as text, joined by ``_``; rows where one is missing are not in it."""

    works_on_text: ClassVar[bool] = True

    def row_by_row(self, columns: pd.DataFrame) -> pd.Series:
        """Join."""
        complete = columns.dropna()
        texts = ["_".join(map(level_name, row)) for row in complete.itertuples(index=False)]
        return pd.Series(texts, index=complete.index, dtype=object)


@dataclass(frozen=True, kw_only=True)
class Logical(OfAll):
    """1 where it is true of the values, 0 elsewhere; 0, empty and missing values are false.

    An input may be a condition: ``face_type == "famous"``.
    """

    input: Names = key("variables or conditions")
    works_on_text: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse what is no condition."""
        super().__post_init__()
        for name in self.input:
            if is_condition(name):
                condition(name)

    def carry_out(self, bench: Workbench) -> None:
        """Make variables of conditions first, and remove them at the end."""
        conditions = [n for n in self.input if n not in bench.variables and is_condition(n)]
        bench.update({name: condition(name).variable(bench) for name in conditions})
        super().carry_out(bench)
        bench.remove(conditions)


@dataclass(frozen=True, kw_only=True)
class And(Logical):
    """1 where all of the values are true."""

    def row_by_row(self, columns: pd.DataFrame) -> pd.Series:
        """Ask for all."""
        return columns.apply(truth).all(axis=1).astype(float)


@dataclass(frozen=True, kw_only=True)
class Or(Logical):
    """1 where one of the values is true."""

    def row_by_row(self, columns: pd.DataFrame) -> pd.Series:
        """Ask for any."""
        return columns.apply(truth).any(axis=1).astype(float)


@dataclass(frozen=True, kw_only=True)
class Not(OfEach):
    """1 where a value is 0, empty or missing, 0 elsewhere."""

    works_on_text: ClassVar[bool] = True

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:  # noqa: ARG002
        """Negate."""
        return (~truth(values)).astype(float)
