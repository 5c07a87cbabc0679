"""The false discovery rate of voxels, from the p of relabelings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import false_discovery_control

from twolevel.errors import InputError, Problem
from twolevel.stats.inference.result import GroupTest

if TYPE_CHECKING:
    from twolevel.stats.permute.result import Permuted


def permutation_fdr(permuted: Permuted, *, alpha: float = 0.05) -> GroupTest:
    """Keep voxels whose adjusted p, from relabelings of each voxel by itself, is small enough.

    The procedure of Benjamini & Hochberg (1995, doi:10.1111/j.2517-6161.1995.tb02031.x) without
    the assumption that t has its theoretical distribution.

    Parameters
    ----------
    permuted : Permuted
        See `permute_group`.
    alpha : float
        The rate.

    Returns
    -------
    GroupTest

    Raises
    ------
    InputError
        An `alpha` that is no rate.
    """
    if not 0 < alpha < 1:
        raise InputError(
            Problem("permutationFDR", f"alpha {alpha}", "between 0 and 1", "change it")
        )
    p = false_discovery_control(permuted.p_uncorrected)
    return GroupTest(
        test="permutationFDR",
        controls=f"false discovery rate (Benjamini - Hochberg on p of {permuted.scheme})",
        statistic="logp",
        map_values=-np.log10(p) + 0.0,  # + 0.0 turns -0.0 into 0.0
        surviving=p <= alpha,
        threshold=float(-np.log10(alpha)),
        sides=permuted.settings.sides,
        alpha=alpha,
        smallest_p=permuted.smallest_p,
        n_permutations=permuted.n_used,
        exhaustive=permuted.exhaustive,
        connectivity=permuted.settings.connectivity,
    )
