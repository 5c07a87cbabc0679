"""Reading a run equals nilearn's NiftiMasker on the same image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker

from twolevel.files.run_data import read_run
from twolevel.space.grid import Grid
from twolevel.space.mask import Mask

if TYPE_CHECKING:
    from pathlib import Path

SHAPE, N_VOLUMES = (11, 12, 9), 14
AFFINE = np.array(
    [[-3.0, 0.2, 0.1, 30.0], [0.3, 3.4, -0.2, -50.0], [0.1, 0.3, 4.0, -20.0], [0, 0, 0, 1]]
)
pytestmark = pytest.mark.filterwarnings("ignore:.*standardize.*:FutureWarning")


@pytest.fixture
def mask():
    mask = np.random.default_rng(3).random(SHAPE) > 0.4
    mask[0], mask[:, :, -1] = False, True
    return mask


@pytest.fixture
def values():
    return np.random.default_rng(4).normal(1000, 60, (*SHAPE, N_VOLUMES))


def save_mask(folder: Path, mask: Any, affine: Any = AFFINE) -> Path:
    path = folder / "mask.nii.gz"
    nib.Nifti1Image(mask.astype(np.uint8), affine).to_filename(path)
    return path


def save_bold(folder: Path, values: Any, kind: str) -> Path:
    path = folder / f"{kind}.nii.gz"
    if kind == "float32":
        nib.Nifti1Image(values.astype(np.float32), AFFINE).to_filename(path)
    elif kind == "big-endian":
        header = nib.Nifti1Header(endianness=">")
        nib.Nifti1Image(values.astype(">f4"), AFFINE, header).to_filename(path)
    else:
        image = nib.Nifti1Image(values, AFFINE)
        image.set_data_dtype(np.int16)
        image.to_filename(path)  # nibabel chooses a slope and an intercept
        assert nib.load(path).dataobj.slope != 1
    return path


def nilearn_rows(bold: Path, mask: Path, fwhm: float | None, sample_mask: Any = None) -> Any:
    masker = NiftiMasker(mask_img=str(mask), smoothing_fwhm=fwhm, standardize=None)
    return masker.fit().transform(str(bold), sample_mask=sample_mask)


@pytest.mark.parametrize("engine", ["twolevel", "nilearn"])
@pytest.mark.parametrize("fwhm", [0.0, 5.0])
@pytest.mark.parametrize("kept", [None, np.r_[2:6, 8:14]], ids=["all", "sample mask"])
@pytest.mark.parametrize("kind", ["float32", "int16 scaled", "big-endian"])
def test_rows_equal_those_of_the_masker(tmp_path, mask, values, kind, kept, fwhm, engine):
    bold, mask_path = save_bold(tmp_path, values, kind), save_mask(tmp_path, mask)
    ours = read_run(bold, mask_path, smoothing_fwhm_mm=fwhm, kept=kept, engine=engine)
    theirs = nilearn_rows(bold, mask_path, fwhm or None, kept)
    np.testing.assert_allclose(ours.data, theirs, rtol=1e-6, atol=0)
    np.testing.assert_array_equal(ours.mask.inside, mask)
    assert ours.data.dtype == np.float32
    assert (ours.n_constant, ours.n_not_finite) == (0, 0)


def test_nilearns_engine_gives_the_maskers_bits(tmp_path, mask, values):
    bold, mask_path = save_bold(tmp_path, values, "float32"), save_mask(tmp_path, mask)
    ours = read_run(bold, mask_path, smoothing_fwhm_mm=5.0, engine="nilearn").data
    np.testing.assert_array_equal(ours, nilearn_rows(bold, mask_path, 5.0))


def test_a_real_run_equals_the_maskers(shared):
    stem = shared / "haxby-25mm/derivatives/fmriprep/sub-1/func/sub-1_task-objectviewing_run-4"
    bold, mask = (
        stem.with_name(f"{stem.name}_space-T1w_desc-{which}.nii.gz")
        for which in ("preproc_bold", "brain_mask")
    )
    ours = read_run(bold, mask, smoothing_fwhm_mm=30.0)
    np.testing.assert_allclose(ours.data, nilearn_rows(bold, mask, 30.0), rtol=1e-6, atol=0)
    assert ours.data.shape[0] == 121


def test_downsampling_takes_every_second_voxel_from_index_zero(tmp_path, mask, values):
    bold, mask_path = save_bold(tmp_path, values, "float32"), save_mask(tmp_path, mask)
    ours = read_run(bold, mask_path, downsample=2)
    small = mask[::2, ::2, ::2]
    np.testing.assert_array_equal(ours.mask.inside, small)
    expected = values.astype(np.float32)[::2, ::2, ::2][small].T
    np.testing.assert_array_equal(ours.data, expected)


def test_a_downsampled_voxel_stays_where_it_was():
    affine = Grid(SHAPE, AFFINE).every(3).affine
    for index in ([0, 0, 0], [1, 0, 0], [2, 1, 3]):
        there = AFFINE @ [*(3 * np.array(index)), 1]
        np.testing.assert_allclose(affine @ [*index, 1], there, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(affine[:, 3], AFFINE[:, 3])
    np.testing.assert_allclose(affine[:3, :3], 3 * AFFINE[:3, :3], rtol=1e-15, atol=0)


def test_smoothing_comes_after_downsampling_and_in_millimetres(tmp_path, mask, values):
    bold, mask_path = save_bold(tmp_path, values, "float32"), save_mask(tmp_path, mask)
    ours = read_run(bold, mask_path, downsample=2, smoothing_fwhm_mm=9.0)
    small = tmp_path / "small"
    small.mkdir()
    affine = AFFINE @ np.diag([2, 2, 2, 1.0])
    nib.Nifti1Image(values.astype(np.float32)[::2, ::2, ::2], affine).to_filename(small / "b.nii")
    theirs = nilearn_rows(small / "b.nii", save_mask(small, mask[::2, ::2, ::2], affine), 9.0)
    np.testing.assert_allclose(ours.data, theirs, rtol=1e-6, atol=0)
    np.testing.assert_allclose(
        ours.mask.space.affine, affine, rtol=1e-6, atol=0
    )  # float32 in the header


def test_voxels_without_a_usable_time_course_leave_the_mask_and_are_counted(tmp_path, values):
    values[1, 1, 1] = 7.0
    values[2, 2, 2, 5], values[3, 3, 3, 0] = np.nan, np.inf
    mask = np.ones(SHAPE, bool)
    bold, mask_path = save_bold(tmp_path, values, "float32"), save_mask(tmp_path, mask)
    run = read_run(bold, mask_path)
    assert (run.n_constant, run.n_not_finite) == (1, 2)
    assert np.argwhere(~run.mask.inside).tolist() == [[1, 1, 1], [2, 2, 2], [3, 3, 3]]
    np.testing.assert_array_equal(run.data, values.astype(np.float32)[run.mask.inside].T)


@pytest.mark.parametrize("engine", ["twolevel", "nilearn"])
@pytest.mark.parametrize("still", [0.0, 7.0, -3.5])
@pytest.mark.parametrize("fwhm", [0.0, 4.0, 15.0])
def test_voxels_without_signal_leave_the_mask_before_smoothing(
    tmp_path, values, fwhm, still, engine
):
    """What leaks into them is no signal of theirs; what they hold is smoothed into the others."""
    without = [(1, 1, 1), (5, 6, 4), (5, 6, 5), (10, 11, 8)]
    for place in without:
        values[place] = still
    mask = np.ones(SHAPE, bool)
    bold, mask_path = save_bold(tmp_path, values, "float32"), save_mask(tmp_path, mask)
    run = read_run(bold, mask_path, smoothing_fwhm_mm=fwhm, engine=engine)
    assert np.argwhere(~run.mask.inside).tolist() == [list(place) for place in without]
    assert (run.n_constant, run.n_not_finite) == (4, 0)
    theirs = nilearn_rows(bold, mask_path, fwhm or None)[:, run.mask.inside[mask]]
    np.testing.assert_allclose(run.data, theirs, rtol=1e-6, atol=1e-4)


def test_a_voxel_that_changes_once_has_signal(tmp_path, values):
    for row in range(N_VOLUMES):
        values[row % 11, row // 2, 3] = 500.0
        values[row % 11, row // 2, 3, row] = 501.0
    run = read_run(save_bold(tmp_path, values, "float32"), save_mask(tmp_path, np.ones(SHAPE)))
    assert run.mask.inside.all()


def test_a_change_in_a_dropped_volume_is_no_signal(tmp_path, values):
    values[2, 2, 2] = 500.0
    values[2, 2, 2, 0] = 900.0
    bold, mask = save_bold(tmp_path, values, "float32"), save_mask(tmp_path, np.ones(SHAPE))
    run = read_run(bold, mask, kept=np.arange(1, N_VOLUMES), smoothing_fwhm_mm=6.0)
    assert np.argwhere(~run.mask.inside).tolist() == [[2, 2, 2]]
    assert read_run(bold, mask, smoothing_fwhm_mm=6.0).mask.inside.all()


def test_a_value_that_is_not_finite_in_a_dropped_volume_does_not_matter(tmp_path, values):
    values[2, 2, 2, 0] = np.nan
    bold = save_bold(tmp_path, values, "float32")
    run = read_run(bold, save_mask(tmp_path, np.ones(SHAPE, bool)), kept=np.arange(1, N_VOLUMES))
    assert run.n_not_finite == 0
    assert run.mask.inside.all()


def test_only_voxels_within_the_given_mask_are_considered(tmp_path, mask, values):
    within = np.zeros(SHAPE, bool)
    within[4:8] = True
    bold = save_bold(tmp_path, values, "float32")
    run = read_run(bold, save_mask(tmp_path, mask), within=Mask(Grid(SHAPE, AFFINE), within))
    np.testing.assert_array_equal(run.mask.inside, mask & within)
    np.testing.assert_array_equal(run.data, values.astype(np.float32)[mask & within].T)
