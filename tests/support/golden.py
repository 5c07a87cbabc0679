"""The golden record: what a small study gives, to be compared after every change of the code.

``python tests/support/golden.py`` renews it, where numbers are meant to change.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pandas as pd
from command import NOTHING_DRAWN, call_process

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD = Path(__file__).parents[1] / "reference" / "golden.json"
MODEL = Path(__file__).parents[1] / "models" / "golden_smdl.json"
DATASET = ("--n-subjects", "4", "--n-runs", "2", "--n-volumes", "60", "--voxel-size", "6")
RUNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "mean": (("participant",), ("group",)),
    "multi-run": (("all", "--first-level", "multi-run", "--group-input", "z"),),
    "precision": (("all", "--fixed-effects", "precision", "--sides", "1", "--tail", "gpd"),),
    "downsample": (("all", "--downsample", "2", "--group-input", "t"),),
}
N_VALUES = 20


def analyse(
    folder: Path, *options: str, call: Callable[..., object] = call_process
) -> dict[str, Path]:
    """Simulate the study in `folder` and analyse it in every way; return the output folders."""
    data = folder / "data"
    call("simulate", data, *DATASET)
    outputs = {name: folder / name for name in RUNS}
    for name, calls in RUNS.items():
        for level, *words in calls:
            given = ["run", data, outputs[name], level, *words, "--model", MODEL]
            call(*given, "--work-dir", folder / "work", *options)
    return outputs


def describe(output_dir: Path) -> dict[str, Any]:
    """Return what a golden record holds of every map and table under `output_dir`."""
    found: dict[str, Any] = {}
    for path in sorted(output_dir.rglob("*")):
        name = path.relative_to(output_dir).as_posix()
        if name.startswith(("logs/", "figures/")):
            continue
        if name.endswith(".nii.gz"):
            found[name] = describe_map(np.asarray(nib.load(path).dataobj))
        elif name.endswith(".tsv"):
            found[name] = read_cells(path)
    return found


def describe_map(volume: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return shape, number of NaN, sum, sum of squares, and values at regular places of a map."""
    values = volume[~np.isnan(volume)].astype(np.float64)
    at = np.linspace(0, max(values.size - 1, 0), min(N_VALUES, values.size)).astype(int)
    return {
        "shape": list(volume.shape),
        "n_nan": int(np.isnan(volume).sum()),
        "sum": float(values.sum()),
        "sum_of_squares": float((values**2).sum()),
        "values": [short(value) for value in values[at]],
    }


def read_cells(path: Path) -> dict[str, Any]:
    """Return the cells of a table by column; of long columns of numbers what maps have."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    cells: dict[str, Any] = {}
    for column in table:
        try:
            numbers = table[column].astype(float).to_numpy()
        except ValueError:
            cells[str(column)] = list(table[column])
            continue
        long = len(numbers) > N_VALUES
        cells[str(column)] = describe_map(numbers) if long else [short(float(n)) for n in numbers]
    return cells


def short(number: float) -> float:
    """Return a number in nine digits, more than a map holds."""
    return float(f"{number:.9g}")


def describe_all(outputs: dict[str, Path]) -> dict[str, Any]:
    """Return the record of every map and table of all outputs."""
    return {
        f"{run}/{name}": record
        for run, output_dir in outputs.items()
        for name, record in describe(output_dir).items()
    }


def write_record(outputs: dict[str, Path], path: Path = RECORD) -> None:
    """Write the record: a line for each map and table, or the name of an equal one before it."""
    first: dict[str, str] = {}
    lines = []
    for name, record in describe_all(outputs).items():
        text = json.dumps(record, ensure_ascii=False)
        lines.append(f"{json.dumps(name)}: {json.dumps(first[text]) if text in first else text}")
        first.setdefault(text, name)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_record(path: Path = RECORD) -> dict[str, Any]:
    """Return the record that `write_record` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: found[r] if isinstance(r, str) else r for name, r in found.items()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write_record(analyse(Path(scratch), *NOTHING_DRAWN))
