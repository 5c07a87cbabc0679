from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twolevel.bids.folders import missing_folders, no_images
from twolevel.files.sidecars import write_json

if TYPE_CHECKING:
    from pathlib import Path


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.fixture
def raw(tmp_path):
    touch(tmp_path / "raw" / "sub-01" / "func" / "sub-01_task-x_events.tsv")
    return tmp_path / "raw"


@pytest.fixture
def prepared(raw):
    root = raw / "derivatives" / "fmriprep"
    touch(root / "sub-01" / "func" / "sub-01_task-x_desc-preproc_bold.nii.gz")
    write_json(root / "dataset_description.json", {"DatasetType": "derivative"})
    return root


def test_folders_that_hold_subjects_are_right(raw, prepared):
    assert missing_folders(raw, [prepared]) == []


def test_events_at_the_root_are_a_raw_dataset(tmp_path, prepared):
    root = tmp_path / "events"
    touch(root / "task-x_events.tsv")
    assert missing_folders(root, [prepared]) == []


@pytest.mark.parametrize("below", ["fmriprep", "fmriprep-23.2", "2023/out"])
def test_the_folder_below_that_was_meant_is_named(tmp_path, raw, below):
    root = tmp_path / "prepared"
    touch(root / below / "sub-01" / "func" / "any")
    touch(root / "sub-01.html")
    touch(root / "logs" / "log.txt")
    (problem,) = missing_folders(raw, [root])
    assert (problem.where, problem.found) == (str(root), "no folder sub-* in it")
    assert problem.remedy == f"give the folder that holds them: --derivatives {root / below}"


def test_derivatives_of_another_name_are_named_where_the_default_is_not_there(raw):
    for name in ("fmriprep-20", "fmriprep-23"):
        touch(raw / "derivatives" / name / "sub-01" / "func" / "any")
    folder = raw / "derivatives"
    (problem,) = missing_folders(raw, [folder / "fmriprep"])
    assert problem.found == "no such folder"
    assert problem.remedy == (
        f"give the folder that holds them: --derivatives {folder / 'fmriprep-20'}, or "
        f"--derivatives {folder / 'fmriprep-23'}"
    )


def test_a_raw_dataset_one_folder_too_high_is_named(tmp_path, raw, prepared):
    (problem,) = missing_folders(tmp_path, [prepared])
    assert problem.remedy == f"give the folder that holds them: BIDS_DIR {raw}"


def test_a_folder_without_any_dataset_says_what_is_looked_for(tmp_path, raw):
    (tmp_path / "empty").mkdir()
    (problem,) = missing_folders(raw, [tmp_path / "empty"])
    assert problem.remedy == "say where the fMRIPrep derivatives are: --derivatives PATH"
    (problem, _) = missing_folders(tmp_path / "nowhere", [tmp_path / "empty"])
    assert (problem.found, problem.remedy) == (
        "no such folder",
        "give the raw dataset as BIDS_DIR",
    )


def test_the_derivatives_are_not_taken_for_the_raw_dataset(prepared):
    (problem,) = missing_folders(prepared, [prepared])
    assert problem.found.startswith("a derivative dataset")
    assert problem.remedy == f"give the raw dataset as BIDS_DIR, and --derivatives {prepared}"
    touch(prepared / "sub-01" / "func" / "sub-01_task-x_events.tsv")
    assert missing_folders(prepared, [prepared]) == []


@pytest.mark.parametrize(
    ("name", "found", "remedy"),
    [
        (
            "sub-01_task-x_run-1_desc-hmc_boldref.nii.gz",
            "minimal derivatives: references and transforms, no preprocessed image",
            "run fMRIPrep with --level full",
        ),
        (
            "sub-01_task-x_run-01_bold_space-MNI152NLin2009cAsym_preproc.nii.gz",
            "names of fMRIPrep before version 1.2, as NAME",
            "preprocess with a newer fMRIPrep: other tools no longer read these names",
        ),
        (
            "sub-01_ses-a_task-x_bold_confounds.tsv",
            "names of fMRIPrep before version 1.2, as NAME",
            "preprocess with a newer fMRIPrep: other tools no longer read these names",
        ),
        (
            "sub-01_task-x_space-fsLR_den-91k_bold.dtseries.nii",
            "images on surfaces only",
            "run fMRIPrep with a volume among --output-spaces, as MNI152NLin2009cAsym",
        ),
        (
            "sub-01_task-x_desc-confounds_timeseries.tsv",
            "no preprocessed BOLD image",
            "check --derivatives, and whether fMRIPrep came to its end",
        ),
    ],
)
@pytest.mark.parametrize("session", ["", "ses-a"])
def test_why_derivatives_hold_no_image_is_said(tmp_path, name, found, remedy, session):
    touch(tmp_path / "sub-01" / session / "func" / name)
    (problem,) = no_images([tmp_path])
    assert (problem.where, problem.remedy) == (str(tmp_path), remedy)
    assert problem.found == found.replace("NAME", name)


def test_images_of_another_run_say_nothing(tmp_path, prepared):
    touch(tmp_path / "minimal" / "sub-01" / "func" / "sub-01_task-x_desc-coreg_boldref.nii.gz")
    assert no_images([tmp_path / "minimal", prepared]) == []
