"""Edits of events give what the same events, written by hand into the dataset, give."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from command import NOTHING_DRAWN, call
from tiny import TinyRun, motion, write_tiny

from twolevel.bids.entities import Entities
from twolevel.derivatives.exclusions import read_exclusions

if TYPE_CHECKING:
    from pathlib import Path

EDITS: list[dict[str, Any]] = [
    {"Scale": {"onset": 0.001}},
    {"Recode": {"rt": {"999": "n/a"}}},
    {"Where": "isna(rt)", "Drop": True},
    {"Set": {"trial_type": "side + '_' + kind"}},
    {"Add": {"onset": "onset + 1", "trial_type": "'press'", "duration": "rt"}},
]
CONDITIONS = ["trial_type.left_go", "trial_type.right_go", "trial_type.press"]


def in_milliseconds() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 20
    rt = rng.uniform(0.3, 0.9, n).round(3)
    rt[::6] = 999
    return pd.DataFrame(
        {
            "onset": (np.cumsum(rng.uniform(5, 8, n)) * 1000).round(),
            "duration": 2.0,
            "side": ["left", "right"] * (n // 2),
            "kind": "go",
            "rt": rt,
        }
    )


def by_hand(raw: pd.DataFrame) -> pd.DataFrame:
    trials = raw[raw.rt != 999].copy()
    trials["onset"] = trials.onset * 0.001
    trials["trial_type"] = trials.side + "_" + trials.kind
    more = trials.assign(onset=trials.onset + 1, trial_type="press", duration=trials.rt)
    return pd.concat([trials, more]).sort_values("onset", kind="stable")


def write_model(path: Path, edits: list[dict[str, Any]]) -> Path:
    steps = [
        {"Name": "Factor", "Input": ["trial_type"]},
        {"Name": "Convolve", "Input": CONDITIONS, "Model": "glover"},
    ]
    weights = {"Name": "press", "ConditionList": CONDITIONS, "Weights": [-1, -1, 2], "Test": "t"}
    run = {
        "Level": "Run",
        "Name": "run",
        "GroupBy": ["run", "subject"],
        "Transformations": {"Transformer": "pybids-transforms-v1", "Instructions": steps},
        "Model": {
            "Type": "glm",
            "X": [*CONDITIONS, 1],
            "Options": {"HighPassFilterCutoffHz": 0.01},
            "Software": {"twolevel": {"Events": edits}},
        },
        "Contrasts": [weights],
    }
    subject = {
        "Level": "Subject",
        "Name": "subject",
        "GroupBy": ["subject", "contrast"],
        "Model": {"Type": "meta", "X": [1]},
        "DummyContrasts": {"Test": "t"},
    }
    content = {"Name": "m", "BIDSModelVersion": "1.0.0", "Nodes": [run, subject]}
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Analyse a dataset by a model with edits, and one that was edited by a model without."""
    root = tmp_path_factory.mktemp("edits")
    raw = in_milliseconds()
    for name, events, edits in [("edits", raw, EDITS), ("hand", by_hand(raw), [])]:
        runs = [
            TinyRun(Entities({"sub": "01", "task": "t", "run": run}), events, motion(1), seed=i)
            for i, run in enumerate("12")
        ]
        data = write_tiny(root / name, runs)
        model = write_model(root / f"{name}.json", edits)
        words = ("-m", model, "-w", root / f"work-{name}", "--worker", "debug", *NOTHING_DRAWN)
        call("run", data, root / f"out-{name}", "participant", *words)
    return {name: root / f"out-{name}" / "sub-01" for name in ("edits", "hand")}


def test_designs_and_maps_are_the_same_bytes(outputs):
    for pattern, number in [("*_design.tsv", 2), ("*_statmap.nii.gz", 12)]:
        ours, theirs = (
            {path.name: path.read_bytes() for path in folder.rglob(pattern)}
            for folder in outputs.values()
        )
        assert len(ours) >= number
        assert ours == theirs


def test_the_edited_table_and_its_counts_are_published(outputs):
    tables = sorted(outputs["edits"].rglob("*_desc-edited_events.tsv"))
    assert [path.name for path in tables] == [
        f"sub-01_task-t_run-{run}_space-MNI152NLin2009cAsym_res-2_desc-edited_events.tsv"
        for run in "12"
    ]
    expected = by_hand(in_milliseconds())
    for path in tables:
        found = pd.read_csv(path, sep="\t")
        assert list(found.source_line) == [index + 2 for index in expected.index]
        pd.testing.assert_frame_equal(
            found[["onset", "duration", "trial_type"]],
            expected[["onset", "duration", "trial_type"]].reset_index(drop=True),
            check_exact=True,
        )
        stem = path.name.replace("_desc-edited_events.tsv", "_design.json")
        counts = [
            edit["Rows"] for edit in json.loads((path.parent / stem).read_text())["EventEdits"]
        ]
        assert counts == [20, 4, 4, 16, 16]
    assert list(outputs["hand"].rglob("*_events.*")) == []


def test_dropped_rows_are_recorded(outputs):
    dropped = [e for e in read_exclusions(outputs["edits"] / "excluded.tsv") if e.kind == "event"]
    assert [(e.run, e.item, e.count, e.reason) for e in dropped] == [
        (run, "lines 2 8 14 20", 4, "dropped by event edit 3: isna(rt)") for run in "12"
    ]
