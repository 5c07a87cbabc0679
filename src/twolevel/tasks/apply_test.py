"""One test of one contrast: map, clusters, and its line in the comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from fileformats.generic import Directory
from pydra.compose import python

from twolevel.bids.units import Unit
from twolevel.derivatives.maps import in_words, write_statmap
from twolevel.files.sidecars import write_json
from twolevel.files.tables import write_tsv
from twolevel.model.nodes import ContrastName
from twolevel.model.settings import GroupSettings, TestSettings
from twolevel.stats.inference.cluster_extent import cluster_extent
from twolevel.stats.inference.cluster_table import cluster_table
from twolevel.stats.inference.height_control import height_control
from twolevel.stats.inference.parametric_fwe import parametric_fwe
from twolevel.stats.inference.permutation_fdr import permutation_fdr
from twolevel.stats.inference.permutation_fwe import permutation_fwe
from twolevel.stats.inference.result import GroupContrast, GroupTest
from twolevel.stats.permute.result import Permuted
from twolevel.tasks.describe_permutations import permutation_record
from twolevel.tasks.handoff import load_fitted, load_permuted, save_row
from twolevel.tasks.permute_group import BY_PERMUTATION


def carry_out(
    group: GroupContrast, test: TestSettings, settings: GroupSettings, permuted: Permuted | None
) -> GroupTest:
    """Carry out a test by its settings, and those of the group for what it does not state itself.

    `permuted` is None only for tests that need no relabelings.
    """
    alpha, sides = test.alpha if test.alpha is not None else settings.alpha, settings.sides
    if test.test == "clusterExtent":
        return cluster_extent(group, height=test.height, min_voxels=test.min_voxels, sides=sides)
    if test.test == "parametricFWE":
        return parametric_fwe(group, alpha=alpha, sides=sides)
    if permuted is not None:
        if test.test == "permutationFDR":
            return permutation_fdr(permuted, alpha=alpha)
        return permutation_fwe(permuted, test=test.test, alpha=alpha, tail=settings.tail)
    return height_control(group, method=test.test, alpha=alpha, sides=sides)  # type: ignore[arg-type]


def apply_test(
    unit: Unit,
    contrast: ContrastName,
    test: TestSettings,
    fitted: Path,
    permutations: Path,
    folder: Path,
) -> Path:
    """Carry out a test on the fit and the relabelings; save map, cluster table and summary."""
    data = load_fitted(fitted)
    permuted = load_permuted(permutations) if test.test in BY_PERMUTATION else None
    result = carry_out(data.contrast, test, unit.node.group_settings, permuted)
    names = unit.entities.with_(contrast=contrast.label, desc=result.test)
    tail = {"Tail": result.tail}
    relabeled = {**permutation_record(permuted, unit.node.seed), **tail} if permuted else {}
    record = {**relabeled, **describe_test(result, unit.node.seed), **data.record}
    write_statmap(
        folder,
        names.with_(stat=result.statistic),
        result.map_values,
        data.contrast.mask,
        {"Units": "1", **record},
    )
    clusters = cluster_table(data.contrast, result)
    path = folder / names.path("clusters", ".tsv")
    write_tsv(path, clusters)
    write_json(path.with_suffix(".json"), {**CLUSTER_COLUMNS, **record})
    save_row(folder, _row(contrast, result, data.contrast, len(clusters)))
    return folder


def describe_test(result: GroupTest, seed: int) -> dict[str, Any]:
    """Describe a test for sidecars."""
    smallest = {"SmallestAttainableP": result.smallest_p} if result.smallest_p else {}
    return {
        "Test": result.test,
        "Controls": result.controls,
        "Sidedness": in_words(result.sides),
        "Alpha": result.alpha,
        "Threshold": result.threshold,
        "ThresholdUnits": "z" if result.statistic == "z" else "-log10 of corrected p",
        "RandomSeed": seed,
        **smallest,
    }


CLUSTER_COLUMNS = {
    "Description": "Clusters of surviving voxels, signs apart; neighbours share a face where "
    "Connectivity does not say otherwise",
    "cluster": "number, largest first",
    "sign": "sign of the contrast there",
    "n_voxels": "size in voxels",
    "volume_mm3": "size in cubic millimetres",
    "peak_x_mm": "coordinate of the voxel with the largest |t|, in mm",
    "peak_y_mm": "in mm",
    "peak_z_mm": "in mm",
    "z_at_peak": "z at the peak",
    "t_at_peak": "t at the peak",
    "effect_at_peak": "effect at the peak, in the units of the effect map",
    "logp_at_peak": "-log10 of the corrected p at the peak, n/a for tests without one",
    "p_at_peak": "the corrected p itself; in tests of clusters that of the cluster",
}


def _row(
    contrast: ContrastName, result: GroupTest, group: GroupContrast, n_clusters: int
) -> dict[str, Any]:
    return {
        "contrast": contrast.label,
        "test": result.test,
        "controls": result.controls,
        "sides": result.sides,
        "alpha": result.alpha,
        "statistic": "z" if result.statistic == "z" else "-log10 p",
        "threshold": result.threshold,
        "n_voxels_tested": group.n_voxels,
        "n_voxels": int(result.surviving.sum()),
        "n_clusters": n_clusters,
        "largest_abs_z": float(np.abs(group.estimate.z).max()),
        "n_permutations": result.n_permutations,
        "all_permutations": None if result.exhaustive is None else str(result.exhaustive).lower(),
        "smallest_attainable_p": result.smallest_p,
    }


@python.define(outputs={"out": Directory})
def ApplyTest(
    unit: Unit,
    contrast: ContrastName,
    test: TestSettings,
    fitted: Directory,
    permutations: Directory,
    software: str,
):
    """Carry out one test of one contrast."""
    folder = Path.cwd() / "out"
    return apply_test(unit, contrast, test, Path(fitted), Path(permutations), folder)
