"""Transformations of a column of numbers that look at all of its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from twolevel.model.transformations.instruction import Name, Names, OfEach, key

if TYPE_CHECKING:
    from twolevel.model.transformations.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Scale(OfEach):
    """Mean 0 and standard deviation 1 (n - 1 in it), over the rows that have a value."""

    demean: bool = key("take the mean off", True)
    rescale: bool = key("divide by the standard deviation", True)
    replace_na: Literal["off", "before", "after"] = key(
        "make missing values 0, before the mean is taken or after all", "off"
    )

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:
        """Scale."""
        values = values.fillna(0.0) if self.replace_na == "before" else values
        spread = values.std()
        if self.rescale and values.min() == values.max():
            if self.replace_na != "after":
                raise bench.problem(
                    f"one value only in column {name}: {values.dropna().iloc[0]:g}",
                    "values that differ: their standard deviation is divided by",
                    'write "Rescale": false, or "ReplaceNa": "after" to get 0 everywhere',
                )
            values, spread = values * 0.0, 1.0
        values = values - values.mean() if self.demean else values
        values = values / spread if self.rescale else values
        return values.fillna(0.0) if self.replace_na == "after" else values


@dataclass(frozen=True, kw_only=True)
class Demean(OfEach):
    """Mean 0, over the rows that have a value."""

    within: tuple[Name, ...] = key("columns: mean 0 among the rows that agree in these", ())

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:
        """Take the mean off."""
        if not self.within:
            return values - values.mean()
        groups = bench.columns(self.within, bench[name])
        by = [groups[column] for column in groups]
        return values - values.groupby(by, dropna=False).transform("mean")


@dataclass(frozen=True, kw_only=True)
class Threshold(OfEach):
    """Values beyond a threshold stay, the others become 0; missing values stay missing."""

    threshold: float = key("the threshold, itself not beyond", 0.0)
    binarize: bool = key("the values that stay become 1", False)
    above: bool = key("values above stay, otherwise those below", True)
    signed: bool = key("compare values; otherwise magnitudes", True)

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:  # noqa: ARG002
        """Compare."""
        compared = values if self.signed else values.abs()
        limit = self.threshold if self.signed else abs(self.threshold)
        stays = compared > limit if self.above else compared < limit
        result = stays.astype(float) if self.binarize else values.where(stays, 0.0)
        return result.where(values.notna())


@dataclass(frozen=True, kw_only=True)
class Orthogonalize(OfEach):
    """What least squares with other variables leaves, and the mean as it was.

    Rows where one of them has no value become missing.
    """

    other: Names = key("the other variables")

    def __post_init__(self) -> None:
        """Refuse a variable that would be made orthogonal to itself."""
        super().__post_init__()
        if both := sorted(set(self.input) & set(self.other)):
            raise ValueError(f"Other without variables of Input: {', '.join(both)}")

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:
        """Fit and subtract."""
        others = [other for other in bench.names(self.other) if other != name]
        bench.refuse_mixed([name, *others])
        if not others:
            return values
        rows = [bench.numbers(other).reindex(values.index) for other in others]
        there = np.logical_and.reduce([values.notna(), *(row.notna() for row in rows)])
        y = values[there]
        x = np.column_stack([row[there] - row[there].mean() for row in rows])
        weights = np.linalg.lstsq(x, (y - y.mean()).to_numpy(), rcond=None)[0]
        explained = pd.Series(x @ weights, index=y.index)
        left: pd.Series = y - explained
        return left.reindex(values.index)
