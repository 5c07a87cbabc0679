"""The design of a model over the maps of subjects, and the voxels that all subjects cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import reduce
from operator import and_
from pathlib import Path

from fileformats.generic import Directory, File
from pydra.compose import python

from twolevel.derivatives.designs import write_map_design
from twolevel.derivatives.maps import model_record, write_mask
from twolevel.errors import AnalysisError
from twolevel.files.maps import read_mask
from twolevel.model.nodes import Node
from twolevel.stats.maps.design import MapDesign, make_map_design
from twolevel.tasks.handoff import GroupSpec, save_group_mask

OF_FIXED_EFFECTS = {"mean": "fixed", "precision": "precision"}
"""Which estimator a subject node's weights of runs ask for."""
GIVEN = "group mask"


def design_of(node: Node, rows: Sequence[str]) -> MapDesign:
    """Make the design of a node above the runs, one row per map."""
    return make_map_design(rows, node.x)


def estimator_of(node: Node) -> str:
    """Return which estimator a node above the runs asks for, as `fit_maps` names it."""
    if node.level == "subject":
        return OF_FIXED_EFFECTS[node.subject_settings.fixed_effects]
    return "ols"


def design_maps(spec: GroupSpec, masks: dict[str, Path], folder: Path) -> Path:
    """Save the design matrix and the analysis mask of a dataset node.

    The masks are those of each subject, and ``group mask`` if there is one.
    """
    entities, node = spec.entities, spec.stage.node
    subjects = [name for name in masks if name != GIVEN]
    mask = reduce(and_, map(read_mask, masks.values()))
    if not mask.n_points:
        raise AnalysisError(f"no voxel is covered by all {len(subjects)} subjects")
    record = {
        **model_record(spec.stage),
        "Settings": asdict(node.settings),
        "NumberOfSubjects": len(subjects),
        **({"GroupMask": masks[GIVEN].name} if GIVEN in masks else {}),
        "Sources": [f"bids::{s}/func/{masks[s].name}" for s in subjects],
    }
    sidecar = {"Estimator": estimator_of(node), **record}
    write_map_design(folder, entities, design_of(node, subjects), sidecar)
    write_mask(folder, entities, mask, record)
    if GIVEN in masks:
        save_group_mask(folder, read_mask(masks[GIVEN]))
    return folder


@python.define(outputs={"out": Directory})
def DesignMaps(spec: GroupSpec, masks: dict[str, File], software: str):
    """Make the design and the mask of a dataset node."""
    return design_maps(spec, {k: Path(v) for k, v in masks.items()}, Path.cwd() / "out")
