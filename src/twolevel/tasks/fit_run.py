"""The model of a run, from image and design to maps."""

from __future__ import annotations

from pathlib import Path

from fileformats.generic import Directory, File
from pydra.compose import python

from twolevel.bids.run_inputs import RunSpec
from twolevel.derivatives.exclusions import Exclusion
from twolevel.derivatives.maps import map_record, model_record, write_estimate, write_mask
from twolevel.model.stages import Stage
from twolevel.tasks.fitted_run import FittedRun, fit_image
from twolevel.tasks.handoff import load_design, load_exclusions, save_exclusions
from twolevel.tasks.run_quality import percent_record, save_quality


def fit_run_files(
    spec: RunSpec, stage: Stage, files: dict[str, Path], design: Path, folder: Path
) -> Path:
    """Fit the model of a run and save the maps of every contrast."""
    loaded = load_design(design)
    run = fit_image(stage, files, loaded)
    entities = spec.entities
    record = {**model_record(stage), "Sources": list(spec.sources)}
    write_mask(folder, entities, run.mask, record)
    record |= percent_record(run.fit, loaded[1])
    smoothing = stage.node.run_settings.smoothing_fwhm_mm
    contrasts = {contrast.label: contrast for contrast in stage.node.contrasts}
    for label, estimate in {**run.fit.estimates, **run.fit.f_estimates}.items():
        write_estimate(
            folder,
            entities.with_(contrast=label),
            estimate,
            run.mask,
            {**map_record(contrasts[label], run.fit.dof, smoothing), **record},
        )
    save_quality(spec, stage, run, loaded, files.get("confounds"), folder)
    save_exclusions(folder, [*load_exclusions(design), *run_exclusions(spec, run)])
    return folder


def run_exclusions(spec: RunSpec, run: FittedRun) -> list[Exclusion]:
    """List what the fit of a run left out."""
    entities = spec.entities
    counts = {
        "a value that is not finite": run.n_not_finite,
        "nothing changes over time": run.n_constant,
    }
    voxels = [
        Exclusion.in_run(entities, "voxel", reason, count=count)
        for reason, count in counts.items()
        if count
    ]
    reason = "the design does not determine the contrast"
    contrasts = [
        Exclusion.in_run(entities, "run", reason, contrast=label)
        for label in run.fit.not_estimable
    ]
    return [*voxels, *contrasts]


@python.define(outputs={"out": Directory})
def FitRun(spec: RunSpec, stage: Stage, files: dict[str, File], design: Directory, software: str):
    """Fit the model of a run."""
    paths = {k: Path(v) for k, v in files.items()}
    return fit_run_files(spec, stage, paths, Path(design), Path.cwd() / "out")
