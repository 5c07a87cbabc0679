"""What is computed from every relabeling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scipy import special

from twolevel.errors import InputError, Problem
from twolevel.numerics.neighbours import CONNECTIVITIES

if TYPE_CHECKING:
    from twolevel.stats.permute.model import PermutationModel

Statistic = Literal["voxel", "clusterSize", "clusterMass", "tfce"]
STATISTICS: tuple[Statistic, ...] = ("voxel", "clusterSize", "clusterMass", "tfce")
LARGEST_POWER = 10
"""Of TFCE: scores stay finite."""
POWERS = f"from 0 to {LARGEST_POWER}"


@dataclass(frozen=True)
class PermutationSettings:
    """What is computed from every relabeling.

    Attributes
    ----------
    sides : {1, 2}
        Of t; F has one.
    statistics : tuple of {"voxel", "clusterSize", "clusterMass", "tfce"}
    cluster_forming_p : float
        Voxels with a smaller p (of `sides`) form clusters.
    connectivity : {6, 18, 26}
        Neighbours of a voxel, in clusters and in TFCE.
    extent_power, height_power : float
        E and H of TFCE.
    """

    sides: Literal[1, 2] = 2
    statistics: tuple[Statistic, ...] = STATISTICS
    cluster_forming_p: float = 0.001
    connectivity: Literal[6, 18, 26] = 6
    extent_power: float = 0.5
    height_power: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises
        ------
        InputError
        """
        allowed = {
            "sides": (self.sides in (1, 2), "1 or 2"),
            "statistics": (set(self.statistics) <= set(STATISTICS), f"of {STATISTICS}"),
            "cluster_forming_p": (0 < self.cluster_forming_p < 0.5, "above 0 and below 0.5"),
            "connectivity": (self.connectivity in CONNECTIVITIES, "6, 18 or 26"),
            "extent_power": (0 <= self.extent_power <= LARGEST_POWER, POWERS),
            "height_power": (0 <= self.height_power <= LARGEST_POWER, POWERS),
        }
        problems = [
            Problem(
                f"permutation settings: {name}", f"{getattr(self, name)}", expected, "change it"
            )
            for name, (right, expected) in allowed.items()
            if not right
        ]
        if problems:
            raise InputError(problems)

    def cluster_threshold(self, model: PermutationModel) -> float:
        """Return the t (F) above which voxels form clusters."""
        p, dof = self.cluster_forming_p, float(model.dof)
        if model.statistic == "F":
            return float(special.fdtri(model.effects.shape[1], dof, 1 - p))
        return float(-special.stdtrit(dof, p / self.sides))
