"""The estimate of a contrast, t or F, and what follows from it: p, z."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# nilearn's limits: a variance of 0 gives a finite t, a p of 0 a finite z.
SMALLEST_VARIANCE = 1e-50
SMALLEST_P = 1e-300


class Estimate(ABC):
    """What a model tells about one contrast in every point.

    Attributes
    ----------
    kind : {"t", "F"}
        Of the statistic: `TEstimate` or `FEstimate`.
    dof : float or ndarray of shape (n_points,)
        Degrees of freedom of the residual variance: one number, or one per point.
    """

    kind: ClassVar[Literal["t", "F"]]
    dof: float | NDArray[np.float64]

    @property
    @abstractmethod
    def stat(self) -> NDArray[np.float64]:
        """The statistic, t or F."""

    @property
    @abstractmethod
    def z(self) -> NDArray[np.float64]:
        """The standard normal value with the one-sided p of the statistic."""

    @abstractmethod
    def p(self, *, sides: int = 2) -> NDArray[np.float64]:
        """Compute the p-value of the statistic, of which F has one tail whatever `sides`."""

    @abstractmethod
    def maps(self) -> dict[str, NDArray[np.float64]]:
        """Return what is worth a map, by its label in file names."""

    @abstractmethod
    def varies(self, rounding: float) -> NDArray[np.bool_]:
        """Tell where the residuals are more than rounding.

        Parameters
        ----------
        rounding : float
            The share of the residuals, in what they and the effect explain together, that is
            nothing but rounding.
        """

    @property
    def n_points(self) -> int:
        """How many points there are."""
        return len(getattr(self, fields(self)[0].name))  # type: ignore[arg-type]

    def keep(self, points: NDArray[Any]) -> Self:
        """Return the estimate in some of the points, given as their indices or as a mask."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return type(self)(**{k: v[points] if np.ndim(v) else v for k, v in own.items()})


@dataclass(frozen=True)
class TEstimate(Estimate):
    """Effect and variance of a contrast with one row of weights.

    Attributes
    ----------
    effect : ndarray of shape (n_points,), float64
        In units of the data (percent signal change at the run and subject level).
    variance : ndarray of shape (n_points,), float64
        Sampling variance of the effect, squared units.
    dof : float or ndarray of shape (n_points,)
        Degrees of freedom of the variance.
    """

    kind = "t"
    effect: NDArray[np.float64]
    variance: NDArray[np.float64]
    dof: float | NDArray[np.float64]

    @property
    def stat(self) -> NDArray[np.float64]:
        """``effect / sqrt(variance)``."""
        return self.effect / np.sqrt(np.maximum(self.variance, SMALLEST_VARIANCE))

    @property
    def z(self) -> NDArray[np.float64]:
        """The standard normal value with the one-sided p of t."""
        return z_from_t(self.stat, self.dof)

    def p(self, *, sides: int = 2) -> NDArray[np.float64]:
        """Compute the p-value of t: see `p_from_t`."""
        return p_from_t(self.stat, self.dof, sides=sides)

    def maps(self) -> dict[str, NDArray[np.float64]]:
        """Return effect, variance, t and z."""
        own = {"effect": self.effect, "variance": self.variance}
        return {**own, "t": self.stat, "z": self.z}

    def varies(self, rounding: float) -> NDArray[np.bool_]:
        """Tell where ``dof * variance > rounding * effect^2``."""
        varies: NDArray[np.bool_] = self.dof * self.variance > rounding * self.effect**2
        return varies


@dataclass(frozen=True)
class FEstimate(Estimate):
    """F of a contrast with several rows of weights.

    Attributes
    ----------
    f : ndarray of shape (n_points,), float64
    dof_numerator : int
        Number of rows of the contrast that do not follow from the others.
    dof : float or ndarray of shape (n_points,)
        Degrees of freedom of the denominator.
    """

    kind = "F"
    f: NDArray[np.float64]
    dof_numerator: int
    dof: float | NDArray[np.float64]

    @property
    def stat(self) -> NDArray[np.float64]:
        """F itself."""
        return self.f

    @property
    def z(self) -> NDArray[np.float64]:
        """The standard normal value with the p of F, one-sided: negative where p is above 0.5."""
        return z_from_f(self.f, self.dof_numerator, self.dof)

    def p(self, *, sides: int = 2) -> NDArray[np.float64]:  # noqa: ARG002
        """Compute the p-value of F: see `p_from_f`."""
        return p_from_f(self.f, self.dof_numerator, self.dof)

    def maps(self) -> dict[str, NDArray[np.float64]]:
        """Return F and z."""
        return {"F": self.f, "z": self.z}

    def varies(self, rounding: float) -> NDArray[np.bool_]:
        """Tell where F is not 0 and ``dof > rounding * dof_numerator * F``."""
        varies: NDArray[np.bool_] = self.dof > rounding * self.dof_numerator * self.f
        return varies & (self.f > 0)


E = TypeVar("E", bound=Estimate)


def joined(parts: Sequence[E]) -> E:
    """Put estimates of one contrast in different points one after the other.

    What is one number for all points must be the same in all of them.
    """
    first = parts[0]
    values = {}
    for field in fields(first):  # type: ignore[arg-type]
        own = [getattr(part, field.name) for part in parts]
        values[field.name] = np.concatenate(own) if np.ndim(own[0]) else own[0]
    return type(first)(**values)


def f_estimate(
    effects: NDArray[np.float64], variance: NDArray[np.float64], dof: float
) -> FEstimate:
    """Make F of independent effects of one variance.

    Parameters
    ----------
    effects : ndarray of shape (n_effects, n_points)
    variance : ndarray of shape (n_points,)
        Of each of the effects.
    dof : float
        Degrees of freedom of the variance.
    """
    mean = (effects**2).mean(axis=0)
    return FEstimate(mean / np.maximum(variance, SMALLEST_VARIANCE), len(effects), dof)


def z_from_t(t: NDArray[np.floating], dof: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Transform t to the standard normal value of the same one-sided p, sign kept.

    Equals nilearn's ``Contrast.z_score``: both tails are computed in the tail, so that large
    values keep their digits, and end at p = 1e-300 (|z| = 37.0).

    Parameters
    ----------
    t : ndarray
    dof : float or ndarray
        Degrees of freedom.

    Returns
    -------
    ndarray of the shape of `t`, float64
    """
    tail = np.maximum(special.stdtr(dof, -np.abs(t)), SMALLEST_P)
    z: NDArray[np.float64] = -np.sign(t) * special.ndtri(tail)
    return z


def p_from_t(
    t: NDArray[np.floating], dof: float | NDArray[np.float64], *, sides: int
) -> NDArray[np.float64]:
    """Compute the p-value of t.

    Parameters
    ----------
    t : ndarray
    dof : float or ndarray
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


def z_from_f(
    f: NDArray[np.floating], dof_numerator: float, dof: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Transform F to the standard normal value of the same p, one-sided.

    Equals nilearn's ``Contrast.z_score``: whichever tail is the smaller one is transformed, so
    that large and small values keep their digits, and both end at p = 1e-300 (|z| = 37.0).

    Parameters
    ----------
    f : ndarray
        Not negative.
    dof_numerator : float
        Degrees of freedom of the numerator.
    dof : float or ndarray
        Degrees of freedom of the denominator.

    Returns
    -------
    ndarray of the shape of `f`, float64
    """
    above = np.maximum(special.fdtrc(dof_numerator, dof, f), SMALLEST_P)
    below = np.maximum(special.fdtr(dof_numerator, dof, f), SMALLEST_P)
    z: NDArray[np.float64] = np.where(above < below, -special.ndtri(above), special.ndtri(below))
    return z


def p_from_f(
    f: NDArray[np.floating], dof_numerator: float, dof: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the p-value of F, ``P(F >= f)``.

    Parameters
    ----------
    f : ndarray
        Not negative.
    dof_numerator : float
        Degrees of freedom of the numerator.
    dof : float or ndarray
        Degrees of freedom of the denominator.

    Returns
    -------
    ndarray of the shape of `f`, float64
    """
    p: NDArray[np.float64] = special.fdtrc(dof_numerator, dof, f)
    return p
