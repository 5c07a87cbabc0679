"""Sign flips of a one-sample test: which ones, and the largest statistic under each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SignFlips", "draw_sign_flips", "max_t_of_flips", "t_of_flips"]

# Blocks have one shape whatever the machine: a matrix product differs in its last bits with the
# width of its operands.
FLIPS_PER_BLOCK = 256
VOXELS_PER_BLOCK = 4096


@dataclass(frozen=True)
class SignFlips:
    """The flips of a test: every row stands for itself and for its negative.

    Attributes
    ----------
    signs : ndarray of shape (n_pairs, n_subjects), int8
        +1 and -1; the first row is the identity.
    exhaustive : bool
        All ``2 ** n_subjects`` flips are there, each once.
    """

    signs: NDArray[np.int8]
    exhaustive: bool

    @property
    def n_used(self) -> int:
        """Number of flips, negatives and the identity included."""
        return 2 * len(self.signs)


def draw_sign_flips(
    n_subjects: int, n_perm: int, seed: int, *, exhaustive_up_to: int = 10_000
) -> SignFlips:
    """Enumerate all sign flips, or draw distinct ones.

    Parameters
    ----------
    n_subjects : int
        At least 1.
    n_perm : int
        Number wanted when they are drawn, the identity included. Flips come in pairs s and -s: an
        odd number is raised by one.
    seed : int
        Of the draw.
    exhaustive_up_to : int
        All flips are used when there are no more than this or ``n_perm``, whichever is larger.

    Returns
    -------
    SignFlips
    """
    n_pairs_there = 2 ** (n_subjects - 1)
    n_pairs = (n_perm + 1) // 2
    if 2 * n_pairs_there <= max(2 * n_pairs, exhaustive_up_to):
        codes = np.arange(n_pairs_there, dtype=np.uint64)
        bits = (codes[:, None] >> np.arange(n_subjects, dtype=np.uint64)) & np.uint64(1)
        return SignFlips((1 - 2 * bits.astype(np.int8)).astype(np.int8), exhaustive=True)
    rng = np.random.default_rng(seed)
    rows = {b"\x01" * n_subjects: None}  # insertion order: the identity first
    while len(rows) < n_pairs:
        signs = rng.integers(0, 2, n_subjects, dtype=np.int8) * 2 - 1
        signs *= signs[0]  # of a pair, the one that leaves the first subject alone
        rows.setdefault(signs.astype(np.int8).tobytes())
    signs = np.frombuffer(b"".join(rows), np.int8).reshape(n_pairs, n_subjects)
    return SignFlips(signs, exhaustive=False)


def t_of_flips(maps: NDArray[np.floating], signs: NDArray[np.int8]) -> NDArray[np.float64]:
    """Compute the one-sample t of every voxel under every flip, the obvious way.

    ``t = mean / sqrt(variance / n)`` of the flipped values, variance with n - 1. The slow twin of
    `max_t_of_flips`.

    Parameters
    ----------
    maps : ndarray of shape (n_subjects, n_voxels)
    signs : ndarray of shape (n_flips, n_subjects)

    Returns
    -------
    ndarray of shape (n_flips, n_voxels), float64
    """
    flipped = signs[:, :, None] * np.asarray(maps, np.float64)
    n_subjects = len(maps)
    standard_error = flipped.std(axis=1, ddof=1) / np.sqrt(n_subjects)
    with np.errstate(divide="ignore"):
        return flipped.mean(axis=1) / standard_error  # type: ignore[no-any-return]


def max_t_of_flips(
    maps: NDArray[np.floating], flips: SignFlips, *, sides: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the observed t, and the largest t over voxels under every flip.

    A flip does not change a voxel's sum of squares, so that t is a growing function of
    ``r = sum(s x) / sqrt(n sum(x^2))``, ``t = r sqrt(n - 1) / sqrt(1 - r^2)``. The columns are
    divided by ``sqrt(n sum(x^2))`` once; what remains is a matrix product per block and a maximum.
    A flip and its negative share one row of the product.

    Parameters
    ----------
    maps : ndarray of shape (n_subjects, n_voxels)
        Finite, no voxel with zero variance over subjects.
    flips : SignFlips
        The flips, one row a pair.
    sides : {1, 2}
        1: the largest t; 2: the largest absolute t.

    Returns
    -------
    observed : ndarray of shape (n_voxels,), float64
        t without a flip, from the same arithmetic as the others.
    largest : ndarray of shape (flips.n_used,), float64
        The largest (absolute) t under every flip; those of the negatives come second.
    """
    n_subjects, n_voxels = maps.shape
    n_pairs = len(flips.signs)
    high, low = np.full(n_pairs, -np.inf), np.full(n_pairs, np.inf)
    observed = np.empty(n_voxels)
    pair_blocks = range(0, n_pairs, FLIPS_PER_BLOCK)
    signs = np.zeros((len(pair_blocks) * FLIPS_PER_BLOCK, n_subjects))
    signs[:n_pairs] = flips.signs
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, n_voxels, VOXELS_PER_BLOCK):
            block = maps[:, start : start + VOXELS_PER_BLOCK].astype(np.float64)
            n_here = block.shape[1]
            scaled = np.zeros((n_subjects, VOXELS_PER_BLOCK))
            scaled[:, :n_here] = block / np.sqrt(n_subjects * np.sum(block**2, axis=0))
            for first in pair_blocks:
                r = (signs[first : first + FLIPS_PER_BLOCK] @ scaled)[: n_pairs - first, :n_here]
                rows = slice(first, first + len(r))
                high[rows] = np.maximum(high[rows], r.max(axis=1))
                low[rows] = np.minimum(low[rows], r.min(axis=1))
                if first == 0:
                    observed[start : start + n_here] = r[0]
    if sides == 2:
        largest = np.maximum(high, -low)
        largest = np.concatenate([largest, largest])
    else:
        largest = np.concatenate([high, -low])
    return _t_of_r(observed, n_subjects), _t_of_r(largest, n_subjects)


def _t_of_r(r: NDArray[np.float64], n_subjects: int) -> NDArray[np.float64]:
    r = np.clip(r, -1, 1)
    with np.errstate(divide="ignore"):
        return r * np.sqrt(n_subjects - 1) / np.sqrt(1 - r**2)  # type: ignore[no-any-return]
