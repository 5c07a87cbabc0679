"""Estimates that are rows of the design of a node above the runs, saved by the node before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from twolevel.bids.entities import Entities, entities_of
from twolevel.bids.units import MapName, map_name
from twolevel.files.maps import read_map, read_mask
from twolevel.files.sidecars import read_json, sidecar_of
from twolevel.model.graph import estimated
from twolevel.stats.estimates import TEstimate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from twolevel.model.nodes import ContrastName
    from twolevel.model.stages import Stage
    from twolevel.space.mask import Mask


@dataclass(frozen=True)
class MapRow:
    """An estimate of a run, or of a node above the runs: a row of the design of the next node.

    Attributes
    ----------
    mask_sources, sources : sequence of str
        BIDS URIs of what mask and estimate come from.
    runs : tuple of Entities
        The runs that it is made of.
    read : callable
        Takes a mask within that of the row, and returns the estimate there.
    folder : Path or None
        Where its maps lie; None where none are saved.
    """

    name: MapName
    mask: Mask
    mask_sources: Sequence[str]
    sources: Sequence[str]
    runs: tuple[Entities, ...]
    read: Callable[[Mask], TEstimate]
    folder: Path | None = None


def saved_runs(runs: Sequence[Path], run_stage: Stage) -> dict[Entities, list[MapRow]]:
    """Find the maps of runs that were modelled each by itself, by `fit_run_files`."""
    mask_paths = [path for run in runs for path in run.rglob("*_desc-analysis_mask.nii.gz")]
    found = {}
    for run, path in zip(runs, mask_paths, strict=True):
        entities = entities_of(path).without("desc")
        mask, uri = read_mask(path), f"bids::{path.relative_to(run).as_posix()}"
        found[entities] = [
            saved_row(run, entities, contrast, mask, [uri], (entities,))
            for contrast in estimated(run_stage.node, ())
            if contrast.test == "t" and (run / _map_of(entities, contrast, "effect")).is_file()
        ]
    return found


def saved_row(
    folder: Path,
    entities: Entities,
    contrast: ContrastName,
    mask: Mask,
    mask_sources: Sequence[str],
    runs: tuple[Entities, ...],
) -> MapRow:
    """Make a row of the maps of a contrast that lie in a folder."""
    sources = [f"bids::{_map_of(entities, contrast, stat)}" for stat in ("effect", "variance")]
    read = partial(_load, folder, entities, contrast)
    return MapRow(map_name(entities, contrast), mask, mask_sources, sources, runs, read, folder)


def sources_of(row: MapRow, entities: Entities) -> list[str]:
    """Name what an estimate of `entities` is computed from, where it takes a row.

    The only run of a subject, without a run entity, has the names of the subject's maps, which
    take its place: then it is what the run was computed from.
    """
    if row.folder is None or row.name.entities != entities:
        return list(row.sources)
    path = row.folder / _map_of(entities, row.name.contrast, "effect")
    return [str(uri) for uri in read_json(sidecar_of(path))["Sources"]]


def _map_of(entities: Entities, contrast: ContrastName, stat: str) -> str:
    """Name a map within its folder."""
    names = entities.with_(contrast=contrast.label, stat=stat)
    return names.path("statmap", ".nii.gz").as_posix()


def _load(folder: Path, entities: Entities, contrast: ContrastName, mask: Mask) -> TEstimate:
    paths = [folder / _map_of(entities, contrast, stat) for stat in ("effect", "variance")]
    effect, variance = (mask.take(read_map(path)[0]).astype(np.float64) for path in paths)
    content = read_json(sidecar_of(paths[0]))
    return TEstimate(effect, variance, float(content["DegreesOfFreedom"]))
