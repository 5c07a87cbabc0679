from __future__ import annotations

import json

import numpy as np
import pandas as pd

from twolevel.bids.entities import Entities
from twolevel.derivatives.designs import read_map_design, write_map_design
from twolevel.stats.maps.design import make_map_design

NAMES = Entities({"task": "t", "space": "MNI152NLin2009cAsym"})


def test_a_design_that_is_written_is_read_again(tmp_path):
    table = pd.DataFrame({"age": [20.1, 1 / 3, -1e-7]})
    contrasts = {"older": "age", "any": ["age", "intercept"]}
    design = make_map_design(["sub-01", "sub-2", "sub-1e5"], ["1", "age"], table, contrasts)
    read = read_map_design(write_map_design(tmp_path, NAMES, design, {"Estimator": "ols"}))
    assert (read.rows, read.columns) == (design.rows, design.columns)
    assert read.exchange == design.exchange
    np.testing.assert_array_equal(read.matrix, design.matrix)
    assert list(read.contrasts) == ["older", "any"]
    for name, weights in design.contrasts.items():
        np.testing.assert_array_equal(read.contrasts[name], weights)


def test_the_sidecar_says_what_the_columns_are(tmp_path):
    path = write_map_design(tmp_path, NAMES, make_map_design(["sub-01"]), {"Estimator": "ols"})
    assert path.name == "task-t_space-MNI152NLin2009cAsym_design.tsv"
    assert path.read_text() == "subject\tintercept\nsub-01\t1.0\n"
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert sidecar["Columns"] == {
        "subject": "label of the subject",
        "intercept": "1: the mean of the group",
    }
    assert sidecar["Contrasts"] == {"intercept": [1.0]}
    assert sidecar["Estimator"] == "ols"
