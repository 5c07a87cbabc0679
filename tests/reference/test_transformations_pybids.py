"""Transformations beside pybids: the same where it is right, and where not, the table says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pybids_transformations import shown
from transformed import carried_out

from twolevel.errors import InputError
from twolevel.model.transformations.table import TRANSFORMATIONS
from twolevel.model.transformations.variables import number

# Its columns "pybids" and "version" are written by tests/support/pybids_transformations.py.
TABLE = Path(__file__).with_name("transformations_pybids.tsv")
CASES = pd.read_csv(TABLE, sep="\t", dtype=str, keep_default_na=False, quoting=3)


def ours(steps: list[dict[str, Any]], name: str) -> str:
    try:
        variable = carried_out(*steps).variables[name]
    except InputError:
        return "InputError"
    is_time = steps[-1].get("TargetAttr") == "duration"
    cells = variable.table["duration"] if is_time else variable.cells
    return shown(cell if pd.isna(number(cell)) else number(cell) for cell in cells)


@pytest.mark.parametrize("case", CASES.to_dict("records"), ids=lambda c: f"{c['instructions']}")
def test_ours_is_what_the_table_says(case):
    assert ours(json.loads(case["instructions"]), case["variable"]) == case["ours"]


def test_wherever_the_two_differ_the_table_says_who_is_right_and_why():
    assert set(CASES["version"]) == {"0.22.0"}
    assert set(CASES["transformation"]) < set(TRANSFORMATIONS)
    is_error = CASES["ours"].str.endswith("Error") & CASES["pybids"].str.endswith("Error")
    agree = (CASES["ours"] == CASES["pybids"]) | is_error
    assert (CASES["right"] == "both").equals(agree)
    assert (CASES["why"][~agree] != "").all()
    assert agree.sum() >= 25
