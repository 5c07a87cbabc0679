"""Quality of a run, from its fit and its design to tables and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.bids.confounds import framewise_displacement
from twolevel.derivatives.maps import model_record, write_mean_bold, write_statmap
from twolevel.derivatives.quality import write_quality, write_volume_quality
from twolevel.stats.contrasts import contrast_vector
from twolevel.stats.run.quality import above_whisker, variance_inflation

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from twolevel.bids.run_inputs import RunSpec
    from twolevel.model.stages import Stage
    from twolevel.stats.run.result import RunFit
    from twolevel.tasks.fitted_run import FittedRun

LOW_MEAN = "mean over time below the floor of percent signal change"

Rows = list[tuple[str, str, float]]


def save_quality(
    spec: RunSpec,
    stage: Stage,
    run: FittedRun,
    design: tuple[pd.DataFrame, NDArray[np.intp]],
    confounds: Path | None,
    folder: Path,
) -> None:
    """Save what the fit of a run tells about its data, its design and its noise model.

    The confounds may hold the framewise displacement; None where the model takes none.
    """
    matrix, kept = design
    entities = spec.entities
    record = {
        **model_record(stage),
        "Sources": list(spec.sources),
        **percent_record(run.fit, kept),
    }
    found = run.fit.diagnostics
    # A change is from one volume to the next: not across one that was left out.
    dvars = np.where(np.r_[False, np.diff(kept) == 1], found.dvars, np.nan)
    outliers = above_whisker(dvars)
    volumes = pd.DataFrame({"volume": kept, "dvars": dvars, "outlier": outliers.astype(int)})
    displacement = framewise_displacement(confounds) if confounds else None
    if displacement is not None:
        volumes["framewise_displacement"] = displacement[kept]
    write_volume_quality(folder, entities, volumes, record)
    rows: Rows = [
        ("n_voxels", "brain mask", run.n_brain),
        ("n_voxels", "analysis mask", run.mask.n_points),
        ("n_voxels", "left out, a value is not finite", run.n_not_finite),
        ("n_voxels", "left out, nothing changes over time", run.n_constant),
        ("n_voxels", LOW_MEAN, _n_below_floor(run.fit)),
        ("n_volumes", "image", spec.n_volumes),
        ("n_volumes", "fit", len(kept)),
        ("dof", "fit", run.fit.dof),
        ("tsnr", "median", float(np.median(found.tsnr))),
        ("dvars", "median", float(np.nanmedian(dvars)) if len(kept) > 1 else np.nan),
        ("n_outliers", "fit", int(outliers.sum())),
        *_displacement(displacement),
        ("r_squared", "median", float(np.median(found.r_squared))),
        *(
            ("noise_coefficient", f"lag {lag}", float(np.median(values)))
            for lag, values in enumerate(found.noise_coefficients, start=1)
        ),
        *_percentiles("residual_autocorrelation", found.residual_autocorrelation),
        *_inflation(matrix, stage),
    ]
    write_quality(folder, entities, rows, record)
    write_mean_bold(folder, entities, run.mean_bold, run.mask.space, record)
    maps = {
        "tsnr": found.tsnr,
        "rsquared": found.r_squared,
        **{f"ar{lag}": v for lag, v in enumerate(found.noise_coefficients, start=1)},
    }
    smoothing = stage.node.run_settings.smoothing_fwhm_mm
    for stat, values in maps.items():
        own = {
            "Units": "1",
            "DegreesOfFreedom": run.fit.dof,
            "SmoothingFWHM": smoothing,
            "SmoothingFWHMUnits": "mm",
        }
        names = entities.with_(stat=stat)
        write_statmap(folder, names, values, run.mask, {**own, **record})


def percent_record(fit: RunFit, kept: NDArray[np.intp]) -> dict[str, Any]:
    """Say in the sidecars of a run what its percent signal change is about."""
    found = fit.diagnostics
    return {
        "PercentSignalChange": {
            "Formula": "100 (y / max(mean, MeanFloor) - 1)",
            "MeanFloor": found.floor,
            "MeanFloorUnits": "of the image",
            "VoxelsBelowMeanFloor": _n_below_floor(fit),
            "VolumesNotInMean": kept[~found.counted].tolist(),
        }
    }


def _n_below_floor(fit: RunFit) -> int:
    """Count the voxels whose percent signal change is of the floor instead of their mean."""
    mean, floor = fit.diagnostics.mean, fit.diagnostics.floor
    return 0 if floor is None else int(np.count_nonzero(mean < floor))


def _displacement(values: NDArray[np.float64] | None) -> Rows:
    """Summarise the displacement of all volumes, those left out too: they moved."""
    if values is None or np.isnan(values).all():
        return []
    return [
        ("framewise_displacement", "mean", float(np.nanmean(values))),
        ("framewise_displacement", "largest", float(np.nanmax(values))),
    ]


def _percentiles(measure: str, values: NDArray[np.float64]) -> Rows:
    low, middle, high = np.percentile(values, [5, 50, 95]).tolist()
    return [
        (measure, "5th percentile", low),
        (measure, "median", middle),
        (measure, "95th percentile", high),
    ]


def _inflation(matrix: pd.DataFrame, stage: Stage) -> Rows:
    columns = [str(column) for column in matrix]
    contrasts = {
        c.label: contrast_vector(c.column_weights, columns)
        for c in stage.node.contrasts
        if c.test == "t" and set(c.columns) <= set(columns)
    }
    regressors = dict(zip(columns, np.eye(len(columns)), strict=True))
    rows: Rows = []
    for measure, vectors in (("vif_regressor", regressors), ("vif_contrast", contrasts)):
        if vectors:
            factors = variance_inflation(matrix, np.array(list(vectors.values())))
            rows += [(measure, name, f) for name, f in zip(vectors, factors.tolist(), strict=True)]
    return [row for row in rows if not np.isnan(row[2])]
