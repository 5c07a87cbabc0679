"""All runs of a subject in one model: the alternative to one model per run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from fileformats.generic import Directory, File
from pydra.compose import python

from twolevel.bids.run_inputs import RunSpec
from twolevel.derivatives.exclusions import Exclusion
from twolevel.files.images import read_mask
from twolevel.model.spec import Stage
from twolevel.stats.estimates import ContrastEstimate
from twolevel.tasks.combine_runs import (
    SubjectRuns,
    exclusions_of,
    save_subject,
)
from twolevel.tasks.fit_run import run_exclusions
from twolevel.tasks.fitted_run import fit_image
from twolevel.tasks.handoff import load_design
from twolevel.tasks.run_quality import save_quality


def fit_subject_files(
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
    runs in between, as nilearn's ``FirstLevelModel`` does with several runs.

    Parameters
    ----------
    subject : str
        Label.
    run_stage, stage : Stage
        Of the run and of the subject level.
    files : sequence of dict of str to Path
        ``bold`` and ``mask`` of each run.
    designs : sequence of Path
        What `design_run` wrote for each run.
    folder : Path
        Where the tree is written.
    left_out : sequence of Exclusion
        Runs of the subject that are not analysed, for the record.

    Returns
    -------
    Path
        `folder`.
    """
    every = (slice(None, None, run_stage.node.run_settings.downsample),) * 3
    common = np.logical_and.reduce([read_mask(f["mask"])[0][every] for f in files])
    names = [spec.entities for spec in specs]
    exclusions = [*left_out, *exclusions_of(names, designs)]
    runs = []
    for spec, paths, design in zip(specs, files, designs, strict=True):
        loaded = load_design(design)
        run = fit_image(run_stage, paths, loaded, within=common)
        save_quality(spec, run_stage, run, loaded, paths.get("confounds"), folder)
        exclusions.extend(run_exclusions(spec, run))
        runs.append(run)
    usable = np.logical_and.reduce([run.mask for run in runs])
    estimates: dict[str, dict[int, ContrastEstimate]] = {
        c.label: {} for c in run_stage.node.contrasts
    }
    for index, run in enumerate(runs):
        for label, estimate in run.fit.within(usable[run.mask]).estimates.items():
            estimates[label][index] = estimate
    sources = [uri for spec in specs for uri in spec.sources]
    runs_of_subject = SubjectRuns(
        subject,
        names,
        [usable] * len(runs),
        runs[0].affine,
        estimates,
        dict.fromkeys(estimates, sources),
        sources,
        exclusions,
    )
    return save_subject(runs_of_subject, run_stage, stage, folder)


@python.define(outputs={"out": Directory})
def FitSubject(
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
    return fit_subject_files(
        subject,
        run_stage,
        stage,
        specs,
        [{k: Path(v) for k, v in paths.items()} for paths in files],
        [Path(design) for design in designs],
        Path.cwd() / "out",
        left_out,
    )
