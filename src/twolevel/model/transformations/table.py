"""All transformations by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.model.transformations import (
    arithmetic,
    combining,
    convolve,
    levels,
    names,
    replacing,
    rows,
    scaling,
    volumes,
)

if TYPE_CHECKING:
    from twolevel.model.transformations.instruction import Instruction

TRANSFORMATIONS: dict[str, type[Instruction]] = {
    one.__name__: one
    for one in (
        levels.Factor,
        convolve.Convolve,
        names.Copy,
        names.Rename,
        names.Delete,
        names.Select,
        replacing.Replace,
        replacing.Assign,
        scaling.Scale,
        scaling.Demean,
        scaling.Threshold,
        scaling.Orthogonalize,
        combining.Product,
        combining.Sum,
        combining.And,
        combining.Or,
        combining.Not,
        combining.Concatenate,
        rows.Filter,
        rows.Split,
        rows.DropNA,
        rows.LabelIdenticalRows,
        rows.Constant,
        arithmetic.Add,
        arithmetic.Subtract,
        arithmetic.Multiply,
        arithmetic.Divide,
        arithmetic.Power,
        volumes.Lag,
        volumes.Derivative,
    )
}
NOT_OFFERED = {
    "Group": "name the variables themselves, or use wildcards",
    "ToDense": "leave it out: Convolve makes regressors of events, exactly in time",
    "Resample": "leave it out: regressors are made at the times of the volumes",
}
