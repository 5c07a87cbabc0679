"""The upper tail of a permutation distribution, approximated by a generalised Pareto one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES = np.arange(25, 0, -1) / 100
"""Shares of the distribution that are tried as its tail, the largest first."""
FEWEST = 50
"""Different values that a tail must have."""
N_BOOTSTRAP = 499
ALPHA = 0.05
"""The tail is accepted when its Anderson - Darling statistic is no rarer than this."""


@dataclass(frozen=True)
class ParetoTail:
    """A generalised Pareto distribution above a threshold.

    Attributes
    ----------
    threshold : float
        Where the tail begins.
    share : float
        Of the distribution that lies above it.
    shape : float
        k of Hosking & Wallis: positive for a tail that ends, 0 for an exponential one.
    scale : float
        In units of the values.
    """

    threshold: float
    share: float
    shape: float
    scale: float

    def p(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of values at least this large.

        Parameters
        ----------
        values : ndarray
            Above the threshold; others get `share`.

        Returns
        -------
        ndarray of the shape of `values`, float64
        """
        above = np.maximum(values - self.threshold, 0.0)
        return self.share * (1 - _distribution(above, self.shape, self.scale))


def fit_tail(values: NDArray[np.float64], seed: int = 0) -> ParetoTail | None:
    """Fit the tail of a permutation distribution.

    The largest quarter of the values is fitted by its moments (Hosking & Wallis 1987,
    doi:10.1080/00401706.1987.10488243) and tried with the Anderson - Darling statistic; as long
    as it does not fit, a hundredth less is taken (Winkler, Ridgway, Douaud, Nichols & Smith 2016,
    doi:10.1016/j.neuroimage.2016.05.068). The statistic's distribution is found by simulation
    from the fit instead of from a table.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Independent ones: the identity and mirror images left out.
    seed : int
        Of the simulation.

    Returns
    -------
    ParetoTail or None
        None where no tail fits: the values are too few, infinite or too discrete.
    """
    ordered = np.sort(values)
    if not np.isfinite(ordered).all():
        return None
    rng = np.random.default_rng(seed)
    for share in SHARES:
        n = round(share * len(ordered))
        if n < FEWEST or n >= len(ordered):
            continue
        threshold = ordered[-n - 1]
        above = ordered[ordered > threshold] - threshold
        if len(np.unique(above)) < FEWEST:
            continue
        shape, scale = (float(x[0]) for x in _moments(above[None]))
        if shape * above[-1] >= scale:  # a fit that ends before the largest value
            continue
        simulated = _quantile(rng.random((N_BOOTSTRAP, len(above))), shape, scale)
        rarer = _anderson_darling(simulated) >= _anderson_darling(above[None])
        if (1 + rarer.sum()) / (1 + N_BOOTSTRAP) > ALPHA:
            return ParetoTail(float(threshold), len(above) / len(ordered), shape, scale)
    return None


def _moments(above: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return shape and scale with the mean and the variance of each row."""
    ratio = above.mean(axis=1) ** 2 / above.var(axis=1, ddof=1)
    return (ratio - 1) / 2, above.mean(axis=1) * (ratio + 1) / 2


def _distribution(
    above: NDArray[np.float64],
    shape: float | NDArray[np.float64],
    scale: float | NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return ``1 - (1 - k x / a)^(1 / k)``."""
    k = np.where(np.abs(shape) < 1e-9, 1e-9, shape)
    left = np.maximum(1 - k * above / scale, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(np.log(left) / k))


def _quantile(p: NDArray[np.float64], shape: float, scale: float) -> NDArray[np.float64]:
    k = shape if abs(shape) >= 1e-9 else 1e-9
    return np.asarray(-scale / k * np.expm1(k * np.log1p(-p)))


def _anderson_darling(above: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the statistic of each row about its own fit by moments."""
    shape, scale = _moments(above)
    tiny = np.finfo(np.float64).tiny
    z = _distribution(np.sort(above, axis=1), shape[:, None], scale[:, None])
    # A value beyond the end of its own fit counts against the fit, but not infinitely.
    lower, upper = np.log(np.maximum(z, tiny)), np.log(np.maximum(1 - z, tiny))
    n = above.shape[1]
    weights = (2 * np.arange(1, n + 1) - 1) / n
    return np.asarray(-n - ((lower + upper[:, ::-1]) * weights).sum(axis=1))
