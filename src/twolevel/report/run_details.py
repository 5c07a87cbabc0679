"""What the report shows of one run: its design, where its mask lies, how the head moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation

from twolevel.bids.entities import RUN_ENTITIES, Entities, entities_of
from twolevel.files.maps import read_map
from twolevel.files.sidecars import read_json
from twolevel.files.tables import read_tsv
from twolevel.report.pictures import diverging, gray, photo_uri, pixel_uri

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

N_SLICES = 7
OUTLINE = (255, 120, 0)  # told apart from every gray
WEIGHT_TOP = 1.0
PLOT_HEIGHT = 40.0


@dataclass(frozen=True)
class Motion:
    """A measure of every volume as a line.

    Attributes
    ----------
    path : str
        Of SVG: x is the index of the volume, y goes from 40 (zero) to 0 (`top`).
    """

    name: str
    units: str
    path: str
    top: float


@dataclass(frozen=True)
class RunDetails:
    """One run.

    Attributes
    ----------
    n_volumes : int
        Of the image.
    left_out : list of int
        Volumes that do not enter the fit.
    outliers : list of int
        Volumes whose change is an outlier.
    columns : list of str
        Of the design.
    design, correlation : str
        Data URIs: a pixel per cell.
    weights : dict of str to list of float
        By contrast, in the order of `columns`; contrasts of which the run lacks a regressor are
        not there.
    weights_picture : str
        Data URI.
    inflation : list of dict
        Rows of variance inflation: contrasts, and regressors that contrasts name.
    anatomy : str or None
        Data URI: the mean image with the outline of the mask, and below it the temporal
        signal-to-noise ratio; None where the images are not there.
    tsnr_top : float
        White in that picture.
    """

    entities: Entities
    n_volumes: int
    left_out: list[int]
    outliers: list[int]
    columns: list[str]
    design: str
    correlation: str
    weights: dict[str, list[float]]
    weights_picture: str
    inflation: list[dict[str, Any]]
    anatomy: str | None
    tsnr_top: float
    motion: list[Motion]

    @property
    def name(self) -> str:
        """The run within its subject, in words."""
        return self.entities.in_words((*RUN_ENTITIES, "space", "res"))


def read_run_details(quality: Path) -> RunDetails:
    """Read what the report shows of a run, which all lies beside its ``desc-run_quality.tsv``."""
    run = entities_of(quality).without("desc")

    def beside(suffix: str, extension: str, **labels: str) -> Path:
        return quality.with_name(run.with_(**labels).path(suffix, extension).name)

    design, sidecar = read_tsv(beside("design", ".tsv")), read_json(beside("design", ".json"))
    columns = [str(column) for column in design]
    weights = {
        label: [by_name.get(column, 0.0) for column in columns]
        for label, by_name in sidecar.get("Contrasts", {}).items()
        if set(by_name) <= set(columns)
    }
    volumes = read_tsv(beside("quality", ".tsv", desc="volumes"))
    X = design.to_numpy(np.float64)
    largest = np.abs(X).max(axis=0)
    table = np.array(list(weights.values())).reshape(-1, len(columns))
    anatomy, tsnr_top = _anatomy(
        beside("boldref", ".nii.gz", desc="mean"),
        beside("statmap", ".nii.gz", stat="tsnr"),
    )
    n_volumes = int(sidecar["NumberOfVolumes"])
    return RunDetails(
        entities_of(quality),
        n_volumes,
        list(sidecar["VolumesLeftOut"]),
        [int(v) for v in volumes.loc[volumes["outlier"] == 1, "volume"]],
        columns,
        pixel_uri(gray(X / np.where(largest, largest, 1), -1, 1)),
        pixel_uri(diverging(_correlation(X), 1.0)),
        weights,
        pixel_uri(diverging(table, WEIGHT_TOP)) if len(table) else "",
        _inflation(quality, weights, columns),
        anatomy,
        tsnr_top,
        [
            _motion(volumes, n_volumes, column, name, units)
            for column, name, units in (
                ("framewise_displacement", "framewise displacement", "mm"),
                ("dvars", "DVARS", "percent signal change"),
            )
            if column in volumes and volumes[column].notna().any()
        ],
    )


def _correlation(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate the columns of a design; 0 with a column that does not vary."""
    centred = X - X.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    # What is left of a constant column is rounding.
    varies = length > 1e-10 * np.linalg.norm(X, axis=0)
    unit = np.where(varies, centred / np.where(varies, length, 1), 0)
    correlation: NDArray[np.float64] = unit.T @ unit
    return correlation


def _inflation(
    quality: Path, weights: dict[str, list[float]], columns: list[str]
) -> list[dict[str, Any]]:
    table = read_tsv(quality, dtype={"of": str, "level": str})
    used = {c for row in weights.values() for c, w in zip(columns, row, strict=True) if w}
    contrasts = table[table["measure"] == "vif_contrast"]
    regressors = table[(table["measure"] == "vif_regressor") & table["of"].isin(used)]
    kinds = (("contrast", contrasts), ("regressor", regressors))
    return [
        {"kind": kind, "of": row["of"], "value": row["value"], "level": row["level"]}
        for kind, rows in kinds
        for row in rows.to_dict("records")
    ]


def _motion(volumes: pd.DataFrame, n_volumes: int, column: str, name: str, units: str) -> Motion:
    values = np.full(n_volumes, np.nan)
    values[volumes["volume"].to_numpy(int)] = volumes[column].to_numpy(float)
    top = float(np.nanmax(values)) or 1.0
    heights = PLOT_HEIGHT * (1 - values / top)
    words, pen_down = [], False
    for index, (value, height) in enumerate(zip(values, heights, strict=True)):
        if np.isnan(value):
            pen_down = False
            continue
        words.append(f"{'L' if pen_down else 'M'}{index} {height:.1f}")
        pen_down = True
    return Motion(name, units, "".join(words), top)


def _anatomy(mean: Path, tsnr: Path) -> tuple[str | None, float]:
    if not (mean.is_file() and tsnr.is_file()):
        return None, 0.0
    ratio, grid = read_map(tsnr)
    orientation = io_orientation(
        grid.affine
    )  # to the left hemisphere on the left, whatever is stored
    bold, ratio = (apply_orientation(volume, orientation) for volume in (read_map(mean)[0], ratio))
    inside = np.isfinite(ratio)  # the mask of the run
    low, high = (f(np.argwhere(inside), axis=0) for f in (np.min, np.max))
    margin = np.maximum(low - 3, 0), np.minimum(high + 4, inside.shape)
    heights = np.unique(np.linspace(low[2], high[2], N_SLICES + 2)[1:-1].round().astype(int))
    across = tuple(slice(a, b) for a, b in zip(margin[0][:2], margin[1][:2], strict=True))

    def lay_out(volume: NDArray[Any]) -> NDArray[Any]:
        # Rows from the front of the head to the back.
        return np.concatenate([volume[(*across, k)].T[::-1] for k in heights], axis=1)

    outside_too = lay_out(bold)
    picture = gray(outside_too, 0, float(np.nanpercentile(outside_too, 99)))
    brain = lay_out(inside)
    eroded = brain.copy()
    for axis in (0, 1):
        for step in (1, -1):
            eroded &= np.roll(brain, step, axis=axis)
    picture[brain & ~eroded] = OUTLINE
    known = ratio[np.isfinite(ratio)]
    top = float(np.percentile(known, 98)) if known.size else 1.0
    return photo_uri(np.concatenate([picture, gray(lay_out(ratio), 0, top)])), top
