from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from maps import combine

from twolevel.errors import InputError
from twolevel.stats.estimates import FEstimate, TEstimate
from twolevel.stats.maps import fit
from twolevel.stats.maps.design import make_map_design
from twolevel.stats.maps.fit import ESTIMATORS, fit_maps


def t_of(*arguments: Any, **options: Any) -> TEstimate:
    estimate = fit_maps(*arguments, **options)
    assert isinstance(estimate, TEstimate)
    return estimate


def test_a_run_without_variance_does_not_take_all_the_weight_to_infinity():
    runs = [
        TEstimate(np.array([1.0]), np.array([0.0]), 5.0),
        TEstimate(np.array([2.0]), np.array([1.0]), 5.0),
    ]
    combined = combine(runs, "precision")
    np.testing.assert_allclose(combined.effect, [1.0], rtol=1e-12, atol=0)
    np.testing.assert_allclose(combined.variance, [1e-16], rtol=1e-9, atol=0)


def test_by_default_the_group_is_the_mean_over_subjects():
    group = t_of(np.array([[1.0, 0.0], [3.0, 4.0]]))
    np.testing.assert_allclose(group.effect, [2.0, 2.0], rtol=1e-12, atol=0)
    np.testing.assert_allclose(group.variance, [1.0, 4.0], rtol=1e-12, atol=0)
    assert group.dof == 1


def test_the_first_column_is_estimated_unless_a_contrast_is_given():
    rng = np.random.default_rng(0)
    maps, design = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
    default = t_of(maps, design).effect
    first = t_of(maps, design, np.array([1.0, 0.0])).effect
    second = t_of(maps, design, np.array([0.0, 1.0])).effect
    np.testing.assert_array_equal(default, first)
    assert np.abs(default - second).min() > 1e-6


def test_a_contrast_is_called_by_the_name_that_the_design_gives_it():
    rng = np.random.default_rng(1)
    maps, table = rng.normal(size=(9, 4)), pd.DataFrame({"age": rng.normal(size=9)})
    design = make_map_design(9, ["1", "age"], table)
    by_name, by_weights = t_of(maps, design, "age"), t_of(maps, design.matrix, [0.0, 1.0])
    np.testing.assert_array_equal(by_name.effect, by_weights.effect)
    np.testing.assert_array_equal(by_name.variance, by_weights.variance)


@pytest.mark.parametrize(
    ("n_subjects", "design", "needed"),
    [(1, None, 2), (2, np.array([[1.0, 0], [1, 1]]), 3), (2, np.array([[1.0, 1], [2, 0]]), 3)],
)
def test_too_few_subjects_are_refused(n_subjects, design, needed):
    with pytest.raises(InputError) as error:
        fit_maps(np.zeros((n_subjects, 3)), design)
    (problem,) = error.value.problems
    assert problem.found == f"{n_subjects} subjects"
    assert problem.expected == f"at least {needed} for this design"


def test_a_superfluous_column_does_not_cost_a_degree_of_freedom():
    maps = np.random.default_rng(0).normal(size=(8, 5))
    twice = fit_maps(maps, np.ones((8, 2)), np.array([1.0, 1.0]))
    once = fit_maps(maps)
    assert twice.dof == once.dof == 7
    np.testing.assert_allclose(twice.stat, once.stat, rtol=1e-9, atol=1e-12)


def test_an_f_of_one_row_is_the_square_of_its_t():
    rng = np.random.default_rng(2)
    maps, design = rng.normal(size=(9, 4)), rng.normal(size=(9, 3))
    f, t = fit_maps(maps, design, [[1.0, -1.0, 0.0]]), fit_maps(maps, design, [1.0, -1.0, 0.0])
    assert isinstance(f, FEstimate)
    np.testing.assert_allclose(f.stat, t.stat**2, rtol=1e-9, atol=0)
    assert (f.dof_numerator, f.dof) == (1, 6)


def test_an_f_does_not_depend_on_how_its_rows_are_written():
    rng = np.random.default_rng(3)
    maps, design, rows = rng.normal(size=(9, 4)), rng.normal(size=(9, 3)), np.eye(3)[:2]
    mixed = np.array([[2.0, 1.0], [0.5, -3.0]]) @ rows
    np.testing.assert_allclose(
        fit_maps(maps, design, mixed).stat, fit_maps(maps, design, rows).stat, rtol=1e-9, atol=0
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_width_of_blocks_changes_no_more_than_rounding(estimator, monkeypatch):
    rng = np.random.default_rng(4)
    maps, variances = rng.normal(size=(6, 50)), rng.gamma(2, 1, (6, 50))
    errors: dict[str, Any] = {"variances": variances, "dofs": [20.0] * 6}
    whole = fit_maps(maps, estimator=estimator, **errors)
    monkeypatch.setattr(fit, "POINTS_PER_BLOCK", 7)
    in_blocks = fit_maps(maps, estimator=estimator, **errors)
    assert in_blocks.dof == whole.dof
    for name, values in whole.maps().items():
        np.testing.assert_allclose(in_blocks.maps()[name], values, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_no_points_give_an_estimate_of_no_points(estimator):
    none = np.empty((3, 0))
    assert fit_maps(none, estimator=estimator, variances=none, dofs=[9.0] * 3).n_points == 0


MAPS, AGE = np.ones((4, 2)), np.array([[1.0, 0], [1, 1], [1, 2], [1, 3]])


@pytest.mark.parametrize(
    ("design", "contrast", "options", "found", "expected"),
    [
        (None, None, {"estimator": "wls"}, "'wls'", 'one of "ols", "fixed", "precision"'),
        (AGE[:3], None, {}, "a design of 3 rows", "as many rows in each"),
        (None, None, {"variances": MAPS[:3]}, "variances of shape (3, 2)", "as many rows in each"),
        (np.ones((4, 2)), [1.0, 0], {}, "[1.0, 0.0]", "a contrast that the design determines"),
        (AGE, [[1.0, 0], [0, 0]], {}, "[0.0, 0.0]", "a contrast that the design determines"),
        (AGE, [[1.0, 0], [2, 0]], {}, "depend on one another", "independent rows"),
        (None, None, {"estimator": "fixed"}, "without variances", "both for each row"),
        (
            None,
            None,
            {"estimator": "precision", "variances": MAPS},
            "or degrees of freedom",
            "both for each row",
        ),
    ],
)
def test_what_cannot_be_estimated_is_refused(design, contrast, options, found, expected):
    with pytest.raises(InputError) as error:
        fit_maps(MAPS, design, contrast, **options)
    (problem,) = error.value.problems
    assert found in problem.found
    assert expected in problem.expected
