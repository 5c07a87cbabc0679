"""Events of the balloon task, made like those of ds000001."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twolevel.simulate.truth import CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT_DURATION_S = 0.772
MINIMAL_SCAN_S = 60.0  # three short balloons, one of each kind, fit into less than this
BALLOONS = ("control", "cash", "explode")

EVENTS_SIDECAR: dict[str, Any] = {
    "onset": {"Description": "Start of the event", "Units": "s"},
    "duration": {"Description": "Duration of the event", "Units": "s"},
    "trial_type": {
        "LongName": "Event category",
        "Description": "What happened",
        "Levels": {
            "pumps_demean": "Inflation of a balloon that may explode",
            "control_pumps_demean": "Inflation of a control balloon, which cannot explode",
            "cash_demean": "The money of the balloon was taken",
            "explode_demean": "The balloon exploded",
        },
    },
    "cash_demean": {
        "Description": "Inflations before the cash-out, minus the mean over the run's cash-outs"
    },
    "control_pumps_demean": {
        "Description": "Place of the inflation in its control balloon, minus the balloon's mean"
    },
    "explode_demean": {
        "Description": "Inflations before the explosion, minus the mean over the run's explosions"
    },
    "pumps_demean": {
        "Description": "Place of the inflation in its balloon, minus the balloon's mean"
    },
    "response_time": {"Description": "Time to the key press", "Units": "s"},
}


def simulate_events(
    rng: np.random.Generator, scan_duration: float, *, n_late: int
) -> pd.DataFrame:
    """Make the events of one run.

    Balloons come in shuffled sets of three (control, cashed, exploded); the first set is short,
    so that each trial type occurs early.

    Parameters
    ----------
    rng : numpy.random.Generator
        Stream of the run.
    scan_duration : float
        End of the last volume, s.
    n_late : int
        Number of events after the end of the scan.

    Returns
    -------
    pandas.DataFrame
        Columns of an events file in the order of ds000001, rounded to 3 decimals; NaN where a
        modulator does not apply.
    """
    rows: list[tuple[float, str, int, int]] = []
    for row in _balloons(rng, scan_duration):
        late = sum(onset >= scan_duration for onset, *_ in rows)
        if row[0] >= scan_duration and late >= n_late:
            break
        rows.append(row)
    onsets, trial_types, balloons, places = zip(*rows, strict=True)
    table = pd.DataFrame({"onset": onsets, "duration": EVENT_DURATION_S})
    table["trial_type"] = trial_types
    place = pd.Series(places, dtype=float)
    inflation = table["trial_type"].isin(CONDITIONS[:2])
    # an inflation is compared within its balloon, an outcome with the run's other outcomes
    group = pd.Series(balloons).astype(str).where(inflation, table["trial_type"])
    demeaned = place - place.groupby(group).transform("mean")
    for column in sorted(CONDITIONS):
        table[column] = demeaned.where(table["trial_type"] == column)
    response_time = np.clip(0.85 * np.exp(0.45 * rng.standard_normal(len(table))), 0.25, 2.5)
    table["response_time"] = response_time
    table.loc[table["trial_type"] == "explode_demean", "response_time"] = np.nan
    return table.round(3)


def _balloons(
    rng: np.random.Generator, scan_duration: float
) -> Iterator[tuple[float, str, int, int]]:
    """Yield onset, trial type, balloon and place in the balloon, without end."""
    onset = round(rng.uniform(0.05, 1.5), 3)
    short = scan_duration < 2 * MINIMAL_SCAN_S
    balloon = 0
    while True:
        for kind in rng.permutation(BALLOONS):
            lead = balloon < len(BALLOONS)
            n_inflations = int(rng.integers(2, 3 if short else 4) if lead else rng.integers(4, 10))
            condition = "control_pumps_demean" if kind == "control" else "pumps_demean"
            for place in range(1, n_inflations + 1):
                yield onset, condition, balloon, place
                onset = round(onset + np.clip(rng.normal(2.9, 0.7), 1.6, 5.3), 3)
            if kind != "control":
                yield onset, f"{kind}_demean", balloon, n_inflations
            onset = round(onset + (rng.uniform(3, 5) if lead else rng.uniform(4, 11)), 3)
            balloon += 1


def format_events(events: pd.DataFrame) -> pd.DataFrame:
    """Write every number with 3 decimals, as the real files do; NaN stays missing."""
    text = events.copy()
    for column in text.columns.drop("trial_type"):
        text[column] = [f"{v:.3f}" if np.isfinite(v) else None for v in events[column]]
    return text
