from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from twolevel.simulate.events import EVENTS_SIDECAR, format_events, simulate_events
from twolevel.simulate.truth import CONDITIONS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    "onset",
    "duration",
    "trial_type",
    "cash_demean",
    "control_pumps_demean",
    "explode_demean",
    "pumps_demean",
    "response_time",
]


def make(seed: int = 0, scan_duration: float = 300.0, n_late: int = 2) -> pd.DataFrame:
    return simulate_events(np.random.default_rng(seed), scan_duration, n_late=n_late)


def test_columns_are_those_of_ds000001_and_described():
    events = make()
    assert list(events) == COLUMNS
    assert set(EVENTS_SIDECAR) == set(COLUMNS)
    assert set(EVENTS_SIDECAR["trial_type"]["Levels"]) == set(CONDITIONS)


@pytest.mark.parametrize("n_late", [0, 2, 3])
def test_asked_number_of_events_after_the_scan(n_late):
    events = make(n_late=n_late)
    assert (events["onset"] >= 300).sum() == n_late
    assert events["onset"].is_monotonic_increasing
    assert events["onset"].max() < 340


@pytest.mark.parametrize("scan_duration", [60.0, 120.0, 300.0])
def test_every_trial_type_occurs_well_within_the_scan(scan_duration):
    for seed in range(60):
        events = make(seed, scan_duration)
        early = events[events["onset"] < max(50.0, scan_duration / 2)]
        assert set(early["trial_type"]) == set(CONDITIONS)


def test_modulators_belong_to_their_rows_and_have_mean_zero():
    events = make()
    for condition in CONDITIONS:
        applies = events["trial_type"] == condition
        assert events[condition].notna().equals(applies)
        assert events.loc[applies, condition].mean() == pytest.approx(0, abs=1e-3)
    pumps = events["pumps_demean"].dropna()
    # within a balloon the place rises by one, so neighbours differ by 1 or start a new balloon
    steps = pumps.diff().dropna()
    assert ((steps == 1) | (steps <= 0)).all()
    assert (steps == 1).sum() > 20
    assert events["response_time"].isna().equals(events["trial_type"] == "explode_demean")


def test_balloons_are_inflations_ended_by_an_outcome():
    events = make(n_late=0)
    kinds = events["trial_type"].to_numpy()
    for outcome in np.flatnonzero(np.isin(kinds, ["cash_demean", "explode_demean"])):
        assert kinds[outcome - 1] == "pumps_demean"
    same = (kinds[1:] == kinds[:-1]) & (np.diff(events["pumps_demean"].fillna(-9)) == 1)
    spacing = np.diff(events["onset"])[same]
    assert spacing.mean() == pytest.approx(2.9, abs=0.4)
    assert spacing.min() >= 1.6


def test_text_has_three_decimals_and_keeps_what_is_missing():
    events = make()
    text = format_events(events)
    assert (text["duration"] == "0.772").all()
    assert text["onset"].str.fullmatch(r"\d+\.\d{3}").all()
    assert text["cash_demean"].isna().equals(events["cash_demean"].isna())
    np.testing.assert_array_equal(text["onset"].astype(float), events["onset"])
