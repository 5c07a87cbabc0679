"""Quality of the runs as tables: written per run, and read again for a summary."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pandas as pd

from twolevel.bids.confound_columns import DISPLACEMENT
from twolevel.bids.entities import parse_name
from twolevel.files.sidecars import read_json, write_json
from twolevel.files.tables import read_tsv, write_tsv
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from twolevel.bids.entities import Entities

RUN, VOLUMES = "run", "volumes"
WARNING, ALARM = 5.0, 10.0
INFLATION = ("vif_regressor", "vif_contrast")
SHOWN = 3
MEASURES = {
    "n_voxels": "Number of voxels: of the brain mask, of the analysis mask, left out, and those "
    "in which percent signal change is of MeanFloor instead of their mean",
    "n_volumes": "Number of volumes: of the image, and of those that enter the fit",
    "dof": "Degrees of freedom: rows of the design minus its rank",
    "tsnr": "Temporal signal-to-noise ratio of the data as analysed, smoothing included: mean "
    "divided by standard deviation over time, volumes that a non-steady-state column marks "
    "(VolumesNotInMean) left out; over the analysis mask",
    "dvars": "Root mean square over the analysis mask of the change from volume to volume, in "
    "percent signal change; over volumes",
    "n_outliers": "Volumes whose DVARS is above the upper whisker of a box plot, "
    "P75 + 1.5 (P75 - P25)",
    "framewise_displacement": "How far the head moved from volume to volume, as the "
    "preprocessing states it; over all volumes of the image",
    "r_squared": "Share of the variance over time that the design explains, by ordinary least "
    "squares, volumes that a non-steady-state column marks left out; over the analysis mask",
    "noise_coefficient": "Autoregressive coefficient of the residuals, by lag; median over the "
    "analysis mask",
    "residual_autocorrelation": "Autocorrelation of the final residuals, after whitening, at a "
    "lag of one row: near 0 where the noise model fits, and somewhat below where the design has "
    "many regressors for its rows; over the analysis mask",
    "vif_regressor": "Variance inflation factor of a regressor: 1 / (1 - R^2), R^2 being the "
    "share of it that the other regressors explain",
    "vif_contrast": "Variance of a contrast divided by what it would be if no regressor were "
    "correlated with another",
}


def inflation_level(value: float) -> str | None:
    """Judge a variance inflation factor: ``alarm`` above 10, ``warning`` above 5, None below."""
    if value > ALARM:
        return "alarm"
    return "warning" if value > WARNING else None


def _path(folder: Path, entities: Entities, desc: str) -> Path:
    return folder / entities.with_(desc=desc).path("quality", ".tsv")


def write_quality(
    folder: Path,
    entities: Entities,
    rows: Sequence[tuple[str, str, float]],
    record: Mapping[str, Any],
) -> Path:
    """Write the quality of a run; a row is a measure, of what, and its value."""
    table = pd.DataFrame(rows, columns=["measure", "of", "value"])
    of_design = table["measure"].isin(INFLATION)
    table["level"] = [
        inflation_level(value) if judged else None
        for value, judged in zip(table["value"], of_design, strict=True)
    ]
    path = _path(folder, entities, RUN)
    write_json(
        path.with_suffix(".json"),
        {
            "Description": "Quality of a run and of its design",
            "measure": {"Description": "What was measured", "Levels": MEASURES},
            "of": {"Description": "Of which regressor, contrast, lag or set; or how summarised"},
            "value": {
                "Description": "The value; percent signal change for dvars, mm for "
                "framewise_displacement, else no unit"
            },
            "level": {
                "Description": "For variance inflation",
                "Levels": {"warning": f"above {WARNING:g}", "alarm": f"above {ALARM:g}"},
            },
            **record,
        },
    )
    return write_tsv(path, table)


def write_volume_quality(
    folder: Path, entities: Entities, table: pd.DataFrame, record: Mapping[str, Any]
) -> Path:
    """Write the quality of each volume.

    The columns are ``volume``, ``dvars``, ``outlier`` and, where it is known,
    ``framewise_displacement``.
    """
    path = _path(folder, entities, VOLUMES)
    displacement = {
        "Description": MEASURES[DISPLACEMENT].partition(";")[0],
        "Units": "mm",
    }
    write_json(
        path.with_suffix(".json"),
        {
            "Description": "Quality of the volumes that enter the fit",
            "volume": {"Description": "Index in the image, from 0"},
            "dvars": {
                "Description": MEASURES["dvars"].partition(";")[0]
                + "; n/a where the volume before does not enter the fit",
                "Units": "percent signal change",
            },
            "outlier": {"Description": MEASURES["n_outliers"], "Levels": {"1": "an outlier"}},
            **({DISPLACEMENT: displacement} if DISPLACEMENT in table else {}),
            **record,
        },
    )
    return write_tsv(path, table)


def inflation_notes(files: Iterable[Path]) -> list[Note]:
    """Say which contrasts suffer from correlated regressors, and where; the worst comes first."""
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for run, path in _of_runs(files):
        table = read_tsv(path, dtype={"of": str})
        judged = table[(table["measure"] == "vif_contrast") & table["level"].notna()]
        for contrast, value in zip(judged["of"], judged["value"], strict=True):
            found[contrast].append((value, run))
    notes = []
    for contrast, runs in sorted(found.items(), key=lambda item: (-max(item[1])[0], item[0])):
        runs.sort(key=lambda item: (-item[0], item[1]))
        where = ", ".join(f"{run}: {value:.3g}" for value, run in runs[:SHOWN])
        n_more = len(runs) - SHOWN
        more = f" and {n_more} more run{'s' * (n_more > 1)}" if n_more > 0 else ""
        notes.append(
            Note(
                f"variance inflation, {inflation_level(runs[0][0])}: correlated regressors "
                f"inflate the variance of contrast {contrast}",
                detail=f"{where}{more}",
            )
        )
    return notes


def low_mean_notes(files: Iterable[Path]) -> list[Note]:
    """Say in which runs percent signal change is not of a voxel's own mean: a note for each."""
    what = (
        "voxels whose mean over time is below the floor: percent signal change is of the floor "
        "there, not of their mean"
    )
    counts = {
        run: read_json(path.with_suffix(".json"))["PercentSignalChange"]["VoxelsBelowMeanFloor"]
        for run, path in _of_runs(files)
    }
    return [Note(what, run, str(count)) for run, count in counts.items() if count]


def _of_runs(files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Choose the tables of the quality of a run, each with the run's name."""
    for path in files:
        name = parse_name(path)
        if name is None or (name.suffix, name.extension) != ("quality", ".tsv"):
            continue
        if name.entities.get("desc") == RUN:
            labels = name.entities.only("sub", "ses", "run")
            yield " ".join(f"{key}-{label}" for key, label in labels.items()), path
