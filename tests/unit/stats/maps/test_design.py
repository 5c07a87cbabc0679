from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from twolevel.errors import InputError
from twolevel.stats.maps.design import MapDesign, make_map_design

ROWS = ("sub-01", "sub-02", "sub-03", "sub-04")
TABLE = pd.DataFrame({"old": [1, 1, 0, 0], "young": [0, 0, 1, 1], "who": list("abcd")})


def test_without_more_the_mean_over_rows_is_estimated():
    design = make_map_design(ROWS)
    assert (design.rows, design.columns) == (ROWS, ("intercept",))
    assert design.matrix.tolist() == [[1.0]] * 4
    assert design.is_mean
    assert design.weights().tolist() == design.weights("intercept").tolist() == [1.0]
    assert design.effective_n() == pytest.approx(4, rel=1e-12)
    np.testing.assert_allclose(design.row_weights(), [0.25] * 4, rtol=1e-12, atol=0)


def test_a_number_of_rows_gives_them_names():
    assert make_map_design(2).rows == ("row 1", "row 2")


def test_columns_come_from_the_table_and_contrasts_name_them():
    contrasts: dict[str, Any] = {"older": "old - young", "any": ["old", {"young": 1.0}]}
    design = make_map_design(ROWS, ["old", "young"], TABLE, contrasts)
    assert design.columns == ("old", "young")
    assert design.matrix.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]
    assert design.weights().tolist() == [1, -1]
    assert design.weights("any").tolist() == [[1, 0], [0, 1]]
    assert design.effective_n("older") == pytest.approx(1 / (1 / 2 + 1 / 2), rel=1e-12)
    assert not design.is_mean


def test_each_column_is_a_contrast_of_its_own_unless_others_are_given():
    design = make_map_design(ROWS, ["1", "old"], TABLE)
    assert {name: w.tolist() for name, w in design.contrasts.items()} == {
        "intercept": [1, 0],
        "old": [0, 1],
    }


def test_a_column_of_ones_by_another_name_is_the_mean_and_one_of_twos_is_not():
    def of(value: float) -> MapDesign:
        return make_map_design(2, ["a"], pd.DataFrame({"a": [value, value]}))

    assert of(1.0).is_mean
    assert not of(2.0).is_mean


def test_some_rows_are_kept_in_the_order_in_which_they_are_named():
    kept = make_map_design(ROWS, ["old", "young"], TABLE).keep(["sub-04", "sub-01"])
    assert kept.rows == ("sub-04", "sub-01")
    assert kept.matrix.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("x", "table", "found", "expected"),
    [
        (["age"], TABLE, '"age"', '"1" or a column of the table: old, young, who'),
        (["age"], None, '"age"', '"1" or a column of the table: none is given'),
        (["who"], TABLE, "missing", "4 finite numbers, one for each row"),
        (["old"], TABLE.head(3), "3 values of int64, 0 missing", "4 finite numbers"),
        (["a"], pd.DataFrame({"a": [1.0, np.nan, 2, 3]}), "4 values of float64, 1 missing", "4"),
    ],
)
def test_a_column_without_a_number_for_each_row_is_refused(x, table, found, expected):
    with pytest.raises(InputError) as error:
        make_map_design(ROWS, x, table)
    (problem,) = error.value.problems
    assert found in problem.found
    assert expected in problem.expected


def test_a_contrast_of_what_is_no_column_is_refused():
    with pytest.raises(InputError, match='no regressor "age"'):
        make_map_design(ROWS, ["1", "old"], TABLE, {"age": "old - age"})


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [("age", 'one of "intercept", "old"'), ([1.0], "columns intercept, old"), (1.0, "columns")],
)
def test_a_contrast_that_the_design_does_not_have_is_refused(contrast, expected):
    design = make_map_design(ROWS, ["1", "old"], TABLE)
    with pytest.raises(InputError) as error:
        design.weights(contrast)
    assert expected in error.value.problems[0].expected
