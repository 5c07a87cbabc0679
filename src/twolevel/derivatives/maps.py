"""Names, sidecars and folders of what is written."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from twolevel.files.images import write_image
from twolevel.files.sidecars import sidecar_of, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.bids.entities import Entities
    from twolevel.model.spec import Stage

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
    entities: Entities, affine: NDArray[np.float64], sources: Sequence[str]
) -> dict[str, str]:
    """Describe grid and space, as far as the standard asks for it.

    Parameters
    ----------
    affine : ndarray of shape (4, 4)
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
        size = np.sqrt(np.sum(affine[:3, :3] ** 2, axis=0))
        record["Resolution"] = f"voxels of {' x '.join(f'{v:g}' for v in size.round(3))} mm"
    if "space" in entities and not entities["space"].startswith("MNI"):
        record["SpatialReference"] = sources[0]
    return record


def write_mask(
    folder: Path,
    entities: Entities,
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    sidecar: Mapping[str, Any],
) -> Path:
    """Write an analysis mask and its sidecar.

    Parameters
    ----------
    folder : Path
        The tree that is being made.
    entities : Entities
        Without ``desc``; with ``contrast`` for a mask of one contrast only.
    mask : ndarray of shape (x, y, z), bool
    affine : ndarray of shape (4, 4)
    sidecar : mapping
        What is common to the level; with ``Sources``.
    """
    path = folder / entities.with_(desc="analysis").path("mask", ".nii.gz")
    content = {
        "Description": "Voxels that were analysed",
        "Type": "ROI",
        **spatial_record(entities, affine, sidecar["Sources"]),
        "NumberOfVoxels": int(mask.sum()),
        **sidecar,
    }
    write_json(sidecar_of(path), content)
    return write_image(path, mask, affine)


def write_mean_bold(
    folder: Path,
    entities: Entities,
    volume: NDArray[np.float32],
    affine: NDArray[np.float64],
    sidecar: Mapping[str, Any],
) -> Path:
    """Write the mean of some volumes of a run, to see where its mask lies.

    Parameters
    ----------
    folder : Path
        The tree that is being made.
    entities : Entities
        Without ``desc``.
    volume : ndarray of shape (x, y, z), float32
    affine : ndarray of shape (4, 4)
    sidecar : mapping
        What is common to the level; with ``Sources``.
    """
    path = folder / entities.with_(desc="mean").path("boldref", ".nii.gz")
    content = {
        "Description": "Mean over at most 10 of the volumes that enter the fit, evenly spaced: "
        "the whole field of view, not smoothed, in the units of the image",
        **spatial_record(entities, affine, sidecar["Sources"]),
        **sidecar,
    }
    write_json(sidecar_of(path), content)
    return write_image(path, volume, affine)


def write_statmap(
    folder: Path,
    entities: Entities,
    values: NDArray[np.floating],
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    sidecar: Mapping[str, Any],
) -> Path:
    """Write a statistical map and its sidecar; NaN outside the mask.

    Parameters
    ----------
    folder : Path
        The tree that is being made.
    entities : Entities
        With ``contrast`` and ``stat``.
    values : ndarray of shape (n_voxels,)
        In the order of ``array[mask]``; stored as float32.
    mask : ndarray of shape (x, y, z), bool
    affine : ndarray of shape (4, 4)
    sidecar : mapping
        Comes after what is the same for every map of that statistic; with ``Sources``.
    """
    path = folder / entities.path("statmap", ".nii.gz")
    volume = np.full(mask.shape, np.nan, np.float32)
    volume[mask] = values
    content = {
        "Description": MEANINGS[entities["stat"].rstrip("0123456789")],
        "StatisticalMap": entities["stat"],
        **spatial_record(entities, affine, sidecar["Sources"]),
        **sidecar,
    }
    write_json(sidecar_of(path), content)
    return write_image(path, volume, affine)
