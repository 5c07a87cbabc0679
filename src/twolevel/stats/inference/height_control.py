"""Test 2: a height threshold that controls FDR, FPR or, by Bonferroni, FWER."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import ndtri

from twolevel.stats.inference.result import (
    GroupContrast,
    GroupTest,
    keep_survivors,
    tail_statistic,
)

CONTROLS = {
    "fdr": "false discovery rate (Benjamini - Hochberg)",
    "fpr": "false positive rate per voxel: uncorrected",
    "bonferroni": "family-wise error rate (Bonferroni)",
}


def height_control(
    group: GroupContrast,
    *,
    method: Literal["fdr", "fpr", "bonferroni"] = "fdr",
    alpha: float = 0.05,
    sides: int = 2,
) -> GroupTest:
    """Keep voxels whose z passes a threshold.

    Equals nilearn's ``threshold_stats_img`` with the analysis mask.

    Parameters
    ----------
    group : GroupContrast
    method : {"fdr", "fpr", "bonferroni"}
        ``fdr``: the procedure of Benjamini & Hochberg (1995,
        doi:10.1111/j.2517-6161.1995.tb02031.x); ``fpr``: p of each voxel by itself;
        ``bonferroni``: p times the number of voxels.
    alpha : float
        The rate.
    sides : {1, 2}
        2: p of |z|, both tails.

    Returns
    -------
    GroupTest
    """
    # The import takes half a second, and not every process computes.
    from nilearn.glm import fdr_threshold  # noqa: PLC0415

    z = group.estimate.z
    compared = tail_statistic(z, sides)
    if method == "fdr":
        threshold = float(fdr_threshold(compared, alpha / sides))
    elif method == "fpr":
        threshold = float(-ndtri(alpha / sides))
    else:
        threshold = float(-ndtri(alpha / sides / group.n_voxels))
    surviving = compared >= threshold
    return GroupTest(
        test=method,
        controls=CONTROLS[method],
        statistic="z",
        map_values=keep_survivors(z, surviving),
        surviving=surviving,
        threshold=threshold if np.isfinite(threshold) else None,
        sides=sides,
        alpha=alpha,
    )
