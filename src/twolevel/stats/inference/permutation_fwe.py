"""Test 4: family-wise error p from sign flips and the largest t."""

from __future__ import annotations

import numpy as np

from twolevel.numerics.sign_flips import draw_sign_flips, max_t_of_flips
from twolevel.stats.inference.result import GroupContrast, GroupTest, tail_statistic

__all__ = ["permutation_fwe"]

TIE = 1e-6
"""Values that differ by less, relatively, are ties: rounding must not decide about p."""
TIE_AT_ZERO = 1e-9
"""The same where t is 0, in units of t."""


def permutation_fwe(
    group: GroupContrast,
    *,
    n_perm: int = 10_000,
    alpha: float = 0.05,
    sides: int = 2,
    seed: int = 0,
) -> GroupTest:
    """Compare each voxel's t with the largest t of the brain under sign flips.

    Under the null hypothesis a subject's effect is as likely to be x as -x. A voxel's corrected p
    is the share of flips, the identity included, whose largest t over voxels is at least the
    voxel's own (Nichols & Holmes 2002, doi:10.1002/hbm.1058).

    Parameters
    ----------
    group : GroupContrast
        Of a one-sample model.
    n_perm : int
        Number of flips where there are too many to use all (see `draw_sign_flips`).
    alpha : float
        Family-wise error rate at which voxels survive.
    sides : {1, 2}
        2: |t|.
    seed : int
        Of the draw.

    Returns
    -------
    GroupTest
    """
    flips = draw_sign_flips(len(group.maps), n_perm, seed)
    observed, largest = max_t_of_flips(group.maps, flips, sides=sides)
    compared = tail_statistic(observed, sides)
    at_least = compared * np.where(compared > 0, 1 - TIE, 1 + TIE) - TIE_AT_ZERO
    n_below = np.searchsorted(np.sort(largest), at_least, side="left")
    p = (flips.n_used - n_below) / flips.n_used
    return GroupTest(
        test="permutationFWE",
        controls="family-wise error rate (sign flips, largest t)",
        statistic="logp",
        map_values=-np.log10(p) + 0.0,  # + 0.0 turns -0.0 into 0.0
        surviving=p <= alpha,
        threshold=float(-np.log10(alpha)),
        sides=sides,
        alpha=alpha,
        smallest_p=sides / flips.n_used,
        n_permutations=flips.n_used,
        exhaustive=flips.exhaustive,
    )
