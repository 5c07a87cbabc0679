"""The maps of subjects that the group level takes, and those that are missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from twolevel.bids.entities import Entities
from twolevel.bids.index import list_subjects
from twolevel.bids.run_inputs import output_entities
from twolevel.bids.selection import EXCLUDED
from twolevel.checks.maps import find_subject_maps
from twolevel.derivatives.records import kind_of
from twolevel.model.graph import run_node
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from twolevel.checks.dataset import Plan
    from twolevel.checks.maps import GroupInputs
    from twolevel.cli.checks import Request
    from twolevel.cli.options import RunOptions
    from twolevel.model.nodes import StatsModel


def find_group(options: RunOptions, request: Request, plan: Plan | None = None) -> GroupInputs:
    """Find the subjects' maps; in `all`, those of the subjects that were analysed."""
    output_dir = options.output_dir.resolve()
    wanted = Entities(request.selection.space or {})
    tasks = request.selection.labels.get("task", ())
    if len(tasks) == 1:
        wanted = wanted.with_(task=tasks[0])
    downsample = run_node(request.model).run_settings.downsample
    if downsample > 1 and "res" in wanted:
        wanted = wanted.with_(res=f"{wanted['res']}down{downsample}")
    subjects: list[str] | None = list(request.selection.subjects) or None
    left_out: Mapping[str, str] = dict.fromkeys(request.selection.excluded, EXCLUDED)
    if subjects is None and left_out:
        subjects = [s for s in list_subjects(output_dir) if s not in left_out]
    if plan is not None:
        subjects, left_out = list(plan.runs), plan.left_out
        every = [output_entities(f, downsample) for runs in plan.runs.values() for f in runs]
        wanted = kind_of(Entities.shared(every))
    inputs = find_subject_maps(
        output_dir,
        request.model,
        subjects=subjects,
        wanted=wanted,
        group_mask=options.group_mask,
        allow_missing=options.allow_missing,
        without_space=request.selection.space == {},
    )
    return replace(inputs, left_out={**inputs.left_out, **left_out})


def without_maps(model: StatsModel, there: Container[str | None]) -> list[Note]:
    """Name the contrasts that no subject has."""
    return [
        Note("no subject has it; excluded.tsv says why", f"contrast {c.name}", loses_data=True)
        for c in run_node(model).contrasts
        if c.label not in there
    ]
