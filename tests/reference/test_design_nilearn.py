"""The design matrix equals nilearn's, column by column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import make_first_level_design_matrix
from scipy.fft import dct, idct

from twolevel.stats.run.design import frame_times_of, make_design_matrix

HIGH_PASS = 1 / 128


@pytest.fixture
def events():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "onset": np.sort(rng.uniform(0, 290, 24)),
            "duration": rng.uniform(0.1, 4, 24),
            "trial_type": rng.choice(["house", "face", "object"], 24),
        }
    )


def nilearn_design(events: pd.DataFrame, frame_times: Any, **options: Any) -> pd.DataFrame:
    options = {"hrf_model": "glover", "drift_model": "cosine", "high_pass": HIGH_PASS} | options
    design: pd.DataFrame = make_first_level_design_matrix(frame_times, events, **options)
    return design


def assert_same_columns(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    assert set(ours) == set(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12, atol=1e-14, err_msg=name)


@pytest.mark.parametrize(
    "hrf_model", ["glover", "spm", "glover + derivative", "spm + derivative + dispersion", None]
)
def test_conditions_drift_and_constant_equal_nilearns(events, hrf_model):
    frame_times = frame_times_of(150, 2.0, 0.0)
    ours = make_design_matrix(events, frame_times, hrf_model=hrf_model, high_pass_hz=HIGH_PASS)
    assert_same_columns(ours, nilearn_design(events, frame_times, hrf_model=hrf_model))


@pytest.mark.parametrize("start_time", [0.45, 1.0])
def test_a_start_time_shifts_the_columns_as_in_nilearn(events, start_time):
    frame_times = frame_times_of(120, 2.5, start_time)
    ours = make_design_matrix(events, frame_times, high_pass_hz=HIGH_PASS)
    assert_same_columns(ours, nilearn_design(events, frame_times))
    unshifted = make_design_matrix(events, frame_times_of(120, 2.5, 0.0))
    assert np.abs(ours["face"].to_numpy() - unshifted["face"].to_numpy()).max() > 0.05


def test_modulation_equals_nilearns(events):
    modulated = events.assign(modulation=np.linspace(-2, 3, len(events)))
    frame_times = frame_times_of(150, 2.0, 0.0)
    ours = make_design_matrix(modulated, frame_times, high_pass_hz=HIGH_PASS)
    assert_same_columns(ours, nilearn_design(modulated, frame_times))
    assert np.abs(ours["face"] - make_design_matrix(events, frame_times)["face"]).max() > 0.05


def test_confounds_stand_where_nilearn_puts_added_regressors(events):
    frame_times = frame_times_of(150, 2.0, 0.0)
    confounds = pd.DataFrame({"rot_x": np.sin(frame_times), "csf": np.cos(frame_times)})
    ours = make_design_matrix(events, frame_times, confounds=confounds, high_pass_hz=HIGH_PASS)
    theirs = nilearn_design(
        events, frame_times, add_regs=confounds.to_numpy(), add_reg_names=list(confounds)
    )
    assert_same_columns(ours, theirs)
    n_conditions = events["trial_type"].nunique()
    assert list(ours)[n_conditions:] == list(theirs)[n_conditions:]


def test_no_high_pass_adds_no_drift_like_nilearn_without_drift_model(events):
    frame_times = frame_times_of(150, 2.0, 0.0)
    theirs = nilearn_design(events, frame_times, drift_model=None)
    assert_same_columns(make_design_matrix(events, frame_times), theirs)


def test_events_shortly_before_the_first_frame_count_as_in_nilearn(events):
    early = events.assign(onset=events["onset"] - 20)
    frame_times = frame_times_of(150, 2.0, 0.0)
    ours = make_design_matrix(early, frame_times, high_pass_hz=HIGH_PASS)
    assert_same_columns(ours, nilearn_design(early, frame_times, min_onset=-24))


def test_each_condition_takes_its_own_hrf(events):
    frame_times = frame_times_of(150, 2.0, 0.0)
    models = {"object": "spm", "face": "glover + derivative", "house": None}
    ours = make_design_matrix(events, frame_times, hrf_model=models)
    assert list(ours) == ["object", "face", "face_derivative", "house", "constant"]
    for name, model in models.items():
        alone = nilearn_design(
            events[events["trial_type"] == name], frame_times, hrf_model=model, drift_model=None
        )
        assert_same_columns(ours[list(alone)], alone)


def test_real_events_of_the_balloon_task_equal_nilearns(shared):
    path = shared / "ds000001/sub-01/func"
    events = pd.read_table(path / "sub-01_task-balloonanalogrisktask_run-01_events.tsv")
    events = events.loc[events["onset"] < 600, ["onset", "duration", "trial_type"]]
    frame_times = frame_times_of(300, 2.0, 0.0)
    ours = make_design_matrix(events, frame_times, high_pass_hz=HIGH_PASS)
    assert_same_columns(ours, nilearn_design(events, frame_times))
    assert {"pumps_demean", "control_pumps_demean", "cash_demean", "explode_demean"} < set(ours)


def test_delays_of_fir_equal_nilearns_and_may_differ_between_conditions(events):
    frame_times = frame_times_of(150, 2.0, 0.0)
    delays = {"house": [0, 2, 5], "face": [1], "object": [0, 1, 2, 3]}
    ours = make_design_matrix(events, frame_times, hrf_model=dict.fromkeys(delays, "fir"),
                              fir_delays=delays)  # fmt: skip
    for name, own in delays.items():
        theirs = nilearn_design(
            events[events["trial_type"] == name], frame_times, hrf_model="fir", fir_delays=own
        )
        columns = [f"{name}_delay_{delay}" for delay in own]
        assert [c for c in map(str, ours) if c.startswith(name)] == columns
        assert_same_columns(ours[columns], theirs[columns])


def test_conditions_may_have_models_of_their_own(events):
    models = {"house": "glover + derivative + dispersion", "face": "spm", "object": None}
    frame_times = frame_times_of(150, 2.0, 0.5)
    ours = make_design_matrix(events, frame_times, hrf_model=models)
    for name, model in models.items():
        own = events[events["trial_type"] == name]
        theirs = nilearn_design(own, frame_times, hrf_model=model, drift_model=None)
        assert_same_columns(ours[[c for c in ours if c in theirs]], theirs)


def test_a_low_pass_takes_out_what_a_filter_of_the_discrete_cosine_transform_does(events):
    frame_times = frame_times_of(150, 2.0, 0.0)
    design = make_design_matrix(events, frame_times, high_pass_hz=1 / 128, low_pass_hz=0.1)
    fast = [c for c in map(str, design) if c.startswith("lowpass_")]
    assert fast == [f"lowpass_{k}" for k in range(1, 90)]  # k / 600 s, from 61 to 149
    assert list(design)[-1] == "constant"
    data = np.random.default_rng(0).normal(size=(150, 20))
    spectrum = dct(data, axis=0, norm="ortho")
    spectrum[61:] = 0
    X = design[fast].to_numpy()
    filtered = data - X @ np.linalg.lstsq(X, data, rcond=None)[0]
    np.testing.assert_allclose(filtered, idct(spectrum, axis=0, norm="ortho"), atol=1e-12)


@pytest.mark.parametrize("low_pass_hz", [0.25, 1.0])
def test_a_low_pass_above_what_volumes_show_takes_nothing_out(events, low_pass_hz):
    frame_times = frame_times_of(150, 2.0, 0.0)
    design = make_design_matrix(events, frame_times, low_pass_hz=low_pass_hz)
    assert list(design) == list(make_design_matrix(events, frame_times))
