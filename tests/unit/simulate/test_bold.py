from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from nilearn.glm.first_level import make_first_level_design_matrix

from twolevel.simulate.anatomy import build_anatomy
from twolevel.simulate.bold import (
    simulate_baseline,
    simulate_bold,
    task_regressors,
    task_signal,
)
from twolevel.simulate.events import simulate_events
from twolevel.simulate.motion import simulate_motion
from twolevel.simulate.truth import CONDITIONS, REGIONS

if TYPE_CHECKING:
    import pandas as pd

N_VOLUMES, REPETITION_TIME = 150, 2.0
AMPLITUDES = np.array([region.amplitudes for region in REGIONS])
VISUAL = 1 + [region.name for region in REGIONS].index("visual cortex")


@pytest.fixture(scope="module")
def anatomy():
    return build_anatomy(6.0)


@pytest.fixture(scope="module")
def events():
    return simulate_events(np.random.default_rng(3), N_VOLUMES * REPETITION_TIME, n_late=3)


def nilearn_design(events: pd.DataFrame, **options: Any) -> pd.DataFrame:
    in_scan = events[events["onset"] < N_VOLUMES * REPETITION_TIME]
    design: pd.DataFrame = make_first_level_design_matrix(
        np.arange(N_VOLUMES) * REPETITION_TIME,
        in_scan[["onset", "duration", "trial_type"]],
        hrf_model="glover",
        **options,
    )
    return design


def test_glm_recovers_the_amplitudes_where_there_is_no_noise(events):
    regressors = task_regressors(events, N_VOLUMES, REPETITION_TIME)
    signal = 1000 * (1 + task_signal(AMPLITUDES, regressors) / 100)
    kept = signal[1:]
    percent = 100 * (kept / kept.mean(axis=0) - 1)
    design = nilearn_design(events, drift_model=None).iloc[1:]
    weights = np.linalg.lstsq(design.to_numpy(), percent, rcond=None)[0]
    found = weights[[list(design.columns).index(condition) for condition in CONDITIONS]]
    np.testing.assert_allclose(found.T, AMPLITUDES, atol=1e-9)


def test_late_events_leave_no_trace(events):
    in_scan = events[events["onset"] < N_VOLUMES * REPETITION_TIME]
    assert len(in_scan) == len(events) - 3
    np.testing.assert_array_equal(
        task_regressors(events, N_VOLUMES, REPETITION_TIME),
        task_regressors(in_scan, N_VOLUMES, REPETITION_TIME),
    )


def test_glm_recovers_the_amplitudes_of_a_region_in_the_noisy_series(anatomy, events):
    rng = np.random.default_rng(0)
    task = task_signal(AMPLITUDES, task_regressors(events, N_VOLUMES, REPETITION_TIME))
    motion = simulate_motion(rng, N_VOLUMES)
    bold = simulate_bold(
        anatomy, simulate_baseline(anatomy, rng), task, motion, REPETITION_TIME, rng
    )
    inside = anatomy.labels[anatomy.support] == VISUAL
    kept = bold[1:, inside].astype(float)
    series = (100 * (kept / kept.mean(axis=0) - 1)).mean(axis=1)
    change = np.diff(motion, axis=0)
    design = nilearn_design(events, high_pass=1 / 128).iloc[1:]
    matrix = np.column_stack([design.to_numpy(), change])
    weights, residual, *_ = np.linalg.lstsq(matrix, series, rcond=None)
    covariance = np.linalg.inv(matrix.T @ matrix) * residual[0] / (len(series) - matrix.shape[1])
    columns = [list(design.columns).index(condition) for condition in CONDITIONS]
    # serial correlation of 0.35 makes the plain standard error up to 1.5 times too small
    errors = 1.5 * np.sqrt(np.diag(covariance))[columns]
    assert errors[:2].max() < 0.8
    assert (np.abs(weights[columns] - AMPLITUDES[VISUAL - 1]) < 3 * errors).all()
    assert weights[columns][0] > 4


def test_noise_and_baseline_are_those_of_the_tissues(anatomy):
    rng = np.random.default_rng(1)
    baseline = simulate_baseline(anatomy, rng)
    task = np.zeros((N_VOLUMES, len(REGIONS)))
    bold = simulate_bold(anatomy, baseline, task, np.zeros((N_VOLUMES, 6)), REPETITION_TIME, rng)
    assert bold.dtype == np.int16
    np.testing.assert_allclose(bold[0].mean() / bold[1:].mean(), 1.15, rtol=0.01)
    grey = anatomy.tissue[:, 0] > 0.9
    white = anatomy.tissue[:, 1] > 0.9
    steady = bold[1:].astype(float)
    assert 1.05 < steady[:, grey].mean() / steady[:, white].mean() < 1.17
    phase = (np.arange(N_VOLUMES - 1) + 0.5) * np.pi / (N_VOLUMES - 1)
    slow = np.stack([np.cos(k * phase) for k in range(5)], axis=1)
    series = steady[:, grey]
    rest = series - slow @ np.linalg.lstsq(slow, series, rcond=None)[0]
    ratio = series.mean(axis=0) / rest.std(axis=0)
    assert 70 < np.median(ratio) < 100
    rho = (rest[1:] * rest[:-1]).sum(axis=0) / (rest**2).sum(axis=0)
    assert 0.25 < np.median(rho) < 0.4
    np.testing.assert_allclose(steady.mean(axis=0), baseline, rtol=0.01)
