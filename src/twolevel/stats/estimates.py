"""The estimate of a contrast, and what follows from it: t, p, z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

# nilearn's limits: a variance of 0 gives a finite t, a p of 0 a finite z.
SMALLEST_VARIANCE = 1e-50
SMALLEST_P = 1e-300


@dataclass(frozen=True)
class ContrastEstimate:
    """Effect and variance of one contrast.

    Attributes
    ----------
    effect : ndarray of shape (n_voxels,), float64
        In units of the data (percent signal change at the run and subject level).
    variance : ndarray of shape (n_voxels,), float64
        Sampling variance of the effect, squared units.
    dof : float
        Degrees of freedom of the variance.
    """

    effect: NDArray[np.float64]
    variance: NDArray[np.float64]
    dof: float

    @property
    def t(self) -> NDArray[np.float64]:
        """``effect / sqrt(variance)``."""
        return self.effect / np.sqrt(np.maximum(self.variance, SMALLEST_VARIANCE))

    @property
    def z(self) -> NDArray[np.float64]:
        """The standard normal value with the one-sided p of t."""
        return z_from_t(self.t, self.dof)


def z_from_t(t: NDArray[np.floating], dof: float) -> NDArray[np.float64]:
    """Transform t to the standard normal value of the same one-sided p, sign kept.

    Equals nilearn's ``Contrast.z_score``: both tails are computed in the tail, so that large
    values keep their digits, and end at p = 1e-300 (|z| = 37.0).

    Parameters
    ----------
    t : ndarray
    dof : float
        Degrees of freedom.

    Returns
    -------
    ndarray of the shape of `t`, float64
    """
    tail = np.maximum(special.stdtr(dof, -np.abs(t)), SMALLEST_P)
    z: NDArray[np.float64] = -np.sign(t) * special.ndtri(tail)
    return z


def p_from_t(t: NDArray[np.floating], dof: float, *, sides: int) -> NDArray[np.float64]:
    """Compute the p-value of t.

    Parameters
    ----------
    t : ndarray
    dof : float
        Degrees of freedom.
    sides : {1, 2}
        2: ``2 P(T >= |t|)``; 1: ``P(T >= t)``.

    Returns
    -------
    ndarray of the shape of `t`, float64
    """
    p: NDArray[np.float64] = (
        2 * special.stdtr(dof, -np.abs(t)) if sides == 2 else special.stdtr(dof, -np.asarray(t))
    )
    return p
