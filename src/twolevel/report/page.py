"""The report: one self-contained page, made from the derivatives alone."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd

from twolevel.bids.atomic import write_bytes
from twolevel.report.derivatives import read_derivatives
from twolevel.report.words import format_p, methods, references, verdict

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.report.derivatives import Derivatives

__all__ = ["REPORT", "write_report"]

REPORT = "report.html"

CLUSTER_COLUMNS = {
    "cluster": "cluster",
    "sign": "sign",
    "n_voxels": "voxels",
    "volume_mm3": "mm³",
    "peak_x_mm": "x",
    "peak_y_mm": "y",
    "peak_z_mm": "z",
    "z_at_peak": "z value",
    "t_at_peak": "t",
    "effect_at_peak": "effect",
    "p_at_peak": "corrected p",
}
RUN_COLUMNS = {
    "subject": "subject",
    "session": "session",
    "run": "run",
    "volumes": "volumes",
    "voxels": "voxels",
    "dof": "dof",
    "tsnr": "tSNR",
    "dvars": "DVARS",
    "outlier_volumes": "outlier volumes",
    "r_squared": "R²",
    "autocorrelation": "autocorrelation after whitening",
    "largest_vif": "largest variance inflation of a contrast",
}


def write_report(output_dir: Path) -> Path:
    """Make the report of an output directory.

    Parameters
    ----------
    output_dir : Path
        As `twolevel run` left it: the group level may be missing.

    Returns
    -------
    Path
        ``report.html``, which opens from disk and asks for nothing from elsewhere.

    Raises
    ------
    InputError
        The folder is no output directory of this program.
    """
    derivatives = read_derivatives(output_dir)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("twolevel.report"),
        autoescape=True,  # labels and trial types come from files
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "picture": _picture,
        "number": _number,
        "p": _p,
        "records": _records,
    }
    page = environment.get_template("page.html").render(
        d=derivatives,
        failed=_failed(derivatives),
        verdict=verdict,
        methods=methods(derivatives),
        references=references(derivatives),
        command=_command(derivatives),
        tests=_test_names(derivatives),
        cluster_columns=CLUSTER_COLUMNS,
        run_columns=RUN_COLUMNS,
    )
    return write_bytes(output_dir / REPORT, page.encode())


def _failed(derivatives: Derivatives) -> list[dict[str, Any]]:
    """Return the exclusions of whole subjects."""
    excluded = derivatives.excluded
    if excluded.empty:
        return []
    return _records(excluded[excluded["kind"] == "subject"])


def _command(derivatives: Derivatives) -> str:
    """Return the command of the latest log, without the place of the program."""
    if derivatives.log is None:
        return ""
    lines = derivatives.log.read_text(encoding="utf-8").splitlines()
    _, _, words = lines[1].partition(" ")
    return f"twolevel {words}"


def _test_names(derivatives: Derivatives) -> list[str]:
    """Return the labels of all tests, each once, in their order."""
    names = (t.row["test"] for contrast in derivatives.contrasts for t in contrast.tests)
    return list(dict.fromkeys(names))


def _picture(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _number(value: Any) -> str:
    """Write a number of a table; text as it is; nothing where it is missing."""
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"


def _p(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else format_p(value)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
