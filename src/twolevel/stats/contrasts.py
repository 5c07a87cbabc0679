"""Contrasts: from an expression or named weights to a vector over a design's columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.errors import InputError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Row = str | Mapping[str, float]
    Weights = Row | Sequence[Row]


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
    # The import takes half a second, and not every process computes.
    from nilearn.glm.contrasts import expression_to_contrast_vector  # noqa: PLC0415

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


def contrast_rows(contrast: Weights, columns: Sequence[str]) -> NDArray[np.float64]:
    """Turn a contrast into weights over the columns of a design, of which an F contrast has rows.

    Parameters
    ----------
    contrast : str, mapping of str to float, or sequence of these
        As `contrast_vector` takes it; a sequence is an F contrast.
    columns : sequence of str
        Names of the design's columns.

    Returns
    -------
    ndarray of shape (n_columns,) or (n_rows, n_columns), float64
        Rows of an F contrast that follow from those before them are left out.

    Raises
    ------
    InputError
        As `contrast_vector`.
    """
    if isinstance(contrast, (str, Mapping)):
        return contrast_vector(contrast, columns)
    independent: list[NDArray[np.float64]] = []
    for vector in (contrast_vector(row, columns) for row in contrast):
        if np.linalg.matrix_rank(np.array([*independent, vector])) > len(independent):
            independent.append(vector)
    return np.array(independent, np.float64).reshape(len(independent), len(columns))


def is_estimable(vector: NDArray[np.float64], design: NDArray[np.float64]) -> bool:
    """Tell whether a design determines a contrast.

    A contrast c can be estimated when it is a combination of the design's rows, that is when
    projecting it on the row space changes nothing. A regressor that is constant zero, or a sum of
    others, takes that away.

    Parameters
    ----------
    vector : ndarray of shape (n_columns,)
    design : ndarray of shape (n_rows, n_columns)
    """
    if not np.any(vector):
        return False
    scale, _, _, rows = scaled_svd(design)
    scaled = vector / scale
    return bool(np.linalg.norm(scaled - rows.T @ (rows @ scaled)) <= 1e-6 * np.linalg.norm(scaled))


def estimable_contrasts(
    design_matrix: pd.DataFrame, contrasts: Mapping[str, Weights]
) -> tuple[dict[str, NDArray[np.float64]], tuple[str, ...]]:
    """Sort contrasts by whether a run's design determines them.

    Parameters
    ----------
    design_matrix : pandas.DataFrame of shape (n_rows, n_columns)
    contrasts : mapping of str to contrast
        Expressions or weights by name (see `contrast_rows`).

    Returns
    -------
    vectors : dict of str to ndarray of shape (n_columns,) or (n_rows, n_columns)
        Of those that can be estimated; of an F contrast, every row must be.
    not_estimable : tuple of str
        Names of the others.

    Raises
    ------
    InputError
        The design has no fewer columns than rows, or a contrast names no column.
    """
    n_rows, n_columns = design_matrix.shape
    if n_rows <= n_columns:
        raise InputError(
            Problem(
                "design",
                f"{n_columns} columns for {n_rows} rows",
                "more rows than columns",
                "choose fewer confounds",
            )
        )
    X = design_matrix.to_numpy(np.float64)
    columns = [str(column) for column in design_matrix]
    vectors = {name: contrast_rows(c, columns) for name, c in contrasts.items()}
    estimable = {
        name: vector
        for name, vector in vectors.items()
        if len(vector) and all(is_estimable(row, X) for row in np.atleast_2d(vector))
    }
    return estimable, tuple(name for name in vectors if name not in estimable)


def scaled_svd(
    design: NDArray[np.float64],
) -> tuple[NDArray[np.float64], ...]:
    """Decompose a design whose columns are brought to length 1, so that units do not matter.

    Parameters
    ----------
    design : ndarray of shape (n_rows, n_columns)

    Returns
    -------
    scale : ndarray of shape (n_columns,)
        Lengths of the columns; 1 for a column of zeros.
    basis : ndarray of shape (n_rows, rank)
        Orthonormal; spans the columns.
    singular : ndarray of shape (rank,)
        Those above 1e-10 of the largest.
    rows : ndarray of shape (rank, n_columns)
        Orthonormal; spans the rows.
    """
    length = np.linalg.norm(design, axis=0)
    scale = np.where(length == 0, 1, length)
    basis, singular, rows = np.linalg.svd(design / scale, full_matrices=False)
    rank = int((singular > singular[0] * 1e-10).sum())
    return scale, basis[:, :rank], singular[:rank], rows[:rank]


def _unknown_columns(contrast: str, unknown: Sequence[str], columns: Sequence[str]) -> Problem:
    hints = [hint for name in unknown if (hint := did_you_mean(name, columns))]
    found = "no regressor " + ", ".join(f'"{name}"' for name in unknown)
    return Problem(
        f'contrast "{contrast}"',
        found if unknown else "no linear expression in the names of regressors",
        "regressors of the design: " + ", ".join(columns),
        " ".join(hints) or "correct the names in the contrast",
    )
