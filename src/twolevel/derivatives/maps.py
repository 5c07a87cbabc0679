"""Names, sidecars and folders of what is written."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from twolevel.bids.entities import build_name, parse_name
from twolevel.files.nifti import write_image
from twolevel.files.sidecars import sidecar_of, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.model.spec import Stage
    from twolevel.space.grid import Grid
    from twolevel.space.mask import Mask

MEANINGS = {
    "effect": "Estimated effect of the contrast",
    "variance": "Sampling variance of the effect",
    "t": "Student's t: effect divided by the square root of its variance",
    "z": "Standard normal value with the one-sided p of t, signed",
    "p": "p-value of t, not corrected for the number of voxels",
    "logp": "-log10 of the corrected p-value; Controls says what for",
    "tfce": "Threshold-free cluster enhancement: the integral over heights h of extent^E h^H, "
    "with the sign of t",
    "tsnr": "Temporal signal-to-noise ratio of the data as analysed, smoothing included: mean "
    "divided by standard deviation over time",
    "rsquared": "Share of the variance over time that the design explains, by ordinary least "
    "squares",
    "ar": "Autoregressive coefficient of the residuals of ordinary least squares, before it is "
    "cut off or grouped; the number in the name is the lag in volumes",
}


def folder_of(entities: Mapping[str, str]) -> str:
    """Return the folder of an output: that of its subject, or ``group``.

    Returns
    -------
    str
        Relative to the output directory.
    """
    if "sub" not in entities:
        return "group"
    session = f"/ses-{entities['ses']}" if "ses" in entities else ""
    return f"sub-{entities['sub']}{session}/func"


def model_record(stage: Stage) -> dict[str, Any]:
    """Describe model, software and what was selected for a sidecar."""
    return {
        "Software": {
            "Name": "twolevel",
            "Version": version("twolevel"),
            "Libraries": {name: version(name) for name in ("nilearn", "numpy", "scipy")},
        },
        "Model": {
            "Name": stage.model_name,
            "Node": stage.node.name,
            "Level": stage.node.level,
            "Overrides": dict(stage.overrides),
            "Digest": stage.digest,
        },
        "Selection": stage.scope.record,
    }


def spatial_record(
    entities: Mapping[str, str], grid: Grid, sources: Sequence[str]
) -> dict[str, str]:
    """Describe grid and space, as far as the standard asks for it.

    Parameters
    ----------
    sources : sequence of str
        BIDS URIs; the first one is on the same grid.

    Returns
    -------
    dict
        ``Resolution`` for names that hold ``res``, ``SpatialReference`` for spaces that are no
        standard template.
    """
    record = {}
    if "res" in entities:
        size = grid.voxel_size.round(3)
        record["Resolution"] = f"voxels of {' x '.join(f'{v:g}' for v in size)} mm"
    if "space" in entities and not entities["space"].startswith("MNI"):
        record["SpatialReference"] = sources[0]
    return record


def write_mask(
    folder: Path,
    entities: Mapping[str, str],
    mask: Mask,
    sidecar: Mapping[str, Any],
) -> Path:
    """Write an analysis mask and its sidecar.

    Parameters
    ----------
    folder : Path
        The tree that is being made.
    entities : mapping of str to str
        Without ``desc``; with ``contrast`` for a mask of one contrast only.
    sidecar : mapping
        What is common to the level; with ``Sources``.
    """
    path = (
        folder
        / folder_of(entities)
        / build_name({**entities, "desc": "analysis"}, "mask", ".nii.gz")
    )
    content = {
        "Description": "Voxels that were analysed",
        "Type": "ROI",
        **spatial_record(entities, mask.space, sidecar["Sources"]),
        "NumberOfVoxels": mask.n_points,
        **sidecar,
    }
    write_json(sidecar_of(path), content)
    return write_image(path, mask.inside, mask.space.affine)


def write_mean_bold(
    folder: Path,
    entities: Mapping[str, str],
    volume: NDArray[np.float32],
    grid: Grid,
    sidecar: Mapping[str, Any],
) -> Path:
    """Write the mean of some volumes of a run, to see where its mask lies.

    Parameters
    ----------
    folder : Path
        The tree that is being made.
    entities : mapping of str to str
        Without ``desc``.
    volume : ndarray of the shape of the grid, float32
    sidecar : mapping
        What is common to the level; with ``Sources``.
    """
    path = (
        folder
        / folder_of(entities)
        / build_name({**entities, "desc": "mean"}, "boldref", ".nii.gz")
    )
    content = {
        "Description": "Mean over at most 10 of the volumes that enter the fit, evenly spaced: "
        "the whole field of view, not smoothed, in the units of the image",
        **spatial_record(entities, grid, sidecar["Sources"]),
        **sidecar,
    }
    write_json(sidecar_of(path), content)
    return write_image(path, volume, grid.affine)


def write_statmap(
    folder: Path,
    entities: Mapping[str, str],
    values: NDArray[np.floating],
    mask: Mask,
    sidecar: Mapping[str, Any],
) -> Path:
    """Write a statistical map and its sidecar; NaN outside the mask.

    Parameters
    ----------
    folder : Path
        The tree that is being made.
    entities : mapping of str to str
        With ``contrast`` and ``stat``.
    values : ndarray of shape (n_voxels,)
        Over the mask; stored as float32.
    mask : Mask
    sidecar : mapping
        Comes after what is the same for every map of that statistic; with ``Sources``.
    """
    path = folder / folder_of(entities) / build_name(entities, "statmap", ".nii.gz")
    content = {
        "Description": MEANINGS[entities["stat"].rstrip("0123456789")],
        "StatisticalMap": entities["stat"],
        **spatial_record(entities, mask.space, sidecar["Sources"]),
        **sidecar,
    }
    write_json(sidecar_of(path), content)
    return write_image(path, mask.spread(values.astype(np.float32)), mask.space.affine)


def common_entities(names: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the entities that all names share."""
    first, *others = names
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}


def entities_of(path: Path) -> dict[str, str]:
    """Return the entities of an output's name."""
    name = parse_name(path)
    return dict(name.entities) if name else {}
