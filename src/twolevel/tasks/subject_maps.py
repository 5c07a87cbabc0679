"""The maps of a participant above the runs, node by node: of sessions, of the subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from twolevel.bids.units import Unit, arriving_maps, map_name, units_of
from twolevel.derivatives.exclusions import Exclusion
from twolevel.derivatives.maps import map_record, model_record, write_estimate, write_mask
from twolevel.errors import AnalysisError
from twolevel.files.maps import read_mask
from twolevel.model.graph import estimated, estimates
from twolevel.model.nodes import ContrastName, StatsModel
from twolevel.model.stages import Stage
from twolevel.space.mask import Mask
from twolevel.stats.estimates import TEstimate
from twolevel.stats.maps.fit import fit_maps
from twolevel.tasks.design_maps import design_of, estimator_of, weights_of
from twolevel.tasks.fit_run import run_exclusions
from twolevel.tasks.fitted_run import FittedRun, fit_image
from twolevel.tasks.handoff import load_design, load_exclusions, save_exclusions
from twolevel.tasks.run_quality import save_quality
from twolevel.tasks.run_rows import MapRow, saved_row, saved_runs, sources_of


def save_participant(
    subject: str,
    rows: Sequence[MapRow],
    run_stage: Stage,
    stages: Sequence[Stage],
    folder: Path,
    exclusions: Sequence[Exclusion] = (),
) -> Path:
    """Fit the nodes over the estimates of a participant's runs, and save what they estimate.

    The exclusions, for the record, are of what was left out of the runs, and of runs.
    """
    made: dict[str, Sequence[MapRow]] = {run_stage.node.name: rows}
    for stage in stages:
        come = {edge.source: made[edge.source] for edge in stage.sources}
        by_name = {row.name: row for of_node in come.values() for row in of_node}
        names = {node: [row.name for row in of_node] for node, of_node in come.items()}
        units = units_of(stage, arriving_maps(stage, names))
        made[stage.node.name] = _fit_node(subject, units, by_name, folder)
    save_exclusions(folder, [*exclusions, *_undetermined(subject, run_stage, stages, folder)])
    return folder


def _fit_node(
    subject: str, units: Sequence[Unit], by_name: Mapping[Any, MapRow], folder: Path
) -> list[MapRow]:
    """Fit the units of a node, those of the same names after their common mask."""
    together: dict[Entities, list[Unit]] = {}
    for unit in units:
        together.setdefault(unit.entities, []).append(unit)
    made: list[MapRow] = []
    for entities, group in together.items():
        rows = list(dict.fromkeys(name for unit in group for name in unit.inputs))
        common = reduce(and_, [by_name[name].mask for name in rows])
        runs = _runs_of([by_name[name] for name in rows])
        if not common.n_points:
            raise AnalysisError(f"sub-{subject}: no voxel is covered by all {len(runs)} runs")
        write_mask(folder, entities, common, _record(group[0], [by_name[name] for name in rows]))
        for unit in group:
            made += _fit_unit(unit, [by_name[name] for name in unit.inputs], common, folder)
    return made


def _fit_unit(unit: Unit, rows: Sequence[MapRow], common: Mask, folder: Path) -> Iterator[MapRow]:
    """Fit a design, and save the contrasts that it determines."""
    mask = reduce(and_, [row.mask for row in rows])
    design = design_of(unit.node, unit.inputs, [_in_words(unit, row) for row in rows])
    record = _record(unit, rows, apart=not design.is_mean)
    estimates_of_rows = [row.read(mask) for row in rows]
    sources = [uri for row in rows for uri in sources_of(row, unit.entities)]
    for contrast in unit.contrasts:
        weights = weights_of(design, contrast)
        if weights is None:
            continue
        names = unit.entities.with_(contrast=contrast.label)
        if mask != common:
            write_mask(folder, names, mask, record)
        estimate = fit_maps(
            np.stack([of_row.effect for of_row in estimates_of_rows]),
            design,
            weights,
            estimator=estimator_of(unit.node),
            variances=np.stack([of_row.variance for of_row in estimates_of_rows]),
            dofs=[float(of_row.dof) for of_row in estimates_of_rows],
        )
        own = map_record(contrast, float(estimate.dof), unit.stage.smoothing_fwhm_mm)
        maps = {**own, **record, "Sources": sources}
        if not design.is_mean:
            columns = dict(zip(design.columns, weights.T.tolist(), strict=True))
            maps |= {"Rows": list(design.rows), "Weights": columns}
        write_estimate(folder, names, estimate, mask, maps)
        if contrast.test == "t":
            uris, runs = record["Sources"], _runs_of(rows)
            yield saved_row(folder, unit.entities, contrast, mask, uris, runs)


def _in_words(unit: Unit, row: MapRow) -> str:
    """Name a row of a design by what tells it from others."""
    words = row.name.entities.in_words(RUN_ENTITIES)
    return words if unit.contrast else f"{words} {row.name.contrast.label}".strip()


def _runs_of(rows: Sequence[MapRow]) -> tuple[Entities, ...]:
    return tuple(dict.fromkeys(run for row in rows for run in row.runs))


def _record(unit: Unit, rows: Sequence[MapRow], *, apart: bool = False) -> dict[str, Any]:
    """Describe, for the sidecars of a unit, what made it, of which runs."""
    settings = unit.node.subject_settings
    return {
        **model_record(unit.stage),
        "FixedEffects": settings.fixed_effects if settings.estimator == "fixed" else None,
        "FirstLevel": settings.first_level,
        **runs_record(_runs_of(rows), apart=apart or "ses" in unit.node.keys),
        "Sources": list(dict.fromkeys(uri for row in rows for uri in row.mask_sources)),
    }


def runs_record(names: Sequence[Entities], *, apart: bool = False) -> dict[str, Any]:
    """Describe, for a sidecar, which runs a map of a participant combines.

    Sessions that a node keeps `apart`, or compares, are not averaged.
    """
    averaged = averaged_sessions([[entities.get("ses", "") for entities in names]])
    return {
        "NumberOfRuns": len(names),
        "Runs": [entities.in_words(RUN_ENTITIES) for entities in names],
        **({"SessionsAveraged": averaged} if averaged and not apart else {}),
    }


def _undetermined(
    subject: str, run_stage: Stage, stages: Sequence[Stage], folder: Path
) -> Iterator[Exclusion]:
    """List the contrasts of the nodes of which no map was made."""
    nodes = (run_stage.node, *(stage.node for stage in stages))
    edges = tuple(edge for stage in stages for edge in stage.sources)
    model = StatsModel(run_stage.model_name, nodes, edges)
    of_runs = {contrast.label for contrast in estimated(run_stage.node, ())}
    there = {path.name for path in folder.rglob("*_contrast-*_statmap.nii.gz")}
    for node in nodes[1:]:
        for contrast in estimates(model, node):
            if not any(f"_contrast-{contrast.label}_" in name for name in there):
                why = "no run of this subject determines it"
                if contrast.label not in of_runs:
                    why = f"its maps do not determine it in the node {node.name}"
                yield Exclusion(
                    "contrast",
                    f"{why}: the group leaves the subject out",
                    subject=subject,
                    contrast=contrast.label,
                )


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
    stages: Sequence[Stage],
    runs: Sequence[Path],
    folder: Path,
    left_out: Sequence[Exclusion] = (),
) -> Path:
    """Combine the maps of a subject's runs, contrast by contrast; `left_out` runs are recorded."""
    found = saved_runs(runs, run_stage)
    exclusions = [*left_out, *exclusions_of(list(found), runs)]
    rows = [row for of_run in found.values() for row in of_run]
    return save_participant(subject, rows, run_stage, stages, folder, exclusions)


def fit_subject_at_once(
    subject: str,
    run_stage: Stage,
    stages: Sequence[Stage],
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
    exclusions = [*left_out, *exclusions_of([spec.entities for spec in specs], designs)]
    runs = []
    for spec, paths, design in zip(specs, files, designs, strict=True):
        loaded = load_design(design)
        run = fit_image(run_stage, paths, loaded, within=common)
        save_quality(spec, run_stage, run, loaded, paths.get("confounds"), folder)
        exclusions.extend(run_exclusions(spec, run))
        runs.append(run)
    usable = reduce(and_, [run.mask for run in runs])
    contrasts = [c for c in estimated(run_stage.node, ()) if c.test == "t"]
    rows = [
        _row(spec, usable, run, contrast)
        for spec, run in zip(specs, runs, strict=True)
        for contrast in contrasts
        if contrast.label in run.fit.estimates
    ]
    return save_participant(subject, rows, run_stage, stages, folder, exclusions)


def _row(spec: RunSpec, usable: Mask, run: FittedRun, contrast: ContrastName) -> MapRow:
    """Make a row of an estimate of a run of which no map is saved."""
    return MapRow(
        map_name(spec.entities, contrast),
        usable,
        spec.sources,
        spec.sources,
        (spec.entities,),
        partial(_estimate_within, run, contrast.label),
    )


def _estimate_within(run: FittedRun, label: str, mask: Mask) -> TEstimate:
    return run.fit.estimates[label].keep(run.mask.take(mask.inside))


@python.define(outputs={"out": Directory})
def FitSubject(
    subject: str,
    run_stage: Stage,
    stages: list[Stage],
    runs: list[Directory],
    left_out: list[Exclusion],
    software: str,
):
    """Combine the runs of a subject."""
    folders = [Path(run) for run in runs]
    return fit_subject_files(subject, run_stage, stages, folders, Path.cwd() / "out", left_out)


@python.define(outputs={"out": Directory})
def FitSubjectAtOnce(
    subject: str,
    run_stage: Stage,
    stages: list[Stage],
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
        stages,
        specs,
        [{k: Path(v) for k, v in paths.items()} for paths in files],
        [Path(design) for design in designs],
        Path.cwd() / "out",
        left_out,
    )
