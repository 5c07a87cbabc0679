"""Contrasts: from an expression or named weights to a vector over a design's columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from nilearn.glm.contrasts import expression_to_contrast_vector

from twolevel.errors import InputError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["contrast_vector", "is_estimable"]


def contrast_vector(
    contrast: str | Mapping[str, float], columns: Sequence[str]
) -> NDArray[np.float64]:
    """Turn a contrast into weights over the columns of a design.

    Parameters
    ----------
    contrast : str or mapping of str to float
        An expression in the names of the columns (``"pumps - control"``), or a weight per name.
    columns : sequence of str
        Names of the design's columns; columns that the contrast does not name get 0.

    Returns
    -------
    ndarray of shape (n_columns,), float64

    Raises
    ------
    InputError
        The contrast names what is no column, or is no linear expression.
    """
    if isinstance(contrast, str):
        return _vector_of_expression(contrast, columns)
    unknown = [name for name in contrast if name not in set(columns)]
    if unknown:
        label = " ".join(f"{weight:+g} {name}" for name, weight in contrast.items())
        raise InputError(_unknown_columns(label, unknown, columns))
    return np.array([contrast.get(column, 0.0) for column in columns], np.float64)


def _vector_of_expression(expression: str, columns: Sequence[str]) -> NDArray[np.float64]:
    if expression in columns:
        return np.array([column == expression for column in columns], np.float64)
    # Names such as trial_type.face are no Python identifiers: nilearn takes them in backticks.
    # The same holds for "constant" and the like, so every known name is quoted.
    names = sorted((c for c in columns if "`" not in c), key=len, reverse=True)
    pattern = "|".join(re.escape(name) for name in names)
    quoted = re.sub(rf"(?<![\w.`])({pattern})(?![\w.`])", r"`\1`", expression)
    words = [word for word in re.split(r"[\s+\-*/()]+", expression) if word]
    unknown = [word for word in words if word not in columns and not _is_number(word)]
    # What is linear is 0 at 0, and the weighted sum at any other point.
    probe = np.random.default_rng(0).normal(size=len(columns))
    points = pd.DataFrame([np.zeros(len(columns)), probe], columns=list(columns))
    try:
        vector = np.asarray(expression_to_contrast_vector(quoted, list(columns)), np.float64)
        at_zero, at_probe = np.asarray(points.eval(quoted, engine="python"), np.float64)
    except (ValueError, TypeError, SyntaxError) as error:
        raise InputError(_unknown_columns(expression, unknown, columns)) from error
    if at_zero != 0 or not np.isclose(at_probe, vector @ probe, rtol=1e-9, atol=1e-12):
        raise InputError(_unknown_columns(expression, [], columns))
    return vector


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def is_estimable(vector: NDArray[np.float64], design: NDArray[np.float64]) -> bool:
    """Tell whether a design determines a contrast.

    A contrast c can be estimated when it is a combination of the design's rows, that is when
    projecting it on the row space changes nothing. A regressor that is constant zero, or a sum of
    others, takes that away.

    Parameters
    ----------
    vector : ndarray of shape (n_columns,)
    design : ndarray of shape (n_rows, n_columns)

    Returns
    -------
    bool
    """
    scale = np.linalg.norm(design, axis=0)
    if not np.any(vector):
        return False
    scale = np.where(scale == 0, 1, scale)  # so that units of regressors do not matter
    _, singular, rows = np.linalg.svd(design / scale, full_matrices=False)
    rows = rows[singular > singular[0] * 1e-10]
    scaled = vector / scale
    return bool(np.linalg.norm(scaled - rows.T @ (rows @ scaled)) <= 1e-6 * np.linalg.norm(scaled))


def _unknown_columns(contrast: str, unknown: Sequence[str], columns: Sequence[str]) -> Problem:
    hints = [hint for name in unknown if (hint := did_you_mean(name, columns))]
    found = "no regressor " + ", ".join(f'"{name}"' for name in unknown)
    return Problem(
        f'contrast "{contrast}"',
        found if unknown else "no linear expression in the names of regressors",
        "regressors of the design: " + ", ".join(columns),
        " ".join(hints) or "correct the names in the contrast",
    )
