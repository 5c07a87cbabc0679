"""What a run node may ask for, on tiny runs: each equals nilearn by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from by_nilearn import BRAIN, design_by_hand, published
from command import PLAIN, answer
from nilearn.glm.contrasts import compute_contrast
from nilearn.glm.first_level import run_glm
from tiny import SPACE, TinyRun, blocks, bold_of, motion, write_tiny

from twolevel.bids.entities import Entities
from twolevel.files.sidecars import read_json
from twolevel.files.tables import read_tsv

if TYPE_CHECKING:
    from pathlib import Path

    from command import Answer

Content = dict[str, Any]
FACTOR = {"Name": "Factor", "Input": ["trial_type"]}


def tiny_run(run: int, *conditions: str, **columns: Any) -> TinyRun:
    names = Entities({"sub": "01", "task": "faces", "run": str(run)})
    events = blocks(*conditions, seed=run, **columns)
    return TinyRun(names, events, motion(run), seed=run)


def contrast(name: str, weights: dict[str, Any], test: str = "t") -> Content:
    columns = list(weights.values())
    rows = [list(row) for row in zip(*columns, strict=True)] if test == "F" else columns
    return {"Name": name, "ConditionList": list(weights), "Weights": rows, "Test": test}


def node_of(x: list[Any], steps: list[Content], **more: Any) -> Content:
    model = {"Type": "glm", "X": [*x, 1], **more.pop("model", {})}
    return {
        "Level": "Run",
        "Name": "run",
        "GroupBy": ["run", "subject"],
        "Transformations": {"Transformer": "pybids-transforms-v1", "Instructions": steps},
        "Model": model,
        **more,
    }


def analyse(folder: Path, node: Content, *runs: TinyRun) -> tuple[Path, Answer]:
    write_tiny(folder / "data", runs)
    above = {
        "Level": "Subject",
        "Name": "subject",
        "GroupBy": ["subject", "contrast"],
        "Model": {"Type": "meta", "X": [1]},
        "DummyContrasts": {"Test": "t"},
    }
    content = {"Name": "m", "BIDSModelVersion": "1.0.0", "Nodes": [node, above]}
    (folder / "m.json").write_text(json.dumps(content))
    out = folder / "out"
    words = ["run", folder / "data", out, "participant", "-m", folder / "m.json"]
    return out, answer(*words, "-w", folder / "work", *PLAIN, "-v")


def fitted(run: TinyRun, design: pd.DataFrame) -> Any:
    series = bold_of(run)[BRAIN].astype(np.float64).T
    series = 100 * (series / series.mean(axis=0) - 1)
    return run_glm(series, design.to_numpy(), noise_model="ar1")


def design_of(out: Path, run: TinyRun) -> tuple[pd.DataFrame, Content]:
    path = out / run.entities.with_(**SPACE).path("design", ".tsv")
    return read_tsv(path), read_json(path.with_suffix(".json"))


def same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    assert set(ours) == set(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("engine", ["twolevel", "nilearn"])
def test_t_and_f_contrasts_of_one_node(tmp_path, engine):
    convolve = {
        "Name": "Convolve",
        "Model": "glover",
        "Input": ["trial_type.*"],
        "Derivative": True,
    }
    run = tiny_run(1, "face", "house", "cat")
    f_weights = {
        "trial_type.face": [1, 0],
        "trial_type.house": [-1, 1],
        "trial_type.cat": [0, -1],
    }
    node = node_of(
        [*f_weights, "trans_?"],
        [FACTOR, convolve],
        Contrasts=[
            contrast("face", {"trial_type.face": 1}),
            contrast("any difference", f_weights, "F"),
            contrast("late", {"trial_type.face_derivative": [1]}, "F"),
        ],
        model={"Software": {"twolevel": {"Engine": engine}}},
    )
    out, said = analyse(tmp_path, node, run)
    assert said.status == 0, said.err
    assert "the derivative of responses: in the design although X does not name it" in said.out
    design, sidecar = design_of(out, run)
    motions = ["trans_x", "trans_y", "trans_z"]
    theirs = design_by_hand(
        run,
        run.events.assign(trial_type="trial_type." + run.events["trial_type"]),
        motions,
        hrf_model="glover + derivative",
    )
    same(design, theirs)
    assert list(sidecar["Contrasts"]) == ["face"]
    assert sidecar["FContrasts"] == {
        "anyDifference": [
            dict(zip(f_weights, row, strict=True)) for row in [(1, -1, 0), (0, 1, -1)]
        ],
        "late": [{"trial_type.face_derivative": 1}],
    }
    assert sidecar["Transformations"] == [FACTOR, convolve]
    labels, results = fitted(run, design)
    names = run.entities.with_(**SPACE)
    for label, rows in sidecar["FContrasts"].items():
        matrix = np.array([[row.get(str(c), 0) for c in design] for row in rows])
        expected = compute_contrast(labels, results, matrix, stat_type="F")
        f, z = (published(out, names, label, stat) for stat in ("F", "z"))
        np.testing.assert_allclose(f, expected.stat(), rtol=1e-4)
        np.testing.assert_allclose(z, expected.z_score(), rtol=1e-4, atol=1e-4)
        path = out / names.with_(contrast=label, stat="F").path("statmap", ".json")
        of_map = read_json(path)
        assert of_map["DegreesOfFreedomNumerator"] == len(rows)
        assert of_map["DegreesOfFreedom"] == len(design) - design.shape[1]
        assert (of_map["Units"], of_map["StatisticalMap"]) == ("1", "F")
        assert not path.with_name(path.name.replace("stat-F", "stat-effect")).exists()
    assert sorted(
        p.name.split("_contrast-")[1]
        for p in out.glob("sub-01/func/*_run-1_*_contrast-anyDifference*.gz")
    ) == ["anyDifference_stat-F_statmap.nii.gz", "anyDifference_stat-z_statmap.nii.gz"]
    (subject,) = {
        p.name.split("_contrast-")[1].split("_")[0]
        for p in out.glob("sub-01/func/*_contrast-*")
        if "_run-" not in p.name
    }
    assert subject == "face"  # F ends where it is


def test_dummy_contrasts_may_be_of_f(tmp_path):
    convolve = {"Name": "Convolve", "Model": "glover", "Input": ["trial_type.*"]}
    x = ["trial_type.face", "trial_type.house"]
    contrasts = [contrast("difference", dict(zip(x, (1, -1), strict=True)))]
    node = node_of(x, [FACTOR, convolve], Contrasts=contrasts, DummyContrasts={"Test": "F"})
    run = tiny_run(1, "face", "house")
    out, said = analyse(tmp_path, node, run)
    assert said.status == 0, said.err
    names = run.entities.with_(**SPACE)
    design, _ = design_of(out, run)
    labels, results = fitted(run, design)
    for label, name in (("trialTypeFace", x[0]), ("trialTypeHouse", x[1])):
        vector = np.array([float(c == name) for c in design])
        t = compute_contrast(labels, results, vector).stat()
        np.testing.assert_allclose(published(out, names, label, "F"), t**2, rtol=1e-4)


def test_delays_of_fir_are_named_by_contrasts(tmp_path):
    delays = [0, 2, 4, 6]
    convolve = {"Name": "Convolve", "Model": "fir", "Input": ["trial_type.*"], "FirDelays": delays}
    names = [f"trial_type.face_delay_{delay}" for delay in delays]
    any_delay = {n: [float(n == m) for m in names] for n in names}
    node = node_of(
        ["trial_type.*"],
        [FACTOR, convolve],
        Contrasts=[contrast("any", any_delay, "F"), contrast("peak", {names[2]: 1})],
    )
    run = tiny_run(1, "face", "house")
    out, said = analyse(tmp_path, node, run)
    assert said.status == 0, said.err
    design, sidecar = design_of(out, run)
    events = run.events.assign(trial_type="trial_type." + run.events["trial_type"])
    same(design, design_by_hand(run, events, hrf_model="fir", fir_delays=delays))
    n_events = int((run.events["trial_type"] == "face").sum())
    assert sidecar["Variables"]["trial_type.face"] == {
        "HRF": "fir", "FirDelays": delays, "NumberOfEvents": n_events, "Columns": names,
    }  # fmt: skip
    labels, results = fitted(run, design)
    matrix = np.array([[float(c == n) for c in design] for n in names])
    expected = compute_contrast(labels, results, matrix, stat_type="F").stat()
    found = published(out, run.entities.with_(**SPACE), "any", "F")
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_low_pass_costs_degrees_of_freedom(tmp_path):
    convolve = {"Name": "Convolve", "Model": "glover", "Input": ["trial_type.*"]}
    options = {"HighPassFilterCutoffHz": 0.01, "LowPassFilterCutoffHz": 0.1}
    node = node_of(
        ["trial_type.*"],
        [FACTOR, convolve],
        model={"Options": options},
        Contrasts=[contrast("face", {"trial_type.face": 1})],
    )
    run = tiny_run(1, "face", "house")
    out, said = analyse(tmp_path, node, run)
    assert said.status == 0, said.err
    assert (
        "LowPassFilterCutoffHz 0.1: each frequency above it is a regressor of the design: "
        "47 degrees of freedom for 80 volumes; 27 are left"
    ) in said.out
    design, sidecar = design_of(out, run)
    assert sidecar["LowPassCutoffHz"] == 0.1
    assert sidecar["Columns"]["lowpass_47"] == {"Kind": "lowpass", "CutoffHz": 0.1}
    path = out / run.entities.with_(**SPACE, contrast="face", stat="t").path("statmap", ".json")
    assert read_json(path)["DegreesOfFreedom"] == 80 - design.shape[1] == 27


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"LowPassFilterCutoffHz": 0.001}, "82 regressors for 80 volumes, 79 of them above"),
        (
            {"LowPassFilterCutoffHz": 0.02, "HighPassFilterCutoffHz": 0.05},
            "0.02, and a high-pass of 0.05 Hz",
        ),
    ],
)
def test_a_low_pass_that_leaves_nothing_is_refused(tmp_path, options, found):
    convolve = {"Name": "Convolve", "Model": "glover", "Input": ["trial_type.*"]}
    node = node_of(
        ["trial_type.*"],
        [FACTOR, convolve],
        model={"Options": options},
        Contrasts=[contrast("face", {"trial_type.face": 1})],
    )
    _, said = analyse(tmp_path, node, tiny_run(1, "face", "house"))
    assert said.status == 3
    assert found in said.err


def test_contrasts_of_what_wildcards_match(tmp_path):
    convolve = {"Name": "Convolve", "Model": "glover", "Input": ["trial_type.*"]}
    x = ["trial_type.*", "trans_?"]
    node = node_of(x, [FACTOR, convolve], DummyContrasts={"Test": "t"})
    runs = [tiny_run(1, "face", "house"), tiny_run(2, "face", "cat")]
    out, said = analyse(tmp_path, node, *runs)
    assert said.status == 0, said.err
    assert "no contrasts of the confounds that wildcards of X match: trans_?" in said.out
    levels = {1: {"Face", "House"}, 2: {"Face", "Cat"}, None: {"Face", "House", "Cat"}}
    for run, there in levels.items():
        part = "" if run is None else f"_run-{run}"
        found = out.glob(f"sub-01/func/sub-01_task-faces{part}_space-*_stat-effect_statmap.nii.gz")
        names = {path.name.split("_contrast-trialType")[1].split("_")[0] for path in found}
        assert names == there
    left_out = read_tsv(out / "sub-01/excluded.tsv", dtype={"run": str})
    rows = left_out[left_out["contrast"].notna()]
    assert list(zip(rows["run"], rows["contrast"], rows["reason"], strict=True)) == [
        ("1", "trialTypeCat", "no trial_type.cat in this run"),
        ("2", "trialTypeHouse", "no trial_type.house in this run"),
    ]
