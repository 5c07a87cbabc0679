"""A contrast as the page shows it: clusters with regions, subjects at the peaks, the viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twolevel.report.regions import atlas_for, name_region
from twolevel.report.subject_effects import SubjectEffects, half_width, read_subject_effects
from twolevel.report.viewer import viewer_map
from twolevel.stats.maps.quality import cohens_d

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.report.atlas import Atlas
    from twolevel.report.group_results import ContrastResult, GroupMaps, Peak, TestResult
    from twolevel.space.mask import Mask

CLUSTERS_SHOWN = 25  # of a test; its table has all

Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class ShownTest:
    """A test with those of its clusters that the page lists.

    Attributes
    ----------
    rows : list of dict
        Rows of its table of clusters with ``region``, ``d`` and ``peak``, the index of the peak
        among those of the contrast.
    """

    result: TestResult
    rows: list[dict[str, Any]]

    @property
    def n_hidden(self) -> int:
        """How many clusters only the table has."""
        return len(self.result.clusters) - len(self.rows)


@dataclass(frozen=True)
class ContrastView:
    """A contrast as the page shows it.

    Attributes
    ----------
    effects : SubjectEffects or None
        None where the maps of the subjects are not there any more.
    region : str
        Of the strongest peak.
    atlas : Atlas or None
        That named the regions.
    viewer : dict
        What the script of the page reads.
    """

    result: ContrastResult
    tests: list[ShownTest]
    effects: SubjectEffects | None
    region: str
    atlas: Atlas | None
    viewer: dict[str, Any]

    @property
    def ground(self) -> tuple[Mask, str | None]:
        """Mask and template of the maps."""
        return self.result.maps.mask, self.result.space

    @property
    def anchor(self) -> str:
        """Of its section in the page."""
        return f"contrast-{self.result.stem}-{self.result.label}"


def make_contrast_view(root: Path, result: ContrastResult, given: Atlas | None) -> ContrastView:
    """Prepare a contrast for the page; regions are named by the given atlas or the shipped one."""
    atlas = given or atlas_for(result.space)
    peaks: dict[Voxel, tuple[float, float, float]] = {}
    strongest = _place(result.peak)
    peaks[_voxel(result.maps, strongest)] = strongest
    for test in result.tests:
        for place in _places(test):
            peaks[_voxel(result.maps, place)] = place
    index_of = {voxel: index for index, voxel in enumerate(peaks)}
    regions = [name_region(atlas, place) if atlas else "" for place in peaks.values()]
    tests, n = [], result.design.effective_n()
    for test in result.tests:
        shown = test.clusters.head(CLUSTERS_SHOWN).to_dict("records")
        rows = []
        for record, place in zip(shown, _places(test), strict=True):
            peak = index_of[_voxel(result.maps, place)]
            d = float(cohens_d(record["t_at_peak"], n))
            own = {str(key): value for key, value in record.items()}
            rows.append({**own, "region": regions[peak], "d": d, "peak": peak})
        tests.append(ShownTest(test, rows))
    effects = read_subject_effects(root, result, list(peaks))
    return ContrastView(
        result, tests, effects, regions[0], atlas, _viewer(result, peaks, regions, effects)
    )


def _places(test: TestResult) -> list[tuple[float, float, float]]:
    columns = ["peak_x_mm", "peak_y_mm", "peak_z_mm"]
    values = test.clusters.head(CLUSTERS_SHOWN)[columns].to_numpy(float).tolist()
    return [(x, y, z) for x, y, z in values]


def _place(peak: Peak) -> tuple[float, float, float]:
    return peak.x, peak.y, peak.z


def _voxel(maps: GroupMaps, place: tuple[float, float, float]) -> Voxel:
    across = np.linalg.inv(maps.grid.affine)
    i, j, k = np.rint(across[:3, :3] @ place + across[:3, 3]).astype(int).tolist()
    return i, j, k


def _viewer(
    result: ContrastResult,
    peaks: dict[Voxel, tuple[float, float, float]],
    regions: list[str],
    effects: SubjectEffects | None,
) -> dict[str, Any]:
    voxels = tuple(np.array(list(peaks)).T)
    mean = result.maps.effect[voxels]
    dof = result.sidecar["DegreesOfFreedom"]
    halves = half_width(result.maps.variance[voxels].astype(np.float64), dof)
    shown = {
        **viewer_map(result.maps.z, result.maps.grid, result.maps.survives),
        "name": result.title,
        "quantity": "z",
        "units": result.units,
        "peaks": [
            {"at": place, "region": region, "mean": m, "half": h}
            for place, region, m, h in zip(peaks.values(), regions, mean, halves, strict=True)
        ],
    }
    if effects is not None:
        shown["subjects"] = effects.subjects
        shown["values"] = effects.at_peaks.T
        shown["halves"] = None if effects.half_widths is None else effects.half_widths.T
    return shown
