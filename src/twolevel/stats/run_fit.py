"""The general linear model of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from twolevel.numerics.threads import map_ahead
from twolevel.stats.estimates import ContrastEstimate
from twolevel.stats.noise import clustered, noise_order
from twolevel.stats.unit_fit import (
    ContrastModel,
    GeneralFit,
    OrdinaryFit,
    UnitFit,
    VoxelBlock,
    unit_width,
    units_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray


__all__ = [
    "Blocks",
    "Diagnostics",
    "RunFit",
    "fit_blocks",
    "fit_run",
    "percent_signal_change",
]


class Blocks(Protocol):
    """Blocks of voxels that can be gone through more than once."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __iter__(self) -> Iterator[VoxelBlock]:
        """Give one after the other."""


@dataclass(frozen=True)
class Diagnostics:
    """What a fit tells about the data and the noise model.

    Attributes
    ----------
    mean : ndarray of shape (n_voxels,)
        Over time, in units of the image.
    tsnr : ndarray of shape (n_voxels,)
        Mean divided by the standard deviation over time.
    r_squared : ndarray of shape (n_voxels,)
        Share of the variance over time that ordinary least squares explain, 0 to 1.
    noise_coefficients : ndarray of shape (order, n_voxels)
        Autoregressive coefficients of the residuals of ordinary least squares, as estimated.
    residual_autocorrelation : ndarray of shape (n_voxels,)
        Of the final residuals, after whitening, at a lag of one row; near 0 where the noise model
        fits.
    dvars : ndarray of shape (n_rows,)
        Root mean square, over the usable voxels, of the change since the row before, in units of
        the fit; NaN for the first row.
    """

    mean: NDArray[np.float64]
    tsnr: NDArray[np.float64]
    r_squared: NDArray[np.float64]
    noise_coefficients: NDArray[np.float64]
    residual_autocorrelation: NDArray[np.float64]
    dvars: NDArray[np.float64]

    def within(self, voxels: NDArray[np.bool_]) -> Diagnostics:
        """Keep some of the voxels.

        Parameters
        ----------
        voxels : ndarray of shape (n_voxels,), bool

        Returns
        -------
        Diagnostics
        """
        return Diagnostics(
            self.mean[voxels],
            self.tsnr[voxels],
            self.r_squared[voxels],
            self.noise_coefficients[:, voxels],
            self.residual_autocorrelation[voxels],
            self.dvars,
        )


@dataclass(frozen=True)
class RunFit:
    """What the fit of a run gives.

    Attributes
    ----------
    estimates : dict of str to ContrastEstimate
        One per contrast that the design determines.
    not_estimable : tuple of str
        Names of the other contrasts.
    dof : int
        Rows of the design minus its rank.
    diagnostics : Diagnostics
    """

    estimates: dict[str, ContrastEstimate]
    not_estimable: tuple[str, ...]
    dof: int
    diagnostics: Diagnostics

    def within(self, voxels: NDArray[np.bool_]) -> RunFit:
        """Keep some of the voxels.

        Parameters
        ----------
        voxels : ndarray of shape (n_voxels,), bool

        Returns
        -------
        RunFit
        """
        estimates = {
            name: ContrastEstimate(e.effect[voxels], e.variance[voxels], e.dof)
            for name, e in self.estimates.items()
        }
        return RunFit(estimates, self.not_estimable, self.dof, self.diagnostics.within(voxels))


def percent_signal_change(data: NDArray[np.floating]) -> NDArray[np.float64]:
    """Express each voxel's time course as percent of its mean.

    ``100 (y / max(mean, 1) - 1)``, as nilearn's ``mean_scaling``: the floor keeps voxels with a
    mean near 0 from exploding. In double precision, so that the result does not depend on the
    order in which the image happens to lie in memory.

    Parameters
    ----------
    data : ndarray of shape (n_rows, n_voxels)

    Returns
    -------
    ndarray of shape (n_rows, n_voxels), float64
    """
    scaled: NDArray[np.float64] = data.astype(np.float64)
    scaled *= 100 / np.maximum(scaled.mean(axis=0), 1)
    scaled -= 100
    return scaled


def fit_run(
    data: NDArray[np.floating],
    design_matrix: pd.DataFrame,
    contrasts: Mapping[str, str | Mapping[str, float]],
    *,
    noise_model: str = "ar1",
    percent: bool = False,
    n_threads: int = 1,
    seed: int = 0,
) -> RunFit:
    """Fit the general linear model of a run and estimate contrasts.

    Ordinary least squares gives each voxel's autoregressive coefficients (`yule_walker`, cut off
    after two digits for ``ar1``, by k-means in 100 groups for higher orders); data and design are
    whitened with them, and least squares give the final estimate. Equals nilearn's ``run_glm`` and
    ``compute_contrast``, except where the design lacks full rank: the variance is the residual sum
    of squares divided by ``rows - rank``, where nilearn divides by ``rows - columns``.

    Parameters
    ----------
    data : ndarray of shape (n_rows, n_voxels)
    design_matrix : pandas.DataFrame of shape (n_rows, n_columns)
        The same rows as the data.
    contrasts : mapping of str to contrast
        Expressions or weights by name (see `contrast_vector`).
    noise_model : str
        ``ols`` for independent noise, ``arN`` for an autoregressive one of order N.
    percent : bool
        Fit `percent_signal_change` of the data, without holding all of it in memory.
    n_threads : int
        Does not change the result.
    seed : int
        Of the k-means for orders above 1.

    Returns
    -------
    RunFit

    Raises
    ------
    InputError
        The design has no fewer columns than rows, a contrast names no column, or there is no such
        noise model.
    """
    block = VoxelBlock(data, np.ones(data.shape[1], bool))
    return fit_blocks(
        [block],
        design_matrix,
        contrasts,
        noise_model=noise_model,
        percent=percent,
        n_threads=n_threads,
        seed=seed,
    )


def fit_blocks(
    blocks: Blocks,
    design_matrix: pd.DataFrame,
    contrasts: Mapping[str, str | Mapping[str, float]],
    *,
    noise_model: str = "ar1",
    percent: bool = False,
    n_threads: int = 1,
    seed: int = 0,
) -> RunFit:
    """Fit a run whose voxels come in blocks, one of which is held at a time.

    Parameters
    ----------
    blocks : Blocks
        All but the last hold a multiple of `unit_width` voxels. Gone through once, and twice for
        orders above 1, whose k-means needs all voxels.
    design_matrix, contrasts, noise_model, percent, n_threads, seed
        As for `fit_run`.

    Returns
    -------
    RunFit
        Over the voxels of all blocks; what it says of voxels that are not usable means nothing.

    Raises
    ------
    InputError
        As `fit_run`.
    """
    order = noise_order(noise_model, len(design_matrix))
    n_workers = n_threads if n_threads > 1 else 0  # this thread only hands out the work
    if len(blocks) == 1:
        blocks = list(blocks)  # read once, however often it is gone through
    firsts: list[OrdinaryFit] = []
    seconds: list[GeneralFit] = []
    with threadpool_limits(limits=1, user_api="blas"):
        model = ContrastModel.of(design_matrix, contrasts)
        fit = UnitFit(model, order, percent=percent)
        for block in blocks:
            if order <= 1:
                for first, second in map_ahead(fit.both, units_of(block), n_workers):
                    firsts.append(first)
                    seconds.append(second)
            else:
                firsts += map_ahead(fit.ordinary, units_of(block), n_workers)
            del block  # before the next one is read
        if order > 1:
            usable = np.concatenate([first.usable for first in firsts])
            coefficients = _joined(first.coefficients for first in firsts)
            groups, fit.shared = clustered(coefficients, usable, seed)
            width = unit_width(len(design_matrix))
            of_unit = iter(np.split(groups, range(width, len(groups), width)))
            for block in blocks:
                parts = zip(units_of(block), of_unit)  # noqa: B905  # the next block goes on
                seconds += map_ahead(fit.grouped, parts, n_workers)
                del block, parts
    return _assemble(model, firsts, seconds)


def _joined(arrays: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(list(arrays), axis=-1)


def _assemble(
    model: ContrastModel, firsts: list[OrdinaryFit], seconds: list[GeneralFit]
) -> RunFit:
    effect, variance = (
        _joined(getattr(second, name) for second in seconds) for name in ("effect", "variance")
    )
    n_usable = sum(int(first.usable.sum()) for first in firsts)
    # Unit after unit: a sum in another order would have other last digits.
    steps = np.zeros(len(model.basis))
    for first in firsts:
        steps += first.squared_steps
    steps[0] = np.nan
    diagnostics = Diagnostics(
        mean=_joined(first.mean for first in firsts),
        tsnr=_joined(first.tsnr for first in firsts),
        r_squared=_joined(first.r_squared for first in firsts),
        noise_coefficients=_joined(first.coefficients for first in firsts),
        residual_autocorrelation=_joined(second.autocorrelation for second in seconds),
        dvars=np.sqrt(steps / max(n_usable, 1)),
    )
    estimates = {
        name: ContrastEstimate(effect[i], variance[i], float(model.dof))
        for i, name in enumerate(model.names)
    }
    return RunFit(estimates, model.not_estimable, model.dof, diagnostics)
