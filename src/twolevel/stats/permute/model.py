"""What is tested by relabeling, and how: design, contrast, exchangeability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.linalg import null_space

from twolevel.errors import InputError, Problem
from twolevel.numerics.relabelings import (
    Relabelings,
    draw_permutations,
    draw_sign_flips,
)
from twolevel.stats.contrasts import is_estimable

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 1_000_000
"""Relabelings that can be asked for: they are kept in memory."""
SMALL = 1e-9
"""Relative size below which a direction of the design counts as nothing."""


@dataclass(frozen=True)
class PermutationModel:
    """A contrast of a group model and the relabelings that test it.

    Attributes
    ----------
    effects : ndarray of shape (n_subjects, n_effects)
        Orthonormal basis of what is tested, nuisance removed: one column for t.
    nuisance : ndarray of shape (n_subjects, n_nuisance)
        Orthonormal basis of the rest of the design; is removed from the data first.
    moved : ndarray of shape (n_subjects, n_moved)
        Orthonormal basis of the part of the nuisance that relabelings do not leave as it is.
    dof : int
        Of the residuals.
    relabelings : Relabelings
    statistic : {"t", "F"}
    """

    effects: NDArray[np.float64]
    nuisance: NDArray[np.float64]
    moved: NDArray[np.float64]
    dof: int
    relabelings: Relabelings
    statistic: Literal["t", "F"]

    @property
    def n_subjects(self) -> int:
        """Number of rows of the design."""
        return len(self.effects)

    @property
    def is_exact(self) -> bool:
        """The error rate holds in samples of any size, not approximately (Freedman - Lane)."""
        return not self.moved.size

    def weights(self, start: int, stop: int) -> NDArray[np.float64]:
        """Relabel the bases.

        Parameters
        ----------
        start, stop : int
            Rows of the relabelings.

        Returns
        -------
        ndarray of shape (n_effects + n_moved, stop - start, n_subjects)
            Their products with the data are those of the bases with the relabeled data.
        """
        bases = np.concatenate([self.effects, self.moved], axis=1).T
        rows, signs = self.relabelings.rows[start:stop], self.relabelings.signs[start:stop]
        return bases[:, rows] * signs

    def n_equivalent(self, sides: int) -> int:
        """Count the relabelings that give the observed statistic whatever the data are.

        Parameters
        ----------
        sides : {1, 2}

        Returns
        -------
        int
            The numerator of the smallest p that can be attained.
        """
        own = self.weights(0, 1)[:, 0]
        n_effects, n = self.effects.shape[1], 0
        for start in range(0, len(self.relabelings.rows), 1024):
            block = self.weights(start, start + 1024)
            same_rest = self._overlap(block[n_effects:], own[n_effects:])
            if self.statistic == "F":
                same = self._overlap(block[:n_effects], own[:n_effects]) & same_rest
                n += int(same.sum()) * (2 if self.relabelings.mirrored else 1)
                continue
            along = block[0] @ own[0]
            n += int((same_rest & (along > 1 - SMALL)).sum())
            against = int((same_rest & (along < SMALL - 1)).sum())
            if sides == 2:
                n += against
            if self.relabelings.mirrored:
                n += against if sides == 1 else int((same_rest & (abs(along) > 1 - SMALL)).sum())
        return n

    @staticmethod
    def _overlap(block: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which relabeled bases span the same space as the basis itself."""
        products = np.einsum("kbn,jn->bkj", block, own)
        return np.asarray((products**2).sum(axis=(1, 2)) > len(own) - SMALL)


def make_permutation_model(
    design: NDArray[np.floating],
    contrast: NDArray[np.floating],
    *,
    scheme: Literal["flip", "permute"] | None = None,
    blocks: NDArray[np.integer] | None = None,
    whole_blocks: bool = False,
    variance_groups: NDArray[np.integer] | None = None,
    n_perm: int = 10_000,
    seed: int = 0,
) -> PermutationModel:
    """Prepare the relabelings of a contrast of a group model.

    The design is split into what the contrast tests and a nuisance part Z. The data without Z are
    relabeled and Z is fitted again together with the tested part (Freedman & Lane 1983,
    doi:10.1080/07350015.1983.10509354; Winkler et al. 2014,
    doi:10.1016/j.neuroimage.2014.01.060). Where relabelings leave Z as it is (an intercept under
    permutations, the means of blocks under permutations within blocks) that is exact, otherwise
    approximate: `PermutationModel.is_exact`.

    Parameters
    ----------
    design : ndarray of shape (n_subjects, n_columns)
    contrast : ndarray of shape (n_columns,) or (n_rows, n_columns)
        One row of weights for t, several for F.
    scheme : {"flip", "permute"}, optional
        Flips assume errors that are symmetric about 0, permutations errors that are
        exchangeable. Default: flips where the tested part is the same for all subjects (a mean),
        permutations otherwise.
    blocks : ndarray of shape (n_subjects,), int, optional
        Subjects (or measurements) with the same number are exchangeable with one another only:
        permutations stay within blocks. Flips of single measurements need no blocks.
    whole_blocks : bool
        Blocks as a whole change places with others of their size, or their sign.
    variance_groups : ndarray of shape (n_subjects,), int, optional
        Groups that may differ in variance. More than one is refused.
    n_perm : int
        Number of relabelings where there are too many to use all, the identity included.
    seed : int
        Of the draw.

    Returns
    -------
    PermutationModel

    Raises
    ------
    InputError
        Numbers that are not finite; a contrast that the design does not determine; too few
        subjects; no relabeling that changes the statistic; unequal variances.
    """
    X = np.asarray(design, np.float64)
    C = np.atleast_2d(np.asarray(contrast, np.float64))
    _check(X, C, variance_groups, n_perm)
    scheme = _scheme_of(X, C, scheme)
    number = np.zeros(len(X), int) if blocks is None else np.asarray(blocks)
    if number.shape != (len(X),):
        raise _refusal("blocks", f"shape {number.shape}", f"one number for each of {len(X)} rows")
    effects, nuisance = _split(X, C)
    dof = len(X) - nuisance.shape[1] - effects.shape[1]
    if dof < 1:
        least = len(X) - dof + 1
        raise _refusal("group", f"{len(X)} rows", f"at least {least} for this design")
    statistic: Literal["t", "F"] = "t" if len(C) == 1 else "F"
    relabelings = _relabelings(X, number, scheme, whole=whole_blocks, n_perm=n_perm, seed=seed)
    moved = _moved_part(nuisance, relabelings)
    model = PermutationModel(effects, nuisance, moved, dof, relabelings, statistic)
    if model.n_equivalent(1) == relabelings.n_used:
        raise _refusal(
            "permutations",
            "no relabeling changes the statistic",
            "a design whose tested part differs between exchangeable rows",
        )
    return model


def _check(
    X: NDArray[np.float64],
    C: NDArray[np.float64],
    variance_groups: NDArray[np.integer] | None,
    n_perm: int,
) -> None:
    if X.ndim != 2 or C.ndim != 2 or C.shape[1] != X.shape[1]:
        raise _refusal(
            "group contrast",
            f"shape {C.shape}",
            f"one weight for each column of a design of two dimensions, which has shape {X.shape}",
        )
    if not (np.isfinite(X).all() and np.isfinite(C).all()):
        raise _refusal("group design", "values that are missing or infinite", "finite numbers")
    if any(not is_estimable(row, X) for row in C):
        raise _refusal(
            "group contrast",
            f"weights {C.tolist()}",
            "a contrast that the design determines",
        )
    if np.linalg.matrix_rank(C) < len(C):
        raise _refusal("group contrast", "rows that depend on one another", "independent rows")
    if variance_groups is not None and np.shape(variance_groups) != (len(X),):
        raise _refusal(
            "variance groups",
            f"shape {np.shape(variance_groups)}",
            f"one number for each of {len(X)}",
        )
    if variance_groups is not None and len(np.unique(variance_groups)) > 1:
        raise InputError(
            Problem(
                "permutations",
                f"{len(np.unique(variance_groups))} groups of unequal variance",
                "equal variances: the statistic is not studentised per group, and its "
                "permutation distribution would be wrong",
                "use the parametric test, or state equal variances",
            )
        )
    if not 2 <= n_perm <= MOST:
        raise _refusal("number of permutations", str(n_perm), f"from 2 to {MOST:,}")


def _refusal(where: str, found: str, expected: str) -> InputError:
    return InputError(Problem(where, found, expected, "correct the design or the contrast"))


def _scheme_of(
    X: NDArray[np.float64], C: NDArray[np.float64], scheme: Literal["flip", "permute"] | None
) -> Literal["flip", "permute"]:
    """Return the scheme that is asked for; otherwise flips for a mean, permutations for others."""
    if scheme is None:
        tested = X @ np.linalg.pinv(C)
        is_mean = np.ptp(tested, axis=0).max() <= SMALL * abs(tested).max()
        return "flip" if is_mean else "permute"
    if scheme not in ("flip", "permute"):
        raise _refusal("scheme", repr(scheme), '"flip", "permute" or None')
    return scheme


def _split(
    X: NDArray[np.float64], C: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split a design into bases of what a contrast tests, with its sign for t, and of the rest."""
    # Columns of one length, the contrast to match: their units must not decide what is rounding.
    length = np.linalg.norm(X, axis=0)
    length[length == 0] = 1.0
    tested = X / length @ np.linalg.pinv(C / length)
    tested /= abs(tested).max()
    nuisance = _basis(X / length @ null_space(C / length))
    effects = _basis(tested - nuisance @ (nuisance.T @ tested))
    if len(C) == 1:
        effects = effects * np.sign((effects.T @ tested)[0, 0])
    return effects, nuisance


def _basis(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an orthonormal basis of the space of columns of length 1 or so, less rounding."""
    vectors, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return np.ascontiguousarray(vectors[:, sizes > SMALL])


def _relabelings(
    X: NDArray[np.float64],
    number: NDArray[np.integer],
    scheme: Literal["flip", "permute"],
    *,
    whole: bool,
    n_perm: int,
    seed: int,
) -> Relabelings:
    own = np.unique(number)
    if scheme == "flip":
        units = np.searchsorted(own, number) if whole else np.arange(len(X))
        return draw_sign_flips(units, n_perm, seed)
    kinds = np.unique(X, axis=0, return_inverse=True)[1].reshape(-1)
    members = [np.flatnonzero(number == value) for value in own]
    if not whole:
        return draw_permutations([[*block[:, None]] for block in members], kinds, n_perm, seed)
    sizes = sorted({len(block) for block in members})
    sets = [[block for block in members if len(block) == size] for size in sizes]
    return draw_permutations(sets, kinds, n_perm, seed)


def _moved_part(
    nuisance: NDArray[np.float64], relabelings: Relabelings, n_tried: int = 256
) -> NDArray[np.float64]:
    """Find the part of a space that relabelings move: what is left without the fixed part.

    A vector is fixed when ``q'Pq = 1`` under every relabeling P, hence under their mean; what is
    not fixed by all of them moves under a good share, so that some hundreds are enough to tell.
    """
    if relabelings.mirrored or not nuisance.shape[1]:
        return nuisance  # its own negative leaves nothing as it is
    rows = relabelings.rows
    if len(rows) > n_tried:
        rows = rows[np.random.default_rng(0).choice(len(rows), n_tried, replace=False)]
    mean = np.mean([nuisance.T @ nuisance[row] for row in rows], axis=0)
    sizes, vectors = np.linalg.eigh((mean + mean.T) / 2)
    return np.ascontiguousarray(nuisance @ vectors[:, sizes < 1 - SMALL])
