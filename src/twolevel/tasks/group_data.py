"""The group's numbers of one contrast, as the steps of the group level hand them on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twolevel.files.sidecars import read_json, write_json
from twolevel.stats.estimates import ContrastEstimate
from twolevel.stats.inference.result import GroupContrast
from twolevel.tasks.handoff import GROUP_DATA

RECORD = "record.json"


@dataclass(frozen=True)
class GroupData:
    """A contrast at the group level, with its place in space.

    Attributes
    ----------
    affine : ndarray of shape (4, 4)
    record : dict
        What the sidecars of its maps have in common.
    """

    contrast: GroupContrast
    affine: NDArray[np.float64]
    record: dict[str, Any]


def save_group(folder: Path, data: GroupData) -> None:
    """Save the group's numbers beside the maps; they stay in the work directory."""
    (folder / GROUP_DATA).mkdir(parents=True)
    estimate = data.contrast.estimate
    arrays: dict[str, NDArray[Any]] = {
        "mask": data.contrast.mask,
        "effect": estimate.effect,
        "variance": estimate.variance,
        "dof": np.array(estimate.dof),
        "affine": data.affine,
    }
    for name, array in arrays.items():
        np.save(folder / GROUP_DATA / f"{name}.npy", array)
    write_json(folder / GROUP_DATA / RECORD, data.record)


def load_group(folder: Path) -> GroupData:
    """Load what `save_group` saved."""
    names = ("mask", "effect", "variance", "dof", "affine")
    a = {name: np.load(folder / GROUP_DATA / f"{name}.npy") for name in names}
    estimate = ContrastEstimate(a["effect"], a["variance"], float(a["dof"]))
    record = read_json(folder / GROUP_DATA / RECORD)
    return GroupData(GroupContrast(estimate, a["mask"]), a["affine"], record)
