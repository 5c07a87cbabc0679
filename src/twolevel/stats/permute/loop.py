"""Relabeling subjects: the largest t, cluster and enhanced value of the brain, each time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from twolevel.errors import InputError, Problem
from twolevel.numerics.relabeled_statistics import (
    count_reached,
    form_shares,
    shares_of,
    statistics_of,
    write_statistics,
)
from twolevel.numerics.resources import UNLIMITED, Resources
from twolevel.numerics.threads import map_ahead
from twolevel.space.mask import Mask
from twolevel.stats.permute.result import Permuted, lower_limit
from twolevel.stats.permute.settings import PermutationSettings
from twolevel.stats.permute.state import PermutationState
from twolevel.stats.permute.support import Support

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from twolevel.stats.maps.rows import Maps
    from twolevel.stats.permute.model import PermutationModel

CLOSE_SHARES = 4e-15
"""Shares that differ by less are equal: the rounding of a sum of products."""
LARGEST = 1e9
"""Infinite t in the maps from which clusters are formed."""

# Blocks have one shape whatever the machine: a matrix product differs in its last bits with the
# width of its operands.
ROWS_PER_BLOCK = 256
VOXELS_PER_BLOCK = 2048
BLOCKS_AT_A_TIME = 10
"""Blocks of relabelings for which a block of voxels is prepared once, where no maps are formed."""


def permute_group(
    maps: Maps,
    mask: Mask | NDArray[np.bool_],
    model: PermutationModel,
    settings: PermutationSettings | None = None,
    *,
    resources: Resources = UNLIMITED,
    state: PermutationState | None = None,
    after_block: Callable[[PermutationState], None] | None = None,
) -> Permuted:
    """Compute the statistics of a contrast under relabelings of the subjects.

    Parameters
    ----------
    maps : array-like of shape (n_subjects, n_voxels)
        Finite; every voxel varies between subjects beyond what nuisance explains. Blocks
        ``maps[:, start:stop]`` are taken of it.
    mask : Mask, or ndarray of shape (x, y, z), bool
        Where the voxels are. Their size does not matter: an array will do.
    model : PermutationModel
    settings : PermutationSettings, optional
    resources : Resources
        Threads; the result is the same for any number.
    state : PermutationState, optional
        Where to go on, as an earlier call gave it to `after_block`.
    after_block : callable, optional
        Called with the state after every block of relabelings, to show progress or to save it;
        it is one object, which the next block changes.

    Returns
    -------
    Permuted

    Raises
    ------
    InputError
        Maps that do not fit the mask or the design; a state of something else; values that are
        not finite; voxels without variance.
    """
    settings = settings or PermutationSettings()
    if model.statistic == "F":
        settings = PermutationSettings(**{**vars(settings), "sides": 1})
    mask = Mask.of(mask)
    _check(maps, mask, model)
    n_rows = len(model.relabelings.rows)
    if state is None:
        state = PermutationState.at_start(maps.shape[1], n_rows)
    _check_state(state, (maps.shape[1], n_rows))
    loop = _Loop(maps, mask, model, settings, resources)
    with threadpool_limits(limits=1, user_api="blas"):
        while state.n_done < n_rows:
            loop.advance(state)
            if after_block is not None:
                after_block(state)
        return loop.conclude(state)


def _check(maps: Maps, mask: Mask, model: PermutationModel) -> None:
    expected = (model.n_subjects, mask.n_points)
    if tuple(maps.shape) != expected:
        raise InputError(
            Problem(
                "group maps",
                f"shape {tuple(maps.shape)}, mask of shape {mask.inside.shape}",
                f"{expected[0]} rows, as the design has, and {expected[1]} voxels, as the mask",
                "give maps, mask and design of the same subjects and voxels",
            )
        )


def _check_state(state: PermutationState, shape: tuple[int, int]) -> None:
    if state.shape != shape or not 0 <= state.n_done <= shape[1]:
        raise InputError(
            Problem(
                "state of earlier permutations",
                f"{state.shape[0]} voxels, {state.shape[1]} rows, {state.n_done} of them done",
                f"{shape[0]} voxels and {shape[1]} rows",
                "go on with the same maps, mask and model, or start anew",
            )
        )


class _Loop:
    """Goes through blocks of relabelings and, in each, through blocks of voxels."""

    def __init__(
        self,
        maps: Maps,
        mask: Mask,
        model: PermutationModel,
        settings: PermutationSettings,
        resources: Resources,
    ) -> None:
        self.maps, self.model, self.settings = maps, model, settings
        self.n_workers = resources.n_threads if resources.n_threads > 1 else 0
        self.n_effects = model.effects.shape[1]
        self.forms_maps = set(settings.statistics) != {"voxel"}
        mirrored = model.relabelings.mirrored
        if model.statistic == "F":
            self.tails = 1
        elif settings.sides == 2:
            self.tails = 2
        else:
            self.tails = 3 if mirrored else 1
        self.signs = (1, -1) if self.tails > 1 else (1,)
        self.threshold = settings.cluster_threshold(model)
        if self.forms_maps:
            neighbours = mask.neighbours(settings.connectivity)
            self.support = Support(settings, neighbours, self.threshold)
            shape = (ROWS_PER_BLOCK, maps.shape[1])
            self.statistics = np.empty(shape, np.float32)

    def advance(self, state: PermutationState) -> None:
        """Work on the next relabelings: one block for maps, several where none are formed."""
        first = state.n_done
        n_rows = ROWS_PER_BLOCK if self.forms_maps else BLOCKS_AT_A_TIME * ROWS_PER_BLOCK
        weights = self.model.weights(first, first + n_rows)
        n_here = weights.shape[1]
        blocks = [
            _padded(weights[:, start : start + ROWS_PER_BLOCK])
            for start in range(0, n_here, ROWS_PER_BLOCK)
        ]
        starts = range(0, self.maps.shape[1], VOXELS_PER_BLOCK)
        work = partial(self._voxels, blocks, n_here, state)
        rows = slice(first, first + n_here)
        n_missing = n_flat = 0
        for lowest, highest, missing, flat in map_ahead(work, starts, self.n_workers):
            np.minimum(state.lowest[rows], lowest, out=state.lowest[rows])
            np.maximum(state.highest[rows], highest, out=state.highest[rows])
            n_missing, n_flat = n_missing + missing, n_flat + flat
        if n_missing or n_flat:
            raise _without_statistic(n_missing, n_flat)
        if self.forms_maps:
            largest = partial(self.support.largest, signs=self.signs)
            measured = map_ahead(largest, self.statistics[:n_here], self.n_workers)
            for row, measures in enumerate(measured, start=first):
                state.measures[:, :, row] = measures
        state.n_done += n_here

    def _voxels(
        self, blocks: list[NDArray[np.float64]], n_rows: int, state: PermutationState, start: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], int, int]:
        """Take from a block of voxels under blocks of relabelings what is wanted.

        Returns the extreme shares under each relabeling, and the numbers of voxels that have no
        statistic: because values are missing, because nothing varies.
        """
        block = self.maps[:, start : start + VOXELS_PER_BLOCK]
        stop = start + block.shape[1]
        n_here = stop - start
        data = np.zeros((len(block), VOXELS_PER_BLOCK))
        data[:, :n_here] = block
        own, counts = state.observed[start:stop], state.counts[start:stop]
        dof = float(self.model.dof)
        lowest, highest = np.empty((2, n_rows))
        products = np.empty((len(blocks[0]), VOXELS_PER_BLOCK))
        with np.errstate(invalid="ignore"):  # infinite values are refused at the end
            length, left = self._scale(data)
            for number, weights in enumerate(blocks):
                rows = slice(number * ROWS_PER_BLOCK, min((number + 1) * ROWS_PER_BLOCK, n_rows))
                np.matmul(weights, data, out=products)
                shares = self._shares(products)[: rows.stop - rows.start]
                if number == 0:
                    if state.n_done == 0:
                        own[:] = shares[0, :n_here]
                    observed = statistics_of(own, dof, self.n_effects)
                    limits = self._limits(own, observed)
                lowest[rows] = shares[:, :n_here].min(axis=1)
                highest[rows] = shares[:, :n_here].max(axis=1)
                count_reached(shares, limits, self.tails, counts)
                if self.forms_maps:
                    out = self.statistics[rows, start:stop]
                    write_statistics(shares, dof, self.n_effects, LARGEST, out)
        missing = ~np.isfinite(length[:n_here])
        flat = ~missing & ((left <= 1e-12 * length)[:n_here] | np.isinf(observed))
        return lowest, highest, int(missing.sum()), int(flat.sum())

    def _shares(self, products: NDArray[np.float64]) -> NDArray[np.float64]:
        by_basis = products.reshape(-1, ROWS_PER_BLOCK, VOXELS_PER_BLOCK)
        shares: NDArray[np.float64] = by_basis[0]
        if len(by_basis) > 1:
            shares = np.empty(by_basis.shape[1:])
            form_shares(by_basis, self.n_effects, shares)
        return shares

    def _limits(
        self, own: NDArray[np.float64], observed: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the shares from which on the observed one counts as reached."""
        if self.tails == 2:
            own, observed = np.abs(own), np.abs(observed)
        limits = shares_of(lower_limit(observed), float(self.model.dof), self.n_effects)
        # Close to 1 a limit may come out above the share that it belongs to.
        return np.minimum(limits, own - CLOSE_SHARES)

    def _scale(self, data: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Remove nuisance from data and divide them by their length, in place.

        Returns the length before nuisance was removed, and after.
        """
        length = left = np.sqrt(np.einsum("nv,nv->v", data, data))
        nuisance = self.model.nuisance
        if nuisance.shape[1]:
            data -= nuisance @ (nuisance.T @ data)
            left = np.sqrt(np.einsum("nv,nv->v", data, data))
        data /= np.where(left > 0, left, 1.0)
        return length, left

    def conclude(self, state: PermutationState) -> Permuted:
        """Put the observed maps and the distributions together."""
        model, settings, dof = self.model, self.settings, float(self.model.dof)
        relabelings = model.relabelings
        observed = {"voxel": statistics_of(state.observed, dof, self.n_effects)}
        highest = statistics_of(state.highest, dof, self.n_effects)
        lowest = statistics_of(state.lowest, dof, self.n_effects)
        largest = {"voxel": self._both_tails(highest, -lowest)}
        if self.forms_maps:
            own = np.empty((1, len(state.observed)), np.float32)
            write_statistics(state.observed[None], dof, self.n_effects, LARGEST, own)
            for number, (name, values) in enumerate(self.support.maps(own[0]).items()):
                if name in settings.statistics:
                    observed[name] = values
                    largest[name] = self._both_tails(*state.measures[:, number])
        twice = 2 if relabelings.mirrored and self.tails != 3 else 1
        n_used = relabelings.n_used
        return Permuted(
            observed,
            largest,
            state.counts * twice,
            n_used,
            relabelings.exhaustive,
            model.is_exact,
            model.n_equivalent(settings.sides) / n_used,
            self.threshold,
            model.statistic,
            "sign flips" if relabelings.mirrored else "permutations",
            settings,
        )

    def _both_tails(
        self, positive: NDArray[np.float64], negative: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the largest value under every relabeling, mirror images in the second half."""
        if self.tails == 2:
            positive = negative = np.maximum(positive, negative)
        elif self.model.statistic == "F":
            negative = positive
        if self.model.relabelings.mirrored:
            return np.concatenate([positive, negative])
        return positive


def _padded(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give weights of up to a block of relabelings the shape of a block, one row after another."""
    n_bases, n_rows, n_subjects = weights.shape
    padded = np.zeros((n_bases, ROWS_PER_BLOCK, n_subjects))
    padded[:, :n_rows] = weights
    return padded.reshape(-1, n_subjects)


def _without_statistic(n_missing: int, n_flat: int) -> InputError:
    return InputError(
        Problem(
            "group maps",
            f"{n_missing} voxels with values that are missing or infinite, "
            f"{n_flat} that do not vary",
            "finite numbers that vary between subjects beyond what the design explains",
            "leave these voxels out of the mask",
        )
    )
