"""The filters of a run, as columns of its design: cosines below a cut-off, and above one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twolevel.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

COSINE = ("cosine", "Cosine")
COSINES_HZ = 1 / 128
"""Cut-off of fMRIPrep's ``cosine*`` columns."""
ROUNDED = 0.025  # of it: 0.008 and 0.0078 Hz are 1/128, 1/120 is not
SAME = 0.999  # correlation of columns that say the same; a line and half a cosine have 0.993


@dataclass(frozen=True)
class HighPass:
    """What takes slow drift out of a run: cosines of the confounds, or a drift, never both.

    Attributes
    ----------
    drift_hz : float or None
        Cut-off of the drift that the design gets; None for no drift.
    cosines : tuple of str
        Confounds that stay and are the high-pass.
    replaced : tuple of str
        Confounds that the drift takes the place of.
    """

    drift_hz: float | None
    cosines: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


def cosines_among(names: Iterable[object]) -> tuple[str, ...]:
    """Return those columns of confounds that are fMRIPrep's cosines."""
    return tuple(str(name) for name in names if str(name).startswith(COSINE))


def n_cosines(high_pass_hz: float, frame_times: NDArray[np.float64]) -> int:
    """Count the cosines of a drift, as nilearn's ``create_cosine_drift`` makes them.

    Parameters
    ----------
    frame_times : ndarray of shape (n_volumes,)
        Seconds.

    Returns
    -------
    int
        ``floor(2 high_pass_hz * duration)``, less than the volumes.
    """
    n = len(frame_times)
    step = (frame_times[-1] - frame_times[0]) / max(n - 1, 1)
    return min(n - 1, int(np.floor(2 * n * high_pass_hz * step)))


def one_high_pass(
    confounds: Iterable[object], frame_times: NDArray[np.float64], high_pass_hz: float | None
) -> HighPass:
    """Decide between the cosines among the confounds and a drift of a cut-off that is asked for.

    The cosines stay if no cut-off is asked for, or theirs (1/128 Hz, also rounded to 0.008), or
    one that gives as many cosines in a run of this length. Another cut-off replaces them.

    Parameters
    ----------
    confounds : iterable of str
        Names of the confounds.
    frame_times : ndarray of shape (n_volumes,)
        Seconds.
    """
    cosines = cosines_among(confounds)
    if not cosines or high_pass_hz is None:
        return HighPass(high_pass_hz, cosines)
    rounded = abs(high_pass_hz / COSINES_HZ - 1) <= ROUNDED
    if rounded or n_cosines(high_pass_hz, frame_times) == n_cosines(COSINES_HZ, frame_times):
        return HighPass(None, cosines)
    return HighPass(high_pass_hz, replaced=cosines)


def low_pass_cosines(low_pass_hz: float, frame_times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the cosines that are faster than a cut-off: those of the discrete cosine transform.

    As columns of a design they take these frequencies out of data and other columns alike,
    as a low-pass filter does, and the degrees of freedom are those that are left.

    Parameters
    ----------
    frame_times : ndarray of shape (n_volumes,)
        Seconds, equally spaced.

    Returns
    -------
    ndarray of shape (n_volumes, n_cosines)
        Of length 1 each, the slowest first; none where the cut-off is not below the highest
        frequency that volumes can show, 1 / (2 repetition times).
    """
    n = len(frame_times)
    first = n_cosines(low_pass_hz, frame_times) + 1
    return _cosines(np.arange(first, n), n)


def _cosines(k: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """Evaluate cosines of the discrete cosine transform at n volumes, each of length 1."""
    values: NDArray[np.float64] = np.cos(np.pi / n * np.outer(np.arange(n) + 0.5, k)) * np.sqrt(
        2 / n
    )
    return values


def refuse_drift_twice(
    confounds: pd.DataFrame, frame_times: NDArray[np.float64], high_pass_hz: float
) -> None:
    """Refuse confounds that are a column of the drift under another name.

    Parameters
    ----------
    confounds : pandas.DataFrame of shape (n_volumes, n_confounds)
    frame_times : ndarray of shape (n_volumes,)
        Seconds.
    high_pass_hz : float
        Cut-off of the drift.

    Raises
    ------
    InputError
        With the names of all such columns.
    """
    k = np.arange(1, n_cosines(high_pass_hz, frame_times) + 1)
    drift = _cosines(k, len(frame_times))
    values = confounds.to_numpy(np.float64)
    values = values - values.mean(axis=0)
    length = np.sqrt((values**2).sum(axis=0))
    correlation = np.abs(drift.T @ values) / np.where(length > 0, length, np.inf)
    twice = [str(c) for c, r in zip(confounds, correlation.T, strict=True) if (r > SAME).any()]
    if twice:
        raise InputError(
            Problem(
                "design",
                f"confounds {', '.join(twice)} are columns of the drift of {high_pass_hz:g} Hz",
                "one high-pass",
                "leave these confounds out, or ask for no cut-off (HighPassFilterCutoffHz, "
                "high_pass_hz)",
            )
        )
