"""What a run is fitted as, from its files to what its sidecars and quality say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from model_parts import stage_at

from twolevel.bids.entities import Entities
from twolevel.bids.run_inputs import RunSpec
from twolevel.derivatives.quality import low_mean_notes
from twolevel.files.maps import read_map
from twolevel.files.nifti import write_image
from twolevel.files.tables import read_tsv, write_tsv
from twolevel.model.read import read_model
from twolevel.notes import Note
from twolevel.tasks.design_run import design_run
from twolevel.tasks.fit_run import fit_run_files
from twolevel.tasks.run_quality import LOW_MEAN

if TYPE_CHECKING:
    from pathlib import Path

SHAPE, N_VOLUMES, REPETITION_TIME = (6, 5, 4), 60, 2.0
SPEC = RunSpec(
    Entities({"sub": "01", "task": "x", "run": "1"}), REPETITION_TIME, 0.0, N_VOLUMES, ()
)
UNSTEADY = [0, 1]
LOW = [(0, 0, 0), (5, 4, 3), (2, 2, 2)]  # voxels without a mean


def model_file(folder: Path, engine: str) -> Path:
    software = {"twolevel": {"NoiseModel": "ols", "Engine": engine}}
    convolve = {"Name": "Convolve", "Model": "glover", "Input": ["trial_type.face"]}
    run = {
        "Level": "Run",
        "Name": "run",
        "GroupBy": ["run", "subject"],
        "Transformations": {
            "Transformer": "pybids-transforms-v1",
            "Instructions": [{"Name": "Factor", "Input": ["trial_type"]}, convolve],
        },
        "Model": {
            "Type": "glm",
            "X": ["trial_type.face", "non_steady_state_outlier*", 1],
            "Software": software,
        },
        "Contrasts": [
            {"Name": "face", "ConditionList": ["trial_type.face"], "Weights": [1], "Test": "t"}
        ],
    }
    subject = {
        "Level": "Subject",
        "Name": "subject",
        "GroupBy": ["subject", "contrast"],
        "Model": {"Type": "meta", "X": [1]},
        "DummyContrasts": {"Test": "t"},
    }
    content = {"Name": "m", "BIDSModelVersion": "1.0.0", "Nodes": [run, subject]}
    path = folder / "m.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """An image of small numbers, half as bright again in its first two volumes."""
    rng = np.random.default_rng(0)
    level = rng.uniform(0.3, 0.9, SHAPE)
    values = level[..., np.newaxis] * (1 + rng.normal(0, 0.01, (*SHAPE, N_VOLUMES)))
    values[..., UNSTEADY] *= 1.5
    for place in LOW:
        values[place] -= values[place].mean()
    events = pd.DataFrame({"onset": np.arange(4, 110, 12.0), "duration": 3.0})
    confounds = {f"non_steady_state_outlier{k:02d}": np.eye(N_VOLUMES)[k] for k in UNSTEADY}
    return {
        "bold": write_image(tmp_path / "bold.nii", values.astype(np.float32), np.eye(4)),
        "mask": write_image(tmp_path / "mask.nii", np.ones(SHAPE, bool), np.eye(4)),
        "events": write_tsv(tmp_path / "events.tsv", events.assign(trial_type="face")),
        "confounds": write_tsv(tmp_path / "confounds.tsv", pd.DataFrame(confounds)),
    }


def fitted(files: dict[str, Path], folder: Path, engine: str) -> tuple[Path, Any]:
    """Return the tree of a run, and the design it was fitted with."""
    stage = stage_at(read_model(model_file(folder, engine)), "run")
    design = design_run(SPEC, stage, files, folder / "design")
    (table,) = design.rglob("*_design.tsv")
    return fit_run_files(SPEC, stage, files, design, folder / "out"), read_tsv(table)


def series_of(path: Path) -> Any:
    return nib.load(path).get_fdata(dtype=np.float32)


def sidecar_of(folder: Path, stat: str) -> Any:
    (path,) = folder.rglob(f"*_stat-{stat}_statmap.json")
    return json.loads(path.read_text())


def test_percent_signal_change_is_of_what_its_sidecars_say(files, tmp_path):
    folder, design = fitted(files, tmp_path, "twolevel")
    data = series_of(files["bold"]).reshape(-1, N_VOLUMES).T
    steady = np.setdiff1d(np.arange(N_VOLUMES), UNSTEADY)
    mean = data[steady].mean(axis=0)
    floor = np.median(mean) / 1000
    series = 100 * (data / np.maximum(mean, floor) - 1)
    expected = np.linalg.lstsq(design.to_numpy(), series, rcond=None)[0][0]
    (path,) = folder.rglob("*_contrast-face_stat-effect_statmap.nii.gz")
    np.testing.assert_allclose(read_map(path)[0].ravel(), expected, rtol=1e-5, atol=1e-5)
    for stat in ("effect", "t", "tsnr"):
        said = sidecar_of(folder, stat)["PercentSignalChange"]
        assert said["VolumesNotInMean"] == UNSTEADY
        assert said["MeanFloor"] == pytest.approx(floor, rel=1e-6)
        assert said["Formula"] == "100 (y / max(mean, MeanFloor) - 1)"
    (path,) = folder.rglob("*_stat-tsnr_statmap.nii.gz")
    tsnr = mean / data[steady].std(axis=0)
    np.testing.assert_allclose(read_map(path)[0].ravel(), tsnr, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("engine", "n_low"), [("twolevel", len(LOW)), ("nilearn", 6 * 5 * 4)])
def test_voxels_below_the_floor_are_counted_and_noted(files, tmp_path, engine, n_low):
    folder, _ = fitted(files, tmp_path, engine)
    (table,) = folder.rglob("*_desc-run_quality.tsv")
    quality = read_tsv(table, dtype={"of": str}).set_index(["measure", "of"])["value"]
    assert quality["n_voxels", LOW_MEAN] == n_low
    for stat in ("effect", "tsnr"):
        assert sidecar_of(folder, stat)["PercentSignalChange"]["VoxelsBelowMeanFloor"] == n_low
    what = (
        "voxels whose mean over time is below the floor: percent signal change is of the floor "
        "there, not of their mean"
    )
    assert low_mean_notes([table]) == [Note(what, "sub-01 run-1", str(n_low))]


def test_nilearns_floor_and_rows_are_told(files, tmp_path):
    folder, _ = fitted(files, tmp_path, "nilearn")
    said = sidecar_of(folder, "effect")["PercentSignalChange"]
    assert (said["MeanFloor"], said["VolumesNotInMean"]) == (1.0, [])


def test_no_voxel_below_the_floor_is_no_note(files, tmp_path):
    values = series_of(files["bold"])
    for place in LOW:
        values[place] += 0.5
    write_image(files["bold"], values, np.eye(4))
    folder, _ = fitted(files, tmp_path, "twolevel")
    assert low_mean_notes(folder.rglob("*")) == []
