"""The workflows of a run and of a subject."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fileformats.generic import Directory, File
from pydra.compose import workflow

from twolevel.bids.run_inputs import RunSpec
from twolevel.bids.runs import RunFiles
from twolevel.derivatives.exclusions import Exclusion
from twolevel.model.stages import Stage
from twolevel.tasks.design_run import DesignRun
from twolevel.tasks.fetch_runs import FetchRuns
from twolevel.tasks.fit_run import FitRun
from twolevel.tasks.subject_maps import FitSubject, FitSubjectAtOnce


def is_at_once(stages: Sequence[Stage]) -> bool:
    """Tell whether all runs of a subject are fitted in one model."""
    return any(stage.node.subject_settings.first_level == "multi-run" for stage in stages)


@workflow.define(outputs={"design": Directory, "maps": Directory})
def RunLevel(spec: RunSpec, stage: Stage, files: dict[str, File], software: str):
    """Design and fit of one run."""
    design = workflow.add(DesignRun(spec=spec, stage=stage, files=files, software=software))
    fit = workflow.add(
        FitRun(spec=spec, stage=stage, files=files, design=design.out, software=software)
    )
    return design.out, fit.out


@workflow.define(
    outputs={"designs": list[Directory], "maps": list[Directory], "subject_maps": Directory}
)
def SubjectLevel(
    subject: str,
    run_stage: Stage,
    stages: list[Stage],
    specs: list[RunSpec],
    files: list[dict[str, File]],
    left_out: list[Exclusion],
    software: str,
):
    """Split over the runs of a subject and combine them, or fit all of them at once."""
    if is_at_once(stages):
        designs = workflow.add(
            DesignRun(stage=run_stage, software=software)
            .split(("spec", "files"), spec=specs, files=files)
            .combine("spec")
        )
        fit = workflow.add(
            FitSubjectAtOnce(
                subject=subject,
                run_stage=run_stage,
                stages=stages,
                specs=specs,
                files=files,
                designs=designs.out,
                left_out=left_out,
                software=software,
            )
        )
        return designs.out, [], fit.out
    runs = workflow.add(
        RunLevel(stage=run_stage, software=software)
        .split(("spec", "files"), spec=specs, files=files)
        .combine("spec")
    )
    combined = workflow.add(
        FitSubject(
            subject=subject,
            run_stage=run_stage,
            stages=stages,
            runs=runs.maps,
            left_out=left_out,
            software=software,
        )
    )
    return runs.design, runs.maps, combined.out


@workflow.define(outputs={"subject_maps": list[Directory]})
def Participants(
    subjects: list[str],
    run_stage: Stage,
    stages: list[Stage],
    specs: list[list[RunSpec]],
    files: list[list[dict[str, File]]],
    left_out: list[list[Exclusion]],
    software: str,
):
    """Split over subjects."""
    maps = workflow.add(
        SubjectLevel(run_stage=run_stage, stages=stages, software=software)
        .split(
            ("subject", "specs", "files", "left_out"),
            subject=subjects,
            specs=specs,
            files=files,
            left_out=left_out,
        )
        .combine("subject")
    )
    return maps.subject_maps


@workflow.define(
    outputs={"designs": list[Directory], "maps": list[Directory], "subject_maps": Directory}
)
def FetchedSubject(
    subject: str,
    run_stage: Stage,
    stages: list[Stage],
    runs: list[RunFiles],
    links: dict[str, Path],
    content: dict[str, str],
    left_out: list[Exclusion],
    software: str,
):
    """Download the images of a subject, then go on as with images that are there.

    `content` names what the files hold, by git-annex's keys where it keeps them: a result is
    found again although the images were dropped.
    """
    fetched = workflow.add(
        FetchRuns(
            subject=subject,
            run_stage=run_stage,
            runs=runs,
            links=links,
            content=content,
            software=software,
        )
    )
    maps = workflow.add(
        SubjectLevel(
            subject=subject,
            run_stage=run_stage,
            stages=stages,
            specs=fetched.specs,
            files=fetched.files,
            left_out=left_out,
            software=software,
        )
    )
    return maps.designs, maps.maps, maps.subject_maps


@workflow.define(outputs={"subject_maps": list[Directory]})
def FetchedParticipants(
    subjects: list[str],
    run_stage: Stage,
    stages: list[Stage],
    runs: list[list[RunFiles]],
    links: dict[str, Path],
    content: list[dict[str, str]],
    left_out: list[list[Exclusion]],
    software: str,
):
    """Split over subjects whose images are to be downloaded."""
    maps = workflow.add(
        FetchedSubject(run_stage=run_stage, stages=stages, links=links, software=software)
        .split(
            ("subject", "runs", "content", "left_out"),
            subject=subjects,
            runs=runs,
            content=content,
            left_out=left_out,
        )
        .combine("subject")
    )
    return maps.subject_maps
