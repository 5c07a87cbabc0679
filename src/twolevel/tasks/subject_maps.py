"""The maps of a subject: its runs, modelled each by itself or all at once, as rows of a design."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial, reduce
from operator import and_
from pathlib import Path
from typing import Any

import numpy as np
from fileformats.generic import Directory, File
from pydra.compose import python

from twolevel.bids.entities import OTHER_ENTITIES, RUN_ENTITIES, Entities
from twolevel.bids.run_inputs import RunSpec
from twolevel.bids.runs import averaged_sessions
from twolevel.derivatives.exclusions import Exclusion
from twolevel.derivatives.maps import (
    map_record,
    model_record,
    write_estimate,
    write_mask,
)
from twolevel.errors import AnalysisError
from twolevel.files.maps import read_mask
from twolevel.model.stages import Stage
from twolevel.space.mask import Mask
from twolevel.stats.estimates import Estimate, TEstimate
from twolevel.stats.maps.fit import fit_maps
from twolevel.tasks.design_maps import design_of, estimator_of
from twolevel.tasks.fit_run import run_exclusions
from twolevel.tasks.fitted_run import FittedRun, fit_image
from twolevel.tasks.handoff import load_design, load_exclusions, save_exclusions
from twolevel.tasks.run_quality import save_quality
from twolevel.tasks.run_rows import RunRow, saved_rows


def save_subject(
    subject: str,
    rows: Sequence[RunRow],
    run_stage: Stage,
    stage: Stage,
    folder: Path,
    exclusions: Sequence[Exclusion] = (),
) -> Path:
    """Fit the model of a subject to the estimates of its runs and save what it estimates.

    The exclusions, for the record, are of what was left out of the runs, and of runs.
    """
    settings = stage.node.subject_settings
    common = reduce(and_, [row.mask for row in rows])
    if not common.n_points:
        raise AnalysisError(f"sub-{subject}: no voxel is covered by all {len(rows)} runs")
    made = {
        **model_record(stage),
        "FixedEffects": settings.fixed_effects,
        "FirstLevel": settings.first_level,
    }
    mask_sources = {"Sources": [uri for row in rows for uri in row.mask_sources]}
    entities = Entities.shared([row.entities for row in rows]).without("ses", "run", "desc")
    record = {**made, **runs_record([row.entities for row in rows]), **mask_sources}
    write_mask(folder, entities, common, record)
    without = []
    for contrast in run_stage.node.contrasts:
        label = contrast.label
        there = [row for row in rows if label in row.sources]
        if not there:
            reason = "no run of this subject determines it: the group leaves the subject out"
            without.append(Exclusion("contrast", reason, subject=subject, contrast=label))
            continue
        mask, names = reduce(and_, [row.mask for row in there]), entities.with_(contrast=label)
        own = {**made, **runs_record([row.entities for row in there]), **mask_sources}
        if mask != common:
            write_mask(folder, names, mask, own)
        estimate = _fit([row.read(label, mask) for row in there], there, stage)
        fwhm = run_stage.node.run_settings.smoothing_fwhm_mm
        maps = {**map_record(contrast, float(estimate.dof), fwhm), **own}
        maps["Sources"] = [uri for row in there for uri in row.sources[label]]
        write_estimate(folder, names, estimate, mask, maps)
    save_exclusions(folder, [*exclusions, *without])
    return folder


def _fit(estimates: Sequence[TEstimate], rows: Sequence[RunRow], stage: Stage) -> Estimate:
    return fit_maps(
        np.stack([estimate.effect for estimate in estimates]),
        design_of(stage.node, [row.entities.in_words(RUN_ENTITIES) for row in rows]),
        estimator=estimator_of(stage.node),
        variances=np.stack([estimate.variance for estimate in estimates]),
        dofs=[float(estimate.dof) for estimate in estimates],
    )


def runs_record(names: Sequence[Entities]) -> dict[str, Any]:
    """Describe, for a sidecar, which runs a map of a subject combines."""
    averaged = averaged_sessions([[entities.get("ses", "") for entities in names]])
    return {
        "NumberOfRuns": len(names),
        "Runs": [entities.in_words(RUN_ENTITIES) for entities in names],
        **({"SessionsAveraged": averaged} if averaged else {}),
    }


def exclusions_of(names: Sequence[Entities], folders: Sequence[Path]) -> Iterator[Exclusion]:
    """Read what was left out of the runs of a subject, told apart by more than their numbers."""
    for entities, folder in zip(names, folders, strict=True):
        which = entities.in_words(OTHER_ENTITIES)
        for exclusion in load_exclusions(folder):
            item = ": ".join(part for part in (which, exclusion.item) if part)
            yield replace(exclusion, item=item)


def fit_subject_files(
    subject: str,
    run_stage: Stage,
    stage: Stage,
    runs: Sequence[Path],
    folder: Path,
    left_out: Sequence[Exclusion] = (),
) -> Path:
    """Combine the maps of a subject's runs, contrast by contrast; `left_out` runs are recorded."""
    rows = saved_rows(runs, run_stage)
    exclusions = [*left_out, *exclusions_of([row.entities for row in rows], runs)]
    return save_subject(subject, rows, run_stage, stage, folder, exclusions)


def fit_subject_at_once(
    subject: str,
    run_stage: Stage,
    stage: Stage,
    specs: Sequence[RunSpec],
    files: Sequence[dict[str, Path]],
    designs: Sequence[Path],
    folder: Path,
    left_out: Sequence[Exclusion] = (),
) -> Path:
    """Fit all runs of a subject as one model, with design, noise and variance per run.

    The runs are read within the voxels that all brain masks share, one after the other, and only
    voxels that are usable in every run are kept; the contrasts are combined without maps of single
    runs in between, as nilearn's ``FirstLevelModel`` does with several runs. `left_out` runs are
    recorded.
    """
    step = run_stage.node.run_settings.downsample
    common = reduce(and_, (read_mask(f["mask"]).every(step) for f in files))
    names = [spec.entities for spec in specs]
    exclusions = [*left_out, *exclusions_of(names, designs)]
    runs = []
    for spec, paths, design in zip(specs, files, designs, strict=True):
        loaded = load_design(design)
        run = fit_image(run_stage, paths, loaded, within=common)
        save_quality(spec, run_stage, run, loaded, paths.get("confounds"), folder)
        exclusions.extend(run_exclusions(spec, run))
        runs.append(run)
    usable = reduce(and_, [run.mask for run in runs])
    rows = [
        RunRow(
            entities,
            usable,
            spec.sources,
            dict.fromkeys(run.fit.estimates, spec.sources),
            partial(_estimate_within, run),
        )
        for entities, spec, run in zip(names, specs, runs, strict=True)
    ]
    return save_subject(subject, rows, run_stage, stage, folder, exclusions)


def _estimate_within(run: FittedRun, label: str, mask: Mask) -> TEstimate:
    return run.fit.estimates[label].keep(run.mask.take(mask.inside))


@python.define(outputs={"out": Directory})
def FitSubject(
    subject: str,
    run_stage: Stage,
    stage: Stage,
    runs: list[Directory],
    left_out: list[Exclusion],
    software: str,
):
    """Combine the runs of a subject."""
    folders = [Path(run) for run in runs]
    return fit_subject_files(subject, run_stage, stage, folders, Path.cwd() / "out", left_out)


@python.define(outputs={"out": Directory})
def FitSubjectAtOnce(
    subject: str,
    run_stage: Stage,
    stage: Stage,
    specs: list[RunSpec],
    files: list[dict[str, File]],
    designs: list[Directory],
    left_out: list[Exclusion],
    software: str,
):
    """Fit all runs of a subject in one model."""
    return fit_subject_at_once(
        subject,
        run_stage,
        stage,
        specs,
        [{k: Path(v) for k, v in paths.items()} for paths in files],
        [Path(design) for design in designs],
        Path.cwd() / "out",
        left_out,
    )
