from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.fmriprep import load_confounds_strategy

from twolevel.files.nifti import read_header
from twolevel.files.tables import read_tsv
from twolevel.simulate.dataset import simulate_dataset
from twolevel.simulate.truth import CONDITIONS, CONTRASTS, REGIONS

SMALL: dict[str, Any] = {"n_runs": 2, "voxel_size_mm": 6.0, "n_volumes": 60}
TASK = "task-balloonanalogrisktask"
SPACE = "space-MNI152NLin2009cAsym_res-2"


@pytest.fixture(scope="module")
def calls() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, calls) -> Path:
    output = tmp_path_factory.mktemp("simulated") / "data"
    return simulate_dataset(
        output, n_subjects=2, **SMALL, progress=lambda done, total: calls.append((done, total))
    )


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def derived(root: Path, subject: int, run: int) -> str:
    stem = root / "derivatives" / "fmriprep" / f"sub-{subject:02d}" / "func"
    return f"{stem}/sub-{subject:02d}_{TASK}_run-{run}"


def test_files_are_those_of_a_raw_and_a_derived_data_set(dataset):
    expected = {
        "README",
        "dataset_description.json",
        "participants.tsv",
        "participants.json",
        f"{TASK}_bold.json",
        f"{TASK}_events.json",
    }
    for subject in ("sub-01", "sub-02"):
        for run in (1, 2):
            raw = f"{subject}/func/{subject}_{TASK}_run-0{run}"
            expected |= {f"{raw}_events.tsv", f"{raw}_bold.nii.gz"}
            stem = f"derivatives/fmriprep/{subject}/func/{subject}_{TASK}_run-{run}"
            for ending in (
                f"{SPACE}_desc-preproc_bold.nii.gz",
                f"{SPACE}_desc-preproc_bold.json",
                f"{SPACE}_desc-brain_mask.nii.gz",
                f"{SPACE}_desc-brain_mask.json",
                "desc-confounds_timeseries.tsv",
                "desc-confounds_timeseries.json",
            ):
                expected.add(f"{stem}_{ending}")
    for folder in ("fmriprep", "truth"):
        for name in ("README", ".bidsignore", "dataset_description.json"):
            expected.add(f"derivatives/{folder}/{name}")
    truth = f"derivatives/truth/group/{TASK}"
    names = [f"contrast-{contrast}_desc-truth_statmap" for contrast in CONTRASTS]
    for name in (*names, "desc-truth_dseg"):
        expected |= {f"{truth}_{SPACE}_{name}.nii.gz", f"{truth}_{SPACE}_{name}.json"}
    expected |= {f"{truth}_desc-truth_regions.tsv", f"{truth}_desc-truth_regions.json"}
    assert set(digests(dataset)) == expected


def test_progress_is_called_after_each_run(dataset, calls):
    assert dataset.is_dir()
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_same_arguments_same_bytes(dataset, tmp_path):
    again = simulate_dataset(tmp_path / "again", n_subjects=2, **SMALL)
    assert digests(again) == digests(dataset)


def test_subject_does_not_depend_on_how_many_there_are(dataset, tmp_path):
    alone = digests(simulate_dataset(tmp_path / "alone", n_subjects=1, **SMALL))
    both = digests(dataset)
    differing = {name for name, digest in alone.items() if digest != both[name]}
    assert differing == {"participants.tsv"}
    assert (tmp_path / "alone" / "participants.tsv").read_text() == "".join(
        (dataset / "participants.tsv").read_text().splitlines(keepends=True)[:2]
    )


def test_another_seed_changes_every_run_and_leaves_the_truth(dataset, tmp_path):
    other = digests(simulate_dataset(tmp_path / "other", n_subjects=2, **SMALL, seed=1))
    here = digests(dataset)
    assert other.keys() == here.keys()
    for name in here:
        drawn = name.endswith(("events.tsv", "preproc_bold.nii.gz", "mask.nii.gz", "series.tsv"))
        if drawn:
            assert other[name] != here[name], name
        if name.startswith("derivatives/truth"):
            assert other[name] == here[name], name


def test_subjects_and_runs_differ(dataset):
    files = {name: d for name, d in digests(dataset).items() if "preproc_bold.nii.gz" in name}
    assert len(set(files.values())) == len(files) == 4


def test_first_run_has_events_after_the_scan_and_all_trial_types_within(dataset):
    for subject in ("sub-01", "sub-02"):
        events = read_tsv(dataset / subject / "func" / f"{subject}_{TASK}_run-01_events.tsv")
        assert (events["onset"] >= 120).sum() in (2, 3)
        assert set(events.loc[events["onset"] < 90, "trial_type"]) == set(CONDITIONS)


def test_grid_masks_and_times_agree(dataset):
    labels = nib.load(
        dataset / "derivatives/truth/group" / f"{TASK}_{SPACE}_desc-truth_dseg.nii.gz"
    )
    planted = np.asarray(labels.dataobj) > 0
    masks = []
    for subject in (1, 2):
        for run in (1, 2):
            stem = f"{derived(dataset, subject, run)}_{SPACE}_desc"
            header = read_header(f"{stem}-preproc_bold.nii.gz")
            assert header.shape == (*labels.shape, 60)
            assert header.repetition_time == 2.0
            np.testing.assert_array_equal(header.affine, labels.affine)
            image = nib.load(f"{stem}-preproc_bold.nii.gz")
            assert image.get_data_dtype() == np.int16
            data = np.asarray(image.dataobj)
            mask = np.asarray(nib.load(f"{stem}-brain_mask.nii.gz").dataobj) > 0
            assert mask[planted].all()
            assert data[mask].min() > 500
            assert (data[0] == 0).all()
            masks.append(mask)
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
    raw = read_header(dataset / "sub-01" / "func" / f"sub-01_{TASK}_run-01_bold.nii.gz")
    assert raw.shape == (2, 2, 2, 60)
    assert raw.repetition_time == 2.0


def test_nilearn_loads_the_simple_confounds_and_drops_the_first_volume(dataset):
    bold = f"{derived(dataset, 1, 1)}_{SPACE}_desc-preproc_bold.nii.gz"
    confounds, sample_mask = load_confounds_strategy(bold, denoise_strategy="simple")
    np.testing.assert_array_equal(sample_mask, np.arange(1, 60))
    assert confounds.shape == (60, 24 + 2 + 1)  # motion, two tissues, one cosine
    assert np.linalg.matrix_rank(confounds.to_numpy()[sample_mask]) == 27


def test_nilearn_loads_the_compcor_confounds(dataset):
    bold = f"{derived(dataset, 2, 2)}_{SPACE}_desc-preproc_bold.nii.gz"
    confounds, _ = load_confounds_strategy(bold, denoise_strategy="compcor", n_compcor=5)
    assert [name for name in confounds if "comp_cor" in name] == [
        f"a_comp_cor_{k:02d}" for k in range(5)
    ]


def test_table_of_regions_counts_the_voxels_of_the_image(dataset):
    group = dataset / "derivatives" / "truth" / "group"
    table = read_tsv(group / f"{TASK}_desc-truth_regions.tsv")
    labels = np.asarray(nib.load(group / f"{TASK}_{SPACE}_desc-truth_dseg.nii.gz").dataobj)
    counts = np.bincount(labels.ravel())[1:]
    np.testing.assert_array_equal(table["n_voxels"], counts)
    np.testing.assert_array_equal(table["index"], np.arange(1, len(REGIONS) + 1))
    np.testing.assert_array_equal(
        table[list(CONDITIONS)], [region.amplitudes for region in REGIONS]
    )
    effect = nib.load(
        group / f"{TASK}_{SPACE}_contrast-pumpsMinusControl_desc-truth_statmap.nii.gz"
    ).get_fdata()
    difference = pd.Series(table["pumps_demean"] - table["control_pumps_demean"])
    for index, value in zip(table["index"], difference, strict=True):
        assert (effect[labels == index] == value).all()


def validator() -> str:
    beside = Path(sys.executable).with_name("bids-validator-deno")
    found = str(beside) if beside.exists() else shutil.which("bids-validator-deno")
    if found is None:
        pytest.skip("bids-validator-deno is not installed")
    if subprocess.run([found, "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("bids-validator-deno does not run on this machine")
    return found


@pytest.mark.parametrize("folder", [".", "derivatives/fmriprep", "derivatives/truth"])
def test_validator_finds_no_error(dataset, folder):
    command = [validator(), "--format", "json", str(dataset / folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    issues = json.loads(result.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    assert {issue["code"] for issue in issues} <= {
        "SIDECAR_KEY_RECOMMENDED",
        "JSON_KEY_RECOMMENDED",
        "TOO_FEW_AUTHORS",
        "NO_AUTHORS",
        "SUBJECT_FOLDERS",
        "SUSPICIOUSLY_LONG_EVENT_DESIGN",
    }
