"""The design matrix of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

EARLIEST_ONSET = -24.0
"""Seconds before the first frame from which on nilearn considers an event."""
UNSTEADY = ("non_steady_state_outlier", "NonSteadyStateOutlier")
COSINE = ("cosine", "Cosine")
COSINES_HZ = 1 / 128
"""Cut-off of fMRIPrep's ``cosine*`` columns."""
ROUNDED = 0.025  # of it: 0.008 and 0.0078 Hz are 1/128, 1/120 is not
SAME = 0.999  # correlation of columns that say the same; a line and half a cosine have 0.993


def frame_times_of(
    n_volumes: int, repetition_time: float, start_time: float
) -> NDArray[np.float64]:
    """Compute the time of every volume.

    Parameters
    ----------
    n_volumes : int
    repetition_time : float
        Seconds.
    start_time : float
        Seconds from the start of the scan to the time that a volume stands for (0 without slice
        timing correction).

    Returns
    -------
    ndarray of shape (n_volumes,), float64
        ``start_time + arange(n_volumes) * repetition_time`` in seconds.
    """
    return start_time + np.arange(n_volumes, dtype=np.float64) * repetition_time


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


def is_unsteady(name: object) -> bool:
    """Tell whether a column of confounds marks a volume in a non-steady state."""
    return str(name).startswith(UNSTEADY)


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


def steady_rows(design_matrix: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which rows of a design no ``non_steady_state_outlier*`` column marks.

    The signal of the first volumes of a scan is far higher than what follows. Where they stay in
    the data and have a column each, they say nothing about the level of a voxel.

    Parameters
    ----------
    design_matrix : pandas.DataFrame of shape (n_rows, n_columns)

    Returns
    -------
    ndarray of shape (n_rows,), bool
    """
    names = [c for c in design_matrix if is_unsteady(c)]
    columns = design_matrix[names].to_numpy(np.float64)
    # Above the smallest value instead of above 0: the column may have been demeaned.
    steady: NDArray[np.bool_] = ~(columns > columns.min(axis=0)).any(axis=1)
    return steady


def make_design_matrix(
    events: pd.DataFrame,
    frame_times: NDArray[np.float64],
    *,
    hrf_model: str | Mapping[str, str | None] | None = "glover",
    fir_delays: Mapping[str, Sequence[int]] | None = None,
    confounds: pd.DataFrame | None = None,
    high_pass_hz: float | None = None,
) -> pd.DataFrame:
    """Build the design matrix of a run: conditions, confounds, slow drift, constant.

    There is one high-pass only: cosines among the confounds (columns ``cosine*``) stay if
    `high_pass_hz` is None or agrees with theirs, and no drift is added; a drift of another cut-off
    replaces them (see `one_high_pass`).

    Condition and drift columns equal those of nilearn's ``make_first_level_design_matrix``. Unlike
    there, a design without full rank is left as it is (see `is_estimable`).

    Parameters
    ----------
    events : pandas.DataFrame
        Columns ``onset`` and ``duration`` in seconds, ``trial_type``, and optionally
        ``modulation`` (amplitude, default 1). One regressor per trial type, in order of first
        appearance or, if `hrf_model` is a mapping, in its order.
    frame_times : ndarray of shape (n_volumes,)
        Seconds, equally spaced.
    hrf_model : str or None, or mapping of trial type to these
        A model of nilearn (``"glover"``, ``"spm + derivative"``, ...); None samples the events
        without convolution. With a mapping, trial types that it does not name are refused and
        those without events are left out.
    fir_delays : mapping of trial type to sequence of int, optional
        Of those whose model is ``"fir"``: volumes after the onset, a regressor for each.
    confounds : pandas.DataFrame of shape (n_volumes, n_confounds), optional
        Taken as they are, but for cosines that a drift replaces.
    high_pass_hz : float, optional
        Cut-off in Hz of a set of cosines (discrete cosine transform), ``drift_1`` and so on; None
        adds no drift.

    Returns
    -------
    pandas.DataFrame of shape (n_volumes, n_columns)
        Indexed by frame time; the last column is ``constant``.

    Raises
    ------
    InputError
        Names that occur twice, confounds of another length, values that are missing, a confound
        that is a column of the drift under another name.
    """
    # The import takes half a second, and not every process computes.
    from nilearn.glm.first_level.design_matrix import create_cosine_drift  # noqa: PLC0415

    names = list(dict.fromkeys(events["trial_type"].dropna()))
    if isinstance(hrf_model, (str, type(None))):
        hrf_of = dict.fromkeys(names, hrf_model)
    else:
        hrf_of = dict(hrf_model)
    _check(events, frame_times, hrf_of, confounds)
    columns = list(_regressors(events, frame_times, hrf_of, fir_delays or {}))
    confounds = pd.DataFrame(index=frame_times) if confounds is None else confounds
    high_pass = one_high_pass(confounds, frame_times, high_pass_hz)
    confounds = confounds.drop(columns=list(high_pass.replaced))
    columns.extend((str(c), confounds[c].to_numpy(np.float64)) for c in confounds)
    if high_pass.drift_hz is not None:
        refuse_drift_twice(confounds, frame_times, high_pass.drift_hz)
        drift = create_cosine_drift(high_pass.drift_hz, frame_times)[:, :-1]
        columns.extend((f"drift_{k + 1}", drift[:, k]) for k in range(drift.shape[1]))
    columns.append(("constant", np.ones(len(frame_times))))
    _refuse_repeated([label for label, _ in columns])
    return pd.DataFrame(dict(columns), index=pd.Index(frame_times, name="frame_time"))


def _regressors(
    events: pd.DataFrame,
    frame_times: NDArray[np.float64],
    hrf_of: Mapping[str, str | None],
    fir_delays: Mapping[str, Sequence[int]],
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Convolve the events of each trial type that has any."""
    from nilearn.glm.first_level import compute_regressor  # noqa: PLC0415

    for name, model in hrf_of.items():
        rows = events[events["trial_type"] == name]
        if rows.empty:
            continue
        amplitude = rows["modulation"] if "modulation" in rows else np.ones(len(rows))
        condition = np.array([rows["onset"], rows["duration"], amplitude], np.float64)
        regressors, labels = compute_regressor(
            condition,
            model,
            frame_times,
            con_id=name,
            fir_delays=fir_delays.get(name),
            min_onset=EARLIEST_ONSET,
        )
        yield from zip(labels, regressors.T, strict=True)


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
    n = len(frame_times)
    drift = np.cos(np.pi / n * np.outer(np.arange(n) + 0.5, k)) * np.sqrt(2 / n)
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


def _refuse_repeated(labels: list[str]) -> None:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise InputError(
            Problem(
                "design",
                f"several columns of the name {', '.join(twice)}",
                "a name of its own for each condition, confound and drift; constant is taken",
                "rename the confounds, or choose others",
            )
        )


def _check(
    events: pd.DataFrame,
    frame_times: NDArray[np.float64],
    hrf_of: Mapping[str, str | None],
    confounds: pd.DataFrame | None,
) -> None:
    problems = []
    unknown = sorted(set(events["trial_type"].dropna()) - set(hrf_of))
    if unknown:
        problems.append(
            Problem(
                "events",
                f"trial types {unknown}",
                f"trial types among {list(hrf_of)}",
                "name an HRF model for each, or leave these events out",
            )
        )
    numbers = events[[c for c in ("onset", "duration", "trial_type", "modulation") if c in events]]
    if numbers.isna().to_numpy().any():
        problems.append(
            Problem(
                "events",
                "missing values",
                "a value in onset, duration, trial_type and modulation",
                "leave out the rows or fill them",
            )
        )
    if confounds is not None:
        if len(confounds) != len(frame_times):
            problems.append(
                Problem(
                    "confounds",
                    f"{len(confounds)} rows",
                    f"{len(frame_times)}, one a volume",
                    "take the confounds of this run",
                )
            )
        if missing := [str(c) for c in confounds if confounds[c].isna().any()]:
            problems.append(
                Problem(
                    "confounds",
                    f"missing values in {missing}",
                    "a number in every row",
                    "choose other confounds",
                )
            )
    if problems:
        raise InputError(problems)
