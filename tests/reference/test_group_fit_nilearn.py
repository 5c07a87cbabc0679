"""The group fit equals nilearn's SecondLevelModel."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.contrasts import Contrast
from nilearn.glm.second_level import SecondLevelModel
from scipy import stats

from twolevel.stats.estimates import p_from_t, z_from_t
from twolevel.stats.maps.ols import fit_group

SHAPE = (6, 5, 4)
pytestmark = pytest.mark.filterwarnings("ignore:.*standardize.*:FutureWarning")


@pytest.fixture
def maps():
    rng = np.random.default_rng(8)
    return rng.normal(rng.normal(0, 1, 120), 1, (11, 120))


def nilearn_group(maps: Any, design: pd.DataFrame, contrast: Any) -> dict[str, Any]:
    images = [nib.Nifti1Image(m.reshape(SHAPE), np.eye(4)) for m in maps]
    mask = nib.Nifti1Image(np.ones(SHAPE, np.uint8), np.eye(4))
    model = SecondLevelModel(mask_img=mask, smoothing_fwhm=None, minimize_memory=False)
    model.fit(images, design_matrix=design)
    theirs = model.compute_contrast(contrast, output_type="all")
    return {name: img.get_fdata().ravel() for name, img in theirs.items() if name != "label"}


def assert_equals_nilearn(ours: Any, theirs: dict[str, Any]) -> None:
    pairs = {"effect": "effect_size", "variance": "effect_variance", "t": "stat", "z": "z_score"}
    for name, name_there in pairs.items():
        np.testing.assert_allclose(
            getattr(ours, name), theirs[name_there], rtol=1e-6, atol=1e-7, err_msg=name
        )
    np.testing.assert_allclose(
        p_from_t(ours.t, ours.dof, sides=1), theirs["p_value"], rtol=1e-6, atol=1e-12
    )


def test_the_one_sample_model_equals_nilearns(maps):
    design = pd.DataFrame({"intercept": np.ones(11)})
    ours = fit_group(maps)
    assert ours.dof == 10
    assert_equals_nilearn(ours, nilearn_group(maps, design, "intercept"))


@pytest.mark.parametrize("contrast", [[1.0, 0.0], [0.0, 1.0], [1.0, -0.5]])
def test_a_model_with_two_columns_equals_nilearns(maps, contrast):
    age = np.linspace(-3, 4, 11) ** 2
    design = pd.DataFrame({"intercept": np.ones(11), "age": age})
    ours = fit_group(maps, design.to_numpy(), np.array(contrast))
    assert ours.dof == 9
    assert_equals_nilearn(ours, nilearn_group(maps, design, np.array(contrast)))


def test_the_one_sample_t_is_that_of_scipy(maps):
    theirs = stats.ttest_1samp(maps, 0)
    ours = fit_group(maps)
    np.testing.assert_allclose(ours.t, theirs.statistic, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        p_from_t(ours.t, ours.dof, sides=2), theirs.pvalue, rtol=1e-9, atol=0
    )


@pytest.mark.parametrize("dof", [3.0, 15.0, 250.0])
def test_z_from_t_equals_nilearns_in_both_tails(dof):
    t = np.concatenate(
        [np.linspace(-6, 6, 101), [-2000.0, -80, -40, -20, -9, 9, 20, 40, 80, 2000]]
    )
    contrast = Contrast(effect=t[None], variance=np.ones_like(t), dof=dof, stat_type="t")
    np.testing.assert_allclose(z_from_t(t, dof), contrast.z_score(), rtol=1e-9, atol=1e-12)


def test_large_t_keep_their_digits_in_both_tails():
    # P(T > 20) with 1e6 degrees of freedom is nearly that of the normal distribution
    np.testing.assert_allclose(
        z_from_t(np.array([20.0, -20.0]), 1e6), [20, -20], rtol=1e-3, atol=0
    )
