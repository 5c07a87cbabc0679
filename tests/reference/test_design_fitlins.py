"""The design of a public model on real events, beside the one that FitLins published of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from nilearn.glm.first_level import compute_regressor

from twolevel.bids.run_tables import events_for, variables_of_run
from twolevel.model.graph import run_node
from twolevel.model.read import read_model
from twolevel.model.variables import condition_events
from twolevel.stats.run.design import frame_times_of, make_design_matrix

if TYPE_CHECKING:
    from pathlib import Path

TIMES = frame_times_of(300, 2.0, 0.0)


def test_a_public_model_of_ds000001_beside_fitlins(shared: Path):
    """FitLins resamples time by a stretched grid and low-pass filters: only nearly the same."""
    path = shared / "ds000001/sub-16/func/sub-16_task-balloonanalogrisktask_run-01_events.tsv"
    node = run_node(read_model(shared / "models/f6ba931984_smdl.json"))
    events = events_for(node, path, (2.0, 0.0), len(TIMES))
    variables = variables_of_run(node, events.events, None)
    design = make_design_matrix(condition_events(variables), TIMES, hrf_model=variables.conditions)
    fitlins = pd.read_csv(shared / "models/f6ba931984_design-matrix.tsv", sep="\t")
    conditions = list(fitlins)[:9]
    assert list(design) == [*conditions, "constant"]
    largest = design[conditions].abs().max() / fitlins[conditions].abs().max()
    assert largest.between(0.9, 1.1).all()
    assert all(np.corrcoef(design[c], fitlins[c])[0, 1] > 0.7 for c in conditions)
    raw = pd.read_csv(path, sep="\t", na_values="n/a").query("onset < 600")
    kinds = raw["trial_type"].str.removesuffix("_demean").replace({"control_pumps": "control"})
    ones = np.ones(len(raw))
    rows: dict[str, Any] = {
        **{f"trial_type.{kind}": (kinds == kind, "duration", ones) for kind in kinds.unique()},
        **{
            c: (raw[c].notna(), "duration", raw[c]) for c in map(str, raw) if c.endswith("_demean")
        },
        "rt_reg.rt": (raw["response_time"].notna(), "response_time", ones),
    }
    assert set(rows) == set(conditions)
    for name, (there, duration, amplitude) in rows.items():
        condition = np.array([raw["onset"], raw[duration], amplitude])[:, there]
        expected = compute_regressor(condition, "spm", TIMES)[0][:, 0]
        np.testing.assert_allclose(design[name], expected, rtol=1e-9, atol=1e-12, err_msg=name)
