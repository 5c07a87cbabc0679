"""One high-pass: the cosines among the confounds, or a drift in their place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level.design_matrix import create_cosine_drift

from twolevel.errors import InputError
from twolevel.stats.run.design import frame_times_of, make_design_matrix
from twolevel.stats.run.filters import cosines_among, n_cosines, one_high_pass

TIMES = frame_times_of(300, 2.0, 0.0)
NO_EVENTS = pd.DataFrame({"onset": [], "duration": [], "trial_type": []})
COSINES = tuple(f"cosine{k:02d}" for k in range(9))


def confounds_of(times: np.ndarray, cut_off_hz: float = 1 / 128) -> pd.DataFrame:
    """Return motion and the cosines of a cut-off, demeaned as nilearn's loader does."""
    motion = np.random.default_rng(0).normal(size=(len(times), 2)).cumsum(axis=0)
    drift = create_cosine_drift(cut_off_hz, times)[:, :-1]
    table = pd.DataFrame({"trans_x": motion[:, 0], "rot_z": motion[:, 1]})
    cosines = {f"cosine{k:02d}": column for k, column in enumerate(drift.T)}
    return table.assign(**cosines).pipe(lambda t: t - t.mean())


@pytest.mark.parametrize("hz", [1 / 300, 1 / 128, 0.008, 0.01, 1 / 90, 0.05, 0.1, 0.15])
@pytest.mark.parametrize(("n", "step"), [(300, 2.0), (121, 2.5), (1000, 0.8), (20, 2.0)])
def test_the_cosines_are_counted_as_nilearn_makes_them(hz, n, step):
    times = frame_times_of(n, step, 0.3)
    assert n_cosines(hz, times) == create_cosine_drift(hz, times).shape[1] - 1


@pytest.mark.parametrize("hz", [None, 1 / 128, 0.0078, 0.00781, 0.008, 1 / 130])
@pytest.mark.parametrize("n", [300, 320, 1000], ids="{} volumes".format)
def test_the_cut_off_of_the_cosines_leaves_them_as_they_are(hz, n):
    """1/128 Hz and its roundings, whatever the length; 320 volumes of 2 s are 10 half periods."""
    times = frame_times_of(n, 2.0, 0.0)
    confounds = confounds_of(times)
    found = one_high_pass(confounds, times, hz)
    assert (found.drift_hz, found.replaced) == (None, ())
    assert found.cosines == cosines_among(confounds) != ()
    design = make_design_matrix(NO_EVENTS, times, confounds=confounds, high_pass_hz=hz)
    without = make_design_matrix(NO_EVENTS, times, confounds=confounds)
    pd.testing.assert_frame_equal(design, without, check_exact=True)


def test_a_cut_off_that_gives_as_many_cosines_agrees():
    short = frame_times_of(100, 2.0, 0.0)  # 3 cosines from 0.0075 Hz on, 4 from 0.01 Hz on
    for hz in (0.0075, 0.009, 0.0099):
        assert one_high_pass(COSINES, short, hz).cosines == COSINES
    assert one_high_pass(COSINES, short, 0.01).replaced == COSINES
    assert one_high_pass(COSINES, short, 0.0074).replaced == COSINES


@pytest.mark.parametrize("hz", [1 / 300, 1 / 160, 1 / 100, 0.02, 0.05])
def test_another_cut_off_replaces_the_cosines_by_its_drift(hz):
    confounds = confounds_of(TIMES)
    found = one_high_pass(confounds, TIMES, hz)
    assert (found.drift_hz, found.cosines, found.replaced) == (hz, (), COSINES)
    design = make_design_matrix(NO_EVENTS, TIMES, confounds=confounds, high_pass_hz=hz)
    expected = create_cosine_drift(hz, TIMES)[:, :-1]
    names = [f"drift_{k + 1}" for k in range(expected.shape[1])]
    assert list(design) == ["trans_x", "rot_z", *names, "constant"]
    np.testing.assert_array_equal(design[names], expected)
    np.testing.assert_array_equal(design["trans_x"], confounds["trans_x"])


@pytest.mark.parametrize("hz", [1 / 128, 1 / 300, 0.05])
def test_without_cosines_a_cut_off_gives_a_drift(hz):
    confounds = confounds_of(TIMES)[["trans_x", "rot_z"]]
    found = one_high_pass(confounds, TIMES, hz)
    assert (found.drift_hz, found.cosines, found.replaced) == (hz, (), ())
    design = make_design_matrix(NO_EVENTS, TIMES, confounds=confounds, high_pass_hz=hz)
    assert list(design)[-2:] == [f"drift_{int(1200 * hz)}", "constant"]


@pytest.mark.parametrize(
    ("scale", "noise", "cut_off_hz"), [(1, 0, 1 / 128), (-40, 0, 1 / 300), (3, 0.01, 1 / 128)]
)
def test_a_cosine_under_another_name_is_refused_beside_a_drift(scale, noise, cut_off_hz):
    confounds = confounds_of(TIMES).rename(columns={"cosine02": "slow", "cosine00": "slower"})
    confounds = confounds[["trans_x", "slow", "slower"]] * scale
    blur = np.random.default_rng(1).normal(size=confounds.shape)
    confounds += noise * confounds.std().to_numpy() * blur
    with pytest.raises(InputError) as caught:
        make_design_matrix(NO_EVENTS, TIMES, confounds=confounds, high_pass_hz=cut_off_hz)
    (problem,) = caught.value.problems
    assert problem.found == (
        f"confounds slow, slower are columns of the drift of {cut_off_hz:g} Hz"
    )
    assert "HighPassFilterCutoffHz" in problem.remedy
    make_design_matrix(NO_EVENTS, TIMES, confounds=confounds)  # alone it is a confound


@pytest.mark.parametrize("shape", ["line", "step", "constant", "slow wave"])
def test_a_confound_that_is_slow_is_not_taken_for_the_drift(shape):
    t = np.linspace(-1, 1, 300)
    column = {"line": t, "step": np.sign(t), "constant": 0 * t + 3, "slow wave": np.sin(5 * t)}
    confounds = pd.DataFrame({"slow": column[shape]})
    design = make_design_matrix(NO_EVENTS, TIMES, confounds=confounds, high_pass_hz=1 / 128)
    assert next(iter(design)) == "slow"
    assert design.shape[1] == 11
