"""What each subject contributes to a contrast of the group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from twolevel.bids.entities import entities_of
from twolevel.files.maps import read_map, read_mask
from twolevel.files.nifti import read_header
from twolevel.files.sidecars import read_json, sidecar_of
from twolevel.numerics.threads import map_ahead
from twolevel.stats.maps.quality import distance_to_others
from twolevel.stats.run.quality import above_whisker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.report.group_results import ContrastResult

N_THREADS = 2
CONFIDENCE = 0.95
ROUNDING = 1e-5  # of the largest effect: maps are in single precision
ENOUGH = 0.95  # of the voxels that at least half of the subjects cover


@dataclass(frozen=True)
class SubjectEffects:
    """The maps of all subjects that entered the group, reduced to what can be looked at.

    Attributes
    ----------
    subjects : list of str
        ``sub-...``.
    at_peaks : ndarray of shape (n_subjects, n_peaks)
        Values of their maps.
    half_widths : ndarray of shape (n_subjects, n_peaks) or None
        Half the 95 % confidence interval of each; None where not effects went up.
    distances : ndarray of shape (n_subjects,)
        To the mean map of the others: see `distance_to_others`.
    far : ndarray of shape (n_subjects,), bool
        Whose distance is above ``P75 + 1.5 (P75 - P25)``.
    """

    subjects: list[str]
    at_peaks: NDArray[np.float64]
    half_widths: NDArray[np.float64] | None
    distances: NDArray[np.float64]
    far: NDArray[np.bool_]


def half_width(
    variance: NDArray[np.floating] | float, dof: NDArray[np.floating] | float
) -> NDArray[np.float64]:
    """Compute half of the 95 % confidence interval of an effect: ``t(0.975, dof) sd``."""
    width: NDArray[np.float64] = stdtrit(dof, 0.5 + CONFIDENCE / 2) * np.sqrt(variance)
    return width


def read_subject_effects(
    root: Path, contrast: ContrastResult, peaks: Sequence[tuple[int, int, int]]
) -> SubjectEffects | None:
    """Read the maps of the subjects of a contrast, at some voxels.

    None where the maps are not there any more, or not those of this group: the participant level
    has been run anew since.
    """
    paths = [root / uri.removeprefix("bids::") for uri in contrast.sidecar["Sources"]]
    effects = contrast.sidecar["GroupInput"] == "effect"
    wanted = [*paths, *(map(_variance_of, paths) if effects else ())]
    if not all(path.is_file() for path in wanted):
        return None
    mask = contrast.maps.mask
    if any(read_header(path).grid.shape != mask.space.shape for path in paths):
        return None
    voxels = tuple(np.array(peaks, int).reshape(-1, 3).T)
    maps = np.empty((len(paths), mask.n_points), np.float32)
    at_peaks = np.empty((len(paths), len(peaks)))
    half_widths = np.empty_like(at_peaks) if effects else None

    def read(index: int) -> None:
        volume = read_map(paths[index])[0]
        maps[index] = mask.take(volume)
        at_peaks[index] = volume[voxels]
        if half_widths is not None:
            variance = read_map(_variance_of(paths[index]))[0][voxels].astype(np.float64)
            dof = read_json(sidecar_of(paths[index]))["DegreesOfFreedom"]
            half_widths[index] = half_width(variance, dof)

    for _ in map_ahead(read, range(len(paths)), N_THREADS):
        pass
    effect = mask.take(contrast.maps.effect)
    tolerance = ROUNDING * float(np.abs(effect).max())
    estimated = np.einsum("r,rv->v", contrast.design.row_weights(), maps)
    if not np.allclose(estimated, effect, rtol=0, atol=tolerance):
        return None
    distances = distance_to_others(maps)
    return SubjectEffects(
        list(contrast.sidecar["Subjects"]),
        at_peaks,
        half_widths,
        distances,
        above_whisker(distances),
    )


def _variance_of(path: Path) -> Path:
    return path.with_name(entities_of(path).with_(stat="variance").path("statmap", ".nii.gz").name)


@dataclass(frozen=True)
class Coverage:
    """How much of the brain the subjects of a group cover.

    Attributes
    ----------
    subjects : list of str
        ``sub-...``.
    shares : ndarray of shape (n_subjects,)
        Of the voxels that at least half of the subjects cover, the share that each covers.
    alone : ndarray of shape (n_subjects,), int
        Voxels that all subjects but this one cover.
    """

    subjects: list[str]
    shares: NDArray[np.float64]
    alone: NDArray[np.int64]

    @property
    def low(self) -> NDArray[np.bool_]:
        """Which subjects cover less than 95 % of what most of them cover."""
        return self.shares < ENOUGH


def read_coverage(root: Path, sources: Sequence[str]) -> Coverage | None:
    """Read the analysis masks of the subjects of a group from the BIDS URIs of its sources.

    None where the masks are not there any more, or not on one grid.
    """
    paths = [root / uri.removeprefix("bids::") for uri in sources]
    if not paths or not all(path.is_file() for path in paths):
        return None
    read = list(map_ahead(read_mask, paths, N_THREADS))
    if len({mask.space.shape for mask in read}) > 1:
        return None
    masks = np.array([mask.inside for mask in read])
    counts = masks.sum(axis=0)
    usual, missing_one = counts >= len(paths) / 2, counts == len(paths) - 1
    return Coverage(
        [path.name.partition("_")[0] for path in paths],
        masks[:, usual].mean(axis=1),
        (~masks & missing_one).sum(axis=(1, 2, 3)),
    )
