"""Test 3: parametric family-wise error p, by Bonferroni on the p of t or F."""

from __future__ import annotations

import numpy as np

from twolevel.stats.inference.result import GroupContrast, GroupTest


def parametric_fwe(group: GroupContrast, *, alpha: float = 0.05, sides: int = 2) -> GroupTest:
    """Correct the p of t or F for the number of voxels.

    ``-log10(min(1, p * n_voxels))``.

    Parameters
    ----------
    group : GroupContrast
    alpha : float
        Family-wise error rate at which voxels survive.
    sides : {1, 2}

    Returns
    -------
    GroupTest
    """
    p = group.estimate.p(sides=sides)
    corrected = np.clip(p * group.n_voxels, np.finfo(np.float64).tiny, 1)
    return GroupTest(
        test="parametricFWE",
        controls=f"family-wise error rate ({group.estimate.kind} distribution, Bonferroni)",
        statistic="logp",
        map_values=-np.log10(corrected) + 0.0,  # + 0.0 turns -0.0 into 0.0
        surviving=corrected <= alpha,
        threshold=float(-np.log10(alpha)),
        sides=sides,
        alpha=alpha,
    )
