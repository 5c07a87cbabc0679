"""Weights of contrasts, as files have them."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_NUMBER = 40  # characters


def number_of(weight: float | str) -> float:
    """Read a weight: a number, or a fraction as text.

    Parameters
    ----------
    weight : float or str
        ``0.5``, ``"1/3"``.

    Returns
    -------
    float
        Finite.

    Raises
    ------
    ValueError
        It is no such number.
    """
    try:
        text = str(weight)
        numerator, _, denominator = text.partition("/")
        number = float(numerator) / float(denominator or "1")
    except (ZeroDivisionError, OverflowError) as error:
        raise ValueError(str(error)) from error
    if not isfinite(number) or len(text) > LONGEST_NUMBER:
        raise ValueError("no finite number")
    return number


def rows_of(weights: Sequence[Any]) -> list[tuple[float, ...]]:
    """Read the rows of weights of a contrast: one where the file has a plain list.

    Raises
    ------
    ValueError
        A weight is no number.
    """
    rows = weights if weights and all(isinstance(row, list) for row in weights) else [weights]
    return [tuple(number_of(weight) for weight in row) for row in rows]
