"""What the report shows, read from the derivatives alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from twolevel.bids.exclusions import EXCLUDED, EXCLUSION_COLUMNS
from twolevel.bids.outputs import entities_of
from twolevel.bids.run_records import read_history
from twolevel.bids.sidecars import read_json
from twolevel.bids.tables import read_tsv
from twolevel.errors import InputError, Problem
from twolevel.report.group_results import read_contrasts

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.bids.run_records import History
    from twolevel.report.group_results import ContrastResult

__all__ = ["Derivatives", "read_derivatives"]


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
    coverage_figure : Path or None
        Of the subjects' masks.
    history : History
        Of the calls that made it.
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
    coverage_figure: Path | None
    history: History


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
    subjects = sorted(p.name.removeprefix("sub-") for p in root.glob("sub-*") if p.is_dir())
    coverage = sorted((root / "figures").glob("*_desc-coverage_statmap.png"))
    group = sorted((root / "group").glob("*_design.json"))
    return Derivatives(
        root,
        description,
        read_json(group[0]) if group else {},
        subjects,
        _read_runs(root),
        read_json(designs[0]) if designs else {},
        read_json(fixed[0]) if fixed else {},
        _read_excluded(root),
        read_contrasts(root),
        coverage[0] if coverage else None,
        read_history(root),
    )


def _read_excluded(root: Path) -> pd.DataFrame:
    """Merge the tables of the group and of the subjects: the group knows only its own subjects."""
    as_text = dict.fromkeys(EXCLUSION_COLUMNS, str)
    paths = [root / EXCLUDED, *sorted(root.glob(f"sub-*/{EXCLUDED}"))]
    tables = [read_tsv(path, dtype=as_text) for path in paths if path.is_file()]
    empty = pd.DataFrame(columns=list(EXCLUSION_COLUMNS))
    return pd.concat(tables, ignore_index=True).drop_duplicates() if tables else empty


def _depth(path: Path) -> tuple[int, str]:
    """Sort the maps of subjects before those of runs, which have one entity more."""
    return len(entities_of(path)), path.name


def _read_runs(root: Path) -> pd.DataFrame:
    rows = []
    for path in sorted(root.glob("sub-*/**/*_desc-run_quality.tsv")):
        entities = entities_of(path)
        table = read_tsv(path)
        keys = zip(table["measure"], table["of"], strict=True)
        values: dict[tuple[str, str], float] = dict(zip(keys, table["value"], strict=True))
        inflation = table[table["measure"] == "vif_contrast"]["value"]
        rows.append(
            {
                "subject": entities.get("sub", ""),
                "session": entities.get("ses", ""),
                "run": entities.get("run", ""),
                "volumes": values["n_volumes", "fit"],
                "left_out": values["n_volumes", "image"] - values["n_volumes", "fit"],
                "voxels": values["n_voxels", "analysis mask"],
                "dof": values["dof", "fit"],
                "tsnr": values["tsnr", "median"],
                "displacement": values.get(("framewise_displacement", "mean")),
                "dvars": values["dvars", "median"],
                "outlier_volumes": values["n_outliers", "fit"],
                "r_squared": values["r_squared", "median"],
                "autocorrelation": values["residual_autocorrelation", "median"],
                "largest_vif": inflation.max(),
            }
        )
    return pd.DataFrame(rows)
