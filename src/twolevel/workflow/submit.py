"""What is submitted at each level, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydra.engine  # noqa: F401  # must come before other parts of pydra
from pydra.engine.job import Job
from pydra.engine.submitter import Submitter

from twolevel.bids.units import Unit
from twolevel.checks.dataset import Plan
from twolevel.checks.map_table import GroupPart
from twolevel.checks.maps import GroupInputs
from twolevel.derivatives.publish import publish
from twolevel.derivatives.records import GROUP, Publication, kind_of, record_failure
from twolevel.errors import AnalysisError, DamagedError, OutputError
from twolevel.model.graph import nodes_of_participants, run_node
from twolevel.model.nodes import StatsModel
from twolevel.model.stages import Stage, stage_of
from twolevel.tasks.fingerprint import drawing_fingerprint, numbers_fingerprint
from twolevel.tasks.handoff import load_exclusions
from twolevel.workflow.cache import digest_files, forget_damaged
from twolevel.workflow.downloads import Downloads
from twolevel.workflow.engine import Execution, Recorder, make_submitter, submit
from twolevel.workflow.group import GroupLevel
from twolevel.workflow.publisher import Outcome, SubjectPublisher
from twolevel.workflow.sealing import folders_of
from twolevel.workflow.subject import (
    FetchedParticipants,
    FetchedSubject,
    Participants,
    SubjectLevel,
)

WITHOUT_CONTRAST = "left out of the group: no map of the contrast"


@dataclass(frozen=True)
class Fetching:
    """How images are downloaded.

    Attributes
    ----------
    downloads : Downloads
        When.
    content : dict of str to dict of str to str
        What the files of each subject hold: see `twolevel.fetch.needed.identities`.
    links : dict of str to Path
        Datasets by the names that BIDS URIs use.
    """

    downloads: Downloads
    content: Mapping[str, Mapping[str, str]]
    links: Mapping[str, Path]


def run_participants(
    plan: Plan,
    model: StatsModel,
    planned: Mapping[str, Publication],
    execution: Execution,
    fetching: Fetching | None = None,
) -> Outcome:
    """Run the participant level and publish each subject when it is done.

    Parameters
    ----------
    planned : mapping of str to Publication
        The record of each subject, without files.
    fetching : Fetching, optional
        How the images are downloaded that are not there.

    Raises
    ------
    OutputError
        There is no room for the downloads.
    """
    subjects = list(plan.runs)
    whole, level, tasks = (
        _fetched_tasks(plan, model, fetching) if fetching else _tasks(plan, model)
    )
    if fetching is None:
        inputs = [run.files.values() for runs in plan.inputs.values() for run in runs]
        digest_files(set().union(*inputs), execution.n_procs)
    recorder = Recorder(execution.listener)
    publisher = SubjectPublisher(
        level,
        execution.output_dir,
        planned,
        fetching.downloads if fetching else None,
        overwrite=execution.overwrite,
    )
    with make_submitter(execution, recorder, publisher) as submitter:
        if fetching is not None:
            results = {
                s: Job(t, submitter=submitter, name=s).result()
                for s, t in zip(subjects, tasks, strict=True)
            }
            fetching.downloads.check(s for s, result in results.items() if result is None)
        submit(submitter, whole)
        for subject, task in zip(subjects, tasks, strict=True):
            if not publisher.has_seen(subject) and not recorder.has_failed(f"sub-{subject}"):
                _publish_from_cache(subject, task, publisher, submitter)
    outcome = publisher.outcome
    for subject in subjects:
        if subject not in outcome.done:
            error = outcome.failed.setdefault(subject, recorder.error_of(f"sub-{subject}"))
            record_failure(execution.output_dir, planned[subject], error)
    order = {subject: number for number, subject in enumerate(subjects)}
    outcome.done.sort(key=order.__getitem__)
    outcome.failed = dict(sorted(outcome.failed.items(), key=lambda item: order[item[0]]))
    return outcome


def _publish_from_cache(
    subject: str, task: Any, publisher: SubjectPublisher, submitter: Submitter
) -> None:
    """Publish a subject that a larger whole found in the cache; compute again what is damaged.

    The whole may be there although the subject's own result is not, or is not what it was.
    """
    if subject not in publisher.damaged:
        result = Job(task, submitter=submitter, name=subject).result()
        publisher.finish(task, result)
    if subject in publisher.damaged:
        forget_damaged(Path(submitter.cache_root), publisher.damaged.pop(subject))
    if not publisher.has_seen(subject):
        submit(submitter, task)
    if (tree := publisher.damaged.get(subject)) is not None:
        publisher.outcome.failed[subject] = (
            f"{tree} was damaged, computed again, and is damaged once more: look at the disk"
        )


def _tasks(plan: Plan, model: StatsModel) -> tuple[Any, Any, list[Any]]:
    """Return the workflow of all subjects, the class of a subject's, and that of each subject."""
    common = {**_stages(model), "software": numbers_fingerprint()}
    subjects = list(plan.inputs)
    specs = [[run.spec for run in runs] for runs in plan.inputs.values()]
    files: list[list[dict[str, Path]]] = [
        [dict(run.files) for run in runs] for runs in plan.inputs.values()
    ]
    left_out = [plan.left_out_runs.get(subject, []) for subject in subjects]
    each = [
        SubjectLevel(subject=s, specs=of_subject, files=paths, left_out=without, **common)
        for s, of_subject, paths, without in zip(subjects, specs, files, left_out, strict=True)
    ]
    whole = Participants(subjects=subjects, specs=specs, files=files, left_out=left_out, **common)
    return whole, SubjectLevel, each


def participant_stages(model: StatsModel) -> list[Stage]:
    """Cut from a model what the nodes over the maps of a participant need."""
    return [stage_of(model, node) for node in nodes_of_participants(model)]


def _stages(model: StatsModel) -> dict[str, Any]:
    """Cut from a model what the levels of a participant need."""
    run_stage = stage_of(model, run_node(model))
    return {"run_stage": run_stage, "stages": participant_stages(model)}


def _fetched_tasks(
    plan: Plan, model: StatsModel, fetching: Fetching
) -> tuple[Any, Any, list[Any]]:
    """Return the same where images are to be downloaded."""
    common = {
        **_stages(model),
        "links": dict(fetching.links),
        "software": numbers_fingerprint(),
    }
    subjects, runs = list(plan.runs), list(plan.runs.values())
    content = [dict(fetching.content[subject]) for subject in subjects]
    left_out = [plan.left_out_runs.get(subject, []) for subject in subjects]
    each = [
        FetchedSubject(subject=s, runs=of_subject, content=held, left_out=without, **common)
        for s, of_subject, held, without in zip(subjects, runs, content, left_out, strict=True)
    ]
    whole = FetchedParticipants(
        subjects=subjects, runs=runs, content=content, left_out=left_out, **common
    )
    return whole, FetchedSubject, each


def run_group(
    inputs: GroupInputs,
    model: StatsModel,
    execution: Execution,
    *,
    seed: int,
    group_mask: Path | None,
    figures: bool,
) -> Outcome:
    """Run the group level and publish it.

    Parameters
    ----------
    seed : int
        Of everything random.
    group_mask : Path, optional
        Only voxels of this mask are analysed.
    figures : bool
        Draw the maps, the tests and the subjects.
    """
    planned = Publication(GROUP, kind_of(inputs.entities), model.scope.record)
    parts = [
        _group_task(part, inputs.left_out, seed=seed, group_mask=group_mask, figures=figures)
        for part in inputs.parts
    ]
    recorder = Recorder(execution.listener)
    outcome = Outcome()
    with make_submitter(execution, recorder) as submitter:
        try:
            outcome.files = _publish_group(submitter, parts, planned, execution)
        except (AnalysisError, OutputError, DamagedError, OSError) as error:
            outcome.failed[GROUP] = str(error) or recorder.error_of("")
            record_failure(execution.output_dir, planned, outcome.failed[GROUP])
        else:
            outcome.done.append(GROUP)
    return outcome


def _publish_group(
    submitter: Submitter, parts: Sequence[Any], planned: Publication, execution: Execution
) -> list[Path]:
    """Compute the group and publish it; what is damaged in the cache is computed again."""
    for is_last in (False, True):
        results = [submit(submitter, part) for part in parts]
        outputs = [r.outputs for r in results if r and not r.errored and r.outputs is not None]
        if len(outputs) < len(parts):
            raise AnalysisError  # told by its jobs
        excluded = [e for found in outputs for e in load_exclusions(Path(found.comparison))]
        try:
            return publish(
                [folder for found in outputs for folder in folders_of(found)],
                execution.output_dir,
                replace(planned, excluded=tuple(dict.fromkeys(excluded))),
                overwrite=execution.overwrite,
            )
        except DamagedError as error:
            if is_last:
                raise
            forget_damaged(Path(submitter.cache_root), error.tree)
    raise RuntimeError("neither published nor refused")


def _group_task(
    part: GroupPart,
    left_out: Mapping[str, str],
    *,
    seed: int,
    group_mask: Path | None,
    figures: bool,
) -> Any:
    """Write a part of what was found as the inputs of the group's workflow."""
    stage = replace(part.stage, node=replace(part.stage.node, seed=seed))
    masks = {f"sub-{s}": path for s, path in part.masks.items()}
    if group_mask is not None:
        masks["group mask"] = group_mask
    fitted = [(contrast, unit) for unit in part.units for contrast in unit.contrasts]
    return GroupLevel(
        unit=Unit(stage, part.entities, None, part.rows),
        masks=masks,
        contrasts=[contrast for contrast, _ in fitted],
        files=[
            {f"sub-{name.entities['sub']}": part.files[name] for name in unit.inputs}
            for _, unit in fitted
        ],
        tests=list(stage.node.group_settings.tests),
        left_out={
            "": dict(left_out),
            **{
                label: dict.fromkeys(subjects, WITHOUT_CONTRAST)
                for label, subjects in part.lacks.items()
            },
        },
        software=numbers_fingerprint(),
        drawing=drawing_fingerprint() if figures else None,
    )
