"""Fixed effects over the runs of a subject, from maps to maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

import numpy as np
from fileformats.generic import Directory
from pydra.compose import python

from twolevel.bids.entities import RUN_ENTITIES, build_name, describe, other_entities
from twolevel.bids.layout import averaged_sessions
from twolevel.derivatives.exclusions import Exclusion, read_exclusions, write_exclusions
from twolevel.derivatives.maps import (
    common_entities,
    entities_of,
    folder_of,
    model_record,
    write_mask,
)
from twolevel.errors import AnalysisError
from twolevel.files.maps import read_map, read_mask
from twolevel.files.sidecars import read_json, sidecar_of
from twolevel.model.spec import Stage
from twolevel.space.mask import Mask
from twolevel.stats.estimates import ContrastEstimate
from twolevel.stats.maps.fixed import combine_runs
from twolevel.tasks.design_run import EXCLUSIONS
from twolevel.tasks.fit_run import map_record, write_estimate


def subject_entities(names: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the entities of a subject's maps: those that its runs share, without run and session.

    Parameters
    ----------
    names : sequence of mapping of str to str
        Entities of the runs.
    """
    shared = common_entities(names)
    return {k: v for k, v in shared.items() if k not in {"ses", "run", "desc"}}


def combine_run_files(
    subject: str,
    run_stage: Stage,
    stage: Stage,
    runs: Sequence[Path],
    folder: Path,
    left_out: Sequence[Exclusion] = (),
) -> Path:
    """Combine the maps of a subject's runs, contrast by contrast.

    Parameters
    ----------
    subject : str
        Label.
    run_stage, stage : Stage
        Of the run and of the subject level.
    runs : sequence of Path
        What `fit_run_files` wrote for each run.
    folder : Path
        Where the tree is written.
    left_out : sequence of Exclusion
        Runs of the subject that are not analysed, for the record.

    Returns
    -------
    Path
        `folder`.
    """
    masks, names, mask_uris = [], [], []
    for run in runs:
        (path,) = run.rglob("*_desc-analysis_mask.nii.gz")
        masks.append(read_mask(path))
        names.append(entities_of(path))
        mask_uris.append(f"bids::{path.relative_to(run).as_posix()}")
    subject_names = subject_entities(names)
    estimates: dict[str, dict[int, ContrastEstimate]] = {}
    sources: dict[str, list[str]] = {}
    for contrast in run_stage.node.contrasts:
        label = contrast.label
        inside = [i for i, r in enumerate(runs) if _find(r, names[i], label, "effect").is_file()]
        estimates[label] = {
            i: _load(runs[i], names[i], label, reduce(and_, [masks[j] for j in inside]))
            for i in inside
        }
        sources[label] = [
            uri for i in inside for uri in _sources(runs[i], names[i], label, subject_names)
        ]
    exclusions = [*left_out, *exclusions_of(names, runs)]
    runs_of_subject = SubjectRuns(subject, names, masks, estimates, sources, mask_uris, exclusions)
    return save_subject(runs_of_subject, run_stage, stage, folder)


def exclusions_of(
    names: Sequence[Mapping[str, str]], folders: Sequence[Path]
) -> Iterator[Exclusion]:
    """Read what was left out of the runs of a subject, told apart by more than their numbers.

    Parameters
    ----------
    names : sequence of mapping of str to str
        Entities of the runs.
    folders : sequence of Path
        Of their tables, in the same order.
    """
    for entities, folder in zip(names, folders, strict=True):
        which = other_entities(entities)
        for exclusion in read_exclusions(folder / EXCLUSIONS):
            item = ": ".join(part for part in (which, exclusion.item) if part)
            yield replace(exclusion, item=item)


@dataclass(frozen=True)
class SubjectRuns:
    """The runs of a subject, ready to be combined.

    Attributes
    ----------
    subject : str
        Label.
    names : sequence of mapping of str to str
        Entities of the runs.
    masks : sequence of Mask
        One per run.
    estimates : mapping of label to mapping of run index to ContrastEstimate
        Over the voxels that all runs of that contrast cover.
    sources : mapping of label to sequence of str
        BIDS URIs.
    mask_sources : sequence of str
        BIDS URIs of what the masks come from.
    exclusions : sequence of Exclusion
        Of the runs.
    """

    subject: str
    names: Sequence[Mapping[str, str]]
    masks: Sequence[Mask]
    estimates: Mapping[str, Mapping[int, ContrastEstimate]]
    sources: Mapping[str, Sequence[str]]
    mask_sources: Sequence[str]
    exclusions: Sequence[Exclusion]


def save_subject(runs: SubjectRuns, run_stage: Stage, stage: Stage, folder: Path) -> Path:
    """Combine the estimates of a subject's runs and save the result.

    Parameters
    ----------
    run_stage, stage : Stage
        Of the run and of the subject level.
    folder : Path
        Where the tree is written.

    Returns
    -------
    Path
        `folder`.
    """
    settings = stage.node.subject_settings
    common = reduce(and_, runs.masks)
    if not common.n_points:
        raise AnalysisError(
            f"sub-{runs.subject}: no voxel is covered by all {len(runs.masks)} runs"
        )
    made = {
        **model_record(stage),
        "FixedEffects": settings.fixed_effects,
        "FirstLevel": settings.first_level,
    }
    record = {**made, **runs_record(runs.names), "Sources": list(runs.mask_sources)}
    entities = subject_entities(runs.names)
    write_mask(folder, entities, common, record)
    exclusions = list(runs.exclusions)
    for label, by_run in runs.estimates.items():
        if not by_run:
            reason = "no run of this subject determines it: the group leaves the subject out"
            exclusions.append(Exclusion("contrast", reason, subject=runs.subject, contrast=label))
            continue
        mask = reduce(and_, [runs.masks[i] for i in by_run])
        names = {**entities, "contrast": label}
        own = {
            **made,
            **runs_record([runs.names[i] for i in by_run]),
            "Sources": record["Sources"],
        }
        if not np.array_equal(mask.inside, common.inside):
            write_mask(folder, names, mask, own)
        combined = combine_runs(list(by_run.values()), weighting=settings.fixed_effects)
        maps = {**map_record(run_stage, label, combined.dof), **own}
        maps["Sources"] = list(runs.sources[label])
        write_estimate(folder, names, combined, mask, maps)
    write_exclusions(folder / EXCLUSIONS, exclusions)
    return folder


def runs_record(names: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Describe, for a sidecar, which runs a map of a subject combines.

    Parameters
    ----------
    names : sequence of mapping of str to str
        Entities of the runs.
    """
    averaged = averaged_sessions([[entities.get("ses", "") for entities in names]])
    return {
        "NumberOfRuns": len(names),
        "Runs": [describe(entities, RUN_ENTITIES) for entities in names],
        **({"SessionsAveraged": averaged} if averaged else {}),
    }


def _map_name(entities: Mapping[str, str], label: str, stat: str) -> str:
    names = {k: v for k, v in entities.items() if k != "desc"}
    return build_name({**names, "contrast": label, "stat": stat}, "statmap", ".nii.gz")


def _find(run: Path, entities: Mapping[str, str], label: str, stat: str) -> Path:
    return run / folder_of(entities) / _map_name(entities, label, stat)


def _sources(
    run: Path, entities: Mapping[str, str], label: str, subject_names: Mapping[str, str]
) -> list[str]:
    """Name the maps of a run that are combined.

    The only run of a subject, without a run entity, has the names of the subject's maps, which
    take its place: then it is what the run was computed from.
    """
    if {k: v for k, v in entities.items() if k != "desc"} == dict(subject_names):
        sidecar = _find(run, entities, label, "effect")
        content = read_json(sidecar_of(sidecar))
        return [str(uri) for uri in content["Sources"]]
    folder = folder_of(entities)
    return [
        f"bids::{folder}/{_map_name(entities, label, stat)}" for stat in ("effect", "variance")
    ]


def _load(run: Path, entities: Mapping[str, str], label: str, mask: Mask) -> ContrastEstimate:
    effect, variance = (
        mask.take(read_map(_find(run, entities, label, stat))[0]).astype(np.float64)
        for stat in ("effect", "variance")
    )
    sidecar = _find(run, entities, label, "effect")
    content = read_json(sidecar_of(sidecar))
    return ContrastEstimate(effect, variance, float(content["DegreesOfFreedom"]))


@python.define(outputs={"out": Directory})
def CombineRuns(
    subject: str,
    run_stage: Stage,
    stage: Stage,
    runs: list[Directory],
    left_out: list[Exclusion],
    software: str,
):
    """Combine the runs of a subject."""
    folders = [Path(run) for run in runs]
    return combine_run_files(subject, run_stage, stage, folders, Path.cwd() / "out", left_out)
