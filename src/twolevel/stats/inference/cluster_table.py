"""Tables of surviving clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.numerics.clusters import label_clusters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twolevel.stats.inference.result import GroupContrast, GroupTest

COLUMNS = (
    "cluster",
    "sign",
    "n_voxels",
    "volume_mm3",
    "peak_x_mm",
    "peak_y_mm",
    "peak_z_mm",
    "z_at_peak",
    "t_at_peak",
    "effect_at_peak",
    "logp_at_peak",
    "p_at_peak",
)


def cluster_table(
    group: GroupContrast, test: GroupTest, affine: NDArray[np.float64]
) -> pd.DataFrame:
    """List the clusters of voxels that survive a test, largest first.

    Parameters
    ----------
    group : GroupContrast
    test : GroupTest
        Its survivors are grouped with their neighbours, signs apart.
    affine : ndarray of shape (4, 4)
        Voxel indices to millimetres.

    Returns
    -------
    pandas.DataFrame
        One row per cluster: number, sign, size in voxels and mm^3, and at the voxel with the
        largest |t| (F) its coordinates in mm, z, t, effect (none of F) and, for tests that give
        p, -log10 p and p.
    """
    t, z = group.estimate.stat, group.estimate.z
    effect = group.estimate.maps().get("effect", np.full(len(t), np.nan))
    volume = np.zeros((2, *group.mask.shape), bool)
    volume[0][group.mask] = test.surviving & (t > 0)
    volume[1][group.mask] = test.surviving & (t < 0)
    labels = label_clusters(volume[0], volume[1], test.connectivity)[0][group.mask]
    voxel_mm3 = float(abs(np.linalg.det(affine[:3, :3])))
    indices = np.argwhere(group.mask)
    rows = []
    for label in range(1, int(labels.max(initial=0)) + 1):
        members = np.flatnonzero(labels == label)
        peak = members[np.argmax(np.abs(t[members]))]
        x, y, z_mm = affine[:3, :3] @ indices[peak] + affine[:3, 3]
        logp = test.map_values[peak] if test.statistic == "logp" else np.nan
        rows.append(
            (
                "positive" if t[peak] > 0 else "negative",
                len(members),
                round(len(members) * voxel_mm3, 6),
                x,
                y,
                z_mm,
                z[peak],
                t[peak],
                effect[peak],
                logp,
                10.0**-logp,
            )
        )
    rows.sort(key=lambda row: (-row[1], -abs(row[7])))
    numbered = [(number, *row) for number, row in enumerate(rows, start=1)]
    table = pd.DataFrame(numbered, columns=list(COLUMNS))
    # Also an empty table has numbers in the columns of numbers.
    kinds = {"cluster": "int64", "sign": "str", "n_voxels": "int64"}
    return table.astype({name: kinds.get(name, "float64") for name in COLUMNS})
