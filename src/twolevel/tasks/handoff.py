"""What one step leaves for the next beside what is published: the names, and how it is written.

Files of these names begin as `twolevel.files.sealed.PRIVATE` does, so that publishing leaves them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from twolevel.derivatives.exclusions import Exclusion, read_exclusions, write_exclusions
from twolevel.files.maps import read_map
from twolevel.files.sealed import PRIVATE
from twolevel.files.sidecars import read_json, write_json
from twolevel.files.stack import StackedMaps, stack_maps
from twolevel.files.tables import read_tsv
from twolevel.space.grid import Grid
from twolevel.space.mask import Mask
from twolevel.stats.estimates import Estimate, FEstimate, TEstimate
from twolevel.stats.inference.result import GroupContrast
from twolevel.stats.maps.design import Exchangeability, MapDesign
from twolevel.stats.permute.result import Permuted
from twolevel.stats.permute.settings import PermutationSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

EXCLUSIONS = f"{PRIVATE}excluded.tsv"
FITTED = f"{PRIVATE}group"  # a folder
GROUP_MASK = f"{PRIVATE}group_mask.npy"
ROW = f"{PRIVATE}row.json"
# In folders of their own, of which nothing is published.
RECORD = "record.json"
MAPS, MASK, DESIGN = "maps.npy", "mask.npy", "design.json"
SCALARS = (
    "n_used",
    "exhaustive",
    "exact",
    "smallest_p",
    "cluster_threshold",
    "kind",
    "scheme",
)


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


def save_row(folder: Path, row: dict[str, Any]) -> None:
    """Save the line of a test in the comparison of the tests, by the columns of that table."""
    write_json(folder / ROW, row)


def load_row(folder: Path) -> dict[str, Any]:
    """Load the line of a test in the comparison of the tests."""
    return read_json(folder / ROW)


def save_group_mask(folder: Path, mask: Mask) -> None:
    """Save the mask that a user gave for the group, beside the design."""
    np.save(folder / GROUP_MASK, mask.inside)


def load_group_mask(folder: Path) -> NDArray[np.bool_] | None:
    """Load the mask that a user gave for the group, of shape (x, y, z); None if none was given."""
    path = folder / GROUP_MASK
    return np.load(path) if path.is_file() else None


@dataclass(frozen=True)
class FittedMaps:
    """A contrast at the group level.

    Attributes
    ----------
    record : dict
        What the sidecars of its maps have in common.
    """

    contrast: GroupContrast
    record: dict[str, Any]


def save_fitted(folder: Path, data: FittedMaps) -> None:
    """Save the group's numbers beside the maps."""
    (folder / FITTED).mkdir(parents=True)
    estimate = data.contrast.estimate
    mask = data.contrast.mask
    arrays = {"mask": mask.inside, "affine": mask.space.affine, "kind": estimate.kind}
    of_kind = {f.name: getattr(estimate, f.name) for f in fields(estimate)}  # type: ignore[arg-type]
    for name, array in {**arrays, **of_kind}.items():
        np.save(folder / FITTED / f"{name}.npy", array)
    write_json(folder / FITTED / RECORD, data.record)


def load_fitted(folder: Path) -> FittedMaps:
    """Load what `save_fitted` saved."""

    def load(name: str) -> Any:
        array = np.load(folder / FITTED / f"{name}.npy")
        return array if array.ndim else array.item()

    kind: type[TEstimate | FEstimate] = TEstimate if load("kind") == "t" else FEstimate
    estimate: Estimate = kind(**{field.name: load(field.name) for field in fields(kind)})
    record = read_json(folder / FITTED / RECORD)
    inside = load("mask")
    mask = Mask(Grid(inside.shape, load("affine")), inside)
    return FittedMaps(GroupContrast(estimate, mask), record)


def stack_rows(folder: Path, paths: Sequence[Path], mask: Mask, design: MapDesign) -> StackedMaps:
    """Write the maps of the rows of a design into one file, without holding them all."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / MASK, mask.inside)
    content = asdict(design) | {
        "matrix": design.matrix.tolist(),
        "contrasts": {name: weights.tolist() for name, weights in design.contrasts.items()},
    }
    write_json(folder / DESIGN, content)
    shape = (len(paths), mask.n_points)
    stack_maps(folder / MAPS, (mask.take(read_map(path)[0]) for path in paths), shape)
    return StackedMaps(folder / MAPS)


def load_rows(folder: Path) -> tuple[StackedMaps, NDArray[np.bool_], MapDesign]:
    """Open what `stack_rows` wrote: the maps, the mask of their voxels (3-D), and the design."""
    content = read_json(folder / DESIGN)
    design = MapDesign(
        tuple(content["rows"]),
        np.array(content["matrix"], np.float64),
        tuple(content["columns"]),
        {name: np.array(weights, np.float64) for name, weights in content["contrasts"].items()},
        Exchangeability(**content["exchange"]),
    )
    return StackedMaps(folder / MAPS), np.load(folder / MASK), design


def save_permuted(folder: Path, permuted: Permuted) -> None:
    """Save what relabelings told."""
    folder.mkdir(parents=True)
    for name in permuted.observed:
        np.save(folder / f"observed_{name}.npy", permuted.observed[name])
        np.save(folder / f"largest_{name}.npy", permuted.largest[name])
    np.save(folder / "n_reached.npy", permuted.n_reached)
    record = {name: getattr(permuted, name) for name in SCALARS}
    write_json(folder / RECORD, {**record, "settings": vars(permuted.settings)})


def has_permuted(folder: Path) -> bool:
    """Tell whether there were relabelings: some tests need none."""
    return (folder / RECORD).is_file()


def load_permuted(folder: Path) -> Permuted:
    """Load what `save_permuted` saved."""
    record = read_json(folder / RECORD)
    settings = record.pop("settings")
    statistics = tuple(settings.pop("statistics"))
    arrays: dict[str, Any] = {
        kind: {name: np.load(folder / f"{kind}_{name}.npy") for name in statistics}
        for kind in ("observed", "largest")
    }
    return Permuted(
        **arrays,
        n_reached=np.load(folder / "n_reached.npy"),
        **record,
        settings=PermutationSettings(statistics=statistics, **settings),
    )
