"""Relabeling subjects: the largest t, cluster and enhanced value of the brain, each time."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special
from threadpoolctl import threadpool_limits

from twolevel.errors import InputError, Problem
from twolevel.numerics.cluster_measures import measure_clusters
from twolevel.numerics.neighbours import CONNECTIVITIES, neighbour_table
from twolevel.numerics.relabeled_statistics import (
    count_reached,
    form_shares,
    shares_of,
    statistics_of,
    write_statistics,
)
from twolevel.numerics.resources import UNLIMITED, Resources
from twolevel.numerics.tfce import enhance
from twolevel.numerics.threads import map_ahead

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from twolevel.stats.maps.rows import Maps
    from twolevel.stats.permute.model import PermutationModel

Statistic = Literal["voxel", "clusterSize", "clusterMass", "tfce"]
STATISTICS: tuple[Statistic, ...] = ("voxel", "clusterSize", "clusterMass", "tfce")

TIE = 1e-6
"""Values that differ by less, relatively, are ties: rounding must not decide about p."""
TIE_AT_ZERO = 1e-9
"""The same where t is 0, in units of t."""
CLOSE_SHARES = 4e-15
"""Shares that differ by less are equal: the rounding of a sum of products."""
LARGEST_POWER = 10
"""Of TFCE: scores stay finite."""
POWERS = f"from 0 to {LARGEST_POWER}"
LARGEST = 1e9
"""Infinite t in the maps from which clusters are formed."""

# Blocks have one shape whatever the machine: a matrix product differs in its last bits with the
# width of its operands.
ROWS_PER_BLOCK = 256
VOXELS_PER_BLOCK = 2048
BLOCKS_AT_A_TIME = 10
"""Blocks of relabelings for which a block of voxels is prepared once, where no maps are formed."""


@dataclass(frozen=True)
class PermutationSettings:
    """What is computed from every relabeling.

    Attributes
    ----------
    sides : {1, 2}
        Of t; F has one.
    statistics : tuple of {"voxel", "clusterSize", "clusterMass", "tfce"}
    cluster_forming_p : float
        Voxels with a smaller p (of `sides`) form clusters.
    connectivity : {6, 18, 26}
        Neighbours of a voxel, in clusters and in TFCE.
    extent_power, height_power : float
        E and H of TFCE.
    """

    sides: Literal[1, 2] = 2
    statistics: tuple[Statistic, ...] = STATISTICS
    cluster_forming_p: float = 0.001
    connectivity: Literal[6, 18, 26] = 6
    extent_power: float = 0.5
    height_power: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises
        ------
        InputError
        """
        allowed = {
            "sides": (self.sides in (1, 2), "1 or 2"),
            "statistics": (set(self.statistics) <= set(STATISTICS), f"of {STATISTICS}"),
            "cluster_forming_p": (0 < self.cluster_forming_p < 0.5, "above 0 and below 0.5"),
            "connectivity": (self.connectivity in CONNECTIVITIES, "6, 18 or 26"),
            "extent_power": (0 <= self.extent_power <= LARGEST_POWER, POWERS),
            "height_power": (0 <= self.height_power <= LARGEST_POWER, POWERS),
        }
        problems = [
            Problem(
                f"permutation settings: {name}", f"{getattr(self, name)}", expected, "change it"
            )
            for name, (right, expected) in allowed.items()
            if not right
        ]
        if problems:
            raise InputError(problems)


@dataclass
class PermutationState:
    """How far the relabelings have got: enough to go on from there with the same result.

    Attributes
    ----------
    n_done : int
        Rows of the relabelings that are done; 0 at the start.
    observed : ndarray of shape (n_voxels,), float64
        Shares (see `relabeled_statistics`) of the identity.
    counts : ndarray of shape (n_voxels,), int64
        Relabelings that reach the observed value, in each voxel by itself.
    lowest, highest : ndarray of shape (n_rows,), float64
        Extreme shares over voxels.
    measures : ndarray of shape (2, 3, n_rows), float64
        Largest cluster size, mass and TFCE score: of the positive tail, of the negative one.
    """

    n_done: int
    observed: NDArray[np.float64]
    counts: NDArray[np.int64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    measures: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of voxels, number of rows; -1 where the arrays do not agree."""
        n_voxels = {self.observed.shape, self.counts.shape}
        n_rows = {self.lowest.shape, self.highest.shape, self.measures.shape[2:]}
        sizes = [next(iter(s))[0] if len(s) == 1 else -1 for s in (n_voxels, n_rows)]
        return sizes[0], sizes[1]

    @classmethod
    def at_start(cls, n_voxels: int, n_rows: int) -> PermutationState:
        """Return the state before anything is done."""
        return cls(
            0,
            np.zeros(n_voxels),
            np.zeros(n_voxels, np.int64),
            np.full(n_rows, np.inf),
            np.full(n_rows, -np.inf),
            np.zeros((2, 3, n_rows)),
        )


@dataclass(frozen=True)
class Permuted:
    """What relabelings tell about a contrast.

    Attributes
    ----------
    observed : dict of str to ndarray of shape (n_voxels,)
        By statistic: t or F (``voxel``), and in every voxel the size and mass of its cluster and
        its TFCE score, with the sign of t.
    largest : dict of str to ndarray of shape (n_used,)
        By statistic: the largest value in the brain under every relabeling, of |t| for two
        sides. The identity comes first; mirror images are the second half.
    n_reached : ndarray of shape (n_voxels,), int64
        Relabelings under which a voxel's own statistic is at least the observed one.
    n_used : int
        Relabelings, the identity included.
    exhaustive : bool
        All that there are were used.
    exact : bool
        No nuisance variable makes the test approximate.
    smallest_p : float
        That can be attained.
    cluster_threshold : float
        t (F) above which voxels form clusters.
    kind : {"t", "F"}
    scheme : {"sign flips", "permutations"}
    settings : PermutationSettings
    """

    observed: dict[str, NDArray[np.float64]]
    largest: dict[str, NDArray[np.float64]]
    n_reached: NDArray[np.int64]
    n_used: int
    exhaustive: bool
    exact: bool
    smallest_p: float
    cluster_threshold: float
    kind: Literal["t", "F"]
    scheme: str
    settings: PermutationSettings = field(default_factory=PermutationSettings)

    @property
    def p_uncorrected(self) -> NDArray[np.float64]:
        """The p-value of each voxel by itself."""
        return self.n_reached / self.n_used

    def p_corrected(self, statistic: str) -> NDArray[np.float64]:
        """Compare each voxel with the largest value of the brain.

        Parameters
        ----------
        statistic : {"voxel", "clusterSize", "clusterMass", "tfce"}

        Returns
        -------
        ndarray of shape (n_voxels,), float64
            The share of relabelings whose largest value is at least the voxel's own (Nichols &
            Holmes 2002, doi:10.1002/hbm.1058); 1 outside clusters.
        """
        values = self.compared(statistic)
        largest = np.sort(self.largest[statistic])
        n_below = np.searchsorted(largest, lower_limit(values), side="left")
        p = (self.n_used - n_below) / self.n_used
        return p if statistic == "voxel" else np.where(values > 0, p, 1.0)

    def compared(self, statistic: str) -> NDArray[np.float64]:
        """Return what is compared: absolute values for two sides."""
        values = self.observed[statistic]
        return np.abs(values) if self.settings.sides == 2 else values


def lower_limit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest value that counts as at least as large as each of the given ones."""
    return values * np.where(values > 0, 1 - TIE, 1 + TIE) - TIE_AT_ZERO


def permute_group(
    maps: Maps,
    mask: NDArray[np.bool_],
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
    mask : ndarray of shape (x, y, z), bool
        Where the voxels are, in the order of ``array[mask]``.
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


def _check(maps: Maps, mask: NDArray[np.bool_], model: PermutationModel) -> None:
    if getattr(mask, "dtype", None) != np.bool_:
        raise InputError(
            Problem(
                "mask",
                f"values of type {getattr(mask, 'dtype', type(mask).__name__)}",
                "an array of bool, True in the brain",
                "give mask > 0",
            )
        )
    expected = (model.n_subjects, int(mask.sum()))
    if tuple(maps.shape) != expected or mask.ndim != 3:
        raise InputError(
            Problem(
                "group maps",
                f"shape {tuple(maps.shape)}, mask of shape {mask.shape}",
                f"{expected[0]} rows, as the design has, and {expected[1]} voxels, as a 3-D mask",
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
        mask: NDArray[np.bool_],
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
        self.threshold = _cluster_threshold(model, settings)
        if self.forms_maps:
            self.neighbours = neighbour_table(mask, settings.connectivity)
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
            measured = map_ahead(self._measure, range(n_here), self.n_workers)
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

    def _measure(self, row: int) -> NDArray[np.float64]:
        """Return the largest cluster size, mass and score of each tail of a map."""
        measures = np.zeros((2, 3))
        for number, sign in enumerate(self.signs):
            measures[number] = self._measure_tail(self.statistics[row], sign)[0]
        return measures

    def _measure_tail(
        self, statistics: NDArray[np.float32], sign: int
    ) -> tuple[list[float], NDArray[np.float64]]:
        values = statistics if sign > 0 else -statistics
        wanted, settings = self.settings.statistics, self.settings
        maps = np.zeros((3, len(values)))
        largest = [0.0, 0.0, 0.0]
        if "clusterSize" in wanted or "clusterMass" in wanted:
            largest[:2] = measure_clusters(
                values, self.neighbours, self.threshold, maps[0], maps[1]
            )
        if "tfce" in wanted:
            powers = settings.extent_power, settings.height_power
            largest[2] = enhance(values, self.neighbours, *powers, maps[2])
        return largest, maps

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
            signs = (1, -1)[: settings.sides]
            tails = [sign * self._measure_tail(own[0], sign)[1] for sign in signs]
            for number, name in enumerate(STATISTICS[1:]):
                if name in settings.statistics:
                    observed[name] = np.sum([tail[number] for tail in tails], axis=0)
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


def _cluster_threshold(model: PermutationModel, settings: PermutationSettings) -> float:
    p, dof = settings.cluster_forming_p, float(model.dof)
    if model.statistic == "F":
        return float(special.fdtri(model.effects.shape[1], dof, 1 - p))
    return float(-special.stdtrit(dof, p / settings.sides))


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
