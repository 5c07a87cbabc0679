"""Models over maps, as tests call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.stats.estimates import TEstimate
from twolevel.stats.maps.fit import fit_maps

if TYPE_CHECKING:
    from collections.abc import Sequence


def combine(runs: Sequence[TEstimate], estimator: str = "fixed") -> TEstimate:
    """Take the fixed effects of runs."""
    combined = fit_maps(
        np.stack([run.effect for run in runs]),
        estimator=estimator,
        variances=np.stack([run.variance for run in runs]),
        dofs=[float(run.dof) for run in runs],
    )
    assert isinstance(combined, TEstimate)
    return combined
