"""Transformations along time, of variables with a value per volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import pandas as pd
from annotated_types import Ge, Interval
from scipy import ndimage

from twolevel.model.transformations.instruction import OfEach, key

if TYPE_CHECKING:
    from twolevel.model.transformations.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Lag(OfEach):
    """The values of earlier volumes, or of later ones where Shift is negative."""

    shift: float = key("by how many volumes; between volumes a spline is evaluated", 1.0)
    order: Annotated[int, Interval(ge=0, le=5)] = key("of the spline", 3)
    mode: Literal["nearest", "reflect", "constant"] = key("what lies beyond the ends", "nearest")
    constant: float = key('the value there, with Mode "constant"', 0.0)
    difference: bool = key("the difference from it, forward where Shift is negative", False)
    needs_volumes: ClassVar[bool] = True

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:
        """Shift."""
        is_whole = float(self.shift).is_integer()
        if not is_whole and values.isna().any():
            missing = bench[name].place_of(values.index[values.isna()][0])
            raise bench.problem(
                f"no value in {missing} of {name}",
                f"a value in every volume, for a spline at {self.shift:g} volumes",
                "use a whole number as Shift",
            )
        shifted = ndimage.shift(
            values.to_numpy(float),
            self.shift,
            order=0 if is_whole else self.order,
            mode=self.mode,
            cval=self.constant,
        )
        result = pd.Series(shifted, index=values.index)
        if not self.difference:
            return result
        difference: pd.Series = values - result if self.shift >= 0 else result - values
        return difference


@dataclass(frozen=True, kw_only=True)
class Derivative(OfEach):
    """The difference from the volume before; as often as Order says."""

    order: Annotated[int, Ge(1)] = key("how often", 1)
    initial: float | Literal["NaN"] = key('the first values, "NaN" for missing', 0.0)
    needs_volumes: ClassVar[bool] = True

    def column(self, values: pd.Series, name: str, bench: Workbench) -> pd.Series:  # noqa: ARG002
        """Subtract."""
        order = min(self.order, len(values))
        first = np.full(order, float(self.initial))
        rest = np.diff(values.to_numpy(float), n=order)
        return pd.Series(np.concatenate([first, rest]), index=values.index)
