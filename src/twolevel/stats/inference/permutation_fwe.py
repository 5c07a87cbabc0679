"""Test 4: family-wise error p by relabeling: of voxels, clusters and enhanced values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from twolevel.errors import InputError, Problem
from twolevel.stats.inference.result import GroupTest
from twolevel.stats.permute.tail import fit_tail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twolevel.stats.permute.result import Permuted
    from twolevel.stats.permute.settings import Statistic

STATISTIC_OF: dict[str, Statistic] = {
    "permutationFWE": "voxel",
    "clusterSizeFWE": "clusterSize",
    "clusterMassFWE": "clusterMass",
    "tfceFWE": "tfce",
}
"""What each test compares with its largest value in the brain."""

WORDS = {
    "voxel": "largest {kind}",
    "clusterSize": "largest cluster, {kind} > {threshold:.3g}",
    "clusterMass": "largest cluster mass, {kind} > {threshold:.3g}",
    "tfce": "largest TFCE score",
}
SMALLEST_TAIL_P = 0.01
"""Times 1 / permutations: no p below it is read from a fitted tail."""


def permutation_fwe(
    permuted: Permuted,
    *,
    test: str = "permutationFWE",
    alpha: float = 0.05,
    tail: Literal["gpd"] | None = None,
) -> GroupTest:
    """Compare each voxel with the largest value of the brain under relabelings.

    Under the null hypothesis a relabeling of the subjects (for a mean: a sign flip) gives data
    that are as likely as those observed. A corrected p is the share of relabelings, the identity
    included, whose largest value is at least the observed one (Nichols & Holmes 2002,
    doi:10.1002/hbm.1058).

    Parameters
    ----------
    permuted : Permuted
        See `permute_group`.
    test : {"permutationFWE", "clusterSizeFWE", "clusterMassFWE", "tfceFWE"}
        By t, by the size or mass of clusters, by threshold-free cluster enhancement.
    alpha : float
        Family-wise error rate at which voxels survive.
    tail : {"gpd"}, optional
        Read p in the tail of the distribution from a generalised Pareto one that is fitted to it
        (`fit_tail`): approximate, for small p from few relabelings. Where none fits, p are the
        shares.

    Returns
    -------
    GroupTest

    Raises
    ------
    InputError
        A test whose statistic was not computed; an `alpha` that is no rate.
    """
    statistic = STATISTIC_OF.get(test)
    if statistic not in permuted.largest or not 0 < alpha < 1 or tail not in (None, "gpd"):
        there = [name for name, of in STATISTIC_OF.items() if of in permuted.largest]
        raise InputError(
            Problem(
                "permutation test",
                f"test {test!r}, alpha {alpha}, tail {tail!r}",
                f'a test of {", ".join(there)}; alpha between 0 and 1; tail "gpd" or None',
                "change it, or permute with the statistic that the test needs",
            )
        )
    p = permuted.p_corrected(statistic)
    smallest, fitted = permuted.smallest_p, False
    if tail == "gpd":
        p, fitted = _with_tail(p, permuted, statistic)
        if fitted:
            smallest = SMALLEST_TAIL_P / permuted.n_used
    kind = {"t": "|t|" if permuted.settings.sides == 2 else "t", "F": "F"}[permuted.kind]
    words = WORDS[statistic].format(kind=kind, threshold=permuted.cluster_threshold)
    approximate = "" if permuted.exact else ", Freedman - Lane: approximate"
    fit = ", tail fitted: approximate" if fitted else ""
    return GroupTest(
        test=test,
        controls=f"family-wise error rate ({permuted.scheme}, {words}{approximate}{fit})",
        statistic="logp",
        map_values=-np.log10(p) + 0.0,  # + 0.0 turns -0.0 into 0.0
        surviving=p <= alpha,
        threshold=float(-np.log10(alpha)),
        sides=permuted.settings.sides,
        alpha=alpha,
        smallest_p=smallest,
        n_permutations=permuted.n_used,
        exhaustive=permuted.exhaustive,
        connectivity=permuted.settings.connectivity,
        tail="gpd" if fitted else None,
    )


def _with_tail(
    p: NDArray[np.float64], permuted: Permuted, statistic: str
) -> tuple[NDArray[np.float64], bool]:
    """Replace the p of values in the tail of the distribution, if one can be fitted."""
    largest = permuted.largest[statistic]
    twice = permuted.scheme == "sign flips" and permuted.settings.sides == 2
    once = largest[: len(largest) // 2] if twice else largest  # mirror images are no new values
    tail = fit_tail(once[1:])  # without the observed value
    if tail is None:
        return p, False
    values = permuted.compared(statistic)
    in_tail = values > tail.threshold
    floor = SMALLEST_TAIL_P / permuted.n_used
    return np.where(in_tail, np.maximum(tail.p(values), floor), p), True
