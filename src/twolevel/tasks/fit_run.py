"""The model of a run, from image and design to maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fileformats.generic import Directory, File
from numpy.typing import NDArray
from pydra.compose import python

from twolevel.bids.exclusions import Exclusion, read_exclusions, write_exclusions
from twolevel.bids.outputs import model_record, write_mask, write_statmap
from twolevel.bids.run_data import run_blocks
from twolevel.bids.run_inputs import RunSpec
from twolevel.bids.sidecars import read_json
from twolevel.bids.tables import read_tsv
from twolevel.errors import AnalysisError
from twolevel.model.spec import Stage
from twolevel.stats.estimates import ContrastEstimate
from twolevel.stats.nilearn_fit import fit_blocks_as_nilearn
from twolevel.stats.run_fit import RunFit, fit_blocks
from twolevel.tasks.design_run import EXCLUSIONS
from twolevel.tasks.resources import allowed
from twolevel.tasks.run_quality import percent_record, save_quality

__all__ = [
    "FitRun",
    "FittedRun",
    "fit_image",
    "fit_run_files",
    "load_design",
    "map_record",
    "write_estimate",
]

UNITS = "percent signal change"


def load_design(design: Path) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Read a design matrix that `design_run` wrote.

    Parameters
    ----------
    design : Path
        Its folder.

    Returns
    -------
    matrix : pandas.DataFrame of shape (n_kept, n_columns)
    kept : ndarray of shape (n_kept,), int
        Volumes of its rows.
    """
    (path,) = design.rglob("*_design.tsv")
    sidecar = read_json(path.with_suffix(".json"))
    kept = np.setdiff1d(np.arange(sidecar["NumberOfVolumes"]), sidecar["VolumesLeftOut"])
    return read_tsv(path), kept.astype(np.intp)


@dataclass(frozen=True)
class FittedRun:
    """A run, read and fitted.

    Attributes
    ----------
    fit : RunFit
        Over the voxels of `mask`.
    mask : ndarray of shape (x, y, z), bool
        The brain mask less voxels without a usable time course.
    affine : ndarray of shape (4, 4)
    n_brain, n_not_finite, n_constant : int
        Voxels of the brain mask, and of those without a usable time course.
    mean_bold : ndarray of shape (x, y, z), float32
        See `RunBlocks`.
    """

    fit: RunFit
    mask: NDArray[np.bool_]
    affine: NDArray[np.float64]
    n_brain: int
    n_not_finite: int
    n_constant: int
    mean_bold: NDArray[np.float32]


def fit_image(
    stage: Stage,
    files: dict[str, Path],
    design: tuple[pd.DataFrame, NDArray[np.intp]],
    within: NDArray[np.bool_] | None = None,
) -> FittedRun:
    """Read a run's image and fit its model, in as many passes as the memory asks for.

    Parameters
    ----------
    stage : Stage
        Of the run level.
    files : dict of str to Path
        ``bold`` and ``mask``.
    design : (pandas.DataFrame, ndarray of int)
        What `load_design` returns.
    within : ndarray of shape (x, y, z), bool, optional
        Only these voxels are considered.

    Returns
    -------
    FittedRun
        With the contrasts of the model that this run determines.

    Raises
    ------
    AnalysisError
        No voxel is usable, or the data have no mean (see `percent_signal_change`).
    """
    settings = stage.node.run_settings
    matrix, kept = design
    resources = allowed()
    blocks = run_blocks(
        files["bold"],
        files["mask"],
        smoothing_fwhm_mm=settings.smoothing_fwhm_mm,
        downsample=settings.downsample,
        kept=kept,
        within=within,
        engine=settings.engine,
        resources=resources,
    )
    contrasts = {c.label: c.column_weights for c in stage.node.contrasts}
    fit_blocks_with = fit_blocks if settings.engine == "twolevel" else fit_blocks_as_nilearn
    fit = fit_blocks_with(
        blocks,
        matrix,
        {k: c for k, c in contrasts.items() if set(c) <= set(matrix)},
        noise_model=settings.noise_model,
        percent=True,
        n_threads=resources.n_threads,
        seed=settings.seed,
    )
    usable = blocks.usable
    if not usable.any():
        raise AnalysisError("no voxel of the brain mask has a usable time course")
    fit = fit.within(usable)
    mask = np.zeros_like(blocks.brain)
    mask[blocks.brain] = usable
    return FittedRun(
        fit,
        mask,
        blocks.affine,
        len(usable),
        blocks.n_not_finite,
        blocks.n_constant,
        blocks.mean,
    )


def map_record(stage: Stage, label: str, dof: float) -> dict[str, Any]:
    """Describe a contrast for the sidecars of its maps.

    Parameters
    ----------
    stage : Stage
        Of the run level, where the contrast is defined.
    label : str
    dof : float

    Returns
    -------
    dict
    """
    contrast = next(c for c in stage.node.contrasts if c.label == label)
    return {
        "Contrast": {
            "Name": contrast.name,
            "Label": contrast.label,
            "Expression": contrast.expression,
        },
        "DegreesOfFreedom": dof,
        "SmoothingFWHM": stage.node.run_settings.smoothing_fwhm_mm,
        "SmoothingFWHMUnits": "mm",
    }


def write_estimate(
    folder: Path,
    entities: dict[str, str],
    estimate: ContrastEstimate,
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    record: dict[str, Any],
    units: str = UNITS,
) -> None:
    """Write effect, variance, t and z of a contrast.

    Parameters
    ----------
    folder : Path
    entities : dict of str to str
        With ``contrast``.
    estimate : ContrastEstimate
    mask : ndarray of shape (x, y, z), bool
    affine : ndarray of shape (4, 4)
    record : dict
        Common part of the sidecars.
    units : str
        Of the effect.
    """
    maps = {
        "effect": (estimate.effect, units),
        "variance": (estimate.variance, f"({units})^2"),
        "t": (estimate.t, "1"),
        "z": (estimate.z, "1"),
    }
    for stat, (values, unit) in maps.items():
        sided = (
            {"Sidedness": "signed: positive where the contrast is"} if stat in {"t", "z"} else {}
        )
        write_statmap(
            folder,
            {**entities, "stat": stat},
            values,
            mask,
            affine,
            {"Units": unit, **sided, **record},
        )


def fit_run_files(
    spec: RunSpec, stage: Stage, files: dict[str, Path], design: Path, folder: Path
) -> Path:
    """Fit the model of a run and save effect, variance, t and z of every contrast.

    Parameters
    ----------
    spec : RunSpec
    stage : Stage
        Of the run level.
    files : dict of str to Path
        ``bold`` and ``mask``.
    design : Path
        What `design_run` wrote.
    folder : Path
        Where the tree is written.

    Returns
    -------
    Path
        `folder`.
    """
    loaded = load_design(design)
    run = fit_image(stage, files, loaded)
    entities = dict(spec.entities)
    record = {**model_record(stage), "Sources": list(spec.sources)}
    write_mask(folder, entities, run.mask, run.affine, record)
    record |= percent_record(run.fit, loaded[1])
    for label, estimate in run.fit.estimates.items():
        write_estimate(
            folder,
            {**entities, "contrast": label},
            estimate,
            run.mask,
            run.affine,
            {**map_record(stage, label, run.fit.dof), **record},
        )
    save_quality(spec, stage, run, loaded, files.get("confounds"), folder)
    exclusions = [*read_exclusions(design / EXCLUSIONS), *run_exclusions(spec, run)]
    write_exclusions(folder / EXCLUSIONS, exclusions)
    return folder


def run_exclusions(spec: RunSpec, run: FittedRun) -> list[Exclusion]:
    """List what the fit of a run left out.

    Parameters
    ----------
    spec : RunSpec
    run : FittedRun

    Returns
    -------
    list of Exclusion
    """
    entities = dict(spec.entities)
    counts = {
        "a value that is not finite": run.n_not_finite,
        "nothing changes over time": run.n_constant,
    }
    voxels = [
        Exclusion.in_run(entities, "voxel", reason, count=count)
        for reason, count in counts.items()
        if count
    ]
    reason = "the design does not determine the contrast"
    contrasts = [
        Exclusion.in_run(entities, "run", reason, contrast=label)
        for label in run.fit.not_estimable
    ]
    return [*voxels, *contrasts]


@python.define(outputs={"out": Directory})
def FitRun(spec: RunSpec, stage: Stage, files: dict[str, File], design: Directory, software: str):
    """Fit the model of a run."""
    paths = {k: Path(v) for k, v in files.items()}
    return fit_run_files(spec, stage, paths, Path(design), Path.cwd() / "out")
