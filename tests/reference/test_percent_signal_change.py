"""Percent signal change: nilearn's where an image has large numbers, right where it has not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from nilearn.glm.contrasts import compute_contrast
from nilearn.glm.first_level import mean_scaling, run_glm

from twolevel.errors import AnalysisError
from twolevel.stats.run.design import steady_rows
from twolevel.stats.run.fit import fit_run
from twolevel.stats.run.nilearn import fit_blocks_as_nilearn
from twolevel.stats.run.percent import percent_signal_change
from twolevel.stats.run.unit import VoxelBlock

pytestmark = pytest.mark.filterwarnings("ignore:.*Mean values of 0 observed.*:UserWarning")


@pytest.mark.parametrize("unit", [1e-6, 0.3, 1.0, 4e7])
def test_the_units_of_an_image_do_not_change_the_percent_signal_change(unit):
    data = np.random.default_rng(1).uniform(0.4, 2, 60) + np.random.default_rng(2).normal(
        0, 0.01, (40, 60)
    )
    expected = 100 * (data / data.mean(axis=0) - 1)
    found = percent_signal_change(unit * data)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("level", [0.0, 0.0004, -3.0])
def test_the_floor_is_a_thousandth_of_the_median_of_the_means(level):
    rng = np.random.default_rng(3)
    data = np.array([0.5, 0.6, 0.7, 1.6, 40.0]) + rng.normal(0, 0.01, (50, 5))
    data[:, 1] += level - data[:, 1].mean()  # the median becomes 0.7
    floor = np.median(data.mean(axis=0)) / 1000
    np.testing.assert_allclose(floor, 0.0007, rtol=0.01)
    found = percent_signal_change(data)
    np.testing.assert_allclose(found[:, 1], 100 * data[:, 1] / floor - 100, rtol=1e-9, atol=0)
    others = np.delete(data, 1, axis=1)
    expected = 100 * (others / others.mean(axis=0) - 1)
    np.testing.assert_allclose(np.delete(found, 1, axis=1), expected, rtol=0, atol=1e-9)


def test_nilearns_floor_is_one():
    data = np.array([[0.0, 3.0], [0.5, 5.0]])
    expected = mean_scaling(data)[0]
    np.testing.assert_allclose(
        percent_signal_change(data, floor=1.0), expected, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(expected[:, 0], [-100.0, -50.0], rtol=0, atol=0)


def test_voxels_in_which_nothing_changes_are_not_in_the_median():
    data = np.random.default_rng(4).normal(700, 5, (30, 9))
    data[:, 3:] = 0
    data[:, 0] -= data[:, 0].mean()  # so that the floor is what counts
    found = percent_signal_change(data)
    floor = np.median(data[:, :3].mean(axis=0)) / 1000
    np.testing.assert_allclose(found[:, 0], 100 * data[:, 0] / floor - 100, rtol=1e-6, atol=0)
    np.testing.assert_allclose(found[:, 3:], -100, rtol=0, atol=0)


DEMEANED = {
    "demeaned": (0.0, 1.0, "the mean over time is -?[0-9.e-]+ in the median of 40 voxels"),
    "of small numbers": (0.0, 1e-4, "look demeaned"),
    "with what rounding leaves": (1e-7, 1.0, "take images with their mean"),
    "less than the noise": (0.5, 1.0, "not above what changes over time"),
    "negative": (-900.0, 10.0, "the mean over time is -900 in the median of 40 voxels"),
}


@pytest.mark.parametrize(("level", "noise", "message"), DEMEANED.values(), ids=DEMEANED)
def test_data_without_a_mean_are_refused(level, noise, message):
    data = np.random.default_rng(5).normal(0, noise, (50, 40))
    data += level - data.mean(axis=0)
    design = pd.DataFrame({"a": np.arange(50.0) % 7, "constant": 1.0})
    with pytest.raises(AnalysisError, match=message):
        percent_signal_change(data)
    with pytest.raises(AnalysisError, match=message):
        fit_run(data, design, {"a": "a"}, percent=True)
    as_it_is = fit_run(data, design, {"a": "a"}).estimates["a"]
    assert (as_it_is.variance > 0).all()


@pytest.mark.parametrize("tsnr", [2.0, 1.2])
def test_data_of_which_the_mean_is_above_the_noise_are_taken(tsnr):
    data = np.random.default_rng(6).normal(0, 0.01, (50, 40))
    data += 0.01 * tsnr - data.mean(axis=0)
    expected = 100 * (data / data.mean(axis=0) - 1)
    np.testing.assert_allclose(percent_signal_change(data), expected, rtol=1e-9, atol=1e-9)


# --- the fit of percent signal change ------------------------------------------------------------


@pytest.mark.parametrize("noise_model", ["ols", "ar1"])
@pytest.mark.parametrize("unit", [1e-5, 0.4, 250.0])
def test_the_units_of_an_image_do_not_change_the_fit(noise_model, unit):
    """Equal to nilearn's, which is given numbers so large that its floor of 1 does not matter."""
    rng = np.random.default_rng(7)
    design = pd.DataFrame({"a": rng.normal(size=80), "constant": 1.0})
    data = rng.uniform(0.4, 2, 30) * (
        1 + rng.normal(0, 0.01, (80, 30)) + 0.01 * design[["a"]].to_numpy()
    )
    fit = fit_run(unit * data, design, {"a": "a"}, noise_model=noise_model, percent=True)
    series, _ = mean_scaling(1000 * data)
    labels, results = run_glm(series, design.to_numpy(), noise_model=noise_model)
    expected = compute_contrast(labels, results, np.array([1.0, 0.0]), stat_type="t")
    found = fit.estimates["a"]
    np.testing.assert_allclose(found.effect, expected.effect, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.variance, expected.variance, rtol=1e-8, atol=0)


def test_the_fit_takes_the_floor_of_all_voxels(data_near_zero):
    data, design = data_near_zero
    fit = fit_run(data, design, {"a": "a"}, noise_model="ols", percent=True)
    scaled = percent_signal_change(data)
    expected = np.linalg.lstsq(design.to_numpy(), scaled, rcond=None)[0][0]
    np.testing.assert_allclose(fit.estimates["a"].effect, expected, rtol=1e-9, atol=1e-12)
    floor = np.median(data.mean(axis=0)) / 1000
    assert fit.diagnostics.floor == pytest.approx(floor, rel=1e-12)
    assert (fit.diagnostics.mean < floor).sum() == 2


@pytest.fixture
def data_near_zero():
    """21 voxels of which two have no mean."""
    rng = np.random.default_rng(8)
    design = pd.DataFrame({"a": rng.normal(size=60), "constant": 1.0})
    data = rng.uniform(20, 90, 21) + rng.normal(0, 0.5, (60, 21)) + design[["a"]].to_numpy()
    for voxel, mean in ((4, 0.0), (17, -2.0)):
        data[:, voxel] += mean - data[:, voxel].mean()
    return data, design


# --- volumes in a non-steady state that have a column --------------------------------------------


UNSTEADY = {
    "two volumes, a column each": {"00": [0], "01": [1]},
    "one in the middle": {"00": [11]},
    "three in one column": {"03": [0, 1, 2]},
}


@pytest.fixture(params=list(UNSTEADY.values()), ids=list(UNSTEADY))
def unsteady(request):
    """Data that are half as much again in some volumes, and a design with columns for these."""
    rng = np.random.default_rng(9)
    design = pd.DataFrame({"a": rng.normal(size=50)})
    data = rng.uniform(300, 900, 12) * (1 + rng.normal(0, 0.01, (50, 12)))
    rows = []
    for number, marked in request.param.items():
        design[f"non_steady_state_outlier{number}"] = np.isin(np.arange(50), marked) * 1.0
        data[marked] *= 1.5
        rows += marked
    return data, design.assign(constant=1.0), np.setdiff1d(np.arange(50), rows)


@pytest.mark.parametrize("demeaned", [False, True])
def test_volumes_in_a_non_steady_state_are_not_in_the_mean(unsteady, demeaned):
    data, design, steady = unsteady
    if demeaned:
        marked = [c for c in design if c.startswith("non_steady")]
        design[marked] -= design[marked].mean()
    assert np.flatnonzero(steady_rows(design)).tolist() == steady.tolist()
    fit = fit_run(data, design, {"a": "a"}, noise_model="ols", percent=True)
    mean, deviation = data[steady].mean(axis=0), data[steady].std(axis=0)
    scaled = 100 * (data / mean - 1)
    coefficients = np.linalg.lstsq(design.to_numpy(), scaled, rcond=None)[0]
    np.testing.assert_allclose(fit.estimates["a"].effect, coefficients[0], rtol=1e-9, atol=1e-10)
    found = fit.diagnostics
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12, atol=0)
    np.testing.assert_allclose(found.tsnr, mean / deviation, rtol=1e-9, atol=0)
    residuals = (scaled - design.to_numpy() @ coefficients)[steady]
    expected = 1 - (residuals**2).sum(axis=0) / (len(steady) * scaled[steady].var(axis=0))
    np.testing.assert_allclose(found.r_squared, expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(found.counted, np.isin(np.arange(50), steady))


def test_the_fit_is_that_without_these_volumes(unsteady):
    """A column that marks one volume takes it out of ordinary least squares."""
    data, design, steady = unsteady
    plain = design[["a", "constant"]]
    columns = {
        f"non_steady_state_outlier{row:02d}": (np.arange(50) == row) * 1.0
        for row in np.setdiff1d(np.arange(50), steady)
    }
    fit, without = (
        fit_run(y, X, {"a": "a"}, noise_model="ols", percent=True)
        for y, X in ((data, plain.assign(**columns)), (data[steady], plain.iloc[steady]))
    )
    for name in ("effect", "variance"):
        np.testing.assert_allclose(
            getattr(fit.estimates["a"], name),
            getattr(without.estimates["a"], name),
            rtol=1e-9,
            atol=1e-12,
        )
    for name in ("mean", "tsnr", "r_squared"):
        np.testing.assert_allclose(
            getattr(fit.diagnostics, name),
            getattr(without.diagnostics, name),
            rtol=1e-8,
            atol=1e-9,
        )


def test_nilearns_engine_takes_the_mean_of_all_rows(unsteady):
    data, design, _ = unsteady
    block = VoxelBlock(data, np.ones(12, bool))
    fit = fit_blocks_as_nilearn([block], design, {"a": "a"}, noise_model="ols", percent=True)
    labels, results = run_glm(mean_scaling(data)[0], design.to_numpy(), noise_model="ols")
    vector = (design.columns == "a") * 1.0
    expected = compute_contrast(labels, results, vector, stat_type="t").effect
    np.testing.assert_allclose(fit.estimates["a"].effect, expected, rtol=1e-10, atol=1e-12)
    assert fit.diagnostics.floor == 1
    assert fit.diagnostics.counted.all()


@pytest.mark.parametrize(
    "column",
    [np.zeros(6), np.ones(6), np.full(6, -0.2)],
    ids=["marks nothing", "marks all", "constant"],
)
def test_a_column_that_sets_no_row_apart_marks_none(column):
    assert steady_rows(pd.DataFrame({"non_steady_state_outlier00": column})).all()
    assert steady_rows(pd.DataFrame({"motion_outlier00": np.eye(6)[0]})).all()
