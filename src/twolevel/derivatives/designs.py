"""The designs of models over maps, as tables: written, and read again for fits and the report."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twolevel.files.sidecars import read_json, write_json
from twolevel.files.tables import read_tsv, write_tsv
from twolevel.stats.maps.design import INTERCEPT, Exchangeability, MapDesign

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from twolevel.bids.entities import Entities

ROWS = "subject"
"""The column that names the rows."""


def write_map_design(
    folder: Path, entities: Entities, design: MapDesign, sidecar: Mapping[str, Any]
) -> Path:
    """Write a design matrix over subjects, and what else belongs to the design in its sidecar."""
    path = folder / entities.path("design", ".tsv")
    columns = dict(zip(design.columns, design.matrix.T, strict=True))
    described = {
        name: "1: the mean of the group" if name == INTERCEPT else "of the table of subjects"
        for name in design.columns
    }
    content = {
        "Description": "Design matrix of the group: one row per subject",
        "Columns": {ROWS: "label of the subject", **described},
        "Contrasts": {name: weights.tolist() for name, weights in design.contrasts.items()},
        "Exchangeability": asdict(design.exchange),
        **sidecar,
    }
    write_json(path.with_suffix(".json"), content)
    return write_tsv(path, pd.DataFrame({ROWS: list(design.rows), **columns}))


def read_map_design(path: Path) -> MapDesign:
    """Read what `write_map_design` wrote."""
    table = read_tsv(path, dtype={ROWS: str})
    sidecar = read_json(path.with_suffix(".json"))
    columns = tuple(str(name) for name in table if name != ROWS)
    return MapDesign(
        tuple(table[ROWS]),
        table[list(columns)].to_numpy(np.float64),
        columns,
        {name: np.array(weights, np.float64) for name, weights in sidecar["Contrasts"].items()},
        Exchangeability(**sidecar["Exchangeability"]),
    )
