"""``validate --show-events``: what a user sees of the edits of a participant's events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from command import answer
from tiny import TinyRun, motion, write_tiny

from twolevel.bids.entities import Entities

if TYPE_CHECKING:
    from pathlib import Path

N_TRIALS = 15
EDITS: list[dict[str, Any]] = [
    {"Strip": ["trial_type"]},
    {"Where": "isna(rt)", "Drop": True},
    {"Where": "trial_type == 'stop'", "Add": {"onset": "onset + rt", "trial_type": "'press'"}},
    {"Where": "rt > 100", "Set": {"trial_type": "'slow'"}},
]


def events() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "onset": 4.0 + 10 * np.arange(N_TRIALS),
            "duration": 2,
            "trial_type": ["go", "stop ", "go"] * 5,
            "rt": [0.5, 0.25, np.nan] * 5,
            "colour": "red",
        }
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = [
        TinyRun(Entities({"sub": sub, "task": "t", "run": run}), events(), motion(1))
        for sub in ("01", "02")
        for run in ("1", "2")
    ]
    return write_tiny(tmp_path_factory.mktemp("shown") / "data", runs)


@pytest.fixture
def show(data: Path, tmp_path: Path):
    """Call the command with some edits; return its status, and its output and errors."""

    def show(edits: list[dict[str, Any]], *words: object) -> tuple[int, str, str]:
        x = ["trial_type.go", "trial_type.stop", "trial_type.press"]
        steps = [
            {"Name": "Factor", "Input": ["trial_type"]},
            {"Name": "Convolve", "Input": x, "Model": "glover"},
        ]
        contrast = {"Name": "go", "ConditionList": x[:1], "Weights": [1], "Test": "t"}
        run = {
            "Level": "Run",
            "Name": "run",
            "GroupBy": ["run", "subject"],
            "Transformations": {"Transformer": "pybids-transforms-v1", "Instructions": steps},
            "Model": {
                "Type": "glm",
                "X": [*x[: 3 if edits else 1], 1],
                "Options": {"HighPassFilterCutoffHz": 0.01},
                "Software": {"twolevel": {"Events": edits}},
            },
            "Contrasts": [contrast],
        }
        if not edits:
            steps[1]["Input"] = x[:1]
        subject = {
            "Level": "Subject",
            "Name": "subject",
            "GroupBy": ["subject", "contrast"],
            "Model": {"Type": "meta", "X": [1]},
            "DummyContrasts": {"Test": "t"},
        }
        content = {"Name": "m", "BIDSModelVersion": "1.0.0", "Nodes": [run, subject]}
        model = tmp_path / "model.json"
        model.write_text(json.dumps(content))
        said = answer("validate", data, "-m", model, *words)
        return said.status, said.out, said.err

    return show


def rows(text: str) -> list[list[str]]:
    """Take the lines of a text apart."""
    return [line.split() for line in text.splitlines()]


def test_rows_are_shown_before_and_after(show):
    status, out, err = show(EDITS, "--show-events", "sub-01", "--run-label", "1")
    assert (status, err) == (0, "")
    assert out.startswith(
        "sub-01 task-t run-1: 15 rows of events, 15 after 4 edits\n"
        '  1. {"Strip": ["trial_type"]}: 5 rows\n'
        '  2. {"Where": "isna(rt)", "Drop": true}: 5 rows\n'
    )
    lines = rows(out)
    assert ["line", "onset", "duration", "trial_type", "rt"] in lines
    assert ["3", "changed", "14.0", "2", '"stop', '"', ">", "stop", "0.25"] in lines
    assert ["3", "added", "14.25", "2", "press", "0.25"] in lines
    assert ["4", "dropped", "24.0", "2", "go", "n/a"] in lines
    assert [line[1] for line in lines if line[:1] == ["2"]] == []
    assert "  5 rows are as they were" in out
    assert "  columns that the model does not name: colour\n" in out
    assert "run-2" not in out
    assert 'note: event edit 4 touches no row in any run: {"Where": "rt > 100"' in out


def test_what_the_variables_take_is_shown(show):
    _, out, _ = show(EDITS, "--show-events", "01", "--run-label", "1")
    lines = rows(out)
    onsets = ["14.25", "44.25", "74.25", "104.25", "...", "2"]
    assert ["trial_type.press", "glover", "5", *onsets] in lines
    assert ["trial_type.go", "glover", "5", "4", "34", "64", "94", "...", "2"] in lines


def test_all_runs_of_the_participant_are_shown_and_nobody_else(show):
    _, out, _ = show(EDITS, "--show-events", "02")
    titles = [line for line in out.splitlines() if "rows of events" in line]
    assert [title.partition(":")[0] for title in titles] == [
        "sub-02 task-t run-1", "sub-02 task-t run-2",
    ]  # fmt: skip


def test_long_tables_end_unless_every_row_is_wanted(show):
    edits = [{"Strip": ["trial_type"]}, {"Add": {"duration": 0}}, {"Set": {"weight": "onset"}}]
    words = ("--show-events", "01", "--run-label", "1")
    _, out, _ = show(edits, *words)
    n_shown = sum(line[1:2] in (["changed"], ["added"]) for line in rows(out))
    assert (n_shown, "  ... and 10 more rows (-v shows them)\n" in out) == (20, True)
    _, out, _ = show(edits, *words, "-v")
    n_shown = sum(line[1:2] in (["changed"], ["added"]) for line in rows(out))
    assert (n_shown, "more rows" in out) == (30, False)


def test_without_edits_the_table_is_shown_as_it_is(show):
    status, out, _ = show([], "--show-events", "01", "--run-label", "1")
    assert status == 0
    assert out.startswith("sub-01 task-t run-1: 15 rows of events, no edits\n")
    assert ["2", "4.0", "2", "go"] in rows(out)
    assert "as they were" not in out


def test_events_that_are_refused_are_said_in_their_place(show):
    edits = [{"Where": "rtt > 1", "Drop": True}]
    status, out, err = show(edits, "--show-events", "01", "--run-label", "1")
    assert status == 3
    assert out.startswith("sub-01 task-t run-1: these events are refused\nevents: ")
    assert 'no column "rtt"' in out
    assert 'do:       Did you mean "rt"?' in err


def test_a_participant_that_is_not_selected_is_refused(show):
    status, _, err = show(EDITS, "--show-events", "3")
    assert status == 3
    assert "--show-events 3\n  found:    no such subject among those selected" in err
    assert "expected: one of: 01, 02" in err
