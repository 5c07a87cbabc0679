"""What relabelings tell about a contrast."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from twolevel.stats.permute.settings import PermutationSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIE = 1e-6
"""Values that differ by less, relatively, are ties: rounding must not decide about p."""
TIE_AT_ZERO = 1e-9
"""The same where t is 0, in units of t."""


@dataclass(frozen=True)
class Permuted:
    """What relabelings tell about a contrast.

    Attributes
    ----------
    observed : dict of str to ndarray of shape (n_voxels,)
        By statistic: t or F (``voxel``), and in every voxel the size and mass of its cluster and
        its TFCE score, with the sign of t.
    largest : dict of str to ndarray of shape (n_used,)
        By statistic: the largest value in the brain under every relabeling, of |t| for two
        sides. The identity comes first; mirror images are the second half.
    n_reached : ndarray of shape (n_voxels,), int64
        Relabelings under which a voxel's own statistic is at least the observed one.
    n_used : int
        Relabelings, the identity included.
    exhaustive : bool
        All that there are were used.
    exact : bool
        No nuisance variable makes the test approximate.
    smallest_p : float
        That can be attained.
    cluster_threshold : float
        t (F) above which voxels form clusters.
    kind : {"t", "F"}
    scheme : {"sign flips", "permutations"}
    settings : PermutationSettings
    """

    observed: dict[str, NDArray[np.float64]]
    largest: dict[str, NDArray[np.float64]]
    n_reached: NDArray[np.int64]
    n_used: int
    exhaustive: bool
    exact: bool
    smallest_p: float
    cluster_threshold: float
    kind: Literal["t", "F"]
    scheme: str
    settings: PermutationSettings = field(default_factory=PermutationSettings)

    @property
    def p_uncorrected(self) -> NDArray[np.float64]:
        """The p-value of each voxel by itself."""
        return self.n_reached / self.n_used

    def p_corrected(self, statistic: str) -> NDArray[np.float64]:
        """Compare each voxel with the largest value of the brain.

        Parameters
        ----------
        statistic : {"voxel", "clusterSize", "clusterMass", "tfce"}

        Returns
        -------
        ndarray of shape (n_voxels,), float64
            The share of relabelings whose largest value is at least the voxel's own (Nichols &
            Holmes 2002, doi:10.1002/hbm.1058); 1 outside clusters.
        """
        values = self.compared(statistic)
        largest = np.sort(self.largest[statistic])
        n_below = np.searchsorted(largest, lower_limit(values), side="left")
        p = (self.n_used - n_below) / self.n_used
        return p if statistic == "voxel" else np.where(values > 0, p, 1.0)

    def compared(self, statistic: str) -> NDArray[np.float64]:
        """Return what is compared: absolute values for two sides."""
        values = self.observed[statistic]
        return np.abs(values) if self.settings.sides == 2 else values


def lower_limit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest value that counts as at least as large as each of the given ones."""
    return values * np.where(values > 0, 1 - TIE, 1 + TIE) - TIE_AT_ZERO
