"""Fixed effects: one estimate from those of a subject's runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from twolevel.stats.estimates import ContrastEstimate

if TYPE_CHECKING:
    from collections.abc import Sequence

# nilearn's floor under the variances of runs.
SMALLEST_VARIANCE = 1e-16


def combine_runs(
    runs: Sequence[ContrastEstimate], *, weighting: Literal["mean", "precision"] = "mean"
) -> ContrastEstimate:
    """Combine the estimates of one contrast over runs.

    With n runs, effects e_i and variances v_i:

    * ``mean``: ``effect = sum(e_i) / n``, ``variance = sum(v_i) / n^2`` (nilearn's default);
    * ``precision``: ``w_i = 1 / v_i``, ``effect = sum(w_i e_i) / sum(w_i)``,
      ``variance = 1 / sum(w_i)`` (FSL's fixed effects, Beckmann et al. 2003,
      doi:10.1016/S1053-8119(03)00435-X).

    The degrees of freedom are the sum of those of the runs.

    Parameters
    ----------
    runs : sequence of ContrastEstimate
        At least one, all over the same voxels.
    weighting : {"mean", "precision"}

    Returns
    -------
    ContrastEstimate
    """
    effects = np.stack([run.effect for run in runs])
    variances = np.maximum(np.stack([run.variance for run in runs]), SMALLEST_VARIANCE)
    if weighting == "precision":
        weights = 1 / variances
        variance = 1 / weights.sum(axis=0)
        effect = (effects * weights).sum(axis=0) * variance
    else:
        effect = effects.mean(axis=0)
        variance = variances.sum(axis=0) / len(runs) ** 2
    return ContrastEstimate(effect, variance, float(sum(run.dof for run in runs)))
