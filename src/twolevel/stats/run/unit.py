"""The fit of one unit of voxels: ordinary least squares, then whitening and least squares."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from twolevel.numerics.time_courses import (
    mean_of_rows,
    residual_products,
    scale_series,
    squared_steps,
    whiten,
    whiten_columns,
)
from twolevel.stats.contrasts import estimable_contrasts, scaled_svd
from twolevel.stats.run.noise import truncated, yule_walker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from twolevel.stats.contrasts import Weights

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


def unit_width(n_rows: int) -> int:
    """Return how many voxels are worked on at a time: a power of 2 that only the rows decide.

    Every voxel is thus computed among the same neighbours, in arrays of the same shape, whatever
    the number of threads and the memory: the last digits of a matrix product depend on these.

    Returns
    -------
    int
        64 to 4096.
    """
    return int(min(max(2 ** int(np.log2(UNIT_SIZE / n_rows)), 64), 4096))


@dataclass(frozen=True)
class ContrastModel:
    """A design in an orthonormal basis of its columns, and contrasts in that basis.

    Whatever the rank of the design, effects are ``weights @ coordinates``; and whitening this
    basis leaves it well-conditioned, so that its cross-products can be used.

    Attributes
    ----------
    parts : dict of str to (int or slice)
        Of the contrasts that the design determines, their weights: the one row of a t contrast, or
        the rows of an F contrast, which are orthonormal.
    not_estimable : tuple of str
        Names of the others.
    basis : ndarray of shape (n_rows, rank)
    weights : ndarray of shape (n_weights, rank)
    """

    parts: dict[str, int | slice]
    not_estimable: tuple[str, ...]
    basis: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, design_matrix: pd.DataFrame, contrasts: Mapping[str, Weights]) -> ContrastModel:
        """Take design and contrasts as `fit_run` does."""
        vectors, not_estimable = estimable_contrasts(design_matrix, contrasts)
        scale, basis, singular, rows = scaled_svd(design_matrix.to_numpy(np.float64))
        parts: dict[str, int | slice] = {}
        weights: list[NDArray[np.float64]] = []
        for name, vector in vectors.items():
            own = [rows @ (v / scale) / singular for v in np.atleast_2d(vector)]
            start = len(weights)
            weights += own
            parts[name] = start if vector.ndim == 1 else slice(start, len(weights))
        stacked = np.array(weights).reshape(len(weights), len(singular))
        return cls(parts, not_estimable, basis, _orthonormal_rows(stacked, parts))

    @property
    def dof(self) -> int:
        """Rows less the rank."""
        n_rows, rank = self.basis.shape
        return int(n_rows - rank)

    @property
    def scale(self) -> NDArray[np.float64]:
        """Variance of each row of weights for noise of variance 1, as a column."""
        column: NDArray[np.float64] = (self.weights**2).sum(axis=1, keepdims=True)
        return column

    def whitened(self, coefficients: NDArray[np.float64]) -> ContrastModel:
        """Whiten the basis and make it orthonormal again.

        Parameters
        ----------
        coefficients : ndarray of shape (order,)
            Of the noise.
        """
        basis = whiten(self.basis, coefficients)
        inverse = np.linalg.inv(np.linalg.cholesky(basis.T @ basis)).T
        weights = _orthonormal_rows(self.weights @ inverse, self.parts)
        return replace(self, basis=basis @ inverse, weights=weights)


def _orthonormal_rows(
    weights: NDArray[np.float64], parts: Mapping[str, int | slice]
) -> NDArray[np.float64]:
    """Make the rows of each F contrast orthonormal: F is then the mean of their squares."""
    for part in parts.values():
        if isinstance(part, slice):
            own = weights[part]
            weights[part] = np.linalg.solve(np.linalg.cholesky(own @ own.T), own)
    return weights


@dataclass(frozen=True)
class OrdinaryFit:
    """What ordinary least squares tell of a unit of voxels.

    Attributes
    ----------
    usable : ndarray of shape (n_voxels,), bool
    mean, tsnr, r_squared : ndarray of shape (n_voxels,)
        Over the rows that count; as in `twolevel.stats.run.result.Diagnostics`.
    coefficients : ndarray of shape (order, n_voxels)
        Of the noise.
    squared_steps : ndarray of shape (n_rows,)
        Sum over usable voxels of the squared change since the row before.
    """

    usable: NDArray[np.bool_]
    mean: NDArray[np.float64]
    tsnr: NDArray[np.float64]
    r_squared: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    squared_steps: NDArray[np.float64]


@dataclass(frozen=True)
class GeneralFit:
    """The final estimates for a unit of voxels.

    Attributes
    ----------
    effect, variance : ndarray of shape (n_weights, n_voxels)
        Of each row of weights of the model.
    autocorrelation : ndarray of shape (n_voxels,)
        Of the whitened residuals, at a lag of one row.
    """

    effect: NDArray[np.float64]
    variance: NDArray[np.float64]
    autocorrelation: NDArray[np.float64]


def units_of(block: VoxelBlock) -> Iterator[VoxelBlock]:
    """Cut a block into units of `unit_width` voxels, the last one what is left."""
    width = unit_width(len(block.data))
    for start in range(0, block.data.shape[1], width):
        stop = start + width
        yield VoxelBlock(block.data[:, start:stop], block.usable[start:stop])


class _Scratch(threading.local):
    """Arrays that a thread works in again and again: fresh ones would take as long as the work."""

    def __init__(self, n_rows: int) -> None:
        self.series, self.white, self.fitted = np.empty((3, n_rows, unit_width(n_rows)))


class UnitFit:
    """The fit of one unit of voxels after the other, in several threads at a time.

    Parameters
    ----------
    order : int
        Of the noise.
    counted : ndarray of shape (n_rows,), bool
        Rows that describe a voxel's level and variance.
    floor : float or None
        Fit percent signal change, about means of at least this; None: fit the data as they are.

    Attributes
    ----------
    shared : dict of int to ndarray of shape (order,)
        Noise coefficients of each group of voxels.
    """

    def __init__(
        self,
        model: ContrastModel,
        order: int,
        counted: NDArray[np.bool_],
        floor: float | None,
    ) -> None:
        self.model, self.order, self.counted = model, order, counted
        self.floor = floor
        self.scratch = _Scratch(len(model.basis))
        self.shared: dict[int, NDArray[np.float64]] = {}
        self.whitened: dict[int, ContrastModel] = {}

    def both(self, unit: VoxelBlock) -> tuple[OrdinaryFit, GeneralFit]:
        """Fit a unit whose groups follow from its own coefficients (orders 0 and 1)."""
        first = self.ordinary(unit)
        groups, shared = truncated(first.coefficients)
        self.shared.update(shared)
        return first, self._general(groups)

    def grouped(self, part: tuple[VoxelBlock, NDArray[np.intp]]) -> GeneralFit:
        """Fit a unit with given groups, whose coefficients are in `shared`."""
        unit, groups = part
        self._scale(unit)
        return self._general(groups)

    def ordinary(self, unit: VoxelBlock) -> OrdinaryFit:
        """Fit a unit by ordinary least squares."""
        series, fitted, basis = self.scratch.series, self.scratch.fitted, self.model.basis
        n_rows, n_voxels = unit.data.shape
        mean, factor, total = self._scale(unit)
        np.matmul(basis, basis.T @ series, out=fitted)
        products = residual_products(series, fitted, self.order)[:, :n_voxels]
        usable = np.zeros(series.shape[1])
        usable[:n_voxels] = unit.usable
        # `fitted` holds the residuals now.
        unexplained = products[0] - (fitted[~self.counted, :n_voxels] ** 2).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):  # voxels that are not usable
            return OrdinaryFit(
                unit.usable,
                mean,
                mean * factor / np.sqrt(total / self.counted.sum()),
                1 - unexplained / total,
                yule_walker(products, n_rows),
                squared_steps(series, usable),
            )

    def _scale(self, unit: VoxelBlock) -> tuple[NDArray[np.float64], ...]:
        """Put a unit into `scratch.series`.

        Returns the mean over the rows that count, what the data are multiplied with, and the sum
        of squares of the product about its mean, each of shape (n_voxels,).
        """
        mean = np.empty(unit.data.shape[1])
        mean_of_rows(unit.data, self.counted, mean)
        factor, offset = np.ones_like(mean), 0.0
        if self.floor is not None:
            factor, offset = 100 / np.maximum(mean, self.floor), 100.0
        centre = mean * factor - offset
        series = self.scratch.series
        total = scale_series(unit.data, factor, offset, centre, self.counted, series)
        return mean, factor, total

    def _general(self, groups: NDArray[np.intp]) -> GeneralFit:
        """Whiten and fit, voxels with the same noise coefficients side by side."""
        n_voxels = len(groups)
        white, fitted = (a[:, :n_voxels] for a in (self.scratch.white, self.scratch.fitted))
        order = np.argsort(groups, kind="stable")
        coefficients = np.array([self.shared[group] for group in groups.tolist()])
        whiten_columns(
            self.scratch.series, coefficients.T.reshape(self.order, n_voxels).copy(), order, white
        )
        effect, scale = np.empty((2, len(self.model.weights), n_voxels))
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
        return GeneralFit(effect[:, back], variance[:, back], autocorrelation[back])

    def _model_of(self, group: int) -> ContrastModel:
        # Two threads may make the same one: it is the same to the last digit.
        if group not in self.whitened:
            self.whitened[group] = self.model.whitened(self.shared[group])
        return self.whitened[group]
