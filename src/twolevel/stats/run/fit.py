"""The general linear model of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from twolevel.errors import AnalysisError
from twolevel.numerics.threads import map_ahead
from twolevel.numerics.time_courses import mean_of_rows
from twolevel.numerics.unchanging import unchanging
from twolevel.stats.estimates import TEstimate
from twolevel.stats.run.design import steady_rows
from twolevel.stats.run.noise import clustered, noise_order
from twolevel.stats.run.unit import (
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


FLOOR = 1e-3  # of the median over voxels of their means: what percent is taken of at least
LEAST_TSNR = 1.0  # a median below it: magnitude images have 1.9 where they hold noise alone


class Blocks(Protocol):
    """Blocks of voxels that can be gone through more than once."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __iter__(self) -> Iterator[VoxelBlock]:
        """Give one after the other."""

    def means(self, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the mean over some rows of all usable voxels, before any block is given."""


@dataclass(frozen=True)
class _HeldBlocks:
    """Blocks that are in memory."""

    held: Sequence[VoxelBlock]
    n_workers: int

    def __len__(self) -> int:
        return len(self.held)

    def __iter__(self) -> Iterator[VoxelBlock]:
        return iter(self.held)

    def means(self, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
        def of_unit(unit: VoxelBlock) -> NDArray[np.float64]:
            mean = np.empty(unit.data.shape[1])
            mean_of_rows(unit.data, counted, mean)
            return mean[unit.usable]

        units = (unit for block in self.held for unit in units_of(block))
        return _joined(map_ahead(of_unit, units, self.n_workers))


@dataclass(frozen=True)
class Diagnostics:
    """What a fit tells about the data and the noise model.

    Attributes
    ----------
    counted : ndarray of shape (n_rows,), bool
        Rows that `mean`, `tsnr` and `r_squared` are over: see `steady_rows`.
    mean : ndarray of shape (n_voxels,)
        Over time, in units of the image.
    floor : float or None
        Mean that percent signal change is taken about where a voxel's own is less; None where the
        data were fitted as they are.
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

    counted: NDArray[np.bool_]
    mean: NDArray[np.float64]
    floor: float | None
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
        """
        return Diagnostics(
            self.counted,
            self.mean[voxels],
            self.floor,
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
    estimates : dict of str to TEstimate
        One per contrast that the design determines.
    not_estimable : tuple of str
        Names of the other contrasts.
    dof : int
        Rows of the design minus its rank.
    diagnostics : Diagnostics
    """

    estimates: dict[str, TEstimate]
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
        estimates = {name: e.keep(voxels) for name, e in self.estimates.items()}
        return RunFit(estimates, self.not_estimable, self.dof, self.diagnostics.within(voxels))


def percent_signal_change(
    data: NDArray[np.floating],
    *,
    counted: NDArray[np.bool_] | None = None,
    floor: float | None = None,
) -> NDArray[np.float64]:
    """Express each voxel's time course as percent of its mean.

    ``100 (y / max(mean, floor) - 1)``, ``floor = median(mean) / 1000``: it keeps voxels with a
    mean near 0 from exploding, and in whatever units an image is stored, it is out of the way of
    others. nilearn's ``mean_scaling`` is ``floor=1`` with all rows. In double precision, so that
    the result does not depend on the order in which the image happens to lie in memory.

    Parameters
    ----------
    data : ndarray of shape (n_rows, n_voxels)
    counted : ndarray of shape (n_rows,), bool, optional
        Rows that enter the mean; default all. See `steady_rows`.
    floor : float, optional
        In units of the data, above 0. By default 1/1000 of the median of the means of those voxels
        in which something changes.

    Returns
    -------
    ndarray of shape (n_rows, n_voxels), float64

    Raises
    ------
    AnalysisError
        The data have no mean: the median over voxels of the mean is not above 0, or not above the
        standard deviation over time. Not with a `floor`.
    """
    scaled: NDArray[np.float64] = data.astype(np.float64)
    rows = scaled if counted is None else scaled[counted]
    mean = rows.mean(axis=0)
    if floor is None:
        changing = ~unchanging(data)
        floor = _floor(mean[changing])
        if changing.any():
            require_mean(mean[changing], mean[changing] / rows[:, changing].std(axis=0))
    scaled *= 100 / np.maximum(mean, floor)
    scaled -= 100
    return scaled


def _floor(means: NDArray[np.float64]) -> float:
    """Return the floor under the means, given those of the usable voxels."""
    means = means[np.isfinite(means)]
    if not means.size:
        return 1.0  # nothing to be scaled
    median = float(np.median(means))
    if median <= 0:
        raise _demeaned(median, len(means))
    return FLOOR * median


def require_mean(means: NDArray[np.float64], tsnr: NDArray[np.float64]) -> None:
    """Refuse data of which no percent can be taken.

    Parameters
    ----------
    means, tsnr : ndarray of shape (n_voxels,)
        Of usable voxels: mean over time, and this divided by the standard deviation over time.

    Raises
    ------
    AnalysisError
        The median of the ratios is below 1.
    """
    known = np.isfinite(means)
    if known.any() and np.median(tsnr[known]) < LEAST_TSNR:
        raise _demeaned(float(np.median(means[known])), int(known.sum()))


def _demeaned(median: float, n_voxels: int) -> AnalysisError:
    return AnalysisError(
        f"the mean over time is {median:.3g} in the median of {n_voxels} voxels, not above what "
        "changes over time: they look demeaned, and percent signal change has no meaning there; "
        "take images with their mean"
    )


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
        Fit `percent_signal_change` of the data, ``100 (y / max(mean, floor) - 1)``, without
        holding all of it in memory. The mean is that of `steady_rows` of the design, the floor
        1/1000 of the median of the means of those voxels in which something changes: give all
        voxels of a mask at once.
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
    AnalysisError
        With `percent`: the data have no mean (see `percent_signal_change`).
    """
    block = VoxelBlock(data, ~unchanging(data))
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
    blocks: Blocks | Sequence[VoxelBlock],
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
    blocks : Blocks or sequence of VoxelBlock
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
    InputError, AnalysisError
        As `fit_run`.
    """
    order = noise_order(noise_model, len(design_matrix))
    n_workers = n_threads if n_threads > 1 else 0  # this thread only hands out the work
    if isinstance(blocks, Sequence) or len(blocks) == 1:
        # One block is read once, however often it is gone through.
        blocks = _HeldBlocks(tuple(blocks), n_workers)
    counted = steady_rows(design_matrix)
    firsts: list[OrdinaryFit] = []
    seconds: list[GeneralFit] = []
    with threadpool_limits(limits=1, user_api="blas"):
        model = ContrastModel.of(design_matrix, contrasts)
        floor = _floor(blocks.means(counted)) if percent else None
        fit = UnitFit(model, order, counted, floor)
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
    found = _assemble(fit, firsts, seconds)
    if percent:
        usable = np.concatenate([first.usable for first in firsts])
        require_mean(found.diagnostics.mean[usable], found.diagnostics.tsnr[usable])
    return found


def _joined(arrays: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(list(arrays), axis=-1)


def _assemble(fit: UnitFit, firsts: list[OrdinaryFit], seconds: list[GeneralFit]) -> RunFit:
    model = fit.model
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
        counted=fit.counted,
        mean=_joined(first.mean for first in firsts),
        floor=fit.floor,
        tsnr=_joined(first.tsnr for first in firsts),
        r_squared=_joined(first.r_squared for first in firsts),
        noise_coefficients=_joined(first.coefficients for first in firsts),
        residual_autocorrelation=_joined(second.autocorrelation for second in seconds),
        dvars=np.sqrt(steps / max(n_usable, 1)),
    )
    estimates = {
        name: TEstimate(effect[i], variance[i], float(model.dof))
        for i, name in enumerate(model.names)
    }
    return RunFit(estimates, model.not_estimable, model.dof, diagnostics)
