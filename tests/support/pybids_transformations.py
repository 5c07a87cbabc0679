"""Record what pybids makes of the cases of ``reference/transformations_pybids.tsv``.

pybids is no dependency, not even of the tests. To renew the column, in an environment of its own::

    pip install pybids==0.22.0
    python tests/support/pybids_transformations.py tests/reference/transformations_pybids.tsv
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from run_by_hand import CONFOUNDS, EVENTS

REPETITION_TIME = 2.0


def numbers_or_text(cells: list[Any]) -> pd.Series:
    """Give columns the types that pandas gives them in a file."""
    column = pd.Series(cells, dtype=object)
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column


def a_run() -> Any:
    """Make the variables of the run."""
    variables_of = import_module("bids.variables")
    collections = import_module("bids.variables.collections")
    entities = import_module("bids.variables.entities")
    volumes = len(CONFOUNDS["rot_x"])
    run = entities.RunInfo({}, volumes * REPETITION_TIME, REPETITION_TIME, None, volumes)
    variables: list[Any] = []
    for name, cells in EVENTS.items():
        if name not in {"onset", "duration"}:
            table = {"onset": EVENTS["onset"], "duration": EVENTS["duration"]}
            data = pd.DataFrame({**table, "amplitude": numbers_or_text(cells)})
            variables.append(variables_of.SparseRunVariable(name, data, run, "events"))
    for name, values in CONFOUNDS.items():
        rate = 1 / REPETITION_TIME
        variables.append(
            variables_of.DenseRunVariable(name, pd.DataFrame(values), run, "regressors", rate)
        )
    return collections.BIDSRunVariableCollection(variables, sampling_rate=1 / REPETITION_TIME)


def shown(values: Any) -> str:
    """Write values as the table has them."""
    cells = ["n/a" if pd.isna(v) else v for v in values]
    numbers = [
        round(float(v), 9) + 0.0 if isinstance(v, int | float | np.bool_) else v for v in cells
    ]
    return " ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in numbers)


def by_pybids(steps: list[dict[str, Any]], name: str) -> str:
    """Carry out instructions and return a variable, or the error."""
    transformations = import_module("bids.modeling.transformations")
    run = a_run()
    try:
        for step in steps:
            rest = {k: v for k, v in step.items() if k not in {"Name", "Input"}}
            keys = {re.sub("(?<=.)([A-Z])", r"_\1", key).lower(): v for key, v in rest.items()}
            getattr(transformations, step["Name"])(run, step["Input"], **keys)
        attribute = "duration" if steps[-1].get("TargetAttr") == "duration" else "values"
        return shown(np.ravel(getattr(run[name], attribute)))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is what pybids does
        return f"{type(error).__name__}"


def main(path: Path) -> None:
    """Write the column anew."""
    warnings.simplefilter("ignore")
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3)
    table["pybids"] = [
        by_pybids(json.loads(steps), name)
        for steps, name in zip(table["instructions"], table["variable"], strict=True)
    ]
    table["version"] = version("pybids")
    table.to_csv(path, sep="\t", index=False, quoting=3)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
