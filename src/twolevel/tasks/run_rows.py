"""The runs of a subject that were modelled each by itself, as rows of the subject's design."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from twolevel.bids.entities import Entities, entities_of
from twolevel.files.maps import read_map, read_mask
from twolevel.files.sidecars import read_json, sidecar_of
from twolevel.stats.estimates import TEstimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from twolevel.model.stages import Stage
    from twolevel.space.mask import Mask


@dataclass(frozen=True)
class RunRow:
    """A run with its estimates: a row of the design of its subject.

    Attributes
    ----------
    mask_sources : sequence of str
        BIDS URIs of what the mask comes from.
    sources : mapping of str to sequence of str
        BIDS URIs of what the estimates come from, by the label of each contrast that it has.
    read : callable
        Takes the label of a contrast and a mask, and returns the run's estimate there.
    """

    entities: Entities
    mask: Mask
    mask_sources: Sequence[str]
    sources: Mapping[str, Sequence[str]]
    read: Callable[[str, Mask], TEstimate]


def saved_rows(runs: Sequence[Path], run_stage: Stage) -> list[RunRow]:
    """Find the maps of runs that were modelled each by itself, by `fit_run_files`."""
    mask_paths = [path for run in runs for path in run.rglob("*_desc-analysis_mask.nii.gz")]
    names = [entities_of(path) for path in mask_paths]
    subject_names, rows = Entities.shared(names).without("ses", "run", "desc"), []
    for run, path, entities in zip(runs, mask_paths, names, strict=True):
        own = entities.without("desc")
        is_subject = own == subject_names
        labels = [contrast.label for contrast in run_stage.node.contrasts]
        sources = {
            label: _sources(run, own, label, is_subject=is_subject)
            for label in labels
            if (run / _map_of(own, label, "effect")).is_file()
        }
        uri = f"bids::{path.relative_to(run).as_posix()}"
        rows.append(RunRow(entities, read_mask(path), [uri], sources, partial(_load, run, own)))
    return rows


def _map_of(entities: Entities, label: str, stat: str) -> str:
    """Name the map of a run within its folder."""
    return entities.with_(contrast=label, stat=stat).path("statmap", ".nii.gz").as_posix()


def _sources(run: Path, entities: Entities, label: str, *, is_subject: bool) -> list[str]:
    """Name the maps of a run that are combined.

    The only run of a subject, without a run entity, has the names of the subject's maps, which
    take its place: then it is what the run was computed from.
    """
    if is_subject:
        content = read_json(sidecar_of(run / _map_of(entities, label, "effect")))
        return [str(uri) for uri in content["Sources"]]
    return [f"bids::{_map_of(entities, label, stat)}" for stat in ("effect", "variance")]


def _load(run: Path, entities: Entities, label: str, mask: Mask) -> TEstimate:
    paths = [run / _map_of(entities, label, stat) for stat in ("effect", "variance")]
    effect, variance = (mask.take(read_map(path)[0]).astype(np.float64) for path in paths)
    content = read_json(sidecar_of(paths[0]))
    return TEstimate(effect, variance, float(content["DegreesOfFreedom"]))
