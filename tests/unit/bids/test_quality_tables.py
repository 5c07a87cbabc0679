from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twolevel.bids.entities import Entities
from twolevel.derivatives.quality import (
    inflation_level,
    inflation_notes,
    write_quality,
    write_volume_quality,
)
from twolevel.files.tables import read_tsv
from twolevel.notes import merged

RECORD = {"Software": {"Name": "twolevel"}}
LEVELS = [
    (-1.0, None),
    (1.0, None),
    (5.0, None),
    (float(np.nextafter(5, 6)), "warning"),
    (10.0, "warning"),
    (float(np.nextafter(10, 11)), "alarm"),
    (float("inf"), "alarm"),
    (float("nan"), None),
]


def entities(subject: str = "01", **others: str) -> Entities:
    return Entities({"sub": subject, "task": "x", **others})


def write(folder: Path, names: Entities, **factors: float) -> Path:
    rows = [("vif_contrast", name, value) for name, value in factors.items()]
    return write_quality(folder, names, rows, RECORD)


@pytest.mark.parametrize(("value", "level"), LEVELS)
def test_a_factor_is_judged_by_the_bound_that_it_exceeds(value, level):
    assert inflation_level(value) == level


def test_the_table_holds_the_measures_and_judges_those_of_the_design(tmp_path):
    rows = [
        ("tsnr", "median", 80.25),
        ("n_voxels", "brain mask", 1234),
        ("vif_regressor", "pumps", 5.0),
        ("vif_regressor", "cash", 7.5),
        ("vif_contrast", "01", 1 / 3 + 10),
        ("vif_contrast", "pumps", float("inf")),
    ]
    path = write_quality(tmp_path, entities(ses="a", run="2"), rows, RECORD)
    name = "sub-01_ses-a_task-x_run-2_desc-run_quality.tsv"
    assert path == tmp_path / "sub-01/ses-a/func" / name
    table = read_tsv(path, dtype={"of": str})
    assert table.columns.tolist() == ["measure", "of", "value", "level"]
    assert list(zip(table["measure"], table["of"], table["value"], strict=True)) == rows
    levels = [None if pd.isna(level) else level for level in table["level"]]
    assert levels == [None, None, None, "warning", "alarm", "alarm"]
    assert path.read_text().splitlines()[1] == "tsnr\tmedian\t80.25\tn/a"


def test_the_sidecar_explains_every_column_and_carries_the_record(tmp_path):
    path = write(tmp_path, entities(), pumps=2.0)
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert set(read_tsv(path)) <= set(sidecar)
    assert {"vif_contrast", "tsnr", "dvars"} <= set(sidecar["measure"]["Levels"])
    assert sidecar["level"]["Levels"] == {"warning": "above 5", "alarm": "above 10"}
    assert sidecar["Software"] == RECORD["Software"]


def test_the_quality_of_volumes_is_a_table_beside_it(tmp_path):
    table = pd.DataFrame({"volume": [2, 3, 5], "dvars": [np.nan, 1.25, 0.5], "outlier": [0, 1, 0]})
    path = write_volume_quality(tmp_path, entities(), table, RECORD)
    assert path == tmp_path / "sub-01/func/sub-01_task-x_desc-volumes_quality.tsv"
    expected = "volume\tdvars\toutlier\n2\tn/a\t0\n3\t1.25\t1\n5\t0.5\t0\n"
    assert path.read_text() == expected
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert set(table) <= set(sidecar)
    assert sidecar["dvars"]["Units"] == "percent signal change"


def test_contrasts_at_a_bound_are_not_noted(tmp_path):
    path = write(tmp_path, entities(), fine=1.0, at_the_bound=5.0)
    assert inflation_notes([path]) == []


def test_the_note_of_a_contrast_names_its_runs_the_worst_first(tmp_path):
    paths = [
        write(tmp_path, entities("01", run="1"), pumps=6.0),
        write(tmp_path, entities("01", run="2"), pumps=12.345),
        write(tmp_path, entities("02", ses="b", run="1"), pumps=5.0),
        write(tmp_path, entities("03"), pumps=7.0),
    ]
    assert merged(inflation_notes(paths)) == [
        (
            "variance inflation, alarm: correlated regressors inflate the variance of contrast "
            "pumps: sub-01 run-2: 12.3, sub-03: 7, sub-01 run-1: 6"
        )
    ]


def test_the_worst_contrast_is_noted_first_and_equals_by_name(tmp_path):
    one = write(tmp_path, entities("01"), low=6.0, twin_b=8.0, twin_a=8.0, worst=5.5)
    other = write(tmp_path, entities("02"), worst=float("inf"))
    notes = inflation_notes([one, other])
    heads = [note.what.partition(": ")[0].removeprefix("variance inflation, ") for note in notes]
    contrasts = [note.what.partition("of contrast ")[2] for note in notes]
    assert contrasts == ["worst", "twin_a", "twin_b", "low"]
    assert heads == ["alarm", "warning", "warning", "warning"]
    assert notes[0].detail == "sub-02: inf, sub-01: 5.5"


@pytest.mark.parametrize(
    ("n_runs", "expected"),
    [
        (3, "sub-01: 6, sub-02: 6, sub-03: 6"),
        (5, "sub-01: 6, sub-02: 6, sub-03: 6 and 2 more runs"),
    ],
)
def test_three_runs_are_named_and_the_others_counted(tmp_path, n_runs, expected):
    paths = [write(tmp_path, entities(f"0{i + 1}"), pumps=6.0) for i in range(n_runs)]
    (note,) = inflation_notes(reversed(paths))
    assert note.detail == expected


def test_one_more_run_is_counted_in_the_singular(tmp_path):
    paths = [write(tmp_path, entities(f"0{i + 1}"), pumps=6.0) for i in range(4)]
    (note,) = inflation_notes(paths)
    assert note.detail == "sub-01: 6, sub-02: 6, sub-03: 6 and 1 more run"


def test_only_contrasts_and_only_the_quality_of_runs_are_looked_at(tmp_path):
    rows = [("vif_regressor", "cosine01", 60.0), ("tsnr", "median", 100.0)]
    quality = write_quality(tmp_path, entities(), rows, RECORD)
    volumes = write_volume_quality(
        tmp_path, entities(), pd.DataFrame({"volume": [0], "dvars": [50.0]}), RECORD
    )
    absent = tmp_path / "sub-01/func/sub-01_task-x_stat-tsnr_statmap.nii.gz"
    assert inflation_notes([quality, volumes, quality.with_suffix(".json"), absent]) == []


def test_a_contrast_whose_name_looks_like_a_number_keeps_it(tmp_path):
    (note,) = inflation_notes([write(tmp_path, entities(), **{"01": 6.0})])
    assert note.what.endswith("of contrast 01")
