"""What the fit of a run gives: estimates, and what it tells about data and noise model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from twolevel.stats.estimates import FEstimate, TEstimate


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
        One per t contrast that the design determines.
    not_estimable : tuple of str
        Names of the other contrasts.
    dof : int
        Rows of the design minus its rank.
    diagnostics : Diagnostics
    f_estimates : dict of str to FEstimate
        One per F contrast that the design determines.
    """

    estimates: dict[str, TEstimate]
    not_estimable: tuple[str, ...]
    dof: int
    diagnostics: Diagnostics
    f_estimates: dict[str, FEstimate] = field(default_factory=dict)

    def within(self, voxels: NDArray[np.bool_]) -> RunFit:
        """Keep some of the voxels.

        Parameters
        ----------
        voxels : ndarray of shape (n_voxels,), bool

        Returns
        -------
        RunFit
        """
        return RunFit(
            {name: e.keep(voxels) for name, e in self.estimates.items()},
            self.not_estimable,
            self.dof,
            self.diagnostics.within(voxels),
            {name: e.keep(voxels) for name, e in self.f_estimates.items()},
        )
