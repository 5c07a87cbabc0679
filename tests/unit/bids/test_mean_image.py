from __future__ import annotations

from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pytest

from twolevel.files.run_data import run_blocks
from twolevel.files.series import MEAN_OF
from twolevel.numerics.resources import Resources

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (6, 7, 8)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, np.ndarray]:
    values = np.random.default_rng(0).integers(-100, 1000, (*SHAPE, 45)).astype(np.int16)
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:5, 2:6, 2:6] = 1
    image = nib.Nifti1Image(values, np.diag([2.0, 2, 2, 1]))
    image.header.set_slope_inter(0.5, 3)
    nib.save(image, tmp_path / "bold.nii.gz")
    nib.save(nib.Nifti1Image(mask, image.affine), tmp_path / "mask.nii")
    bold, brain = tmp_path / "bold.nii.gz", tmp_path / "mask.nii"
    return bold, brain, nib.load(bold).get_fdata()


@pytest.mark.parametrize("n_kept", [1, 7, 10, 11, 45])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_mean_is_of_at_most_ten_volumes_evenly_spaced(files, n_kept, threads):
    bold, mask, values = files
    kept = np.arange(45)[-n_kept:]
    blocks = run_blocks(
        bold, mask, kept=kept, smoothing_fwhm_mm=6, resources=Resources(threads, 1)
    )
    for _ in blocks:
        pass
    step = -(-n_kept // MEAN_OF)
    chosen = kept[::step]
    assert len(chosen) <= MEAN_OF
    np.testing.assert_allclose(blocks.mean, values[..., chosen].mean(axis=-1), rtol=1e-6)


def test_the_mean_is_on_the_grid_of_the_analysis(files):
    bold, mask, values = files
    blocks = run_blocks(bold, mask, downsample=2)
    for _ in blocks:
        pass
    expected = values[::2, ::2, ::2, ::5].mean(axis=-1)
    np.testing.assert_allclose(blocks.mean, expected, rtol=1e-6)
