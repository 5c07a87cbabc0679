"""The general linear model of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from twolevel.numerics.threads import map_ahead
from twolevel.numerics.time_courses import mean_of_rows
from twolevel.numerics.unchanging import unchanging
from twolevel.stats.estimates import TEstimate, f_estimate
from twolevel.stats.run.design import steady_rows
from twolevel.stats.run.noise import clustered, noise_order
from twolevel.stats.run.percent import mean_floor, require_mean
from twolevel.stats.run.result import Diagnostics, RunFit
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

    from twolevel.stats.contrasts import Weights


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


def fit_run(
    data: NDArray[np.floating],
    design_matrix: pd.DataFrame,
    contrasts: Mapping[str, Weights],
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
        Expressions or weights by name; a list of these is an F contrast (see `contrast_rows`).
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
    contrasts: Mapping[str, Weights],
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
        floor = mean_floor(blocks.means(counted)) if percent else None
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
            seconds = _fit_in_groups(fit, firsts, blocks, n_workers, seed)
    found = _assemble(fit, firsts, seconds)
    if percent:
        usable = np.concatenate([first.usable for first in firsts])
        require_mean(found.diagnostics.mean[usable], found.diagnostics.tsnr[usable])
    return found


def _fit_in_groups(
    fit: UnitFit, firsts: list[OrdinaryFit], blocks: Blocks, n_workers: int, seed: int
) -> list[GeneralFit]:
    """Fit all voxels again, those of one group of coefficients with one whitening."""
    usable = np.concatenate([first.usable for first in firsts])
    coefficients = _joined(first.coefficients for first in firsts)
    groups, fit.shared = clustered(coefficients, usable, seed)
    width = unit_width(len(fit.counted))
    of_unit = iter(np.split(groups, range(width, len(groups), width)))
    seconds: list[GeneralFit] = []
    for block in blocks:
        parts = zip(units_of(block), of_unit)  # noqa: B905  # the next block goes on
        seconds += map_ahead(fit.grouped, parts, n_workers)
        del block, parts  # before the next one is read
    return seconds


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
    dof = float(model.dof)
    return RunFit(
        {
            name: TEstimate(effect[part], variance[part], dof)
            for name, part in model.parts.items()
            if isinstance(part, int)
        },
        model.not_estimable,
        model.dof,
        diagnostics,
        {
            name: f_estimate(effect[part], variance[part.start], dof)
            for name, part in model.parts.items()
            if isinstance(part, slice)
        },
    )
