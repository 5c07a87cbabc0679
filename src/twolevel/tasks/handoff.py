"""What one step leaves for the next beside what is published: the names, and how it is written.

Files of these names begin as `twolevel.files.sealed.PRIVATE` does, so that publishing leaves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twolevel.bids.entities import Entities
from twolevel.derivatives.exclusions import Exclusion, read_exclusions, write_exclusions
from twolevel.files.sealed import PRIVATE
from twolevel.files.sidecars import read_json, write_json
from twolevel.files.tables import read_tsv
from twolevel.model.spec import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

EXCLUSIONS = f"{PRIVATE}excluded.tsv"
GROUP_DATA = f"{PRIVATE}group"  # a folder: see `twolevel.tasks.group_data`
GROUP_MASK = f"{PRIVATE}group_mask.npy"
ROW = f"{PRIVATE}row.json"


@dataclass(frozen=True)
class GroupSpec:
    """What every step of the group level has to know.

    Attributes
    ----------
    stage : Stage
        Of the dataset level.
    entities : Entities
        Of the names of its outputs: task, space, resolution.
    smoothing_fwhm_mm : float
        Of the runs, for the sidecars.
    seed : int
        Of everything random.
    """

    stage: Stage
    entities: Entities
    smoothing_fwhm_mm: float
    seed: int


def save_exclusions(folder: Path, exclusions: Iterable[Exclusion]) -> None:
    """Save what a step left out, also when that is nothing."""
    write_exclusions(folder / EXCLUSIONS, exclusions)


def load_exclusions(folder: Path) -> list[Exclusion]:
    """Load what a step and those before it left out."""
    return read_exclusions(folder / EXCLUSIONS)


def load_design(folder: Path) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Load the design matrix that `design_run` wrote.

    Returns
    -------
    matrix : pandas.DataFrame of shape (n_kept, n_columns)
    kept : ndarray of shape (n_kept,), int
        Volumes of its rows.
    """
    (path,) = folder.rglob("*_design.tsv")
    sidecar = read_json(path.with_suffix(".json"))
    kept = np.setdiff1d(np.arange(sidecar["NumberOfVolumes"]), sidecar["VolumesLeftOut"])
    return read_tsv(path), kept.astype(np.intp)


def save_group_mask(folder: Path, mask: NDArray[np.bool_]) -> None:
    """Save the mask that a user gave for the group, of shape (x, y, z)."""
    np.save(folder / GROUP_MASK, mask)


def load_group_mask(folder: Path) -> NDArray[np.bool_] | None:
    """Load the mask that a user gave for the group; None where none was given."""
    path = folder / GROUP_MASK
    return np.load(path) if path.is_file() else None


def save_row(folder: Path, row: dict[str, Any]) -> None:
    """Save the line of a test in the comparison of the tests, by the columns of that table."""
    write_json(folder / ROW, row)


def load_row(folder: Path) -> dict[str, Any]:
    """Load the line of a test in the comparison of the tests."""
    return read_json(folder / ROW)
