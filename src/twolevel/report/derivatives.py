"""What the report shows, read from the derivatives alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twolevel.bids.exclusions import EXCLUDED, EXCLUSION_COLUMNS
from twolevel.bids.images import read_map
from twolevel.bids.outputs import entities_of
from twolevel.bids.sidecars import read_json, sidecar_of
from twolevel.bids.tables import read_tsv
from twolevel.errors import InputError, Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "ContrastResult",
    "Derivatives",
    "Peak",
    "TestResult",
    "read_derivatives",
]

CORRECTED = ("permutationFWE", "parametricFWE")
"""Tests whose maps hold a corrected p in every voxel; the first one there is quoted."""


@dataclass(frozen=True)
class Peak:
    """The voxel of a contrast with the largest |z| (z, for one side).

    Attributes
    ----------
    x, y, z : float
        In mm.
    z_value, t, effect : float
    p_corrected : float or None
        None where no test gives one in every voxel.
    test : str or None
        That gave it.
    """

    x: float
    y: float
    z: float
    z_value: float
    t: float
    effect: float
    p_corrected: float | None
    test: str | None


@dataclass(frozen=True)
class TestResult:
    """One test of one contrast.

    Attributes
    ----------
    row : dict
        Its row of ``tests.tsv``; None for what is missing.
    clusters : pandas.DataFrame
    figure : Path or None
    """

    __test__ = False  # not a test case, whatever its name suggests to pytest

    row: dict[str, Any]
    clusters: pd.DataFrame
    figure: Path | None


@dataclass(frozen=True)
class ContrastResult:
    """A contrast of the group.

    Attributes
    ----------
    label : str
    sidecar : dict
        Of its z map.
    peak : Peak
    figure : Path or None
        Of the map without a threshold.
    tests : list of TestResult
    """

    label: str
    sidecar: dict[str, Any]
    peak: Peak
    figure: Path | None
    tests: list[TestResult]


@dataclass(frozen=True)
class Derivatives:
    """An output directory.

    Attributes
    ----------
    root : Path
    description : dict
        ``dataset_description.json``.
    group : dict
        Sidecar of the group's design; empty where there is no group level.
    subjects : list of str
        Labels of the subjects with maps.
    runs : pandas.DataFrame
        One row per run: subject, session, run and its quality.
    run_design : dict
        Sidecar of a run's design; empty where there is none.
    subject : dict
        Sidecar of a subject's map; empty where there is none.
    excluded : pandas.DataFrame
    contrasts : list of ContrastResult
    log : Path or None
        The latest.
    """

    root: Path
    description: dict[str, Any]
    group: dict[str, Any]
    subjects: list[str]
    runs: pd.DataFrame
    run_design: dict[str, Any]
    subject: dict[str, Any]
    excluded: pd.DataFrame
    contrasts: list[ContrastResult]
    log: Path | None


def read_derivatives(root: Path) -> Derivatives:
    """Read an output directory.

    Parameters
    ----------
    root : Path

    Returns
    -------
    Derivatives

    Raises
    ------
    InputError
        The folder is no output directory of this program.
    """
    description_path = root / "dataset_description.json"
    description = read_json(description_path) if description_path.is_file() else {}
    if not any(made.get("Name") == "twolevel" for made in description.get("GeneratedBy", [])):
        raise InputError(
            Problem(
                f"OUTPUT_DIR {root}",
                "no results of twolevel",
                "a folder with dataset_description.json, sub-*/ and group/, as `twolevel run` "
                "writes it",
                "give the OUTPUT_DIR of a run",
            )
        )
    designs = sorted(root.glob("sub-*/**/*_design.json"))
    fixed = sorted(root.glob("sub-*/**/*_contrast-*_stat-effect_statmap.json"), key=_depth)
    group = sorted((root / "group").glob("*_design.json"))
    logs = sorted((root / "logs").glob("*.log"))
    excluded, as_text = root / EXCLUDED, dict.fromkeys(EXCLUSION_COLUMNS, str)
    return Derivatives(
        root,
        description,
        read_json(group[0]) if group else {},
        sorted({path.name.removeprefix("sub-") for path in root.glob("sub-*") if path.is_dir()}),
        _read_runs(root),
        read_json(designs[0]) if designs else {},
        read_json(fixed[0]) if fixed else {},
        read_tsv(excluded, dtype=as_text) if excluded.is_file() else pd.DataFrame(),
        _read_contrasts(root),
        logs[-1] if logs else None,
    )


def _depth(path: Path) -> tuple[int, str]:
    """Sort the maps of subjects before those of runs, which have one entity more."""
    return len(entities_of(path)), path.name


def _read_runs(root: Path) -> pd.DataFrame:
    rows = []
    for path in sorted(root.glob("sub-*/**/*_desc-run_quality.tsv")):
        entities = entities_of(path)
        table = read_tsv(path)
        values = {(row.measure, row.of): row.value for row in table.itertuples()}
        inflation = table[table["measure"] == "vif_contrast"]["value"]
        rows.append(
            {
                "subject": entities.get("sub", ""),
                "session": entities.get("ses", ""),
                "run": entities.get("run", ""),
                "volumes": values["n_volumes", "fit"],
                "voxels": values["n_voxels", "analysis mask"],
                "dof": values["dof", "fit"],
                "tsnr": values["tsnr", "median"],
                "dvars": values["dvars", "median"],
                "outlier_volumes": values["n_outliers", "fit"],
                "r_squared": values["r_squared", "median"],
                "autocorrelation": values["residual_autocorrelation", "median"],
                "largest_vif": inflation.max(),
            }
        )
    return pd.DataFrame(rows)


def _read_contrasts(root: Path) -> list[ContrastResult]:
    tables = sorted((root / "group").glob("*_tests.tsv"))
    if not tables:
        return []
    table = pd.concat([read_tsv(path) for path in tables])
    figures = {path.name: path for path in (root / "figures").glob("*.png")}
    contrasts = []
    for label, rows in table.groupby("contrast", sort=False):
        maps = {
            (entities["stat"], entities.get("desc")): path
            for path in sorted((root / "group").glob(f"*_contrast-{label}_stat-*_statmap.nii.gz"))
            for entities in [entities_of(path)]
        }
        tests = []
        for row in rows.to_dict("records"):
            (clusters,) = (root / "group").glob(
                f"*_contrast-{label}_desc-{row['test']}_clusters.tsv"
            )
            stated = {str(k): None if pd.isna(value) else value for k, value in row.items()}
            figure = _figure(figures, str(label), row["test"])
            tests.append(TestResult(stated, read_tsv(clusters), figure))
        sides = int(rows["sides"].iloc[0])
        contrasts.append(
            ContrastResult(
                str(label),
                read_json(sidecar_of(maps["z", None])),
                _find_peak(maps, sides),
                _figure(figures, str(label), "unthresholded"),
                tests,
            )
        )
    return contrasts


def _figure(figures: dict[str, Path], label: str, what: str) -> Path | None:
    ending = f"contrast-{label}_desc-{what}_statmap.png"
    return next((path for name, path in figures.items() if name.endswith(ending)), None)


def _find_peak(maps: dict[tuple[str, str | None], Path], sides: int) -> Peak:
    z_map, affine = read_map(maps["z", None])
    compared = np.nan_to_num(np.abs(z_map) if sides == 2 else z_map, nan=-np.inf)
    i, j, k = np.unravel_index(int(np.argmax(compared)), compared.shape)
    voxel = (int(i), int(j), int(k))
    x, y, z = affine[:3, :3] @ voxel + affine[:3, 3]
    test = next((test for test in CORRECTED if ("logp", test) in maps), None)
    return Peak(
        float(x),
        float(y),
        float(z),
        float(z_map[voxel]),
        _value(maps["t", None], voxel),
        _value(maps["effect", None], voxel),
        float(10.0 ** -_value(maps["logp", test], voxel)) if test else None,
        test,
    )


def _value(path: Path, voxel: tuple[int, int, int]) -> float:
    return float(read_map(path)[0][voxel])
