"""``twolevel run``, from the command line and from Python."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from pydantic import ValidationError

from twolevel.checks.group_mask import check_group_mask
from twolevel.checks.output import check_output
from twolevel.cli.arguments import command_of
from twolevel.cli.checks import (
    PlannedOutputs,
    check_enough,
    check_names,
    check_way,
    load_request,
    make_plan,
    plan_outputs,
    units_of_plan,
)
from twolevel.cli.console import ReportConsole
from twolevel.cli.downloads import fetch_tables, prepare_downloads
from twolevel.cli.levels import DONE, SOME_FAILED, Levels
from twolevel.cli.machine import process_notes, shared_resources
from twolevel.cli.maps_of_subjects import find_group
from twolevel.cli.option_groups import JOBS
from twolevel.cli.plan import picture_of
from twolevel.cli.progress import format_seconds, show_notes
from twolevel.cli.report_command import given_atlas, make_report
from twolevel.derivatives.calls import RunRecord, write_run_record
from twolevel.derivatives.publish import write_dataset_files
from twolevel.derivatives.records import GROUP, Publication, kind_of
from twolevel.errors import InputError, Problems, TwolevelError
from twolevel.model.declared import checker
from twolevel.model.graph import run_node, with_found
from twolevel.model.schema_messages import schema_problems
from twolevel.notes import Note, merged
from twolevel.report.page import REPORT
from twolevel.tasks.resources import allow
from twolevel.workflow.cache import locked_work_dir
from twolevel.workflow.work_dir import check_work_dir
from twolevel.workflow.workers.fork_server import one_thread_each

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.units import Unit
    from twolevel.checks.dataset import Plan
    from twolevel.checks.maps import GroupInputs
    from twolevel.cli.checks import Request
    from twolevel.cli.options import RunOptions
    from twolevel.report.atlas import Atlas


@dataclass(frozen=True)
class RunOutcome:
    """What came of a run.

    Attributes
    ----------
    status : int
        0 where everything is done; 1 where something failed, and the rest is kept.
    published : tuple of str
        Labels of the subjects of which maps were published, and ``group``.
    failed : mapping of str to str
        The others that were attempted, with their errors.
    notes : tuple of Note
        What is worth knowing although it stopped nothing.
    files : tuple of Path
        What was published.
    report : Path or None
        The report; None where none was made.
    log : Path
        When each step began and ended.
    """

    status: int
    published: tuple[str, ...]
    failed: Mapping[str, str]
    notes: tuple[Note, ...]
    files: tuple[Path, ...]
    report: Path | None
    log: Path


def execute(options: RunOptions) -> int:
    """Analyse a dataset, as `run` does, and return the exit status."""
    call = shlex.join(["twolevel", *sys.argv[1:]])
    return run(options, console=ReportConsole(), call=call).status


def run(
    options: RunOptions, *, console: ReportConsole | None = None, call: str | None = None
) -> RunOutcome:
    """Analyse a dataset: runs, subjects, group, tests; what ``twolevel run`` does.

    The files are those that the command writes, byte for byte. Where processes compute (all but
    ``worker="debug"``), a script needs ``if __name__ == "__main__":`` around the call, as wherever
    Python starts processes.

    Parameters
    ----------
    options : RunOptions
        What is analysed, how, and where to.
    console : ReportConsole, optional
        Is told how far it is; by default nobody is, and the outcome holds all there is to know.
    call : str, optional
        What the record in ``logs/`` says was called; by default the command that does the same.

    Returns
    -------
    RunOutcome
        What was published, and what failed.

    Raises
    ------
    InputError
        The input, the model or the options are refused, before anything is computed; all problems.
    TransferError
        Content could not be downloaded.
    """
    options = _checked(options)
    one_thread_each()
    start = partial(
        _run, options, console or ReportConsole(quiet=True), call or command_of(options)
    )
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return start()
    with ThreadPoolExecutor(1) as thread:  # in a notebook: the engine needs a loop of its own
        return thread.submit(start).result()


def _checked(options: RunOptions) -> RunOptions:
    """Refuse values that the command line would refuse; make paths of texts."""
    values = {f.name: getattr(options, f.name) for f in fields(options)}
    try:
        checked: RunOptions = checker(type(options)).validate_python(values)
    except ValidationError as error:
        raise InputError(list(schema_problems("RunOptions: ", values, error))) from error
    return checked


def _run(options: RunOptions, console: ReportConsole, call: str) -> RunOutcome:
    started = time.monotonic()
    problems = Problems()
    request = load_request(options, problems, from_data=options.level != "group")
    _check_places(options, problems)
    atlas = problems.attempt(lambda: given_atlas(options))
    plan, group = _check(options, request, problems, console)
    request = _about(request, plan, group)
    planned, notes = _check_way(options, request, plan, group, problems)
    problems.stop_if_any()
    if request is None or planned is None:
        raise RuntimeError("no plan and no problem")
    notes = [*request.notes, *notes, *process_notes(options)]
    allow(shared_resources(options))
    show_notes(console, notes, verbose=options.verbose)
    fetching = None
    if plan is not None and options.fetch:
        fetching = prepare_downloads(options, request, plan, console)
    graph = picture_of(request.model, _units(request, plan, group), options.write_graph)
    work_dir, output_dir = options.work_dir.resolve(), options.output_dir.resolve()
    with locked_work_dir(work_dir, empty=options.clean_work_dir) as cache_root:
        if plan is not None:
            write_dataset_files(output_dir, request.links)
        log = _open_log(output_dir, call, notes)
        levels = Levels(options, request, cache_root, console, log, fetching)
        status = levels.participants(plan, planned) if plan is not None else DONE
        if options.level == "all" and plan is not None:
            status = max(status, levels.group_of(plan, planned, may_run=status == DONE))
        if group is not None:
            status = levels.group(group)
        write_run_record(log, RunRecord(call, levels.attempted, levels.failed, graph))
    report_status, report = _report(options, atlas, console)
    console.print(f"log           {log}")
    console.print(f"finished in {format_seconds(time.monotonic() - started)}")
    return RunOutcome(
        max(status, report_status),
        tuple(levels.published),
        levels.failed,
        (*notes, *levels.notes),
        tuple(levels.files),
        report,
        log,
    )


def _units(
    request: Request, plan: Plan | None, group: GroupInputs | None
) -> dict[str, Sequence[Unit]]:
    """Return what is going to be fitted, by node."""
    units: dict[str, Sequence[Unit]] = {}
    if plan is not None:
        units.update(units_of_plan(request.model, plan))
    for part in group.parts if group is not None else ():
        name = part.stage.node.name
        units[name] = (*units.get(name, ()), *part.units)
    return units


def _check_places(options: RunOptions, problems: Problems) -> None:
    """Refuse an output or a work directory that cannot be used, or lies in the input."""
    output_dir, work_dir = options.output_dir.resolve(), options.work_dir.resolve()
    given = options.derivatives or (options.bids_dir / "derivatives" / "fmriprep",)
    inputs = [options.bids_dir.resolve(), *(path.resolve() for path in given)]
    problems.attempt(lambda: check_output(output_dir, work_dir, inputs))
    problems.attempt(lambda: check_work_dir(work_dir))


def _about(
    request: Request | None, plan: Plan | None, group: GroupInputs | None
) -> Request | None:
    """Take note of the task that was found, and of what subjects' maps were made of."""
    if request is not None and plan is not None:
        every = [files for runs in plan.runs.values() for files in runs]
        about = request.about(files.entities["task"] for files in every)
        return replace(about, model=with_found(about.model, plan.found))
    if request is not None and group is not None:
        return replace(request, model=replace(request.model, scope=group.scope))
    return request


def _check_way(
    options: RunOptions,
    request: Request | None,
    plan: Plan | None,
    group: GroupInputs | None,
    problems: Problems,
) -> tuple[PlannedOutputs | None, list[Note]]:
    """List what is going to be written, and refuse to write over other results."""
    if request is None:
        return None, []
    if group is not None:
        record = Publication(GROUP, kind_of(group.entities), request.model.scope.record)
        planned = PlannedOutputs({GROUP: record}, {GROUP: [group.entities]})
    elif plan is not None:
        planned = plan_outputs(request, plan, with_group=options.level == "all")
    else:
        return None, []
    output_dir, overwrite = options.output_dir.resolve(), options.overwrite
    folders = [output_dir, options.work_dir.resolve()]
    problems.attempt(lambda: check_names(planned, request.model, folders))
    replaced = problems.attempt(
        lambda: check_way(output_dir, planned, request, overwrite=overwrite)
    )
    return planned, [*(plan.notes if plan is not None else ()), *(replaced or ())]


def _check(
    options: RunOptions,
    request: Request | None,
    problems: Problems,
    console: ReportConsole,
) -> tuple[Plan | None, GroupInputs | None]:
    """Make the checks of a level: of the runs, or of the subjects' maps for the group alone."""
    level = options.level
    if request is None:
        return None, None
    if level == "group":
        group = problems.attempt(lambda: find_group(options, request))
        return None, group
    if options.fetch:
        fetch_tables(request, problems, console, jobs=options.jobs or JOBS)
    plan = make_plan(
        request, problems, console, with_group=level == "all", images=not options.fetch
    )
    if level == "all":
        n_subjects = len(plan.runs if plan is not None else request.selection.subjects)
        problems.attempt(lambda: check_enough(n_subjects))
        images = [files.mask for runs in plan.runs.values() for files in runs] if plan else []
        like = images[0] if images and not options.fetch else None
        downsample = run_node(request.model).run_settings.downsample
        problems.attempt(lambda: check_group_mask(options.group_mask, like, downsample))
    return plan, None


def _report(
    options: RunOptions, atlas: Atlas | None, console: ReportConsole
) -> tuple[int, Path | None]:
    """Make the report, unless it is left out; no failure of it loses what was computed."""
    output_dir = options.output_dir.resolve()
    console.print("")
    if options.no_report:
        console.print(f"report        not made: `twolevel report {output_dir}` makes it")
        if (output_dir / REPORT).is_file():
            console.print(
                f"note: {REPORT} there is of an earlier call, and shows nothing of this one"
            )
        return DONE, None
    try:
        return DONE, make_report(options, output_dir, atlas, console)
    except TwolevelError as error:
        console.print(
            f"The report could not be made; `twolevel report {output_dir}` tries again:\n{error}"
        )
        return SOME_FAILED, None


def _open_log(output_dir: Path, call: str, notes: Iterable[Note]) -> Path:
    now = datetime.now(UTC)
    log = output_dir / "logs" / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{now:%Y-%m-%d %H:%M:%S} UTC",
        call,
        *(f"note: {line}" for line in merged(notes, every_place=True)),
        "",
    ]
    log.write_text("\n".join(lines), encoding="utf-8")
    return log
