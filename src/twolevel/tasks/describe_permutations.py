"""What relabelings give besides the tests: maps, and the distributions themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fileformats.generic import Directory
from pydra.compose import python

from twolevel.bids.units import Unit
from twolevel.derivatives.maps import in_words, write_statmap
from twolevel.files.sidecars import write_json
from twolevel.files.tables import write_tsv
from twolevel.model.nodes import ContrastName
from twolevel.stats.permute.result import Permuted
from twolevel.tasks.handoff import has_permuted, load_fitted, load_permuted

UNCORRECTED = "permutationUncorrected"  # the `desc` of p that no test corrects

LARGEST = {
    "voxel": ("largest_t", "the largest t (absolute, for two sides) of all voxels"),
    "clusterSize": ("largest_cluster_size", "voxels of the largest cluster; 0 without any"),
    "clusterMass": (
        "largest_cluster_mass",
        "largest sum over a cluster of what t exceeds the cluster-forming threshold by",
    ),
    "tfce": ("largest_tfce", "the largest TFCE score of all voxels"),
}


def permutation_record(permuted: Permuted, seed: int) -> dict[str, Any]:
    """Describe relabelings for sidecars."""
    settings = permuted.settings
    return {
        "Relabelings": permuted.scheme,
        "NumberOfPermutations": permuted.n_used,
        "AllPermutations": permuted.exhaustive,
        "ExactTest": permuted.exact,
        "SmallestAttainableP": permuted.smallest_p,
        "Sidedness": in_words(settings.sides),
        "ClusterFormingP": settings.cluster_forming_p,
        "ClusterFormingThreshold": permuted.cluster_threshold,
        "Connectivity": settings.connectivity,
        "TFCE": {"E": settings.extent_power, "H": settings.height_power},
        "RandomSeed": seed,
    }


def describe_permutations(
    unit: Unit, contrast: ContrastName, fitted: Path, permutations: Path, folder: Path
) -> Path:
    """Save uncorrected p, TFCE scores and the distributions of the largest values.

    The folder stays empty where there were no relabelings.
    """
    folder.mkdir(parents=True)
    if not has_permuted(permutations):
        return folder
    data, permuted = load_fitted(fitted), load_permuted(permutations)
    names = unit.entities.with_(contrast=contrast.label)
    record = {"Units": "1", **permutation_record(permuted, unit.node.seed), **data.record}
    mask = data.contrast.mask
    uncorrected = {
        "Description": "-log10 of the p of each voxel by itself: the share of relabelings under "
        "which its t is at least the observed one"
    }
    write_statmap(
        folder,
        names.with_(stat="logp", desc=UNCORRECTED),
        -np.log10(permuted.p_uncorrected) + 0.0,  # + 0.0 turns -0.0 into 0.0
        mask,
        {**record, **uncorrected},
    )
    if "tfce" in permuted.observed:
        tfce = names.with_(stat="tfce")
        write_statmap(folder, tfce, permuted.observed["tfce"], mask, record)
    path = folder / names.with_(desc="permutation").path("null", ".tsv")
    columns = {LARGEST[name][0]: values for name, values in permuted.largest.items()}
    write_tsv(path, pd.DataFrame({"permutation": np.arange(1, permuted.n_used + 1), **columns}))
    description = {
        "Description": "The largest values of the brain under every relabeling of the subjects. "
        "The corrected p of a value is the share of rows that are at least as large (where a "
        "test's sidecar says Tail: gpd, small p come from a distribution fitted to this one)",
        "permutation": "number; 1 is the identity",
        **{LARGEST[name][0]: LARGEST[name][1] for name in permuted.largest},
    }
    write_json(path.with_suffix(".json"), {**description, **record})
    return folder


@python.define(outputs={"out": Directory})
def DescribePermutations(
    unit: Unit,
    contrast: ContrastName,
    fitted: Directory,
    permutations: Directory,
    software: str,
):
    """Save what relabelings give besides the tests."""
    folder = Path.cwd() / "out"
    return describe_permutations(unit, contrast, Path(fitted), Path(permutations), folder)
