"""What supports the voxels of a map: their clusters, and TFCE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twolevel.numerics.clusters import find_clusters
from twolevel.numerics.tfce import enhance
from twolevel.stats.permute.settings import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from twolevel.numerics.clusters import Clusters
    from twolevel.stats.permute.settings import PermutationSettings


@dataclass(frozen=True)
class Support:
    """Measures the clusters and TFCE scores of maps, as far as they are wanted.

    Attributes
    ----------
    settings : PermutationSettings
    neighbours : ndarray of shape (n_voxels, n_neighbours), int32
    threshold : float
        t (F) above which voxels form clusters.
    """

    settings: PermutationSettings
    neighbours: NDArray[np.int32]
    threshold: float

    def largest(
        self, statistics: NDArray[np.float32], signs: Sequence[int]
    ) -> NDArray[np.float64]:
        """Return the largest cluster size, mass and score of each tail: shape (2, 3)."""
        measures = np.zeros((2, 3))
        for number, sign in enumerate(signs):
            clusters, scores = self._of_tail(statistics, sign)
            if clusters is not None:
                measures[number, :2] = clusters.sizes.max(), clusters.masses.max()
            if scores is not None:
                measures[number, 2] = scores.max()
        return measures

    def maps(self, statistics: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """Return size and mass of each voxel's cluster, and its score, with the sign of t."""
        maps: dict[str, NDArray[np.float64]] = {
            name: np.zeros(len(statistics)) for name in STATISTICS[1:]
        }
        for sign in (1, -1)[: self.settings.sides]:
            clusters, scores = self._of_tail(statistics, sign)
            if clusters is not None:
                maps["clusterSize"] += sign * clusters.sizes[clusters.labels]
                maps["clusterMass"] += sign * clusters.masses[clusters.labels]
            if scores is not None:
                maps["tfce"] += sign * scores
        return maps

    def _of_tail(
        self, statistics: NDArray[np.float32], sign: int
    ) -> tuple[Clusters | None, NDArray[np.float64] | None]:
        values = statistics if sign > 0 else -statistics
        wanted, settings = self.settings.statistics, self.settings
        clusters = scores = None
        if "clusterSize" in wanted or "clusterMass" in wanted:
            clusters = find_clusters(values, self.neighbours, self.threshold)
        if "tfce" in wanted:
            scores = np.empty(len(values))
            enhance(values, self.neighbours, settings.extent_power, settings.height_power, scores)
        return clusters, scores
