from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from twolevel.errors import InputError
from twolevel.stats.run.design import EARLIEST_ONSET, frame_times_of, make_design_matrix

FRAME_TIMES = np.arange(0.0, 80.0, 2.0)


@pytest.fixture
def events():
    return pd.DataFrame(
        {"onset": [4.0, 20.0, 40.0], "duration": 2.0, "trial_type": ["b", "a", "b"]}
    )


def problem_of(events: Any, **options: Any) -> Any:
    with pytest.raises(InputError) as error:
        make_design_matrix(events, FRAME_TIMES, **options)
    (problem,) = error.value.problems
    return problem


def test_frame_times_start_at_the_start_time():
    assert frame_times_of(4, 2.5, 1.25).tolist() == [1.25, 3.75, 6.25, 8.75]


def test_columns_are_conditions_by_appearance_then_confounds_drift_and_constant(events):
    confounds = pd.DataFrame({"rot_x": np.zeros(40), "csf": np.ones(40)})
    design = make_design_matrix(events, FRAME_TIMES, confounds=confounds, high_pass_hz=1 / 60)
    assert list(design) == ["b", "a", "rot_x", "csf", "drift_1", "drift_2", "constant"]
    assert (design["constant"] == 1).all()
    assert design.index.tolist() == FRAME_TIMES.tolist()
    assert design.index.name == "frame_time"


def test_a_mapping_decides_the_order_and_leaves_out_what_has_no_events(events):
    design = make_design_matrix(events, FRAME_TIMES, hrf_model={"a": None, "c": None, "b": None})
    assert list(design) == ["a", "b", "constant"]


def test_without_convolution_a_boxcar_is_sampled(events):
    design = make_design_matrix(events, FRAME_TIMES, hrf_model=None)
    assert np.flatnonzero(design["a"]).tolist() == [10]
    assert design["a"].max() == pytest.approx(1, rel=1e-12)


def test_confounds_are_taken_as_they_are(events):
    confounds = pd.DataFrame({"x": np.linspace(5, 9, 40)}, index=range(100, 140))
    design = make_design_matrix(events, FRAME_TIMES, confounds=confounds)
    assert design["x"].tolist() == confounds["x"].tolist()


def test_no_events_leave_the_constant():
    nothing = pd.DataFrame({"onset": [], "duration": [], "trial_type": []})
    assert list(make_design_matrix(nothing, FRAME_TIMES)) == ["constant"]


def test_an_event_long_before_the_first_frame_is_not_considered(events):
    late = make_design_matrix(events, FRAME_TIMES)
    row = {"onset": EARLIEST_ONSET - 1, "duration": 20.0, "trial_type": "a"}
    early = pd.concat([events, pd.DataFrame([row])], ignore_index=True)
    with pytest.warns(UserWarning, match="onset"):
        design = make_design_matrix(early, FRAME_TIMES)
    np.testing.assert_allclose(design["b"], late["b"], rtol=0, atol=0)


def test_trial_types_without_an_hrf_model_are_refused(events):
    problem = problem_of(events, hrf_model={"a": "glover"})
    assert problem.where == "events"
    assert problem.found == "trial types ['b']"
    assert problem.expected == "trial types among ['a']"


@pytest.mark.parametrize("column", ["onset", "duration", "modulation"])
def test_missing_numbers_in_events_are_refused(events, column):
    events["modulation"] = 1.0
    events.loc[1, column] = np.nan
    assert problem_of(events).found == "missing values"
    assert problem_of(events).expected == "a value in onset, duration, trial_type and modulation"


def test_confounds_of_another_length_are_refused(events):
    problem = problem_of(events, confounds=pd.DataFrame({"x": np.zeros(39)}))
    assert (problem.found, problem.expected) == ("39 rows", "40, one a volume")


def test_missing_confounds_are_refused_by_name(events):
    confounds = pd.DataFrame({"x": np.zeros(40), "y": [np.nan] + [0.0] * 39})
    assert problem_of(events, confounds=confounds).found == "missing values in ['y']"


def test_a_name_for_a_condition_and_a_confound_is_refused(events):
    problem = problem_of(events, confounds=pd.DataFrame({"a": np.zeros(40)}))
    assert problem.found == "several columns of the name a"


def test_all_that_is_wrong_is_listed_at_once(events):
    events.loc[0, "onset"] = np.nan
    confounds = pd.DataFrame({"a": np.full(39, np.nan)})
    with pytest.raises(InputError) as error:
        make_design_matrix(events, FRAME_TIMES, confounds=confounds, hrf_model={"a": None})
    assert len(error.value.problems) == 4
