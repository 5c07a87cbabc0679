"""The statistic of every voxel under relabelings, from matrix products.

Data are divided by their length once. For orthonormal bases U (tested) and Q (the moved part of
the nuisance) of a design, and data e without nuisance and of length 1, relabeling P gives::

    share = |U'Pe|^2 / (1 - |Q'Pe|^2)        t = r sqrt(dof) / sqrt(1 - r^2),  r^2 = share
                                              F = share / (1 - share) * dof / n_effects

`share` grows with the statistic: the largest one and the counts are taken of r (share, for F).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.numerics.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHOLE = 1e-13
"""A share that is this close to 1 is 1: no residual is left but rounding."""


@kernel
def form_shares(products, n_effects, shares):  # type: ignore[no-untyped-def]
    """Form what the statistic is a growing function of.

    Parameters
    ----------
    products : ndarray of shape (n_effects + n_moved, n_rows, n_voxels), float64
        Of the relabeled bases with the data.
    shares : ndarray of shape (n_rows, n_voxels), float64
        Is filled: r, with its sign, for one effect; its square, summed, for more.
    """
    n_bases, n_rows, n_voxels = products.shape
    for row in range(n_rows):
        for v in range(n_voxels):
            left = 1.0
            for k in range(n_effects, n_bases):
                left -= products[k, row, v] * products[k, row, v]
            if left < 1e-10:  # the nuisance explains the relabeled data: nothing to be tested
                shares[row, v] = 0.0
            elif n_effects == 1:
                shares[row, v] = products[0, row, v] / np.sqrt(left)
            else:
                total = 0.0
                for k in range(n_effects):
                    total += products[k, row, v] * products[k, row, v]
                shares[row, v] = total / left


@kernel
def count_reached(shares, limits, tails, counts):  # type: ignore[no-untyped-def]
    """Count how often the observed value is reached.

    Parameters
    ----------
    shares : ndarray of shape (n_rows, >= n_voxels), float64
        Of relabelings; further columns hold nothing.
    limits : ndarray of shape (n_voxels,), float64
        What counts as reaching the observed value.
    tails : {1, 2, 3}
        1: at least the limit; 2: its absolute value is; 3: both tails count for themselves, as a
        row stands for its negative, too.
    counts : ndarray of shape (n_voxels,), int64
        Are added to.
    """
    n_voxels = len(counts)
    for row in range(shares.shape[0]):
        if tails == 1:
            for v in range(n_voxels):
                counts[v] += shares[row, v] >= limits[v]
        elif tails == 2:
            for v in range(n_voxels):
                counts[v] += abs(shares[row, v]) >= limits[v]
        else:
            for v in range(n_voxels):
                counts[v] += (shares[row, v] >= limits[v]) + (-shares[row, v] >= limits[v])


@kernel
def write_statistics(shares, dof, n_effects, largest, out):  # type: ignore[no-untyped-def]
    """Write t or F of shares, in single precision, for maps.

    Parameters
    ----------
    shares : ndarray of shape (n_rows, n_voxels), float64
    largest : float
        Infinite values become this one.
    out : ndarray of shape (n_rows, n_voxels), float32
        Is filled.
    """
    n_rows, n_voxels = out.shape
    for row in range(n_rows):
        for v in range(n_voxels):
            share = shares[row, v]
            left = 1.0 - (share * share if n_effects == 1 else share)
            if left <= WHOLE:
                value = np.copysign(largest, share)
            elif n_effects == 1:
                value = share * np.sqrt(dof / left)
            else:
                value = share / left * dof / n_effects
            out[row, v] = min(max(value, -largest), largest)


def statistics_of(shares: NDArray[np.float64], dof: float, n_effects: int) -> NDArray[np.float64]:
    """Return t (one effect) or F of shares.

    Parameters
    ----------
    shares : ndarray

    Returns
    -------
    ndarray of the shape of `shares`, float64
        Infinite where nothing is left but rounding.
    """
    square = shares**2 if n_effects == 1 else shares
    left = np.where(1 - square > WHOLE, 1 - square, 0.0)
    with np.errstate(divide="ignore"):
        if n_effects == 1:
            return np.asarray(shares * np.sqrt(dof / left))
        return np.asarray(shares / left * (dof / n_effects))


def shares_of(statistics: NDArray[np.float64], dof: float, n_effects: int) -> NDArray[np.float64]:
    """Invert `statistics_of`.

    Parameters
    ----------
    statistics : ndarray
        t or F.

    Returns
    -------
    ndarray of the shape of `statistics`, float64
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if n_effects == 1:
            return np.asarray(np.sign(statistics) / np.sqrt(1 + dof / statistics**2))
        return np.asarray(1 / (1 + dof / n_effects / statistics))
