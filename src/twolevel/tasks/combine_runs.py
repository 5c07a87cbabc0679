"""Fixed effects over the runs of a subject, from maps to maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from fileformats.generic import Directory
from numpy.typing import NDArray
from pydra.compose import python

from twolevel.bids.entities import OTHER_ENTITIES, RUN_ENTITIES, Entities, entities_of
from twolevel.bids.runs import averaged_sessions
from twolevel.derivatives.exclusions import Exclusion
from twolevel.derivatives.maps import model_record, write_mask
from twolevel.errors import AnalysisError
from twolevel.files.images import read_map, read_mask
from twolevel.files.sidecars import read_json, sidecar_of
from twolevel.model.spec import Stage
from twolevel.stats.estimates import ContrastEstimate
from twolevel.stats.maps.fixed import combine_runs
from twolevel.tasks.fit_run import map_record, write_estimate
from twolevel.tasks.handoff import load_exclusions, save_exclusions


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
    masks, names, mask_uris, affine = [], [], [], np.eye(4)
    for run in runs:
        (path,) = run.rglob("*_desc-analysis_mask.nii.gz")
        mask, affine = read_mask(path)
        masks.append(mask)
        names.append(entities_of(path).without("desc"))
        mask_uris.append(f"bids::{path.relative_to(run).as_posix()}")
    subject_names = Entities.shared(names).without("ses", "run")
    estimates: dict[str, dict[int, ContrastEstimate]] = {}
    sources: dict[str, list[str]] = {}
    for contrast in run_stage.node.contrasts:
        label = contrast.label
        inside = [
            i for i, r in enumerate(runs) if (r / _map_of(names[i], label, "effect")).is_file()
        ]
        estimates[label] = {
            i: _load(runs[i], names[i], label, _all([masks[j] for j in inside])) for i in inside
        }
        sources[label] = [
            uri for i in inside for uri in _sources(runs[i], names[i], label, subject_names)
        ]
    exclusions = [*left_out, *exclusions_of(names, runs)]
    runs_of_subject = SubjectRuns(
        subject, names, masks, affine, estimates, sources, mask_uris, exclusions
    )
    return save_subject(runs_of_subject, run_stage, stage, folder)


def exclusions_of(names: Sequence[Entities], folders: Sequence[Path]) -> Iterator[Exclusion]:
    """Read what was left out of the runs of a subject, told apart by more than their numbers.

    Parameters
    ----------
    names : sequence of Entities
        Those of the runs.
    folders : sequence of Path
        Of their tables, in the same order.
    """
    for entities, folder in zip(names, folders, strict=True):
        which = entities.in_words(OTHER_ENTITIES)
        for exclusion in load_exclusions(folder):
            item = ": ".join(part for part in (which, exclusion.item) if part)
            yield replace(exclusion, item=item)


@dataclass(frozen=True)
class SubjectRuns:
    """The runs of a subject, ready to be combined.

    Attributes
    ----------
    subject : str
        Label.
    names : sequence of Entities
        Those of the runs.
    masks : sequence of ndarray of shape (x, y, z), bool
        One per run.
    affine : ndarray of shape (4, 4)
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
    names: Sequence[Entities]
    masks: Sequence[NDArray[np.bool_]]
    affine: NDArray[np.float64]
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
    common = _all(runs.masks)
    if not common.any():
        raise AnalysisError(
            f"sub-{runs.subject}: no voxel is covered by all {len(runs.masks)} runs"
        )
    made = {
        **model_record(stage),
        "FixedEffects": settings.fixed_effects,
        "FirstLevel": settings.first_level,
    }
    record = {**made, **runs_record(runs.names), "Sources": list(runs.mask_sources)}
    entities = Entities.shared(runs.names).without("ses", "run")
    write_mask(folder, entities, common, runs.affine, record)
    exclusions = list(runs.exclusions)
    for label, by_run in runs.estimates.items():
        if not by_run:
            reason = "no run of this subject determines it: the group leaves the subject out"
            exclusions.append(Exclusion("contrast", reason, subject=runs.subject, contrast=label))
            continue
        mask = _all([runs.masks[i] for i in by_run])
        names = entities.with_(contrast=label)
        own = {
            **made,
            **runs_record([runs.names[i] for i in by_run]),
            "Sources": record["Sources"],
        }
        if not np.array_equal(mask, common):
            write_mask(folder, names, mask, runs.affine, own)
        combined = combine_runs(list(by_run.values()), weighting=settings.fixed_effects)
        maps = {**map_record(run_stage, label, combined.dof), **own}
        maps["Sources"] = list(runs.sources[label])
        write_estimate(folder, names, combined, mask, runs.affine, maps)
    save_exclusions(folder, exclusions)
    return folder


def runs_record(names: Sequence[Entities]) -> dict[str, Any]:
    """Describe, for a sidecar, which runs a map of a subject combines.

    Parameters
    ----------
    names : sequence of Entities
        Those of the runs.
    """
    averaged = averaged_sessions([[entities.get("ses", "") for entities in names]])
    return {
        "NumberOfRuns": len(names),
        "Runs": [entities.in_words(RUN_ENTITIES) for entities in names],
        **({"SessionsAveraged": averaged} if averaged else {}),
    }


def _all(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    if not masks:
        return np.zeros((0, 0, 0), bool)
    shared: NDArray[np.bool_] = np.logical_and.reduce(masks)
    return shared


def _map_of(entities: Entities, label: str, stat: str) -> Path:
    return entities.with_(contrast=label, stat=stat).path("statmap", ".nii.gz")


def _sources(run: Path, entities: Entities, label: str, subject_names: Entities) -> list[str]:
    """Name the maps of a run that are combined.

    The only run of a subject, without a run entity, has the names of the subject's maps, which
    take its place: then it is what the run was computed from.
    """
    if entities == subject_names:
        content = read_json(sidecar_of(run / _map_of(entities, label, "effect")))
        return [str(uri) for uri in content["Sources"]]
    return [f"bids::{_map_of(entities, label, stat)}" for stat in ("effect", "variance")]


def _load(run: Path, entities: Entities, label: str, mask: NDArray[np.bool_]) -> ContrastEstimate:
    effect, variance = (
        read_map(run / _map_of(entities, label, stat))[0][mask].astype(np.float64)
        for stat in ("effect", "variance")
    )
    content = read_json(sidecar_of(run / _map_of(entities, label, "effect")))
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
