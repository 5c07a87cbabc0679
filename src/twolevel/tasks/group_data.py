"""The group's numbers of one contrast, as the steps of the group level hand them on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twolevel.files.sidecars import read_json, write_json
from twolevel.space.grid import Grid
from twolevel.space.mask import Mask
from twolevel.stats.estimates import ContrastEstimate
from twolevel.stats.inference.result import GroupContrast

FOLDER = "_group"
RECORD = "record.json"


@dataclass(frozen=True)
class GroupData:
    """A contrast at the group level.

    Attributes
    ----------
    record : dict
        What the sidecars of its maps have in common.
    """

    contrast: GroupContrast
    record: dict[str, Any]


def save_group(folder: Path, data: GroupData) -> None:
    """Save the group's numbers beside the maps; they stay in the work directory."""
    (folder / FOLDER).mkdir(parents=True)
    estimate = data.contrast.estimate
    arrays: dict[str, NDArray[Any]] = {
        "mask": data.contrast.mask.inside,
        "effect": estimate.effect,
        "variance": estimate.variance,
        "dof": np.array(estimate.dof),
        "affine": data.contrast.mask.space.affine,
    }
    for name, array in arrays.items():
        np.save(folder / FOLDER / f"{name}.npy", array)
    write_json(folder / FOLDER / RECORD, data.record)


def load_group(folder: Path) -> GroupData:
    """Load what `save_group` saved."""
    names = ("mask", "effect", "variance", "dof", "affine")
    a = {name: np.load(folder / FOLDER / f"{name}.npy") for name in names}
    estimate = ContrastEstimate(a["effect"], a["variance"], float(a["dof"]))
    record = read_json(folder / FOLDER / RECORD)
    mask = Mask(Grid(a["mask"].shape, a["affine"]), a["mask"])
    return GroupData(GroupContrast(estimate, mask), record)
