"""What a fit tells about data and noise equals nilearn's numbers and the textbook's formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import run_glm

from twolevel.stats.run.fit import fit_blocks
from twolevel.stats.run.nilearn import fit_blocks_as_nilearn
from twolevel.stats.run.percent import percent_signal_change
from twolevel.stats.run.unit import VoxelBlock, unit_width

N_ROWS = 2000  # so that a unit is narrower than the blocks
CONTRASTS = {"a": "a", "difference": "a - b"}
DIAGNOSTICS = ["mean", "tsnr", "r_squared", "noise_coefficients", "residual_autocorrelation"]
ORDER = {"ols": 0, "ar1": 1, "ar2": 2}
noise_models = pytest.mark.parametrize("noise_model", ["ols", "ar1"])
with_percent = pytest.mark.parametrize("percent", [True, False], ids=["percent", "as it is"])


@pytest.fixture(scope="module")
def design():
    matrix = pd.DataFrame(np.random.default_rng(1).normal(size=(N_ROWS, 3)), columns=list("abc"))
    return matrix.assign(constant=1.0)


@pytest.fixture(scope="module")
def data(design):
    """Effects and autocorrelation of all strengths, about means that differ."""
    rng = np.random.default_rng(2)
    width = unit_width(N_ROWS)
    n_voxels = 2 * width + 35
    noise = rng.normal(size=(N_ROWS, n_voxels))
    for row in range(1, N_ROWS):
        noise[row] += np.linspace(-0.6, 0.9, n_voxels) * noise[row - 1]
    effects = design.to_numpy()[:, :3] @ rng.normal(size=(3, n_voxels))
    return np.asarray(rng.uniform(200, 2000, n_voxels) + 5 * noise + 4 * effects, np.float32)


@pytest.fixture(scope="module")
def blocks(data):
    """The voxels in two blocks; in some of them nothing changes."""
    width = unit_width(N_ROWS)
    usable = np.ones(data.shape[1], bool)
    usable[[0, 5, width - 1, 2 * width, -1]] = False
    held = data.copy()
    held[:, ~usable] = 300
    parts = (slice(None, width), slice(width, None))
    return [VoxelBlock(held[:, part], usable[part]) for part in parts]


@pytest.fixture(scope="module")
def usable(blocks):
    return np.concatenate([block.usable for block in blocks])


def expected_from_formulas(series: Any, design: pd.DataFrame, order: int) -> dict[str, Any]:
    X = design.to_numpy()
    residuals = series - X @ np.linalg.lstsq(X, series, rcond=None)[0]
    lagged = [(residuals[k:] * residuals[: N_ROWS - k]).sum(axis=0) for k in range(order + 1)]
    ar1 = lagged[1] / (N_ROWS - 1) / (lagged[0] / N_ROWS) if order else 0 * lagged[0]
    if order:
        final = np.empty_like(series)
        for i, coefficient in enumerate(np.trunc(ar1 * 100) / 100):
            y, Z = series[:, i].copy(), X.copy()
            y[1:] -= coefficient * series[:-1, i]
            Z[1:] -= coefficient * X[:-1]
            final[:, i] = y - Z @ np.linalg.lstsq(Z, y, rcond=None)[0]
    else:
        final = residuals
    steps = np.sqrt(np.mean((series[1:] - series[:-1]) ** 2, axis=1))
    return {
        "r_squared": 1 - residuals.var(axis=0) / series.var(axis=0),
        "noise_coefficients": ar1[np.newaxis][:order],
        "residual_autocorrelation": (final[1:] * final[:-1]).sum(axis=0) / (final**2).sum(axis=0),
        "dvars": np.array([np.nan, *steps]),
    }


@with_percent
@noise_models
def test_the_diagnostics_equal_those_from_nilearns_fit(
    blocks, usable, design, noise_model, percent
):
    ours, theirs = (
        fit(blocks, design, CONTRASTS, noise_model=noise_model, percent=percent)
        for fit in (fit_blocks, fit_blocks_as_nilearn)
    )
    assert ours.diagnostics.noise_coefficients.shape == (ORDER[noise_model], len(usable))
    within, expected = ours.diagnostics.within(usable), theirs.diagnostics.within(usable)
    for name in DIAGNOSTICS:
        np.testing.assert_allclose(
            getattr(within, name), getattr(expected, name), rtol=1e-8, atol=1e-10, err_msg=name
        )
    np.testing.assert_allclose(within.dvars, expected.dvars, rtol=1e-10, atol=0)
    for name, estimate in ours.within(usable).estimates.items():
        reference = theirs.within(usable).estimates[name]
        np.testing.assert_allclose(estimate.effect, reference.effect, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(estimate.variance, reference.variance, rtol=1e-8, atol=0)


@with_percent
@noise_models
def test_the_diagnostics_equal_their_formulas(data, blocks, usable, design, noise_model, percent):
    fit = fit_blocks(blocks, design, CONTRASTS, noise_model=noise_model, percent=percent)
    found = fit.diagnostics.within(usable)
    values = data[:, usable].astype(np.float64)
    np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=1e-12, atol=0)
    np.testing.assert_allclose(
        found.tsnr, values.mean(axis=0) / values.std(axis=0), rtol=1e-9, atol=0
    )
    series = percent_signal_change(values) if percent else values
    for name, expected in expected_from_formulas(series, design, ORDER[noise_model]).items():
        np.testing.assert_allclose(
            getattr(found, name), expected, rtol=1e-8, atol=1e-9, err_msg=name
        )


def test_the_coefficients_of_higher_orders_are_those_from_nilearns_fit(blocks, design):
    # Few voxels, each a group of its own, so that k-means has nothing to choose.
    few = [VoxelBlock(block.data[:, :20], block.usable[:20]) for block in blocks[:1]]
    own, theirs = (
        fit(few, design, CONTRASTS, noise_model="ar2")
        for fit in (fit_blocks, fit_blocks_as_nilearn)
    )
    ours, expected = (f.diagnostics.within(few[0].usable) for f in (own, theirs))
    assert ours.noise_coefficients.shape == (2, few[0].usable.sum())
    np.testing.assert_allclose(
        ours.noise_coefficients, expected.noise_coefficients, rtol=1e-8, atol=1e-10
    )


@with_percent
def test_the_explained_variance_equals_nilearns(blocks, usable, data, design, percent):
    fit = fit_blocks(blocks, design, CONTRASTS, noise_model="ols", percent=percent)
    series = data[:, usable].astype(np.float64)
    series = percent_signal_change(series) if percent else series
    _, results = run_glm(series, design.to_numpy(), noise_model="ols")
    (result,) = results.values()
    found = fit.diagnostics.within(usable).r_squared
    np.testing.assert_allclose(found, result.r_square, rtol=1e-9, atol=1e-12)
    assert found.min() < 0.4
    assert found.max() > 0.6


@noise_models
def test_whitening_takes_the_autocorrelation_away(blocks, usable, design, noise_model):
    fit = fit_blocks(blocks, design, CONTRASTS, noise_model=noise_model)
    left = np.abs(fit.diagnostics.within(usable).residual_autocorrelation)
    low, high = {"ols": (0.2, 0.5), "ar1": (0.001, 0.02)}[noise_model]
    assert low < np.median(left) < high


def test_unusable_voxels_do_not_count_in_the_changes_from_volume_to_volume(blocks, design):
    expected = fit_blocks(blocks, design, CONTRASTS, noise_model="ols").diagnostics.dvars
    jumping = []
    for block in blocks:
        held = block.data.copy()
        held[::2, ~block.usable] = 1e6
        jumping.append(VoxelBlock(held, block.usable))
    found = fit_blocks(jumping, design, CONTRASTS, noise_model="ols").diagnostics.dvars
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)
