"""What a step of a dataset node leaves to the next ones, in the work directory alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twolevel.files.maps import read_map
from twolevel.files.sidecars import read_json, write_json
from twolevel.files.stack import StackedMaps, stack_maps
from twolevel.space.grid import Grid
from twolevel.space.mask import Mask
from twolevel.stats.estimates import Estimate, FEstimate, TEstimate
from twolevel.stats.inference.result import GroupContrast
from twolevel.stats.maps.design import Exchangeability, MapDesign
from twolevel.stats.permute.result import Permuted
from twolevel.stats.permute.settings import PermutationSettings

LIMIT = "_group_mask.npy"
FITTED = "_group"
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


def save_limit(folder: Path, mask: Mask) -> None:
    """Save the mask that a user gave for the group, beside the design."""
    np.save(folder / LIMIT, mask.inside)


def load_limit(folder: Path) -> list[NDArray[np.bool_]]:
    """Load the mask that a user gave for the group: none or one."""
    path = folder / LIMIT
    return [np.load(path)] if path.is_file() else []


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
    """Write the maps of the rows of a design into one file, without holding them all.

    Parameters
    ----------
    paths : sequence of Path
        Map of each row.
    """
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
    """Open what `stack_rows` wrote.

    Returns
    -------
    maps : StackedMaps
    mask : ndarray of shape (x, y, z), bool
    design : MapDesign
    """
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
