"""Tables of surviving clusters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.numerics.clusters import find_clusters

if TYPE_CHECKING:
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


def cluster_table(group: GroupContrast, test: GroupTest) -> pd.DataFrame:
    """List the clusters of voxels that survive a test, largest first.

    Parameters
    ----------
    group : GroupContrast
    test : GroupTest
        Its survivors are grouped with their neighbours, signs apart.

    Returns
    -------
    pandas.DataFrame
        One row per cluster: number, sign, size in voxels and mm^3, and at the voxel with the
        largest |t| (F) its coordinates in mm, z, t, effect (none of F) and, for tests that give
        p, -log10 p and p.
    """
    t, z = group.estimate.stat, group.estimate.z
    effect = group.estimate.maps().get("effect", np.full(len(t), np.nan))
    survivors = np.flatnonzero(test.surviving)
    mask = group.mask.keep(test.surviving)
    neighbours, extents = mask.neighbours(test.connectivity), mask.extents
    rows = []
    for word, sign in (("positive", 1), ("negative", -1)):
        clusters = find_clusters(sign * t[survivors], neighbours, 0.0)
        members = np.argsort(clusters.labels, kind="stable")
        of_cluster = np.split(members, np.cumsum(np.bincount(clusters.labels))[:-1])[1:]
        peaks = clusters.peaks[1:]
        places = mask.coordinates(peaks)
        for voxels, peak, place in zip(of_cluster, survivors[peaks], places, strict=True):
            logp = test.map_values[peak] if test.statistic == "logp" else np.nan
            volume_mm3 = round(math.fsum(extents[voxels]), 6)
            at_peak = (z[peak], t[peak], effect[peak], logp, 10.0**-logp)
            rows.append((word, len(voxels), volume_mm3, *place, *at_peak))
    rows.sort(key=lambda row: (-row[1], -abs(row[7])))
    numbered = [(number, *row) for number, row in enumerate(rows, start=1)]
    table = pd.DataFrame(numbered, columns=list(COLUMNS))
    # Also an empty table has numbers in the columns of numbers.
    kinds = {"cluster": "int64", "sign": "str", "n_voxels": "int64"}
    return table.astype({name: kinds.get(name, "float64") for name in COLUMNS})
