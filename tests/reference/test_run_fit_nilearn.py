"""The run fit equals nilearn's FirstLevelModel; where it differs on purpose, least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from maps import combine
from nilearn.glm.contrasts import compute_contrast
from nilearn.glm.first_level import FirstLevelModel, run_glm

from twolevel.files.run_data import read_run
from twolevel.stats.contrasts import contrast_vector
from twolevel.stats.estimates import FEstimate
from twolevel.stats.run.design import frame_times_of, make_design_matrix
from twolevel.stats.run.fit import fit_blocks, fit_run
from twolevel.stats.run.nilearn import fit_blocks_as_nilearn
from twolevel.stats.run.percent import percent_signal_change
from twolevel.stats.run.unit import VoxelBlock

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.stats.estimates import TEstimate

# nilearn warns that it will change defaults which these tests state explicitly or do not use.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*standardize.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*standardize.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Generation of a mask.*"),
]
N_ROWS, REPETITION_TIME = 121, 2.5
CONTRASTS = {"faces": "face - house", "chairs": "chair", "mean": "constant"}
SAMPLE_MASK = np.r_[4:60, 62:121]


def haxby_files(shared: Path, run: int) -> dict[str, Path]:
    folder = shared / "haxby-25mm/derivatives/fmriprep/sub-1/func"
    stem = f"sub-1_task-objectviewing_run-{run}"
    events = shared / f"haxby-25mm/sub-1/func/sub-1_task-objectviewing_run-{run:02d}_events.tsv"
    return {
        "bold": folder / f"{stem}_space-T1w_desc-preproc_bold.nii.gz",
        "mask": folder / f"{stem}_space-T1w_desc-brain_mask.nii.gz",
        "confounds": folder / f"{stem}_desc-confounds_timeseries.tsv",
        "events": events,
    }


def haxby_design(shared: Path, run: int) -> pd.DataFrame:
    files = haxby_files(shared, run)
    return make_design_matrix(
        pd.read_table(files["events"]),
        frame_times_of(N_ROWS, REPETITION_TIME, 0.0),
        confounds=pd.read_table(files["confounds"]),
        high_pass_hz=1 / 128,
    )


@pytest.fixture(scope="module")
def runs(shared):
    files = [haxby_files(shared, run) for run in (1, 2, 3)]
    return [read_run(f["bold"], f["mask"]) for f in files]


@pytest.fixture(scope="module")
def designs(shared):
    return [haxby_design(shared, run) for run in (1, 2, 3)]


def in_double(bold: Path) -> Any:
    """Load an image so that nilearn, too, scales and fits it in double precision."""
    image = nib.load(bold)
    return nib.Nifti1Image(image.get_fdata(dtype=np.float64), image.affine)


def nilearn_model(mask_img: Any, noise_model: str) -> FirstLevelModel:
    return FirstLevelModel(
        mask_img=mask_img,
        signal_scaling=0,
        noise_model=noise_model,
        minimize_memory=False,
        smoothing_fwhm=None,
        standardize=False,
    )


def nilearn_maps(model: Any, contrast: Any, mask: Any) -> dict[str, Any]:
    maps = model.compute_contrast(contrast, stat_type="t", output_type="all")
    names = {"effect": "effect_size", "variance": "effect_variance", "t": "stat", "z": "z_score"}
    return {ours: maps[theirs].get_fdata()[mask] for ours, theirs in names.items()}


def assert_equals_nilearn(ours: TEstimate, theirs: dict[str, Any], rtol: float) -> None:
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours.maps()[name], expected, rtol=rtol, atol=rtol, err_msg=name)


@pytest.mark.parametrize("noise_model", ["ar1", "ols"])
@pytest.mark.parametrize("sample_mask", [None, SAMPLE_MASK], ids=["all rows", "sample mask"])
def test_a_real_run_equals_nilearn(shared, runs, designs, noise_model, sample_mask):
    files, run, design = haxby_files(shared, 1), runs[0], designs[0]
    model = nilearn_model(nib.load(files["mask"]), noise_model)
    masks = None if sample_mask is None else [sample_mask]
    model.fit(in_double(files["bold"]), design_matrices=[design], sample_masks=masks)
    rows = np.arange(N_ROWS) if sample_mask is None else sample_mask
    fit = fit_run(
        percent_signal_change(run.data[rows]), design.iloc[rows], CONTRASTS,
        noise_model=noise_model,
    )  # fmt: skip
    assert fit.dof == len(rows) - design.shape[1]
    assert fit.not_estimable == ()
    for name, expression in CONTRASTS.items():
        expected = nilearn_maps(model, expression, run.mask.inside)
        assert_equals_nilearn(fit.estimates[name], expected, rtol=1e-6)


def test_nilearn_reading_the_file_differs_by_its_single_precision_only(shared, runs, designs):
    """From a file nilearn scales in float32, where percent signal change has steps of 1e-5."""
    files, run, design = haxby_files(shared, 1), runs[0], designs[0]
    model = nilearn_model(nib.load(files["mask"]), "ols")
    model.fit(str(files["bold"]), design_matrices=[design])
    fit = fit_run(percent_signal_change(run.data), design, CONTRASTS, noise_model="ols")
    for name, expression in CONTRASTS.items():
        expected = nilearn_maps(model, expression, run.mask.inside)["effect"]
        np.testing.assert_allclose(fit.estimates[name].effect, expected, rtol=1e-5, atol=5e-5)


@pytest.mark.parametrize("noise_model", ["ar1", "ols"])
def test_synthetic_data_with_strong_autocorrelation_equal_nilearn(noise_model):
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(N_ROWS, 300))
    for row in range(1, N_ROWS):
        noise[row] += np.linspace(-0.5, 0.9, 300) * noise[row - 1]
    design = pd.DataFrame(rng.normal(size=(N_ROWS, 4)), columns=["face", "house", "chair", "x"])
    design["constant"] = 1.0
    data = 100 + 2 * noise + design.to_numpy() @ rng.normal(size=(5, 300))
    image = nib.Nifti1Image(data.T.reshape(10, 10, 3, N_ROWS), np.eye(4))
    mask = np.ones((10, 10, 3), bool)
    model = nilearn_model(nib.Nifti1Image(mask.astype(np.uint8), np.eye(4)), noise_model)
    model.fit(image, design_matrices=[design])
    fit = fit_run(percent_signal_change(data), design, CONTRASTS, noise_model=noise_model)
    for name, expression in CONTRASTS.items():
        expected = nilearn_maps(model, expression, mask)
        assert_equals_nilearn(fit.estimates[name], expected, rtol=1e-6)


def test_several_runs_in_one_nilearn_model_equal_the_combined_runs(shared, runs, designs):
    mask = np.logical_and.reduce([run.mask.inside for run in runs])
    mask_img = nib.Nifti1Image(mask.astype(np.uint8), runs[0].mask.space.affine)
    model = nilearn_model(mask_img, "ar1")
    images = [in_double(haxby_files(shared, run)["bold"]) for run in (1, 2, 3)]
    model.fit(images, design_matrices=designs)
    fits = [
        fit_run(percent_signal_change(run.data[:, mask[run.mask.inside]]), design, CONTRASTS)
        for run, design in zip(runs, designs, strict=True)
    ]
    for name, expression in CONTRASTS.items():
        ours = combine([fit.estimates[name] for fit in fits])
        theirs = nilearn_maps(model, [expression] * 3, mask)
        assert_equals_nilearn(ours, theirs, rtol=1e-6)


def least_squares(data: Any, X: Any, c: Any) -> tuple[Any, Any, int]:
    """Effect, variance with RSS / (n - rank), and n - rank, from the textbook."""
    beta, *_, rank, _ = np.linalg.lstsq(X, data, rcond=None)
    dof = len(X) - int(rank)
    mean_square = ((data - X @ beta) ** 2).sum(axis=0) / dof
    return c @ beta, c @ np.linalg.pinv(X.T @ X) @ c * mean_square, dof


@pytest.fixture
def deficient():
    """30 rows, 5 columns, rank 3: a column twice, a column of zeros."""
    rng = np.random.default_rng(6)
    design = pd.DataFrame({"face": rng.normal(size=30), "house": rng.normal(size=30)})
    design["again"], design["nothing"], design["constant"] = design["house"], 0.0, 1.0
    return rng.normal(size=(30, 40)), design


def test_without_full_rank_the_variance_is_that_of_least_squares(deficient):
    data, design = deficient
    fit = fit_run(data, design, {"face": "face"}, noise_model="ols")
    effect, variance, dof = least_squares(data, design.to_numpy(), np.array([1.0, 0, 0, 0, 0]))
    assert (fit.dof, dof) == (27, 27)
    np.testing.assert_allclose(fit.estimates["face"].effect, effect, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit.estimates["face"].variance, variance, rtol=1e-9, atol=1e-12)


def test_superfluous_columns_change_no_estimate(deficient):
    data, design = deficient
    with_them = fit_run(data, design, {"face": "face"}, noise_model="ols").estimates["face"]
    reduced = design[["face", "house", "constant"]]
    without = fit_run(data, reduced, {"face": "face"}, noise_model="ols").estimates["face"]
    np.testing.assert_allclose(with_them.stat, without.stat, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("noise_model", ["ar1", "ols"])
def test_nilearn_divides_by_rows_minus_columns_instead(deficient, noise_model):
    data, design = deficient
    ours = fit_run(data, design, {"face": "face"}, noise_model=noise_model).estimates["face"]
    labels, results = run_glm(data, design.to_numpy(), noise_model=noise_model)
    theirs = compute_contrast(labels, results, np.array([1.0, 0, 0, 0, 0]), stat_type="t")
    np.testing.assert_allclose(ours.variance * 27, theirs.variance * 25, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.effect, theirs.effect, rtol=1e-12, atol=1e-15)


def test_contrasts_that_the_design_does_not_determine_are_named(deficient):
    data, design = deficient
    contrasts = {"a": "face", "b": "house", "c": "nothing", "d": "house + again"}
    fit = fit_run(data, design, contrasts, noise_model="ols")
    assert fit.not_estimable == ("b", "c")
    assert list(fit.estimates) == ["a", "d"]


def test_percent_signal_change_is_about_each_voxels_own_mean():
    data = np.array([[90.0, 400.0], [110.0, 600.0]])
    expected = [[-10.0, -20.0], [10.0, 20.0]]
    np.testing.assert_allclose(percent_signal_change(data), expected, rtol=1e-12, atol=0)


def test_the_order_in_memory_does_not_change_the_percent_signal_change():
    data = np.random.default_rng(0).normal(900, 30, (301, 50)).astype(np.float32)
    by_rows = percent_signal_change(np.ascontiguousarray(data))
    by_columns = percent_signal_change(np.asfortranarray(data))
    assert by_rows.dtype == np.float64
    np.testing.assert_allclose(by_rows, by_columns, rtol=0, atol=1e-12)
    exact = data.astype(np.longdouble)
    exact = 100 * (exact / exact.mean(axis=0) - 1)
    np.testing.assert_allclose(by_rows, exact.astype(np.float64), rtol=0, atol=1e-10)


F_CONTRASTS: dict[str, list[str | dict[str, float]]] = {
    "any": ["face", "house"],
    "differences": ["face - house", {"house": 1.0, "chair": -1.0}],
    "one row": ["face - house"],
}


@pytest.mark.parametrize("fit_with", [fit_blocks, fit_blocks_as_nilearn])
@pytest.mark.parametrize("noise_model", ["ar1", "ols", "ar2"])
def test_f_contrasts_equal_nilearns(runs, designs, noise_model, fit_with):
    run, design = runs[0], designs[0]
    data = percent_signal_change(run.data)
    block = VoxelBlock(data, np.ones(data.shape[1], bool))
    contrasts: dict[str, Any] = {"faces": "face - house", **F_CONTRASTS, "mean": "constant"}
    fit = fit_with([block], design, contrasts, noise_model=noise_model)
    labels, results = run_glm(data, design.to_numpy(), noise_model=noise_model, random_state=0)
    columns = [str(column) for column in design]
    for name, rows in F_CONTRASTS.items():
        matrix = np.array([contrast_vector(row, columns) for row in rows])
        theirs = compute_contrast(labels, results, matrix, stat_type="F")
        ours = fit.f_estimates[name]
        assert isinstance(ours, FEstimate)
        assert (ours.dof_numerator, ours.dof) == (len(rows), fit.dof)
        np.testing.assert_allclose(ours.stat, theirs.stat(), rtol=1e-6)
        np.testing.assert_allclose(ours.z, theirs.z_score(), rtol=1e-6, atol=1e-6)
    t = fit.estimates["faces"]
    np.testing.assert_allclose(fit.f_estimates["one row"].stat, t.stat**2, rtol=1e-9)


def test_an_f_contrast_has_as_many_degrees_of_freedom_as_rows_of_their_own(deficient):
    data, design = deficient
    rows = ["face", "d", "face - d", "2*d"]
    design = design.assign(d=np.random.default_rng(9).normal(size=30))
    fit = fit_run(data, design, {"f": rows, "both": ["face", "d"]}, noise_model="ols")
    assert fit.f_estimates["f"].maps().keys() == {"F", "z"}
    np.testing.assert_allclose(fit.f_estimates["f"].stat, fit.f_estimates["both"].stat, rtol=1e-12)
    np.testing.assert_allclose(fit.f_estimates["f"].z, fit.f_estimates["both"].z, rtol=1e-12)


def test_an_f_contrast_of_which_the_design_does_not_determine_a_row_is_named(deficient):
    data, design = deficient
    fit = fit_run(data, design, {"f": ["face", "house"], "t": "face"}, noise_model="ols")
    assert (fit.not_estimable, list(fit.estimates)) == (("f",), ["t"])
