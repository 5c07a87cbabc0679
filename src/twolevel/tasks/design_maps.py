"""The design of a model over the maps of subjects, and the voxels that all subjects cover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import reduce
from operator import and_
from pathlib import Path

import numpy as np
import pandas as pd
from fileformats.generic import Directory, File
from numpy.typing import NDArray
from pydra.compose import python

from twolevel.bids.units import MapName, Unit
from twolevel.derivatives.designs import write_map_design
from twolevel.derivatives.maps import model_record, uri_of, write_mask
from twolevel.errors import AnalysisError
from twolevel.files.maps import read_mask
from twolevel.model.nodes import INTERCEPT, ContrastName, Node, entity_level
from twolevel.stats.contrasts import is_estimable
from twolevel.stats.maps.design import INTERCEPT as MEAN
from twolevel.stats.maps.design import MapDesign, make_map_design
from twolevel.tasks.handoff import save_group_mask

OF_FIXED_EFFECTS = {"mean": "fixed", "precision": "precision"}
"""Which estimator a node over runs asks for by its weights of them."""
GIVEN = "group mask"


def design_of(node: Node, names: Sequence[MapName], rows: Sequence[str]) -> MapDesign:
    """Make the design of a node above the runs, one row per map.

    X names the mean (1), contrasts that come to the node, and entities: ``session`` for all its
    labels, ``session.pre`` or ``ses-pre`` for one of them. Those have a column that is 1 in the
    rows of that contrast or label, and 0 elsewhere.

    Parameters
    ----------
    names : sequence of MapName
        What the maps are of.
    rows : sequence of str
        What the rows are called.
    """
    columns: dict[str, list[float]] = {}
    for x in node.x:
        columns.update(dict(_columns(x, names)))
    table = pd.DataFrame({c: values for c, values in columns.items() if c != INTERCEPT})
    contrasts: dict[str, list[dict[str, float]]] = {}
    for contrast in node.contrasts:
        found = {name: _column_named(name, list(columns)) for name in contrast.variables}
        if None not in found.values():
            contrasts[contrast.name] = [
                {str(found[name]): weight for name, weight in row.items()} for row in contrast.rows
            ]
    named = [MEAN if column == INTERCEPT else column for column in columns]
    each = {column: [{column: 1.0}] for column in named}
    weights = {name: w if len(w) > 1 else w[0] for name, w in {**each, **contrasts}.items()}
    return make_map_design(rows, tuple(columns), table, weights)


def _columns(x: str, names: Sequence[MapName]) -> Iterator[tuple[str, list[float]]]:
    """Make the columns of a variable of X."""
    contrasts = {(name.contrast.name, name.contrast.label) for name in names}
    if x == INTERCEPT:
        yield x, [1.0] * len(names)
    elif any(x in pair for pair in contrasts):
        yield x, [float(x in (n.contrast.name, n.contrast.label)) for n in names]
    elif (level := entity_level(x)) is None:
        yield x, [0.0] * len(names)  # a contrast that none of these maps is of
    else:
        key, stated = level
        there = sorted({n.entities[key] for n in names if key in n.entities})
        for label in [stated] if stated else there:
            column = x if stated else f"{x}.{label}"
            yield column, [float(n.entities.get(key) == label) for n in names]


def _column_named(name: str, columns: Sequence[str]) -> str | None:
    """Find the column that a contrast names: as X does, by entity and label, or by label alone."""
    if name == INTERCEPT:
        return MEAN
    if name in columns:
        return name
    levels = {column: entity_level(column) for column in columns}
    same = [c for c, level in levels.items() if level and level == entity_level(name)]
    same = same or [c for c, level in levels.items() if level and level[1] == name]
    return same[0] if len(same) == 1 else None


def weights_of(design: MapDesign, contrast: ContrastName) -> NDArray[np.float64] | None:
    """Return the weights of the columns in a contrast of a node; None if they do not tell it."""
    own = MEAN if contrast.own == INTERCEPT else contrast.own
    if own and own not in design.contrasts:
        return None
    weights = design.weights(own or None)
    told = all(is_estimable(row, design.matrix) for row in np.atleast_2d(weights))
    return weights if told else None


def estimator_of(node: Node) -> str:
    """Return which estimator a node above the runs asks for, as `fit_maps` names it."""
    if node.level == "dataset":
        return "ols"
    settings = node.subject_settings
    return "ols" if settings.estimator == "ols" else OF_FIXED_EFFECTS[settings.fixed_effects]


def design_maps(unit: Unit, masks: dict[str, Path], folder: Path) -> Path:
    """Save the design matrix and the analysis mask of a dataset node.

    The masks are those of each subject, and ``group mask`` if there is one.
    """
    entities, node = unit.entities, unit.node
    subjects = [name for name in masks if name != GIVEN]
    mask = reduce(and_, map(read_mask, masks.values()))
    if not mask.n_points:
        raise AnalysisError(f"no voxel is covered by all {len(subjects)} subjects")
    record = {
        **model_record(unit.stage),
        "Settings": asdict(node.settings),
        "NumberOfSubjects": len(subjects),
        **({"GroupMask": masks[GIVEN].name} if GIVEN in masks else {}),
        "Sources": [uri_of(masks[s]) for s in subjects],
    }
    sidecar = {"Estimator": estimator_of(node), **record}
    write_map_design(folder, entities, design_of(node, unit.inputs, subjects), sidecar)
    write_mask(folder, entities, mask, record)
    if GIVEN in masks:
        save_group_mask(folder, read_mask(masks[GIVEN]))
    return folder


@python.define(outputs={"out": Directory})
def DesignMaps(unit: Unit, masks: dict[str, File], software: str):
    """Make the design and the mask of a dataset node."""
    return design_maps(unit, {k: Path(v) for k, v in masks.items()}, Path.cwd() / "out")
