"""Smoothing equals nilearn.image.smooth_img bit for bit."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import smooth_img

from twolevel.numerics.smoothing import smooth_volume

OBLIQUE = np.array(
    [[2.0, 0.3, -0.1, -40.0], [-0.25, 2.9, 0.4, -60.0], [0.2, -0.35, 3.8, 20.0], [0, 0, 0, 1]]
)
AFFINES = {
    "isotropic": np.diag([3.0, 3.0, 3.0, 1.0]),
    "anisotropic": np.diag([-2.0, 3.5, 4.2, 1.0]),
    "oblique": OBLIQUE,
}


@pytest.fixture
def volume():
    return np.random.default_rng(2).normal(100, 20, (17, 19, 13)).astype(np.float32)


@pytest.mark.parametrize("fwhm", [3.0, 5.0, 12.5])
@pytest.mark.parametrize("grid", AFFINES)
def test_smoothing_equals_nilearn_bit_for_bit(volume, grid, fwhm):
    theirs = smooth_img(nib.Nifti1Image(volume, AFFINES[grid]), fwhm).get_fdata(dtype=np.float32)
    ours = smooth_volume(volume, AFFINES[grid], fwhm)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("ignore:Non-finite values detected")
def test_values_that_are_not_finite_count_as_zero_as_in_nilearn(volume):
    volume[3:6, 4, 5] = np.nan
    volume[10, 10, 10] = np.inf
    image = nib.Nifti1Image(volume.copy(), AFFINES["anisotropic"])
    theirs = smooth_img(image, 6.0).get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(smooth_volume(volume, AFFINES["anisotropic"], 6.0), theirs)


def test_a_fortran_ordered_volume_gives_the_same_bits(volume):
    ordered = smooth_volume(np.asfortranarray(volume), OBLIQUE, 5.0)
    np.testing.assert_array_equal(ordered, smooth_volume(volume, OBLIQUE, 5.0))


def test_no_smoothing_returns_the_values(volume):
    np.testing.assert_array_equal(smooth_volume(volume, OBLIQUE, 0.0), volume)


def test_the_input_is_not_changed(volume):
    volume[0, 0, 0] = np.nan
    before = volume.copy()
    smooth_volume(volume, OBLIQUE, 5.0)
    np.testing.assert_array_equal(volume, before)
