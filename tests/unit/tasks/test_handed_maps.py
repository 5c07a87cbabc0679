"""What a step of a dataset node leaves to the next ones is found again as it was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twolevel.files.nifti import write_image
from twolevel.model.nodes import ContrastName
from twolevel.space.mask import Mask
from twolevel.stats.estimates import FEstimate, TEstimate
from twolevel.stats.inference.result import GroupContrast
from twolevel.stats.maps.design import make_map_design
from twolevel.stats.permute.loop import permute_group
from twolevel.stats.permute.model import make_permutation_model
from twolevel.stats.permute.settings import PermutationSettings
from twolevel.tasks.handoff import (
    FittedMaps,
    load_fitted,
    load_permuted,
    load_rows,
    save_fitted,
    stack_rows,
)
from twolevel.tasks.permute_group import PermutationSpec, permute_group_files

MASK = Mask.of(np.ones((2, 2, 1), bool))
VALUES = np.array([1.0, 2.0, 1 / 3, 4.0])


@pytest.mark.parametrize(
    "estimate",
    [
        TEstimate(VALUES, VALUES / 7, 11.0),
        TEstimate(VALUES, VALUES, VALUES),
        FEstimate(VALUES, 2, 9.0),
    ],
    ids=["t", "t with dof per point", "F"],
)
def test_an_estimate_is_found_again(tmp_path, estimate):
    save_fitted(tmp_path, FittedMaps(GroupContrast(estimate, MASK), {"Any": 1}))
    found = load_fitted(tmp_path)
    assert type(found.contrast.estimate) is type(estimate)
    assert vars(found.contrast.estimate).keys() == vars(estimate).keys()
    for name, value in vars(estimate).items():
        np.testing.assert_array_equal(getattr(found.contrast.estimate, name), value)
        assert np.ndim(getattr(found.contrast.estimate, name)) == np.ndim(value)
    assert found.contrast.mask == MASK
    assert found.record == {"Any": 1}


def test_relabelings_test_the_contrast_of_the_design_that_was_fitted(tmp_path):
    rng = np.random.default_rng(5)
    maps = rng.normal(size=(9, *MASK.space.shape)).astype(np.float32)
    paths = [
        write_image(tmp_path / f"map-{number}.nii.gz", volume, np.eye(4))
        for number, volume in enumerate(maps)
    ]
    table = pd.DataFrame({"age": rng.normal(size=9)})
    design = make_map_design(9, ["1", "age"], table, {"age": "age"})
    stack_rows(tmp_path / "maps", paths, MASK, design)
    _, _, found = load_rows(tmp_path / "maps")
    np.testing.assert_array_equal(found.matrix, design.matrix)
    assert (found.rows, found.columns) == (design.rows, design.columns)
    settings = PermutationSettings(statistics=("voxel",))
    spec = PermutationSpec(settings, 50, 1)
    contrast = ContrastName("any", "any", "1*any")
    permuted = load_permuted(
        permute_group_files(spec, contrast, tmp_path / "maps", tmp_path / "out", "key")
    )
    model = make_permutation_model(design.matrix, np.array([0.0, 1.0]), n_perm=50, seed=1)
    expected = permute_group(maps.reshape(9, -1), MASK, model, settings)
    assert permuted.scheme == expected.scheme == "permutations"
    np.testing.assert_array_equal(permuted.observed["voxel"], expected.observed["voxel"])
    np.testing.assert_array_equal(permuted.largest["voxel"], expected.largest["voxel"])
