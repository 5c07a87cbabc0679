"""Fixed effects with any design equal generalised least squares, voxel by voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twolevel.stats.estimates import FEstimate, TEstimate
from twolevel.stats.maps.fit import fit_maps

N_ROWS, N_POINTS = 6, 40
DOFS = (87.0, 92.0, 40.0, 61.0, 33.0, 50.0)
SESSIONS = np.repeat(np.eye(2), 3, axis=0)
DESIGNS = {
    "sessions": (SESSIONS, [[1.0, -1.0], [0.5, 0.5]]),
    "sessions and a constant": (
        np.column_stack([SESSIONS, np.ones(6)]),
        [[1.0, -1.0, 0.0], [0.5, 0.5, 1.0]],
    ),
    "twice the mean": (np.ones((6, 1)), [[2.0]]),
    "a trend": (np.column_stack([np.ones(6), np.arange(6.0)]), [[0.0, 1.0], [1.0, 2.5]]),
}


@pytest.fixture
def rows():
    rng = np.random.default_rng(3)
    effects = rng.normal(1, 2, (N_ROWS, N_POINTS))
    return effects, rng.gamma(2, 1, (N_ROWS, N_POINTS)) + 0.01


def by_hand(
    design: Any, contrast: Any, effects: Any, variances: Any, *, weighted: bool
) -> tuple[Any, Any]:
    """Write out the least squares of one voxel, and the covariance of what they estimate."""
    estimates, covariances = [], []
    for effect, variance in zip(effects.T, variances.T, strict=True):
        W = np.diag(1 / variance) if weighted else np.eye(N_ROWS)
        normal = np.linalg.pinv(design.T @ W @ design)
        solve = contrast @ normal @ design.T @ W
        estimates.append(solve @ effect)
        covariances.append(solve @ np.diag(variance) @ solve.T)
    return np.array(estimates), np.array(covariances)


@pytest.mark.parametrize(("estimator", "weighted"), [("fixed", False), ("precision", True)])
@pytest.mark.parametrize("name", DESIGNS)
def test_t_and_f_of_any_design(rows, name, estimator, weighted):
    design, contrasts = DESIGNS[name]
    effects, variances = rows
    options = {"estimator": estimator, "variances": variances, "dofs": DOFS}
    found, covariance = by_hand(design, np.array(contrasts), effects, variances, weighted=weighted)
    for number, contrast in enumerate(contrasts):
        t = fit_maps(effects, design, contrast, **options)
        assert isinstance(t, TEstimate)
        np.testing.assert_allclose(t.effect, found[:, number], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(t.variance, covariance[:, number, number], rtol=1e-10)
        assert t.dof == sum(DOFS)
    f = fit_maps(effects, design, contrasts, **options)
    assert isinstance(f, FEstimate)
    expected = [
        e @ np.linalg.inv(c) @ e / len(contrasts) for e, c in zip(found, covariance, strict=True)
    ]
    np.testing.assert_allclose(f.f, expected, rtol=1e-9)
    assert (f.dof_numerator, f.dof) == (len(contrasts), sum(DOFS))


@pytest.mark.parametrize("estimator", ["fixed", "precision"])
def test_rows_that_a_contrast_does_not_take_lend_it_no_degrees_of_freedom(rows, estimator):
    effects, variances = rows
    options = {"estimator": estimator, "variances": variances, "dofs": DOFS}
    first = fit_maps(effects, SESSIONS, [1.0, 0.0], **options)
    options |= {"variances": variances[:3], "dofs": DOFS[:3]}
    alone = fit_maps(effects[:3], None, None, **options)
    np.testing.assert_allclose(first.stat, alone.stat, rtol=1e-10)
    assert first.dof == alone.dof == sum(DOFS[:3])
