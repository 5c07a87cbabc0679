"""The design matrix of a run, as a table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from fileformats.generic import Directory, File
from pydra.compose import python

from twolevel.bids.confounds import take_confounds
from twolevel.bids.events import RunEvents
from twolevel.bids.run_inputs import START_TIMES, RunSpec
from twolevel.bids.run_tables import confounds_for, events_for, variables_of_run
from twolevel.checks.model import levels_of, not_taken
from twolevel.derivatives.exclusions import Exclusion
from twolevel.derivatives.maps import model_record
from twolevel.files.sidecars import write_json
from twolevel.files.tables import line_of, write_tsv
from twolevel.model.stages import Stage
from twolevel.model.transformations.instruction import Instruction
from twolevel.model.transformations.reading import written
from twolevel.model.variables import RunVariables, condition_events
from twolevel.stats.run.design import frame_times_of, make_design_matrix
from twolevel.stats.run.filters import HighPass, one_high_pass
from twolevel.tasks.edited_events import event_edits_record, save_edited_events
from twolevel.tasks.handoff import save_exclusions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twolevel.model.event_edits import EventEdit
    from twolevel.model.nodes import Node


def design_run(spec: RunSpec, stage: Stage, files: dict[str, Path], folder: Path) -> Path:
    """Build the design matrix of a run from its events and confounds, and save it.

    The design is a TSV, one row per volume that enters the fit, with its sidecar; the exclusions
    are saved beside it.
    """
    node = stage.node
    timing = spec.repetition_time, spec.start_time
    run_events = events_for(node, files["events"], timing, spec.n_volumes)
    tables = {kind: path for kind, path in files.items() if kind.startswith("confounds")}
    opened = confounds_for(node, tables) if tables else None
    variables = variables_of_run(node, run_events.events, opened)
    confounds = take_confounds(opened, variables.confounds) if opened else None
    frame_times = frame_times_of(spec.n_volumes, spec.repetition_time, spec.start_time)
    regressors = pd.concat(
        [confounds.regressors if confounds else pd.DataFrame(), variables.dense], axis=1
    )
    high_pass = one_high_pass(regressors, frame_times, node.high_pass_hz)
    design = make_design_matrix(
        condition_events(variables),
        frame_times,
        hrf_model=variables.conditions,
        fir_delays=variables.fir_delays,
        confounds=regressors if len(regressors.columns) else None,
        high_pass_hz=node.high_pass_hz,
        low_pass_hz=node.low_pass_hz,
    )
    kept = list(range(spec.n_volumes)) if confounds is None else [int(v) for v in confounds.kept]
    dropped = sorted(set(range(spec.n_volumes)) - set(kept))
    path = folder / spec.entities.path("design", ".tsv")
    write_tsv(path, design.iloc[kept])
    write_json(
        path.with_suffix(".json"),
        {
            "Description": "Design matrix: one row per volume that enters the fit, one column per "
            "regressor",
            "Columns": _describe(design, variables, regressors, high_pass, node.low_pass_hz),
            "Contrasts": {c.label: c.column_weights for c in node.contrasts if c.test == "t"},
            **_f_contrasts(node),
            "Variables": _variables(variables),
            "Transformations": [
                written(s) for s in node.instructions if isinstance(s, Instruction)
            ],
            "RepetitionTime": spec.repetition_time,
            "StartTime": spec.start_time,
            "StartTimeFrom": START_TIMES[spec.start_time_from],
            "NumberOfVolumes": spec.n_volumes,
            "VolumesLeftOut": dropped,
            **_impulses(run_events, variables),
            **event_edits_record(run_events.edited, node.run_settings.events),
            "HighPass": _high_pass(high_pass),
            "HighPassCutoffHz": high_pass.drift_hz,
            "HighPassReplaces": list(high_pass.replaced),
            **({} if node.low_pass_hz is None else {"LowPassCutoffHz": node.low_pass_hz}),
            **model_record(stage),
            "Settings": {
                **asdict(node.settings),
                "events": [edit.in_file for edit in node.run_settings.events],
                "seed": node.seed,
            },
            "Sources": list(spec.sources),
        },
    )
    if run_events.edited:
        save_edited_events(spec, run_events.edited, folder)
    save_exclusions(folder, _exclusions(spec, stage, run_events, variables, dropped))
    return folder


def _impulses(run_events: RunEvents, variables: RunVariables) -> dict[str, str]:
    """Say what events of no duration stand for, where a regressor takes some."""
    events = run_events.events
    taken = events.drop(index=not_taken(events, variables))
    if not (taken["duration"] == 0).any():
        return {}
    sentence = (
        "Impulses of 1/50 of the repetition time: effects scale with it, and can be compared only "
        "between runs of one repetition time"
    )
    return {"EventsOfNoDuration": sentence}


def _f_contrasts(node: Node) -> dict[str, Any]:
    """Describe the F contrasts, which have rows of weights, where there are any."""
    rows = {c.label: list(c.column_rows) for c in node.contrasts if c.test == "F"}
    return {"FContrasts": rows} if rows else {}


def _variables(variables: RunVariables) -> dict[str, dict[str, Any]]:
    """Say of each variable of the events how many it takes, and what it is convolved with."""
    described: dict[str, dict[str, Any]] = {}
    for name, model in variables.conditions.items():
        described[name] = {
            "HRF": model,
            **({"FirDelays": list(variables.fir_delays[name])} if model == "fir" else {}),
            "NumberOfEvents": len(variables.rows[name]),
            "Columns": variables.columns_of(name),
        }
    return described


def _high_pass(high_pass: HighPass) -> str | None:
    """Say which columns are the high-pass; None for no high-pass."""
    if high_pass.cosines:
        return "cosines"
    return None if high_pass.drift_hz is None else "drift"


def _describe(
    design: pd.DataFrame,
    variables: RunVariables,
    regressors: pd.DataFrame,
    high_pass: HighPass,
    low_pass_hz: float | None,
) -> dict[str, dict[str, Any]]:
    """Say of each column of a design what it is: a condition, a confound, of a filter, constant.

    A condition comes with the model of its response; None for one that is not convolved.
    """
    from_confounds = set(regressors)
    conditions = {c: name for name in variables.conditions for c in variables.columns_of(name)}
    described: dict[str, dict[str, Any]] = {}
    for column in map(str, design):
        if column in from_confounds:
            described[column] = {"Kind": "confound"}
        elif column == "constant":
            described[column] = {"Kind": "constant"}
        elif column in conditions:
            model = variables.conditions[conditions[column]]
            described[column] = {"Kind": "condition", "HRF": model}
        elif column.startswith("lowpass_"):
            described[column] = {"Kind": "lowpass", "CutoffHz": low_pass_hz}
        else:
            described[column] = {"Kind": "drift", "CutoffHz": high_pass.drift_hz}
    return described


def _exclusions(
    spec: RunSpec, stage: Stage, run_events: RunEvents, variables: RunVariables, dropped: list[int]
) -> list[Exclusion]:
    entities = spec.entities
    exclusions = []
    if dropped:
        exclusions.append(
            Exclusion.in_run(
                entities,
                "volume",
                "non-steady state or scrubbed: outside the sample mask",
                item=f"volumes {' '.join(map(str, dropped))}, counted from 0",
                count=len(dropped),
            )
        )
    if run_events.edited:
        exclusions += [
            _of_events(spec, _dropped(number, edit), rows)
            for number, edit, rows in run_events.edited.dropped_by(stage.node.run_settings.events)
        ]
    if not run_events.incomplete.empty:
        exclusions.append(_of_events(spec, run_events.why_incomplete, run_events.incomplete.index))
    if not run_events.outside.empty:
        reason = f"onset outside the scan, which ends at {run_events.scan_end:g} s"
        exclusions.append(_of_events(spec, reason, run_events.outside.index))
    unused = not_taken(run_events.events, variables)
    in_none = levels_of(run_events.events.loc[unused], variables.factors)
    for levels, rows in in_none.items():
        named = ", ".join(levels) or "no value in the columns that the model names"
        exclusions.append(_of_events(spec, f"in no regressor: {named}", rows))
    for contrast in stage.node.contrasts:
        needed = [name for name in contrast.variables if name in variables.missing]
        if needed:
            reason = f"no {', '.join(needed)} in this run"
            exclusions.append(Exclusion.in_run(entities, "run", reason, contrast=contrast.label))
    in_contrasts = {name for contrast in stage.node.contrasts for name in contrast.variables}
    exclusions += [
        Exclusion.in_run(entities, "regressor", f"no {name} in this run", item=name)
        for name in variables.missing
        if name not in in_contrasts
    ]
    return exclusions


def _dropped(number: int, edit: EventEdit) -> str:
    """Say which edit dropped rows; quotation marks have no place in a table."""
    return f"dropped by event edit {number}: {edit.where}".replace('"', "'")


def _of_events(spec: RunSpec, reason: str, rows: Iterable[int]) -> Exclusion:
    lines = [line_of(row) for row in rows]
    return Exclusion.in_run(
        spec.entities,
        "event",
        reason,
        item="lines " + " ".join(map(str, lines)),
        count=len(lines),
    )


@python.define(outputs={"out": Directory})
def DesignRun(spec: RunSpec, stage: Stage, files: dict[str, File], software: str):
    """Build the design matrix of a run."""
    return design_run(spec, stage, {k: Path(v) for k, v in files.items()}, Path.cwd() / "out")
