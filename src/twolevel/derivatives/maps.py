"""Names, sidecars and folders of what is written."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from twolevel.bids.entities import entities_of
from twolevel.files.nifti import write_image
from twolevel.files.sidecars import sidecar_of, write_json
from twolevel.stats.estimates import FEstimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.bids.entities import Entities
    from twolevel.model.nodes import Contrast, ContrastName
    from twolevel.model.stages import Stage
    from twolevel.space.grid import Grid
    from twolevel.space.mask import Mask
    from twolevel.stats.estimates import Estimate

UNITS = "percent signal change"
MEANINGS = {
    "effect": "Estimated effect of the contrast",
    "variance": "Sampling variance of the effect",
    "t": "Student's t: effect divided by the square root of its variance",
    "F": "F: what the rows of the contrast explain together, for each of them, divided by the "
    "residual variance",
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
OF_F = {
    "z": "Standard normal value with the p of F: negative where that is above 0.5",
    "p": "p-value of F, not corrected for the number of voxels",
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


def map_record(contrast: Contrast | ContrastName, dof: float, fwhm_mm: float) -> dict[str, Any]:
    """Describe a contrast for the sidecars of its maps."""
    return {
        "Contrast": {
            "Name": contrast.name,
            "Label": contrast.label,
            "Expression": contrast.expression,
        },
        "DegreesOfFreedom": dof,
        "SmoothingFWHM": fwhm_mm,
        "SmoothingFWHMUnits": "mm",
    }


def uri_of(path: Path) -> str:
    """Name a file of the outputs, by what its name says, as sidecars name sources."""
    return f"bids::{(entities_of(path).folder / path.name).as_posix()}"


def spatial_record(entities: Entities, grid: Grid, sources: Sequence[str]) -> dict[str, str]:
    """Describe grid and space, as far as the standard asks for it.

    ``Resolution`` for names that hold ``res``, ``SpatialReference`` for spaces that are no
    standard template: the first of the sources, which is on the same grid.
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
    entities: Entities,
    mask: Mask,
    sidecar: Mapping[str, Any],
) -> Path:
    """Write an analysis mask and its sidecar, which says its ``Sources``."""
    path = folder / entities.with_(desc="analysis").path("mask", ".nii.gz")
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
    entities: Entities,
    volume: NDArray[np.float32],
    grid: Grid,
    sidecar: Mapping[str, Any],
) -> Path:
    """Write the mean of some volumes of a run, to see where its mask lies."""
    path = folder / entities.with_(desc="mean").path("boldref", ".nii.gz")
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
    entities: Entities,
    values: NDArray[np.floating],
    mask: Mask,
    sidecar: Mapping[str, Any],
) -> Path:
    """Write a statistical map and its sidecar; NaN outside the mask.

    Parameters
    ----------
    values : ndarray of shape (n_voxels,)
        Over the mask; stored as float32.
    sidecar : mapping
        Comes after what is the same for every map of that statistic; with ``Sources``.
    """
    path = folder / entities.path("statmap", ".nii.gz")
    content = {
        "Description": MEANINGS[entities["stat"].rstrip("0123456789")],
        "StatisticalMap": entities["stat"],
        **spatial_record(entities, mask.space, sidecar["Sources"]),
        **sidecar,
    }
    write_json(sidecar_of(path), content)
    return write_image(path, mask.spread(values.astype(np.float32)), mask.space.affine)


def write_estimate(
    folder: Path,
    entities: Entities,
    estimate: Estimate,
    mask: Mask,
    record: Mapping[str, Any],
    units: str = UNITS,
    sides: int | None = None,
) -> None:
    """Write the maps of a contrast: effect, variance, t and z; F and z of an F contrast.

    And p, where `sides` says of what.

    Parameters
    ----------
    folder : Path
        The tree that is being made.
    entities : Entities
        With ``contrast``.
    mask : Mask
        Where the points of the estimate are.
    record : mapping
        Common part of the sidecars.
    units : str
        Of the effect.
    sides : {1, 2}, optional
        Of p.
    """
    unit_of = {"effect": units, "variance": f"({units})^2"}
    maps = estimate.maps()
    if sides is not None:
        maps["p"] = estimate.p(sides=sides)
    of_kind = _of_f(estimate) if isinstance(estimate, FEstimate) else _of_t(sides)
    for stat, values in maps.items():
        own = {"Units": unit_of.get(stat, "1"), **of_kind.get(stat, {})}
        write_statmap(folder, entities.with_(stat=stat), values, mask, {**own, **record})


def _of_t(sides: int | None) -> dict[str, dict[str, Any]]:
    """Say what is special about the maps of a t contrast."""
    signed = {"Sidedness": "signed: positive where the contrast is"}
    return {"t": signed, "z": signed, "p": {"Sidedness": in_words(sides or 2)}}


def _of_f(estimate: FEstimate) -> dict[str, dict[str, Any]]:
    """Say what is special about the maps of an F contrast."""
    own = {
        "Sidedness": "of F: large where any row of the contrast is not 0",
        "DegreesOfFreedomNumerator": estimate.dof_numerator,
    }
    described = {stat: {"Description": text} for stat, text in OF_F.items()}
    return {stat: {**described.get(stat, {}), **own} for stat in ("F", "z", "p")}


def in_words(sides: int) -> str:
    """Say of how many sides a test or p is."""
    return "two-sided" if sides == 2 else "one-sided, greater than 0"
