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

from twolevel.stats.estimates import p_from_t, z_from_f, z_from_t
from twolevel.stats.maps.fit import fit_maps

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
            ours.maps()[name], theirs[name_there], rtol=1e-6, atol=1e-7, err_msg=name
        )
    np.testing.assert_allclose(
        p_from_t(ours.stat, ours.dof, sides=1), theirs["p_value"], rtol=1e-6, atol=1e-12
    )


def test_the_one_sample_model_equals_nilearns(maps):
    design = pd.DataFrame({"intercept": np.ones(11)})
    ours = fit_maps(maps)
    assert ours.dof == 10
    assert_equals_nilearn(ours, nilearn_group(maps, design, "intercept"))


@pytest.mark.parametrize("contrast", [[1.0, 0.0], [0.0, 1.0], [1.0, -0.5]])
def test_a_model_with_two_columns_equals_nilearns(maps, contrast):
    age = np.linspace(-3, 4, 11) ** 2
    design = pd.DataFrame({"intercept": np.ones(11), "age": age})
    ours = fit_maps(maps, design.to_numpy(), np.array(contrast))
    assert ours.dof == 9
    assert_equals_nilearn(ours, nilearn_group(maps, design, np.array(contrast)))


def three_groups() -> tuple[pd.DataFrame, Any]:
    """A design of three groups with a covariate, and the F contrast of any difference."""
    group = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    columns = {f"group{number}": (group == number).astype(float) for number in range(3)}
    design = pd.DataFrame({**columns, "age": np.linspace(-3, 4, 11) ** 2})
    return design, np.array([[1.0, -1, 0, 0], [0, 1, -1, 0]])


def test_an_f_contrast_equals_nilearns(maps):
    design, contrast = three_groups()
    ours = fit_maps(maps, design.to_numpy(), contrast)
    assert (ours.kind, ours.dof) == ("F", 7)
    theirs = nilearn_group(maps, design, contrast)
    np.testing.assert_allclose(ours.stat, theirs["stat"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ours.z, theirs["z_score"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ours.p(), theirs["p_value"], rtol=1e-6, atol=1e-12)


def test_an_f_contrast_compares_the_residuals_of_two_models(maps):
    """The textbook F: what leaving the tested part out costs, by least squares of numpy."""
    design, contrast = three_groups()
    reduced = np.column_stack([np.ones(11), design["age"]])

    def left(X: Any) -> Any:
        return np.linalg.lstsq(X, maps, rcond=None)[1]

    whole = left(design.to_numpy())
    f = (left(reduced) - whole) / 2 / (whole / 7)
    ours = fit_maps(maps, design.to_numpy(), contrast)
    np.testing.assert_allclose(ours.stat, f, rtol=1e-9, atol=0)
    np.testing.assert_allclose(ours.p(), stats.f.sf(f, 2, 7), rtol=1e-8, atol=0)


def test_the_f_of_three_groups_is_that_of_scipys_analysis_of_variance(maps):
    design, contrast = three_groups()
    ours = fit_maps(maps, design.to_numpy()[:, :3], contrast[:, :3])
    theirs = stats.f_oneway(maps[:4], maps[4:8], maps[8:])
    np.testing.assert_allclose(ours.stat, theirs.statistic, rtol=1e-9, atol=0)
    np.testing.assert_allclose(ours.p(), theirs.pvalue, rtol=1e-9, atol=0)


@pytest.mark.parametrize("dof", [3.0, 15.0, 250.0])
def test_z_from_f_equals_nilearns_in_both_tails(dof):
    f = np.concatenate([np.linspace(0.001, 12, 101), [1e-6, 40, 80, 400, 2000]])
    # nilearn forms F = sum(effect^2) / 3 / variance
    effect = np.sqrt(np.tile(f, (3, 1)))
    contrast = Contrast(effect=effect, variance=np.ones_like(f), dof=dof, stat_type="F")
    np.testing.assert_allclose(z_from_f(f, 3, dof), contrast.z_score(), rtol=1e-9, atol=1e-12)


def test_the_one_sample_t_is_that_of_scipy(maps):
    theirs = stats.ttest_1samp(maps, 0)
    ours = fit_maps(maps)
    np.testing.assert_allclose(ours.stat, theirs.statistic, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        p_from_t(ours.stat, ours.dof, sides=2), theirs.pvalue, rtol=1e-9, atol=0
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
