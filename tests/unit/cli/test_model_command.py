from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from command import SMALL, answer, call
from tiny import TinyRun, blocks, write_tiny

from twolevel.bids.entities import Entities
from twolevel.model.read import presets

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    runs = [Entities({"sub": s, "task": "t", "run": "1"}) for s in ("01", "02")]
    return write_tiny(tmp_path / "data", [TinyRun(run, blocks("a", "b")) for run in runs])


def test_a_model_is_printed_and_what_is_said_goes_elsewhere(data: Path):
    found = answer("model", data)
    assert json.loads(found.out)["Name"] == "t"
    assert 'conditions: the 2 levels of trial_type: "a", "b"' in found.err


def test_a_file_that_is_there_is_not_replaced(data: Path, tmp_path: Path):
    model = tmp_path / "model.json"
    said = call("model", data, "-o", model)
    assert f"Check it:  twolevel validate {data} --model {model}" in said
    before = model.read_bytes()
    refused = answer("model", data, "-o", model)
    assert refused.status == 3
    assert "a file that is there" in refused.err
    assert model.read_bytes() == before


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_printed_as_it_is(name):
    assert answer("model", "--preset", name).out == presets()[name].read_text(encoding="utf-8")


def test_an_unknown_preset_is_refused():
    assert 'Did you mean "balloon' in call("model", "--preset", "baloon", status=3)


def test_a_model_in_its_strict_form_with_a_picture(tmp_path: Path):
    picture = tmp_path / "graph.svg"
    found = answer("model", "--strict", SMALL, "--write-graph", picture)
    assert json.loads(found.out)["Nodes"][2]["Model"]["Software"]["twolevel"]["NPerm"] == 8
    assert "Dataset: group" in picture.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give one of BIDS_DIR, --preset NAME and --strict FILE"),
        (["data", "--preset", "balloon"], "give one of BIDS_DIR, --preset NAME and"),
        (["--preset", "balloon", "--task-id", "t"], "--task-id goes with BIDS_DIR"),
        (["--preset", "balloon", "--with-response-time"], "--with-response-time goes with"),
        (["--preset", "balloon", "-d", "x"], "--derivatives goes with BIDS_DIR"),
    ],
)
def test_options_that_do_not_go_together(words, said):
    assert said in call("model", *words, status=2)


def test_places_that_hold_no_data_are_refused(data: Path, tmp_path: Path):
    assert "no such folder" in call("model", tmp_path / "nowhere", status=3)
    assert "no events of this task" in call("model", data, "-t", "other", status=3)
    for path in data.rglob("*_events.tsv"):
        path.unlink()
    assert "no events" in call("model", data, status=3)


def test_without_derivatives_the_model_has_no_confounds(data: Path):
    (data / "derivatives").rename(data.parent / "elsewhere")
    said = answer("model", data).err
    assert "derivatives: none are there" in said
    assert "confounds: none, because 2 of 2 runs have no table of confounds" in said
    found = answer("model", data, "-d", data.parent / "elsewhere" / "fmriprep")
    assert "trans_x, trans_y" in found.err
