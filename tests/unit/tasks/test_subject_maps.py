from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from model_parts import stage_at

from twolevel.bids.entities import Entities
from twolevel.bids.units import map_name
from twolevel.derivatives.exclusions import Exclusion
from twolevel.model.graph import estimated
from twolevel.model.read import presets, read_model
from twolevel.space.mask import Mask
from twolevel.stats.estimates import TEstimate
from twolevel.tasks.handoff import load_exclusions, save_exclusions
from twolevel.tasks.run_rows import MapRow
from twolevel.tasks.subject_maps import exclusions_of, runs_record, save_participant

if TYPE_CHECKING:
    from pathlib import Path

SPACE = {"space": "MNI152NLin2009cAsym", "res": "2"}
AVERAGED = "sessions per subject are averaged; a Session node keeps them apart"


def run(**entities: str) -> Entities:
    return Entities({"sub": "01", "task": "t", **entities, **SPACE})


@pytest.mark.parametrize(
    ("runs", "record"),
    [
        (
            [run(dir="AP"), run(dir="PA")],
            {"NumberOfRuns": 2, "Runs": ["task-t dir-AP", "task-t dir-PA"]},
        ),
        (
            [run(ses="a"), run(ses="b", run="02")],
            {
                "NumberOfRuns": 2,
                "Runs": ["ses-a task-t", "ses-b task-t run-2"],
                "SessionsAveraged": f"2 {AVERAGED}",
            },
        ),
        ([run(ses="a")], {"NumberOfRuns": 1, "Runs": ["ses-a task-t"]}),
    ],
)
def test_sidecars_name_the_runs_and_say_when_sessions_are_averaged(runs, record):
    assert runs_record(runs) == record


def test_a_contrast_tells_of_its_own_runs(tmp_path):
    model = read_model(presets()["balloon"])
    names = [run(ses=s, run=r) for s in ("a", "b") for r in ("1", "2")]
    mask = Mask.of(np.ones((2, 2, 2), bool))
    one = TEstimate(np.ones(8), np.ones(8), 20.0)
    run_stage, stages = stage_at(model, "run"), [stage_at(model, "subject")]
    everywhere = {"cash", "pumpsMinusControl", "controlMinusPumps"}
    has = [{*everywhere, "pumps"}] * 2 + [everywhere] * 2
    rows = [
        MapRow(map_name(entities, c), mask, ["bids::any"], ["bids::b"], (entities,), lambda _: one)
        for entities, labels in zip(names, has, strict=True)
        for c in estimated(run_stage.node, ())
        if c.label in labels
    ]
    excluded = [Exclusion("run", "no events", "01", "c", "1")]
    save_participant("01", rows, run_stage, stages, tmp_path, excluded)

    def sidecar(ending: str) -> dict[str, Any]:
        stem = "sub-01_task-t_space-MNI152NLin2009cAsym_res-2"
        content: dict[str, Any] = json.loads(
            (tmp_path / "sub-01" / "func" / f"{stem}_{ending}.json").read_text()
        )
        return content

    for ending in ("desc-analysis_mask", "contrast-cash_stat-z_statmap"):
        assert sidecar(ending)["NumberOfRuns"] == 4
        assert sidecar(ending)["SessionsAveraged"] == f"2 {AVERAGED}"
    of_pumps = sidecar("contrast-pumps_stat-effect_statmap")
    assert of_pumps["Runs"] == ["ses-a task-t run-1", "ses-a task-t run-2"]
    assert "SessionsAveraged" not in of_pumps
    recorded = load_exclusions(tmp_path)
    assert [(e.kind, e.session, e.contrast) for e in recorded] == [
        ("run", "c", ""),
        ("contrast", "", "explode"),
    ]


def test_what_was_left_out_of_runs_without_a_number_says_which(tmp_path: Path):
    names = [run(dir="AP"), run(acq="mb", dir="PA"), run(run="3")]
    folders = [tmp_path / str(i) for i in range(3)]
    for folder, entities in zip(folders, names, strict=True):
        rows = [Exclusion.in_run(entities, "event", "outside", item="lines 5")]
        rows += [Exclusion.in_run(entities, "run", "no a in this run", contrast="a")]
        save_exclusions(folder, rows)
    assert [e.item for e in exclusions_of(names, folders)] == [
        "dir-AP: lines 5",
        "dir-AP",
        "acq-mb dir-PA: lines 5",
        "acq-mb dir-PA",
        "lines 5",
        "",
    ]
