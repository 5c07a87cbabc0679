from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from command import SMALL, call
from tiny import TinyRun, blocks, write_tiny

from twolevel.bids.entities import Entities
from twolevel.checks.dataset import Plan
from twolevel.cli.plan import plan_table
from twolevel.derivatives.exclusions import Exclusion
from twolevel.model.read import read_model

if TYPE_CHECKING:
    from pathlib import Path

MODEL = """{
  "Name": "tiny", "BIDSModelVersion": "1.0.0",
  "Nodes": [
    {"Level": "Run", "Name": "run", "GroupBy": ["run", "subject"],
     "Transformations": {"Transformer": "pybids-transforms-v1", "Instructions": [
       {"Name": "Factor", "Input": ["trial_type"]},
       {"Name": "Convolve", "Input": ["trial_type.a", "trial_type.b"]}]},
     "Model": {"Type": "glm", "X": ["trial_type.a", "trial_type.b", "cosine*", 1]},
     "Contrasts": [
       {"Name": "a", "ConditionList": ["trial_type.a"], "Weights": [1], "Test": "t"},
       {"Name": "b", "ConditionList": ["trial_type.b"], "Weights": [1], "Test": "t"}]},
    {"Level": "Subject", "Name": "subject", "GroupBy": ["subject", "contrast"],
     "Model": {"Type": "meta", "X": [1]}, "DummyContrasts": {"Test": "t"}},
    {"Level": "Dataset", "Name": "group", "GroupBy": ["contrast"],
     "Model": {"Type": "glm", "X": [1]}, "DummyContrasts": {"Test": "t"}}
  ]
}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two subjects with two runs and one with one; b is in all runs but one."""
    runs = [("01", "1"), ("01", "2"), ("02", "1"), ("02", "2"), ("03", "1")]
    made = [
        TinyRun(
            Entities({"sub": subject, "task": "t", "run": run}),
            blocks(*(("a", "b") if n else ("a",)), seed=n),
        )
        for n, (subject, run) in enumerate(runs)
    ]
    (tmp_path / "model.json").write_text(MODEL, encoding="utf-8")
    return write_tiny(tmp_path / "data", made)


def test_validate_ends_with_units_and_rows_of_each_node(data: Path, tmp_path: Path):
    picture = tmp_path / "graph.svg"
    words = ("-m", tmp_path / "model.json", "--write-graph", picture)
    lines = call("validate", data, *words).splitlines()
    start = next(n for n, line in enumerate(lines) if line.split()[:2] == ["node", "level"])
    assert [line.split() for line in lines[start : start + 4]] == [
        ["node", "level", "units", "rows"],
        ["run", "run", "5", "volumes"],
        ["subject", "subject", "6", "1", "to", "2", "maps"],
        ["group", "dataset", "2", "3", "maps"],
    ]
    text = picture.read_text(encoding="utf-8")
    assert "5 runs" in text
    assert "6 units of 1 to 2 inputs, 9 in all" in text


def test_what_is_left_out_is_listed_with_its_reason(data: Path, tmp_path: Path):
    (events,) = data.glob("sub-02/func/*run-2_events.tsv")
    events.unlink()
    said = call("validate", data, "-m", tmp_path / "model.json", "--allow-missing")
    (line,) = (x for x in said.splitlines() if x.strip().startswith("sub-02 run-2"))
    assert "events" in line


def test_runs_of_every_kind_and_subjects_are_named():
    left = [
        Exclusion("run", "no events", "01", session="pre", run="1", item="dir-AP"),
        Exclusion("run", "no mask", "01"),
    ]
    plan = Plan({}, {}, (), {"01": left}, {"04": "excluded by --exclude-participant-label"})
    table = plan_table(read_model(SMALL), plan, {})
    rows = [" ".join(line.split()) for line in table.splitlines()]
    assert "sub-01 ses-pre run-1 dir-AP no events" in rows
    assert "sub-01 no mask" in rows
    assert "sub-04 excluded by --exclude-participant-label" in rows
