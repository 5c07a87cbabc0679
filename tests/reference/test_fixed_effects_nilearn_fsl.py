"""Fixed effects equal nilearn's compute_fixed_effects and FSL's flameo --runmode=fe."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
import pytest
from maps import combine
from nilearn.glm.contrasts import compute_fixed_effects
from scipy import stats

from twolevel.stats.estimates import TEstimate, z_from_t

SHAPE = (5, 4, 3)
DOFS = (87.0, 92.0, 40.0)
FEAT = "fsl-feat/second-level/cope1.feat"


@pytest.fixture
def runs():
    rng = np.random.default_rng(7)
    return [TEstimate(rng.normal(1, 2, 60), rng.gamma(2, 1, 60) + 0.01, dof) for dof in DOFS]


def image(values: Any) -> Any:
    return nib.Nifti1Image(np.asarray(values).reshape(SHAPE), np.eye(4))


@pytest.mark.filterwarnings("ignore:.*standardize.*:FutureWarning")
@pytest.mark.parametrize(("estimator", "weighted"), [("fixed", False), ("precision", True)])
def test_fixed_effects_equal_nilearns(runs, estimator, weighted):
    ours = combine(runs, estimator)
    theirs = compute_fixed_effects(
        [image(run.effect) for run in runs],
        [image(run.variance) for run in runs],
        mask=image(np.ones(60, np.uint8)),
        precision_weighted=weighted,
        dofs=DOFS,
    )
    for name, expected in zip(("effect", "variance", "t", "z"), theirs, strict=True):
        np.testing.assert_allclose(
            ours.maps()[name], expected.get_fdata().ravel(), rtol=1e-6, atol=1e-9, err_msg=name
        )
    assert ours.dof == sum(DOFS)


@pytest.fixture(scope="module")
def feat(shared):
    def load(name: str) -> Any:
        return nib.load(shared / FEAT / f"{name}.nii.gz").get_fdata()

    inside = load("mask") > 0
    names = ("filtered_func_data", "var_filtered_func_data", "tdof_filtered_func_data")
    runs = [load(name)[inside].T for name in names]
    results = ("cope1", "varcope1", "tstat1", "tdof_t1", "zstat1")
    return runs, {name: load(f"stats/{name}")[inside] for name in results}


def combine_feat(feat: Any) -> TEstimate:
    (effects, variances, dofs), _ = feat
    return combine(
        [
            TEstimate(effect, variance, float(dof[0]))
            for effect, variance, dof in zip(effects, variances, dofs, strict=True)
        ],
        "precision",
    )


@pytest.mark.parametrize(
    ("name", "theirs"), [("effect", "cope1"), ("variance", "varcope1"), ("t", "tstat1")]
)
def test_precision_weights_give_fsls_maps(feat, name, theirs):
    np.testing.assert_allclose(combine_feat(feat).maps()[name], feat[1][theirs], rtol=1e-5, atol=0)


def test_the_degrees_of_freedom_are_the_sum_from_which_fsl_takes_one_away(feat):
    (_, _, dofs), results = feat
    assert [set(run) for run in dofs] == [{41.0}, {41.0}, {41.0}]
    assert combine_feat(feat).dof == 123
    # flameo subtracts the number of columns of its design, one; nilearn and we do not
    assert set(results["tdof_t1"]) == {122.0}


def test_with_fsls_degrees_of_freedom_z_is_fsls(feat):
    z = z_from_t(combine_feat(feat).stat, 122)
    np.testing.assert_allclose(z, feat[1]["zstat1"], rtol=1e-5, atol=1e-5)


def test_mean_weighting_is_not_fsls(feat):
    (effects, variances, _), results = feat
    pairs = zip(effects, variances, strict=True)
    mean = combine([TEstimate(e, v, 1.0) for e, v in pairs])
    assert np.abs(mean.effect / results["cope1"] - 1).max() > 1e-3


def test_by_default_effects_are_averaged_and_variances_added_over_n_squared(runs):
    ours = combine(runs)
    effect = (runs[0].effect + runs[1].effect + runs[2].effect) / 3
    variance = (runs[0].variance + runs[1].variance + runs[2].variance) / 9
    np.testing.assert_allclose(ours.effect, effect, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(ours.variance, variance, rtol=1e-12, atol=1e-15)
    p = stats.t.sf(effect / np.sqrt(variance), sum(DOFS))
    np.testing.assert_allclose(stats.norm.sf(ours.z), p, rtol=1e-9, atol=0)
