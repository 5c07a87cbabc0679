"""The contrasts of a group with their maps and tests, read from the derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twolevel.bids.entities import entities_of
from twolevel.derivatives.designs import read_map_design
from twolevel.files.maps import read_map
from twolevel.files.sidecars import read_json, sidecar_of
from twolevel.files.tables import read_tsv
from twolevel.space.mask import Mask

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.report.incomplete import Incomplete
    from twolevel.space.grid import Grid
    from twolevel.stats.maps.design import MapDesign

CORRECTED = ("permutationFWE", "parametricFWE")
"""Tests whose maps hold a corrected p in every voxel; the first one there is quoted."""

# A map holds -log10 p in single precision, its threshold in double.
ROUNDING = 1e-6


@dataclass(frozen=True)
class GroupMaps:
    """The maps of a contrast, read.

    Attributes
    ----------
    z, t, effect, variance : ndarray of the shape of the grid, float32
        NaN outside the mask.
    survives : dict of str to ndarray of the shape of the grid, bool
        By test.
    """

    z: NDArray[np.float32]
    t: NDArray[np.float32]
    effect: NDArray[np.float32]
    variance: NDArray[np.float32]
    grid: Grid
    survives: dict[str, NDArray[np.bool_]]

    @property
    def mask(self) -> Mask:
        """The voxels that were analysed."""
        return Mask(self.grid, np.isfinite(self.z))


@dataclass(frozen=True)
class Peak:
    """The voxel of a contrast with the largest |z| (z, for one side).

    Attributes
    ----------
    x, y, z : float
        In mm.
    p_corrected : float or None
        None where no test gives one in every voxel.
    test : str or None
        That gave it.
    """

    x: float
    y: float
    z: float
    z_value: float
    t: float
    p_corrected: float | None
    test: str | None


@dataclass(frozen=True)
class TestResult:
    """One test of one contrast.

    Attributes
    ----------
    row : dict
        Its row of ``tests.tsv``; None for what is missing.
    table : Path
        That holds the clusters.
    tail : {"gpd"} or None
        Small p were read from a fitted tail.
    """

    __test__ = False  # not a test case, whatever its name suggests to pytest

    row: dict[str, Any]
    clusters: pd.DataFrame
    table: Path
    tail: str | None


@dataclass(frozen=True)
class ContrastResult:
    """A contrast of the group.

    Attributes
    ----------
    stem : str
        What the names of its files begin with: task, space, resolution.
    sidecar : dict
        Of its z map.
    units : str
        Of the effect.
    group : str
        What tells its group from others: node, session, task, space; empty where it is alone.
    figures : dict of str to Path
        PNG files by what they show: ``unthresholded``, ``glassbrain``, the label of a test.
    """

    label: str
    stem: str
    sidecar: dict[str, Any]
    units: str
    seed: int
    maps: GroupMaps
    peak: Peak
    figures: dict[str, Path]
    tests: list[TestResult]
    design: MapDesign
    group: str = ""

    @property
    def title(self) -> str:
        """Its name, and that of its group where there are several."""
        name = str(self.sidecar["Contrast"]["Name"])
        return f"{name} ({self.group})" if self.group else name

    @property
    def space(self) -> str | None:
        """The template whose space the maps are in."""
        return entities_of(self.tests[0].table).get("space")


def read_contrasts(
    root: Path, stem: str, group: str, incomplete: Incomplete
) -> list[ContrastResult]:
    """Read the contrasts of a group in the order of ``tests.tsv``.

    Those of which files are missing are noted as incomplete.
    """
    # Labels of contrasts may look like numbers.
    table = read_tsv(root / "group" / f"{stem}_tests.tsv", dtype={"contrast": str, "test": str})
    design = read_map_design(root / "group" / f"{stem}_design.tsv")
    read = [
        incomplete.attempt(
            f"contrast {label}", partial(_read_contrast, root, stem, str(label), rows, design)
        )
        for label, rows in table.groupby("contrast", sort=False)
    ]
    return [replace(contrast, group=group) for contrast in read if contrast is not None]


def _read_contrast(
    root: Path, stem: str, label: str, rows: pd.DataFrame, design: MapDesign
) -> ContrastResult:
    start = f"{stem}_contrast-{label}_"
    paths = {
        (entities["stat"], entities.get("desc")): path
        for path in sorted((root / "group").glob(f"{start}stat-*_statmap.nii.gz"))
        for entities in [entities_of(path)]
    }
    for stat in ("z", "t", "effect", "variance"):
        expected = root / "group" / f"{start}stat-{stat}_statmap.nii.gz"
        paths.setdefault((stat, None), expected)  # reading says that it is missing
    tests, survives = [], {}
    z, grid = read_map(paths["z", None])
    for record in rows.to_dict("records"):
        row = {str(k): None if pd.isna(value) else value for k, value in record.items()}
        test = str(row["test"])
        clusters = root / "group" / f"{start}desc-{test}_clusters.tsv"
        sidecar = read_json(clusters.with_suffix(".json"))
        tests.append(TestResult(row, read_tsv(clusters), clusters, sidecar.get("Tail")))
        stat = "z" if row["statistic"] == "z" else "logp"
        expected = root / "group" / f"{start}stat-{stat}_desc-{test}_statmap.nii.gz"
        survives[test] = find_survivors(read_map(expected)[0], stat, row["threshold"])
    t, effect, variance = (read_map(paths[s, None])[0] for s in ("t", "effect", "variance"))
    maps = GroupMaps(z, t, effect, variance, grid, survives)
    sides, sidecar = int(rows["sides"].iloc[0]), read_json(sidecar_of(paths["z", None]))
    quoted = next((test for test in CORRECTED if ("logp", test) in paths), None)
    logp = read_map(paths["logp", quoted])[0] if quoted else None
    return ContrastResult(
        label,
        stem,
        sidecar,
        read_json(sidecar_of(paths["effect", None]))["Units"],
        read_json(tests[0].table.with_suffix(".json"))["RandomSeed"],
        maps,
        _find_peak(maps, sides, logp, quoted),
        {
            entities_of(path)["desc"]: path
            for path in sorted((root / "figures").glob(f"{start}desc-*_statmap.png"))
        },
        tests,
        design.keep(sidecar["Subjects"]),
    )


def find_survivors(
    values: NDArray[np.float32], stat: str, threshold: float | None
) -> NDArray[np.bool_]:
    """Find the voxels that survive: those not 0 in a map of z, those above it in one of -log10 p.

    A map of z is thresholded already; a cluster's size is not to be seen in it.
    """
    found = np.nan_to_num(values)
    if stat == "z":
        survives: NDArray[np.bool_] = found != 0
    elif threshold is None:
        survives = np.zeros(found.shape, bool)
    else:
        survives = found >= threshold * (1 - ROUNDING)
    return survives


def _find_peak(
    maps: GroupMaps, sides: int, logp: NDArray[np.float32] | None, test: str | None
) -> Peak:
    compared = np.nan_to_num(np.abs(maps.z) if sides == 2 else maps.z, nan=-np.inf)
    point = int(np.argmax(compared))
    x, y, z = maps.grid.coordinates(np.array([point]))[0].tolist()
    return Peak(
        x,
        y,
        z,
        float(maps.z.flat[point]),
        float(maps.t.flat[point]),
        None if logp is None else float(10.0 ** -float(logp.flat[point])),
        test,
    )
