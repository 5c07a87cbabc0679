"""All transformations by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.model.transformations import convolve, levels

if TYPE_CHECKING:
    from twolevel.model.transformations.instruction import Instruction

TRANSFORMATIONS: dict[str, type[Instruction]] = {
    one.__name__: one for one in (levels.Factor, convolve.Convolve)
}
NOT_OFFERED = {
    "Group": "name the variables themselves, or use wildcards",
    "ToDense": "leave it out: Convolve makes regressors of events, exactly in time",
    "Resample": "leave it out: regressors are made at the times of the volumes",
}
