"""Transformations that do the same with every value."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from twolevel.model.transformations.conditions import condition
from twolevel.model.transformations.instruction import Name, OfEach, key
from twolevel.model.transformations.variables import TIMING, Sparse

if TYPE_CHECKING:
    import pandas as pd

    from twolevel.model.transformations.variables import Variable
    from twolevel.model.transformations.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Arithmetic(OfEach):
    """An operation with one number, in all rows or in those of a condition.

    ``onset`` and ``duration`` as Input are those of all variables of the events.
    """

    value: float = key("the number")
    query: Name | None = key("a condition: where it does not hold, values stay", None)

    def __post_init__(self) -> None:
        """Refuse what is no condition, and times under other names."""
        super().__post_init__()
        if self.query is not None:
            condition(self.query)
        if self.output and set(TIMING) & set(self.input):
            raise ValueError("no Output where Input has onset or duration: they are no variables")

    @abstractmethod
    def operate(self, values: pd.Series) -> pd.Series:
        """Do it in every row."""

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:
        """Do it where the condition holds."""
        return self._changed(values, bench[name], bench)

    def carry_out(self, bench: Workbench) -> None:
        """Change variables, or the times of all."""
        times = [n for n in self.input if n in TIMING and n not in bench.variables]
        if others := tuple(name for name in self.input if name not in times):
            super(Arithmetic, replace(self, input=others)).carry_out(bench)
        for time in times:
            bench.refuse_convolved(bench.variables)
            for name, variable in bench.variables.items():
                if isinstance(variable, Sparse):
                    changed = self._changed(variable.table[time], variable, bench)
                    bench.variables[name] = bench.with_times(variable, time, changed)

    def _changed(self, values: pd.Series, variable: Variable, bench: Workbench) -> pd.Series:
        with np.errstate(all="ignore"):
            changed = self.operate(values)
        if self.query is not None:
            changed = changed.where(condition(self.query).holds(variable, bench), values)
        wrong = values.index[values.notna() & ~np.isfinite(changed)]
        if len(wrong):
            raise bench.problem(
                f"no finite result in {variable.place_of(wrong[0])}, of {values[wrong[0]]:g}",
                "a number",
                "leave out such rows with Filter, or correct Value",
            )
        return changed


@dataclass(frozen=True, kw_only=True)
class Add(Arithmetic):
    """Add a number."""

    def operate(self, values: pd.Series) -> pd.Series:
        """Add."""
        return values + self.value


@dataclass(frozen=True, kw_only=True)
class Subtract(Arithmetic):
    """Subtract a number."""

    def operate(self, values: pd.Series) -> pd.Series:
        """Subtract."""
        return values - self.value


@dataclass(frozen=True, kw_only=True)
class Multiply(Arithmetic):
    """Multiply by a number."""

    def operate(self, values: pd.Series) -> pd.Series:
        """Multiply."""
        return values * self.value


@dataclass(frozen=True, kw_only=True)
class Divide(Arithmetic):
    """Divide by a number."""

    def __post_init__(self) -> None:
        """Refuse 0."""
        super().__post_init__()
        if self.value == 0:
            raise ValueError("a Value other than 0, by which can be divided")

    def operate(self, values: pd.Series) -> pd.Series:
        """Divide."""
        return values / self.value


@dataclass(frozen=True, kw_only=True)
class Power(Arithmetic):
    """Raise to a power."""

    def operate(self, values: pd.Series) -> pd.Series:
        """Raise."""
        return values**self.value
