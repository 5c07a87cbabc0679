from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from model_parts import stage_at

from twolevel.bids.entities import Entities
from twolevel.bids.run_inputs import RunSpec
from twolevel.model.declared import checker
from twolevel.model.nodes import Contrast, Node, StatsModel
from twolevel.model.settings import RunSettings
from twolevel.model.transformations.convolve import Convolve
from twolevel.model.transformations.levels import Factor
from twolevel.tasks.design_run import design_run
from twolevel.tasks.handoff import load_exclusions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER = "onset\tduration\ttrial_type\trt\n"


@pytest.fixture
def design(tmp_path: Path):
    """Build a design of 100 s; return columns, sidecar and what was left out."""

    def design(rows: list[str], x: list[str], contrasts: list[str], edits: Sequence[Any] = ()):
        events = tmp_path / "events.tsv"
        events.write_text(HEADER + "".join(row.replace(" ", "\t") + "\n" for row in rows))
        named = tuple(Contrast(c, c.split(".")[-1], ((c, (1.0,)),)) for c in contrasts)
        steps = (
            Factor(input=("trial_type",)),
            Convolve(input=tuple(x), model="glover"),
        )
        settings = checker(RunSettings).validate_python({"Events": list(edits)})
        node = Node("run", "run", ("run",), (*x, "1"), settings, steps, None, named)
        spec = RunSpec(Entities({"sub": "01", "task": "t", "run": "1"}), 2.0, 0.0, 50, ())
        stage = stage_at(StatsModel("m", (node,), ()), "run")
        folder = design_run(spec, stage, {"events": events}, tmp_path / "out")
        (table,) = folder.rglob("*_design.tsv")
        left_out = [(e.kind, e.item, e.count, e.reason) for e in load_exclusions(folder)]
        columns = list(pd.read_csv(table, sep="\t"))
        return columns, json.loads(table.with_suffix(".json").read_text()), left_out

    return design


def test_the_sidecar_says_what_each_column_is(design):
    _, sidecar, _ = design(["1 1 face 0.5", "9 1 house 0.7"], ["trial_type.face", "rt"], ["rt"])
    assert sidecar["Columns"] == {
        "trial_type.face": {"Kind": "condition", "HRF": "glover"},
        "rt": {"Kind": "condition", "HRF": "glover"},
        "constant": {"Kind": "constant"},
    }
    assert sidecar["HighPass"] is None


def test_every_event_that_is_left_out_is_recorded_with_its_line(design):
    rows = [
        "1 1 face 0.5", "n/a 1 face 0.5", "9 1 rest n/a", "20 1 n/a 0.4", "30 n/a rest n/a",
        "40 1 Pause n/a", "50 1 house 0.7", "120 1 house 0.7",
    ]  # fmt: skip
    columns, _, left_out = design(
        rows, ["trial_type.face", "trial_type.house"], ["trial_type.face"]
    )
    assert columns == ["trial_type.face", "trial_type.house", "constant"]
    assert left_out == [
        ("event", "lines 3 5", 2, "n/a in onset or trial_type"),
        ("event", "lines 9", 1, "onset outside the scan, which ends at 100 s"),
        ("event", "lines 4 6", 2, "in no regressor: trial_type.rest"),
        ("event", "lines 7", 1, "in no regressor: trial_type.Pause"),
    ]


def test_a_regressor_that_the_run_has_not_is_recorded(design):
    x = ["trial_type.face", "trial_type.house", "trial_type.error"]
    contrasts = ["trial_type.face", "trial_type.house"]
    _, _, left_out = design(["1 1 face n/a"], x, contrasts)
    assert left_out == [
        ("run", "", 1, "no trial_type.house in this run"),
        ("regressor", "trial_type.error", 1, "no trial_type.error in this run"),
    ]


def test_a_contrast_on_a_level_that_a_wildcard_takes_elsewhere_is_recorded(design):
    _, _, left_out = design(["1 1 face n/a"], ["trial_type.*"], ["trial_type.house"])
    assert left_out == [("run", "", 1, "no trial_type.house in this run")]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["1 0 face n/a", "9 1 face n/a"], True),
        (["1 1 face n/a", "9 0 rest n/a"], False),
        (["1 1 face n/a", "9 0.1 face n/a"], False),
    ],
)
def test_the_sidecar_says_what_events_of_no_duration_stand_for(design, rows, said):
    _, sidecar, _ = design(rows, ["trial_type.face"], ["trial_type.face"])
    assert ("EventsOfNoDuration" in sidecar) == said
    assert sidecar["Settings"]["seed"] == 0
    if said:
        assert sidecar["EventsOfNoDuration"].startswith("Impulses of 1/50 of the repetition time")


def test_a_modulator_keeps_its_column_where_cells_are_missing(design):
    columns, _, left_out = design(
        ["1 1 face 0.5", "9 1 face n/a", "20 1 house 0.7"], ["rt", "trial_type.face"], ["rt"]
    )
    assert columns == ["rt", "trial_type.face", "constant"]
    assert left_out == []


def test_edited_events_are_kept_with_the_design(design, tmp_path):
    rows = ["1000 1 face 0.5", "n/a 1 face 0.5", "9000 2 house n/a", "20000 1 face 0.4"]
    edits: list[dict[str, Any]] = [
        {"Scale": {"onset": 0.001}},
        {"Where": 'trial_type == "house"', "Drop": True},
        {"Where": "rt < 0.45", "Add": {"onset": "onset + rt", "trial_type": "'press'"}},
    ]
    x = ["trial_type.face", "trial_type.press"]
    columns, sidecar, left_out = design(rows, x, x[:1], edits)
    assert columns == [*x, "constant"]
    assert sidecar["EventEdits"] == [
        {**edit, "Rows": count} for edit, count in zip(edits, (3, 1, 1), strict=True)
    ]
    assert sidecar["Settings"]["events"] == edits
    assert left_out == [
        ("event", "lines 4", 1, "dropped by event edit 2: trial_type == 'house'"),
        ("event", "lines 3", 1, "n/a in onset or trial_type"),
    ]
    (path,) = tmp_path.rglob("sub-01_task-t_run-1_desc-edited_events.tsv")
    assert path.read_text().splitlines() == [
        "onset\tduration\ttrial_type\trt\tsource_line",
        "1\t1\tface\t0.5\t2",
        "20\t1\tface\t0.4\t5",
        "20.4\t1\tpress\t0.4\t5",
        "n/a\t1\tface\t0.5\t3",
    ]
    assert "source_line" in json.loads(path.with_suffix(".json").read_text())


def test_without_edits_nothing_is_kept(design, tmp_path):
    _, sidecar, _ = design(["1 1 face 0.5"], ["trial_type.face"], [])
    assert "EventEdits" not in sidecar
    assert list(tmp_path.rglob("*_events.*")) == []


def test_a_run_without_what_a_wildcard_matched_elsewhere_is_recorded(design):
    x = ["trial_type.*"]
    columns, sidecar, left_out = design(["1 1 face n/a"], x, ["trial_type.face", "trial_type.cat"])
    assert columns == ["trial_type.face", "constant"]
    assert list(sidecar["Contrasts"]) == ["face", "cat"]
    assert left_out == [("run", "", 1, "no trial_type.cat in this run")]


def test_the_sidecar_says_what_variables_are_made_of(design):
    _, sidecar, _ = design(["1 1 face 0.5", "9 1 face n/a"], ["trial_type.face", "rt"], ["rt"])
    assert sidecar["Variables"] == {
        "trial_type.face": {"HRF": "glover", "NumberOfEvents": 2, "Columns": ["trial_type.face"]},
        "rt": {"HRF": "glover", "NumberOfEvents": 1, "Columns": ["rt"]},
    }
    assert sidecar["Transformations"] == [
        {"Name": "Factor", "Input": ["trial_type"]},
        {"Name": "Convolve", "Model": "glover", "Input": ["trial_type.face", "rt"]},
    ]
    assert "FContrasts" not in sidecar
    assert "LowPassCutoffHz" not in sidecar
