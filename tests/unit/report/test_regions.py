from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from nilearn.image import resample_to_img

from twolevel.report.atlas import Atlas, shipped_atlas
from twolevel.report.regions import atlas_for, labels_on_grid, name_region
from twolevel.space.grid import Grid


@pytest.fixture
def atlas() -> Atlas:
    """Voxels of 2 mm; one region of one voxel around (10, 10, 10)."""
    labels = np.zeros((20, 20, 20), np.int32)
    labels[5, 5, 5] = 3
    return Atlas(labels, Grid(labels.shape, np.diag([2.0, 2, 2, 1])), {3: "there"}, "test")


@pytest.mark.parametrize(
    ("point", "name"),
    [
        ((10, 10, 10), "there"),
        ((10.9, 9.1, 10), "there"),
        ((12, 10, 10), "near there (2 mm)"),
        ((10, 13, 14), "near there (5 mm)"),
        ((10, 14, 14), ""),
        ((10, 10, 15.1), ""),
        ((500, 0, 0), ""),
        ((-500, -500, -500), ""),
    ],
)
def test_a_point_is_named_by_its_region_or_the_nearest_within_5_mm(atlas, point, name):
    assert name_region(atlas, point) == name


def test_every_voxel_of_the_shipped_atlas_is_named_by_itself():
    atlas = shipped_atlas()
    voxels = np.argwhere(atlas.labels)[::5000]
    assert len(voxels) > 100
    for voxel, point in zip(voxels, apply_affine(atlas.grid.affine, voxels), strict=True):
        assert name_region(atlas, point) == atlas.names[int(atlas.labels[tuple(voxel)])]


@pytest.mark.parametrize("size", [2.0, 3.5])
def test_labels_on_another_grid_equal_those_of_nilearn(size):
    atlas = shipped_atlas()
    shape = (40, 50, 40)
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = (-70.3, -100.2, -60.1)
    grid = nib.Nifti1Image(np.zeros(shape, np.float32), affine)
    image = nib.Nifti1Image(atlas.labels, atlas.grid.affine)
    theirs = resample_to_img(image, grid, interpolation="nearest").get_fdata()
    ours = labels_on_grid(atlas, Grid(shape, affine))
    assert (ours > 0).sum() > 5000
    np.testing.assert_array_equal(ours, theirs)


def test_only_mni152_has_an_atlas_of_its_own():
    assert atlas_for("MNI152NLin2009cAsym") is not None
    assert atlas_for("MNI152NLin6Asym") is not None
    for space in ("MNIPediatricAsym", "T1w", None):
        assert atlas_for(space) is None
