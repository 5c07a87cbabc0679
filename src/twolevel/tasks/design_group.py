"""The design of the group model, and the voxels that all subjects cover."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from fileformats.generic import Directory, File
from pydra.compose import python

from twolevel.derivatives.maps import model_record, write_mask
from twolevel.errors import AnalysisError
from twolevel.files.images import read_mask
from twolevel.files.sidecars import write_json
from twolevel.files.tables import write_tsv
from twolevel.tasks.handoff import GroupSpec, save_group_mask


def design_group(spec: GroupSpec, masks: dict[str, Path], folder: Path) -> Path:
    """Save the group's design matrix and its analysis mask.

    Parameters
    ----------
    masks : dict of str to Path
        Analysis mask of each subject, and ``group mask`` if there is one.
    folder : Path
        Where the tree is written.

    Returns
    -------
    Path
        `folder`.
    """
    loaded = {name: read_mask(path) for name, path in masks.items()}
    mask = np.logical_and.reduce([array for array, _ in loaded.values()])
    affine = next(iter(loaded.values()))[1]
    subjects = [name for name in masks if name.startswith("sub-")]
    if not mask.any():
        raise AnalysisError(f"no voxel is covered by all {len(subjects)} subjects")
    record = {
        **model_record(spec.stage),
        "Settings": asdict(spec.stage.node.settings),
        "NumberOfSubjects": len(subjects),
        **({"GroupMask": masks["group mask"].name} if "group mask" in masks else {}),
        "Sources": [f"bids::{s}/func/{masks[s].name}" for s in subjects],
    }
    path = folder / spec.entities.path("design", ".tsv")
    write_tsv(path, pd.DataFrame({"subject": subjects, "intercept": 1.0}))
    write_json(
        path.with_suffix(".json"),
        {
            "Description": "Design matrix of the group: one row per subject",
            "Columns": {
                "subject": "label of the subject",
                "intercept": "1: the mean of the group",
            },
            **record,
        },
    )
    write_mask(folder, spec.entities, mask, affine, record)
    if "group mask" in loaded:
        save_group_mask(folder, loaded["group mask"][0])
    return folder


@python.define(outputs={"out": Directory})
def DesignGroup(spec: GroupSpec, masks: dict[str, File], software: str):
    """Make the group's design and mask."""
    return design_group(spec, {k: Path(v) for k, v in masks.items()}, Path.cwd() / "out")
