"""The design matrix of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.errors import InputError, Problem
from twolevel.stats.run.filters import low_pass_cosines, one_high_pass, refuse_drift_twice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

EARLIEST_ONSET = -24.0
"""Seconds before the first frame from which on nilearn considers an event."""
UNSTEADY = ("non_steady_state_outlier", "NonSteadyStateOutlier")


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


def is_unsteady(name: object) -> bool:
    """Tell whether a column of confounds marks a volume in a non-steady state."""
    return str(name).startswith(UNSTEADY)


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
    low_pass_hz: float | None = None,
) -> pd.DataFrame:
    """Build the design matrix of a run: conditions, confounds, filters, constant.

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
    low_pass_hz : float, optional
        Cut-off in Hz above which all cosines are columns, ``lowpass_1`` and so on; None adds none.

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
    if low_pass_hz is not None:
        fast = low_pass_cosines(low_pass_hz, frame_times)
        columns.extend((f"lowpass_{k + 1}", column) for k, column in enumerate(fast.T))
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
