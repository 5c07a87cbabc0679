"""The general linear model of one run, as nilearn computes it: for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from twolevel.errors import AnalysisError
from twolevel.stats.contrasts import estimable_contrasts
from twolevel.stats.estimates import TEstimate, f_estimate
from twolevel.stats.run.noise import noise_order, yule_walker
from twolevel.stats.run.percent import percent_signal_change, require_mean
from twolevel.stats.run.result import Diagnostics, RunFit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from twolevel.stats.contrasts import Weights
    from twolevel.stats.run.fit import Blocks
    from twolevel.stats.run.unit import VoxelBlock

FLOOR = 1.0  # in units of the image


def fit_blocks_as_nilearn(
    blocks: Blocks | Sequence[VoxelBlock],
    design_matrix: pd.DataFrame,
    contrasts: Mapping[str, Weights],
    *,
    noise_model: str = "ar1",
    percent: bool = False,
    n_threads: int = 1,  # noqa: ARG001  # the signature of `fit_blocks`
    seed: int = 0,
) -> RunFit:
    """Fit a run with nilearn's ``run_glm``; everything is in memory at once, several times over.

    Only the variance in designs without full rank is not nilearn's: see `fit_run`. Percent signal
    change and the diagnostics are about the mean over all rows, with nilearn's floor of 1 in units
    of the image.

    Parameters
    ----------
    blocks, design_matrix, contrasts, noise_model, percent, n_threads, seed
        As for `fit_blocks`.

    Returns
    -------
    RunFit
        NaN in voxels that are not usable.

    Raises
    ------
    InputError
        As `fit_run`.
    AnalysisError
        No voxel is usable, or the data have no mean.
    """
    order = noise_order(noise_model, len(design_matrix))
    data, usable = _usable_data(blocks)
    series = percent_signal_change(data, floor=FLOOR) if percent else np.asarray(data, np.float64)
    mean, deviation = data.mean(axis=0, dtype=np.float64), data.std(axis=0, dtype=np.float64)
    if percent:
        require_mean(mean, mean / deviation)
    vectors, not_estimable = estimable_contrasts(design_matrix, contrasts)
    X = design_matrix.to_numpy(np.float64)
    with threadpool_limits(limits=1):
        fitted, dof, autocorrelation = _run_glm(series, X, vectors, noise_model, seed)
        residuals = series - X @ (np.linalg.pinv(X) @ series)
    spread = {name: [_spread(part, usable) for part in both] for name, both in fitted.items()}
    products = np.array([_lagged(residuals, k) for k in range(order + 1)])
    centred = series - series.mean(axis=0)
    diagnostics = Diagnostics(
        counted=np.ones(len(X), bool),
        mean=_spread(mean, usable),
        floor=FLOOR if percent else None,
        tsnr=_spread(mean / deviation, usable),
        r_squared=_spread(1 - _lagged(residuals, 0) / _lagged(centred, 0), usable),
        noise_coefficients=_spread(yule_walker(products, len(X)), usable),
        residual_autocorrelation=_spread(autocorrelation, usable),
        dvars=np.r_[np.nan, np.sqrt((np.diff(series, axis=0) ** 2).mean(axis=1))],
    )
    return RunFit(
        {name: TEstimate(e, v, float(dof)) for name, (e, v) in spread.items() if e.ndim == 1},
        not_estimable,
        dof,
        diagnostics,
        {name: f_estimate(e, v, float(dof)) for name, (e, v) in spread.items() if e.ndim == 2},
    )


def _usable_data(
    blocks: Blocks | Sequence[VoxelBlock],
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Return the time courses of all usable voxels, and which of the voxels these are."""
    held = list(blocks)
    usable = np.concatenate([block.usable for block in held])
    if not usable.any():
        raise AnalysisError("no voxel has a usable time course")
    return np.concatenate([block.data for block in held], axis=1)[:, usable], usable


def _run_glm(
    series: NDArray[np.float64],
    X: NDArray[np.float64],
    vectors: Mapping[str, NDArray[np.float64]],
    noise_model: str,
    seed: int,
) -> tuple[dict[str, tuple[Any, Any]], int, NDArray[np.float64]]:
    """Return effect and variance of each contrast, the dof, and the residuals' correlation.

    The effects of an F contrast are those of its rows, made independent of one another. The
    correlation is that of the whitened residuals of each voxel, at a lag of one row.
    """
    # These imports take half a second, and not every process computes.
    from nilearn.glm.contrasts import compute_contrast  # noqa: PLC0415
    from nilearn.glm.first_level import run_glm  # noqa: PLC0415

    labels, results = run_glm(series, X, noise_model=noise_model, random_state=seed)
    dof = int(next(iter(results.values())).df_residuals)
    per_rank = (len(X) - X.shape[1]) / dof
    fitted = {}
    for name, vector in vectors.items():
        kind = "t" if vector.ndim == 1 else "F"
        contrast = compute_contrast(labels, results, vector, stat_type=kind)
        fitted[name] = (contrast.effect, contrast.variance * per_rank)
    autocorrelation = np.empty(series.shape[1])
    for label, result in results.items():
        final = result.whitened_residuals
        autocorrelation[labels == label] = _lagged(final, 1) / _lagged(final, 0)
    return fitted, dof, autocorrelation


def _lagged(series: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    products: NDArray[np.float64] = (series[lag:] * series[: len(series) - lag]).sum(axis=0)
    return products


def _spread(values: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Put the usable voxels among the others."""
    spread = np.full((*values.shape[:-1], len(usable)), np.nan)
    spread[..., usable] = values
    return spread
