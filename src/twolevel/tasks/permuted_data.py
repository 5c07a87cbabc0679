"""What is permuted, and what that told, as the steps of the group level hand them on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twolevel.files.maps import read_map
from twolevel.files.sidecars import read_json, write_json
from twolevel.files.stack import StackedMaps, stack_maps
from twolevel.space.mask import Mask
from twolevel.stats.permute.result import Permuted
from twolevel.stats.permute.settings import PermutationSettings

MAPS, MASK = "maps.npy", "mask.npy"
RECORD = "record.json"
SCALARS = (
    "n_used",
    "exhaustive",
    "exact",
    "smallest_p",
    "cluster_threshold",
    "kind",
    "scheme",
)


def stack_for_permutations(folder: Path, paths: Sequence[Path], mask: Mask) -> StackedMaps:
    """Write the subjects' maps of a contrast into one file, without holding them all.

    Parameters
    ----------
    paths : sequence of Path
        Map of each subject.
    mask : Mask
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / MASK, mask.inside)
    shape = (len(paths), mask.n_points)
    stack_maps(folder / MAPS, (mask.take(read_map(path)[0]) for path in paths), shape)
    return StackedMaps(folder / MAPS)


def load_for_permutations(folder: Path) -> tuple[StackedMaps, NDArray[np.bool_]]:
    """Open what `stack_for_permutations` wrote.

    Returns
    -------
    mask : ndarray of shape (x, y, z), bool
    """
    return StackedMaps(folder / MAPS), np.load(folder / MASK)


def save_permuted(folder: Path, permuted: Permuted) -> None:
    """Save it in the work directory."""
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
