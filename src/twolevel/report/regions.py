"""The names of regions at coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twolevel.bids.entities import is_mni152
from twolevel.report.atlas import shipped_atlas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from twolevel.report.atlas import Atlas
    from twolevel.space.grid import Grid

REACH_MM = 5.0


def atlas_for(space: str | None) -> Atlas | None:
    """Return the atlas that names regions where none is asked for.

    None for spaces other than MNI152: no atlas for them is shipped.
    """
    return shipped_atlas() if is_mni152(space) else None


def name_region(atlas: Atlas, point: Sequence[float]) -> str:
    """Name the region at a point in mm, or the nearest one within 5 mm.

    ``insula L``; ``near insula L (2 mm)``; empty where no region is that near.
    """
    affine = atlas.grid.affine
    centre = np.linalg.solve(affine[:3, :3], np.asarray(point) - affine[:3, 3])
    reach = np.ceil(REACH_MM / atlas.grid.voxel_size)
    low = np.maximum(np.floor(centre - reach), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach) + 1, atlas.labels.shape).astype(int)
    if (high <= low).any():
        return ""
    within = atlas.labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    voxels = np.argwhere(within)
    if not len(voxels):
        return ""
    if (np.abs(voxels + low - centre) <= 0.5).all(axis=1).any():
        distances = np.abs(voxels + low - centre).max(axis=1)  # of the voxel that holds the point
        return atlas.names[int(within[tuple(voxels[distances.argmin()])])]
    distances = np.linalg.norm((voxels + low - centre) @ affine[:3, :3].T, axis=1)
    nearest = int(distances.argmin())
    if distances[nearest] > REACH_MM:
        return ""
    name = atlas.names[int(within[tuple(voxels[nearest])])]
    return f"near {name} ({distances[nearest]:.0f} mm)"


def labels_on_grid(atlas: Atlas, grid: Grid) -> NDArray[np.int32]:
    """Take the label at the centre of every voxel of a grid."""
    across = np.linalg.inv(atlas.grid.affine) @ grid.affine
    indices = np.indices(grid.shape).reshape(3, -1)
    there = np.rint(across[:3, :3] @ indices + across[:3, 3:]).astype(int)
    inside = ((there >= 0) & (there < np.array(atlas.labels.shape)[:, None])).all(axis=0)
    labels = np.zeros(indices.shape[1], np.int32)
    labels[inside] = atlas.labels[tuple(there[:, inside])]
    return labels.reshape(grid.shape)
