"""Confounds of real runs (ds002790, fMRIPrep 20) equal what nilearn and fMRIPrep make of them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy

from twolevel.bids.confound_columns import open_confounds
from twolevel.bids.confounds import RunConfounds, censored_volumes, take_confounds
from twolevel.files.tables import read_tsv, write_tsv
from twolevel.model.settings import RunSettings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SUBJECTS = ["0003", "0006", "0010"]


def files_of(shared: Path, subject: str) -> dict[str, Path]:
    folder = shared / "ds002790-confounds" / "derivatives" / "fmriprep" / f"sub-{subject}" / "func"
    stem = f"sub-{subject}_task-stopsignal_acq-seq_desc-confounds_regressors"
    return {"confounds": folder / f"{stem}.tsv", "confounds_json": folder / f"{stem}.json"}


def image_beside(files: dict[str, Path], folder: Path, desc: str) -> str:
    """Lay out what nilearn wants: an image with the confounds beside it."""
    for path in files.values():
        shutil.copy(path, folder)
    stem = files["confounds"].name.partition("_desc-")[0]
    image = folder / f"{stem}_space-MNI152NLin2009cAsym_desc-{desc}_bold.nii.gz"
    image.touch()
    return str(image)


def same(ours: RunConfounds, theirs: pd.DataFrame, sample_mask: NDArray[np.intp] | None) -> None:
    pd.testing.assert_frame_equal(ours.regressors, theirs, check_exact=True)
    kept = np.arange(len(theirs)) if sample_mask is None else sample_mask
    np.testing.assert_array_equal(ours.kept, kept)


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("simple", {}),
        ("simple", {"motion": "basic", "wm_csf": "derivatives", "global_signal": "basic"}),
        ("simple", {"motion": "derivatives", "demean": False}),
        ("scrubbing", {}),
        ("scrubbing", {"scrub": 0, "motion": "power2"}),
        ("scrubbing", {"scrub": 8, "fd_threshold": 0.3, "dvars_threshold": 1.2}),
        ("scrubbing", {"fd_threshold": 0.2, "global_signal": "full"}),
        ("compcor", {}),
        ("compcor", {"n_compcor": 6, "motion": "basic", "global_signal": "basic"}),
        ("compcor", {"compcor": "anat_separated", "n_compcor": 5, "demean": False}),
        ("compcor", {"compcor": "temporal", "n_compcor": 2}),
        ("compcor", {"compcor": "temporal_anat_combined", "n_compcor": 3}),
        ("ica_aroma", {}),
        ("ica_aroma", {"wm_csf": "derivatives", "global_signal": "basic"}),
    ],
)
def test_a_strategy_with_its_options(shared, tmp_path, subject, strategy, options):
    files = files_of(shared, subject)
    desc = "smoothAROMAnonaggr" if strategy == "ica_aroma" else "preproc"
    names = {"dvars_threshold": "std_dvars_threshold"}
    theirs = load_confounds_strategy(
        image_beside(files, tmp_path, desc),
        denoise_strategy=strategy,
        **{names.get(name, name): value for name, value in options.items()},
    )
    settings: Any = {"confound_strategy": strategy, **options}
    same(take_confounds(open_confounds(files, RunSettings(**settings))), *theirs)


@pytest.mark.parametrize("subject", ["0003", "0010"])
def test_squares_of_signals_are_demeaned_without_a_warning(shared, tmp_path, subject):
    """They are too large for the function that nilearn calls: it warns of what it then mends."""
    files = files_of(shared, subject)
    image = image_beside(files, tmp_path, "preproc")
    with pytest.warns(UserWarning, match="Numerical issues"):
        theirs, _ = load_confounds_strategy(image, "simple", global_signal="power2")
    settings = RunSettings(confound_strategy="simple", global_signal="power2")
    ours = take_confounds(open_confounds(files, settings)).regressors
    assert theirs["global_signal_power2"].abs().max() > 1e4
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_names_give_what_load_confounds_gives(shared, tmp_path, subject):
    """By name: motion of 24 parameters, white matter and CSF, and nothing demeaned."""
    files = files_of(shared, subject)
    theirs, sample_mask = load_confounds(
        image_beside(files, tmp_path, "preproc"),
        strategy=("high_pass", "motion", "wm_csf"),
        motion="full",
        wm_csf="basic",
        demean=False,
    )
    asked = ["trans_*", "rot_*", "csf", "white_matter", "cosine*"]
    ours = take_confounds(open_confounds(files, RunSettings(), asked), list(theirs))
    pd.testing.assert_frame_equal(ours.regressors, theirs, check_exact=True)
    assert (sample_mask is None) is (subject != "0006")  # a volume in a non-steady state


@pytest.mark.parametrize("subject", SUBJECTS)
def test_motion_outliers_by_fmriprep_s_thresholds_are_its_own_columns(shared, tmp_path, subject):
    files = files_of(shared, subject)
    table = read_tsv(files["confounds"])
    theirs = table[[c for c in table if str(c).startswith("motion_outlier")]]
    assert theirs.shape[1] > 5
    asked = ["motion_outlier*"]
    settings = RunSettings(fd_threshold=0.5, dvars_threshold=1.5)
    bare = write_tsv(tmp_path / "bare.tsv", table.drop(columns=list(theirs)))
    for there in (files, {"confounds": bare}):
        opened = open_confounds(there, settings, asked)
        assert opened.n_replaced is None
        names = [name for name in opened.names if name.startswith("motion_outlier")]
        assert names == list(theirs)
        ours = take_confounds(opened, names).regressors
        np.testing.assert_array_equal(ours, theirs.to_numpy())
        steady = table.filter(like="non_steady_state").sum(axis=1).to_numpy() == 0
        censored = censored_volumes(open_confounds(there, RunSettings()))
        np.testing.assert_array_equal(censored, theirs.sum(axis=1).to_numpy() > 0)
        by_strategy = RunSettings(confound_strategy="simple", motion="basic")
        censored = censored_volumes(open_confounds(there, by_strategy))
        np.testing.assert_array_equal(censored, (theirs.sum(axis=1).to_numpy() > 0) | ~steady)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_volumes_that_scrubbing_drops_are_censored(shared, tmp_path, subject):
    files = files_of(shared, subject)
    image = image_beside(files, tmp_path, "preproc")
    _, sample_mask = load_confounds_strategy(image, "scrubbing", fd_threshold=0.3)
    settings = RunSettings(confound_strategy="scrubbing", fd_threshold=0.3)
    censored = censored_volumes(open_confounds(files, settings))
    np.testing.assert_array_equal(np.flatnonzero(~censored), sample_mask)
