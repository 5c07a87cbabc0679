"""The general linear model of one run."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from twolevel.numerics.threads import map_ahead
from twolevel.numerics.time_courses import (
    residual_products,
    scale_series,
    squared_steps,
    whiten,
    whiten_columns,
)
from twolevel.stats.contrasts import estimable_contrasts, scaled_svd
from twolevel.stats.estimates import ContrastEstimate
from twolevel.stats.noise import clustered, noise_order, truncated, yule_walker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

__all__ = [
    "Blocks",
    "Diagnostics",
    "RunFit",
    "VoxelBlock",
    "fit_blocks",
    "fit_run",
    "percent_signal_change",
    "unit_width",
]

UNIT_SIZE = 2**20  # numbers in the array that is worked on at a time: about a processor's cache


@dataclass(frozen=True)
class VoxelBlock:
    """Time courses of some voxels.

    Attributes
    ----------
    data : ndarray of shape (n_rows, n_voxels)
        Finite.
    usable : ndarray of shape (n_voxels,), bool
        The others are carried along, so that every voxel has its place whatever is found out
        about its neighbours, but do not count.
    """

    data: NDArray[np.floating]
    usable: NDArray[np.bool_]


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


def unit_width(n_rows: int) -> int:
    """Return how many voxels are worked on at a time: a power of 2 that only the rows decide.

    Every voxel is thus computed among the same neighbours, in arrays of the same shape, whatever
    the number of threads and the memory: the last digits of a matrix product depend on these.

    Parameters
    ----------
    n_rows : int

    Returns
    -------
    int
        64 to 4096.
    """
    return int(min(max(2 ** int(np.log2(UNIT_SIZE / n_rows)), 64), 4096))


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
    firsts: list[_Ordinary] = []
    seconds: list[_General] = []
    with threadpool_limits(limits=1, user_api="blas"):
        model = _Model.of(design_matrix, contrasts)
        fit = _UnitFit(model, order, percent=percent)
        for block in blocks:
            if order <= 1:
                for first, second in map_ahead(fit.both, _units(block), n_workers):
                    firsts.append(first)
                    seconds.append(second)
            else:
                firsts += map_ahead(fit.ordinary, _units(block), n_workers)
            del block  # before the next one is read
        if order > 1:
            usable = np.concatenate([first.usable for first in firsts])
            coefficients = _joined(first.coefficients for first in firsts)
            groups, fit.shared = clustered(coefficients, usable, seed)
            width = unit_width(len(design_matrix))
            of_unit = iter(np.split(groups, range(width, len(groups), width)))
            for block in blocks:
                parts = zip(_units(block), of_unit)  # noqa: B905  # the next block goes on
                seconds += map_ahead(fit.grouped, parts, n_workers)
                del block, parts
    return _assemble(model, firsts, seconds)


@dataclass(frozen=True)
class _Model:
    """A design in an orthonormal basis of its columns, and contrasts in that basis.

    Whatever the rank of the design, effects are ``weights @ coordinates``; and whitening this
    basis leaves it well-conditioned, so that its cross-products can be used.
    """

    names: tuple[str, ...]
    not_estimable: tuple[str, ...]
    basis: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(
        cls, design_matrix: pd.DataFrame, contrasts: Mapping[str, str | Mapping[str, float]]
    ) -> _Model:
        vectors, not_estimable = estimable_contrasts(design_matrix, contrasts)
        scale, basis, singular, rows = scaled_svd(design_matrix.to_numpy(np.float64))
        weights = np.array([rows @ (v / scale) / singular for v in vectors.values()])
        return cls(
            tuple(vectors),
            not_estimable,
            basis,
            weights.reshape(len(vectors), len(singular)),
        )

    @property
    def dof(self) -> int:
        n_rows, rank = self.basis.shape
        return int(n_rows - rank)

    @property
    def scale(self) -> NDArray[np.float64]:
        """Variance of each contrast for noise of variance 1, as a column."""
        column: NDArray[np.float64] = (self.weights**2).sum(axis=1, keepdims=True)
        return column

    def whitened(self, coefficients: NDArray[np.float64]) -> _Model:
        """Whiten the basis and make it orthonormal again."""
        basis = whiten(self.basis, coefficients)
        factor = np.linalg.cholesky(basis.T @ basis)
        inverse = np.linalg.inv(factor).T
        return _Model(self.names, self.not_estimable, basis @ inverse, self.weights @ inverse)


@dataclass(frozen=True)
class _Ordinary:
    """What ordinary least squares tell of a unit of voxels."""

    usable: NDArray[np.bool_]
    mean: NDArray[np.float64]
    tsnr: NDArray[np.float64]
    r_squared: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    squared_steps: NDArray[np.float64]


@dataclass(frozen=True)
class _General:
    """The final estimates for a unit of voxels."""

    effect: NDArray[np.float64]
    variance: NDArray[np.float64]
    autocorrelation: NDArray[np.float64]


def _units(block: VoxelBlock) -> Iterator[VoxelBlock]:
    """Cut a block into units of the same width, the last one filled up with zeros."""
    width = unit_width(len(block.data))
    for start in range(0, block.data.shape[1], width):
        stop = start + width
        yield VoxelBlock(block.data[:, start:stop], block.usable[start:stop])


class _Scratch(threading.local):
    """Arrays that a thread works in again and again: fresh ones would take as long as the work."""

    def __init__(self, n_rows: int) -> None:
        self.series, self.white, self.fitted = np.empty((3, n_rows, unit_width(n_rows)))


class _UnitFit:
    """The fit of one unit of voxels after the other, in several threads at a time.

    `shared` holds the noise coefficients of each group of voxels.
    """

    def __init__(self, model: _Model, order: int, *, percent: bool) -> None:
        self.model, self.order, self.percent = model, order, percent
        self.scratch = _Scratch(len(model.basis))
        self.shared: dict[int, NDArray[np.float64]] = {}
        self.whitened: dict[int, _Model] = {}

    def both(self, unit: VoxelBlock) -> tuple[_Ordinary, _General]:
        """Fit a unit whose groups follow from its own coefficients."""
        first = self.ordinary(unit)
        groups, shared = truncated(first.coefficients)
        self.shared.update(shared)
        return first, self._general(groups)

    def grouped(self, part: tuple[VoxelBlock, NDArray[np.intp]]) -> _General:
        """Fit a unit with given groups."""
        unit, groups = part
        scale_series(unit.data, self.percent, self.scratch.series)
        return self._general(groups)

    def ordinary(self, unit: VoxelBlock) -> _Ordinary:
        """Fit a unit by ordinary least squares."""
        series, fitted, basis = self.scratch.series, self.scratch.fitted, self.model.basis
        n_rows, n_voxels = unit.data.shape
        mean, total = scale_series(unit.data, self.percent, series)
        np.matmul(basis, basis.T @ series, out=fitted)
        products = residual_products(series, fitted, self.order)[:, :n_voxels]
        counted = np.zeros(series.shape[1])
        counted[:n_voxels] = unit.usable
        unit_of_fit = np.maximum(mean, 1) / 100 if self.percent else 1.0
        with np.errstate(divide="ignore", invalid="ignore"):  # voxels that are not usable
            return _Ordinary(
                unit.usable,
                mean,
                mean / (np.sqrt(total / n_rows) * unit_of_fit),
                1 - products[0] / total,
                yule_walker(products, n_rows),
                squared_steps(series, counted),
            )

    def _general(self, groups: NDArray[np.intp]) -> _General:
        """Whiten and fit, voxels with the same noise coefficients side by side."""
        n_voxels = len(groups)
        white, fitted = (a[:, :n_voxels] for a in (self.scratch.white, self.scratch.fitted))
        order = np.argsort(groups, kind="stable")
        coefficients = np.array([self.shared[group] for group in groups.tolist()])
        whiten_columns(
            self.scratch.series, coefficients.T.reshape(self.order, n_voxels).copy(), order, white
        )
        effect, scale = np.empty((2, len(self.model.names), n_voxels))
        in_order = groups[order]
        bounds = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1], True])
        for start, stop in itertools.pairwise(bounds.tolist()):
            own = self._model_of(int(in_order[start]))
            coordinates = own.basis.T @ white[:, start:stop]
            np.matmul(own.basis, coordinates, out=fitted[:, start:stop])
            np.matmul(own.weights, coordinates, out=effect[:, start:stop])
            scale[:, start:stop] = own.scale
        sum_of_squares, lagged = residual_products(white, fitted, 1)
        with np.errstate(invalid="ignore"):  # voxels in which nothing changes
            autocorrelation = lagged / sum_of_squares
        back = np.argsort(order, kind="stable")
        variance = scale * (sum_of_squares / self.model.dof)
        return _General(effect[:, back], variance[:, back], autocorrelation[back])

    def _model_of(self, group: int) -> _Model:
        # Two threads may make the same one: it is the same to the last digit.
        if group not in self.whitened:
            self.whitened[group] = self.model.whitened(self.shared[group])
        return self.whitened[group]


def _joined(arrays: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(list(arrays), axis=-1)


def _assemble(model: _Model, firsts: list[_Ordinary], seconds: list[_General]) -> RunFit:
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
