from __future__ import annotations

import numpy as np
import pytest

from twolevel.errors import InputError, did_you_mean
from twolevel.stats.contrasts import contrast_vector, is_estimable

COLUMNS = ["trial_type.face", "trial_type.house", "0back", "pumps", "pumps_demean", "constant"]


@pytest.mark.parametrize(
    ("expression", "weights"),
    [
        ("pumps", [0, 0, 0, 1, 0, 0]),
        ("pumps_demean - pumps", [0, 0, 0, -1, 1, 0]),
        ("trial_type.face - trial_type.house", [1, -1, 0, 0, 0, 0]),
        ("0.5*trial_type.face + 0.5*trial_type.house - 0back", [0.5, 0.5, -1, 0, 0, 0]),
        ("(trial_type.face + trial_type.house) / 2", [0.5, 0.5, 0, 0, 0, 0]),
        ("-2 * constant", [0, 0, 0, 0, 0, -2]),
        ("pumps+pumps-constant", [0, 0, 0, 2, 0, -1]),
    ],
)
def test_an_expression_becomes_weights_by_name(expression, weights):
    np.testing.assert_allclose(contrast_vector(expression, COLUMNS), weights, rtol=1e-12, atol=0)


def test_a_mapping_becomes_weights_by_name_and_zero_elsewhere():
    vector = contrast_vector({"constant": 2.0, "trial_type.face": -0.25}, COLUMNS)
    assert vector.tolist() == [-0.25, 0, 0, 0, 0, 2.0]


def test_the_order_of_columns_moves_the_weights_along():
    backwards = contrast_vector("pumps - constant", COLUMNS[::-1])
    assert backwards[::-1].tolist() == contrast_vector("pumps - constant", COLUMNS).tolist()


@pytest.mark.parametrize("contrast", ["face - pumps", {"face": 1.0, "pumps": -1.0}])
def test_an_unknown_name_is_refused_with_what_is_there_and_a_suggestion(contrast):
    with pytest.raises(InputError) as error:
        contrast_vector(contrast, COLUMNS)
    (problem,) = error.value.problems
    assert problem.found == 'no regressor "face"'
    assert problem.expected == "regressors of the design: " + ", ".join(COLUMNS)
    assert problem.remedy == 'Did you mean "trial_type.face"?'


def test_the_refusal_shows_the_contrast_as_it_was_asked_for():
    with pytest.raises(InputError, match=r'contrast "pumps - cash"'):
        contrast_vector("pumps - cash", COLUMNS)
    with pytest.raises(InputError, match=r'contrast "\+1 pumps -1 cash"'):
        contrast_vector({"pumps": 1, "cash": -1}, COLUMNS)


def test_all_unknown_names_are_listed_and_without_resemblance_nothing_is_suggested():
    with pytest.raises(InputError) as error:
        contrast_vector({"xylem": 1, "quartz": 1, "pumps": 1}, COLUMNS)
    (problem,) = error.value.problems
    assert problem.found == 'no regressor "xylem", "quartz"'
    assert problem.remedy == "correct the names in the contrast"


@pytest.mark.parametrize("expression", ["pumps -", "", "(pumps", "3"])
def test_what_is_no_expression_is_refused_as_such(expression):
    with pytest.raises(InputError, match="no linear expression in the names of regressors"):
        contrast_vector(expression, COLUMNS)


@pytest.mark.parametrize(
    ("name", "there", "sentence"),
    [
        ("cash", ["pumps_demean", "cash_demean"], 'Did you mean "cash_demean"?'),
        ("hosue", ["face", "house"], 'Did you mean "house"?'),
        ("house", ["trial_type.face", "trial_type.house"], 'Did you mean "trial_type.house"?'),
        ("zzz", ["face", "house"], ""),
        ("face", [], ""),
    ],
)
def test_the_most_similar_name_is_suggested(name, there, sentence):
    assert did_you_mean(name, there) == sentence


def test_any_contrast_of_a_full_rank_design_is_estimable():
    design = np.random.default_rng(0).normal(size=(20, 4))
    for vector in np.eye(4):
        assert is_estimable(vector, design)


def test_of_two_equal_columns_only_the_sum_is_estimable():
    column = np.random.default_rng(0).normal(size=(20, 1))
    design = np.column_stack([column, column, np.ones(20)])
    assert is_estimable(np.array([1.0, 1, 0]), design)
    assert is_estimable(np.array([0.0, 0, 1]), design)
    assert not is_estimable(np.array([1.0, 0, 0]), design)
    assert not is_estimable(np.array([1.0, -1, 0]), design)


def test_a_column_of_zeros_cannot_be_weighted():
    design = np.column_stack([np.arange(5.0), np.zeros(5), np.ones(5)])
    assert not is_estimable(np.array([1.0, -1, 0]), design)
    assert is_estimable(np.array([1.0, 0, -1]), design)


def test_a_contrast_of_nothing_is_not_estimable():
    assert not is_estimable(np.zeros(3), np.eye(3))


def test_more_columns_than_rows_leave_little_to_estimate():
    design = np.array([[1.0, 1, 0], [0, 0, 1]])
    assert is_estimable(np.array([0.0, 0, 1]), design)
    assert not is_estimable(np.array([1.0, 0, 0]), design)
