"""``twolevel run``."""

from __future__ import annotations

import os
import shlex
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from twolevel.bids.entities import Entities, entities_of
from twolevel.bids.index import list_subjects
from twolevel.bids.run_inputs import output_entities
from twolevel.bids.selection import EXCLUDED
from twolevel.checks.group_mask import check_group_mask
from twolevel.checks.maps import find_subject_maps
from twolevel.checks.output import check_output
from twolevel.cli.checks import (
    PlannedOutputs,
    check_enough,
    check_names,
    check_way,
    load_request,
    make_plan,
    plan_outputs,
)
from twolevel.cli.console import ReportConsole
from twolevel.cli.downloads import fetch_tables, prepare_downloads
from twolevel.cli.machine import (
    prepare_kernels,
    process_count,
    process_notes,
    shared_resources,
)
from twolevel.cli.options import JOBS
from twolevel.cli.progress import StageProgress, format_seconds, show_notes
from twolevel.cli.report_command import given_atlas, make_report
from twolevel.derivatives.calls import RunRecord, write_run_record
from twolevel.derivatives.publish import write_dataset_files
from twolevel.derivatives.quality import inflation_notes, low_mean_notes
from twolevel.derivatives.records import (
    GROUP,
    Publication,
    kind_of,
    record_failure,
)
from twolevel.errors import InputError, Problems, TwolevelError
from twolevel.files.checkpoint import unfinished_shares
from twolevel.files.tables import read_tsv
from twolevel.notes import Note, merged
from twolevel.report.page import REPORT
from twolevel.report.words import UNCORRECTED, hopeless_tests
from twolevel.tasks.resources import allow
from twolevel.workflow.cache import locked_work_dir
from twolevel.workflow.submit import Execution, is_at_once, run_group, run_participants
from twolevel.workflow.work_dir import UNFINISHED, check_work_dir

if TYPE_CHECKING:
    import argparse
    from collections.abc import Container, Iterable, Mapping
    from pathlib import Path

    from twolevel.checks.dataset import Plan
    from twolevel.checks.maps import GroupInputs
    from twolevel.cli.checks import Request
    from twolevel.model.spec import StatsModel
    from twolevel.report.atlas import Atlas
    from twolevel.workflow.submit import Fetching

DONE, SOME_FAILED = 0, 1


def execute(arguments: argparse.Namespace) -> int:
    """Analyse a dataset.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        Refused; all problems.
    """
    console = ReportConsole()
    started = time.monotonic()
    level = arguments.analysis_level
    output_dir, work_dir = arguments.output_dir.resolve(), arguments.work_dir.resolve()
    problems = Problems()
    request = load_request(arguments, problems, from_data=level != "group")
    given = arguments.derivatives or [arguments.bids_dir / "derivatives" / "fmriprep"]
    inputs = [arguments.bids_dir.resolve(), *(path.resolve() for path in given)]
    problems.attempt(lambda: check_output(output_dir, work_dir, inputs))
    problems.attempt(lambda: check_work_dir(work_dir))
    atlas = problems.attempt(lambda: given_atlas(arguments))
    plan, group = _check(arguments, request, problems, console)
    request = _about(request, plan, group)
    planned, notes = _check_way(arguments, request, plan, group, problems)
    problems.stop_if_any()
    if request is None or planned is None:
        raise RuntimeError("no plan and no problem")
    notes = [*request.notes, *notes, *process_notes(arguments)]
    allow(shared_resources(arguments))
    show_notes(console, notes, verbose=arguments.verbose)
    fetching = None
    if plan is not None and arguments.fetch:
        fetching = prepare_downloads(arguments, request, plan, console)
    with locked_work_dir(work_dir, empty=arguments.clean_work_dir) as cache_root:
        if plan is not None:
            write_dataset_files(output_dir, request.links)
        log = _open_log(output_dir, notes)
        run = _Run(arguments, request, output_dir, cache_root, console, log, fetching)
        status = run.participants(plan, planned) if plan is not None else DONE
        if level == "all" and plan is not None:
            status = max(status, run.group_of(plan, planned, may_run=status == DONE))
        if group is not None:
            status = run.group(group)
        write_run_record(log, run.record)
    status = max(status, run.report(atlas))
    console.print(f"log           {log}")
    console.print(f"finished in {format_seconds(time.monotonic() - started)}")
    return status


def _about(
    request: Request | None, plan: Plan | None, group: GroupInputs | None
) -> Request | None:
    """Take note of the task that was found, and of what subjects' maps were made of."""
    if request is not None and plan is not None:
        return request.about(
            files.entities["task"] for runs in plan.runs.values() for files in runs
        )
    if request is not None and group is not None:
        return replace(request, model=replace(request.model, scope=group.scope))
    return request


def _check_way(
    arguments: argparse.Namespace,
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
        planned = plan_outputs(request, plan, with_group=arguments.analysis_level == "all")
    else:
        return None, []
    output_dir, overwrite = arguments.output_dir.resolve(), arguments.overwrite
    folders = [output_dir, arguments.work_dir.resolve()]
    problems.attempt(lambda: check_names(planned, request.model, folders))
    replaced = problems.attempt(
        lambda: check_way(output_dir, planned, request, overwrite=overwrite)
    )
    return planned, [*(plan.notes if plan is not None else ()), *(replaced or ())]


def _check(
    arguments: argparse.Namespace,
    request: Request | None,
    problems: Problems,
    console: ReportConsole,
) -> tuple[Plan | None, GroupInputs | None]:
    """Make the checks of a level: of the runs, or of the subjects' maps for the group alone."""
    level, output_dir = arguments.analysis_level, arguments.output_dir.resolve()
    if request is None:
        return None, None
    if level == "group":
        group = problems.attempt(lambda: _find_group(arguments, request, output_dir))
        return None, group
    if arguments.fetch:
        fetch_tables(request, problems, console, jobs=arguments.jobs or JOBS)
    plan = make_plan(
        request, problems, console, with_group=level == "all", images=not arguments.fetch
    )
    if level == "all":
        n_subjects = len(plan.runs if plan is not None else request.selection.subjects)
        problems.attempt(lambda: check_enough(n_subjects))
        images = [files.mask for runs in plan.runs.values() for files in runs] if plan else []
        like = images[0] if images and not arguments.fetch else None
        downsample = request.model.nodes[0].run_settings.downsample
        problems.attempt(lambda: check_group_mask(arguments.group_mask, like, downsample))
    return plan, None


class _Run:
    """One run of the command: what both levels need."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        request: Request,
        output_dir: Path,
        cache_root: Path,
        console: ReportConsole,
        log: Path,
        fetching: Fetching | None,
    ) -> None:
        self.arguments, self.request, self.fetching = arguments, request, fetching
        self.output_dir, self.cache_root = output_dir, cache_root
        self.console, self.log = console, log
        self.record = RunRecord(shlex.join(["twolevel", *sys.argv[1:]]))

    def _execution(self, progress: StageProgress) -> Execution:
        n_procs = process_count(self.arguments)
        return Execution(
            self.cache_root,
            self.output_dir,
            self.arguments.worker,
            n_procs,
            progress,
            overwrite=self.arguments.overwrite,
        )

    def participants(self, plan: Plan, planned: PlannedOutputs) -> int:
        """Run the participant level."""
        model = self.request.model
        totals = {
            "download": len(plan.runs) if self.fetching else 0,
            "run": 0 if is_at_once(model) else sum(len(runs) for runs in plan.runs.values()),
            "subject": len(plan.runs),
        }
        prepare_kernels(self.console)
        with StageProgress(self.console, "participant level", totals, self.log) as progress:
            outcome = run_participants(
                plan, model, planned.records, self._execution(progress), self.fetching
            )
            progress.finish(ok=not outcome.failed)
        self.record.attempted.extend(plan.runs)
        status = self.report_failures(outcome.failed)
        quality = [*low_mean_notes(outcome.files), *inflation_notes(outcome.files)]
        notes = [*outcome.notes, *quality]
        if outcome.done:
            there = {entities_of(path).get("contrast") for path in outcome.files}
            notes += _without_maps(model, there)
        show_notes(self.console, notes, verbose=self.arguments.verbose)
        if outcome.done:
            self.say(f"subject maps  {self.output_dir}/sub-*/func")
        if self.arguments.analysis_level == "participant" and (self.output_dir / "group").is_dir():
            self.say("note: the maps in group/ are of an earlier run; `run ... group` renews them")
        return status

    def say(self, text: str) -> None:
        """Print a line as it is."""
        self.console.print(text)

    def group_of(self, plan: Plan, planned: PlannedOutputs, *, may_run: bool) -> int:
        """Run the group level on the maps of the subjects that this call analysed."""
        if not (may_run or self.arguments.allow_missing):
            self.say(
                "The group was not run: give --allow-missing to run it without these subjects."
            )
            return SOME_FAILED
        problems = Problems()
        group = problems.attempt(
            lambda: _find_group(self.arguments, self.request, self.output_dir, plan)
        )
        if group is not None:
            return self.group(group)
        error = str(InputError(problems.found))
        record_failure(self.output_dir, planned.records[GROUP], error)
        return self.report_failures({GROUP: error})

    def group(self, inputs: GroupInputs) -> int:
        """Run the group level."""
        model = self.request.model
        self.record.attempted.append(GROUP)
        notes = list(inputs.notes)
        if self.arguments.analysis_level == "group":  # otherwise it was said of the subjects
            notes += _without_maps(model, {label for label, maps in inputs.maps.items() if maps})
        show_notes(self.console, notes, verbose=True)
        node = model.node("dataset")
        n_tests = len(node.group_settings.tests) if node else 0
        n_contrasts = sum(bool(maps) for maps in inputs.maps.values())
        totals = {"contrast": n_contrasts, "test": n_contrasts * n_tests}
        figures = not self.arguments.no_figures
        if figures:  # one step for the subjects' coverage, and one for each contrast and test
            totals["drawing"] = 1 + n_contrasts + n_contrasts * n_tests
        earlier = self._figures()
        prepare_kernels(self.console)
        shares = partial(unfinished_shares, self.cache_root.parent / UNFINISHED)
        with StageProgress(self.console, "group level", totals, self.log, shares) as progress:
            outcome = run_group(
                inputs,
                model,
                self._execution(progress),
                seed=self.arguments.random_seed,
                group_mask=self.arguments.group_mask,
                figures=figures,
            )
            progress.finish(ok=not outcome.failed)
        if self.report_failures(outcome.failed) != DONE:
            return SOME_FAILED
        (tests,) = [path for path in outcome.files if path.name.endswith("_tests.tsv")]
        _show_tests(self.console, tests)
        removed = len(earlier - self._figures())
        without = f"none drawn{f'; {removed} of an earlier call removed' * bool(removed)}"
        for what, where in (
            ("group maps", f"{self.output_dir}/group"),
            ("figures", f"{self.output_dir}/figures" if figures else without),
            ("tests", tests),
            ("left out", self.output_dir / "excluded.tsv"),
        ):
            self.say(f"{what:<13} {where}")
        return DONE

    def _figures(self) -> set[Path]:
        return set((self.output_dir / "figures").glob("*_statmap.*"))

    def report(self, atlas: Atlas | None) -> int:
        """Make the report, unless it is left out; no failure of it loses what was computed."""
        self.say("")
        if self.arguments.no_report:
            self.say(f"report        not made: `twolevel report {self.output_dir}` makes it")
            if (self.output_dir / REPORT).is_file():
                self.say(
                    f"note: {REPORT} there is of an earlier call, and shows nothing of this one"
                )
            return DONE
        try:
            make_report(self.arguments, self.output_dir, atlas, self.console)
        except TwolevelError as error:
            self.say(
                "The report could not be made; "
                f"`twolevel report {self.output_dir}` tries again:\n{error}"
            )
            return SOME_FAILED
        return DONE

    def report_failures(self, failed: dict[str, str]) -> int:
        """Print and record what failed, and return the exit status that follows."""
        self.record.failed.update(failed)
        errors = ReportConsole(stderr=True)
        for who, error in failed.items():
            name = who if who == GROUP else f"sub-{who}"
            errors.print(f"\n{name} failed:\n{error}")
        if failed and self.arguments.debug:
            errors.print(self.log.read_text(encoding="utf-8"))
        return SOME_FAILED if failed else DONE


def _find_group(
    arguments: argparse.Namespace, request: Request, output_dir: Path, plan: Plan | None = None
) -> GroupInputs:
    """Find the subjects' maps; in `all`, those of the subjects that were analysed."""
    wanted = Entities(request.selection.space or {})
    tasks = request.selection.labels.get("task", ())
    if len(tasks) == 1:
        wanted = wanted.with_(task=tasks[0])
    downsample = request.model.nodes[0].run_settings.downsample
    if downsample > 1 and "res" in wanted:
        wanted = wanted.with_(res=f"{wanted['res']}down{downsample}")
    subjects: list[str] | None = list(request.selection.subjects) or None
    left_out: Mapping[str, str] = dict.fromkeys(request.selection.excluded, EXCLUDED)
    if subjects is None and left_out:
        subjects = [s for s in list_subjects(output_dir) if s not in left_out]
    if plan is not None:
        subjects, left_out = list(plan.runs), plan.left_out
        entities = output_entities(next(iter(plan.runs.values()))[0], downsample)
        wanted = kind_of(entities)
    inputs = find_subject_maps(
        output_dir,
        request.model,
        subjects=subjects,
        wanted=wanted,
        group_mask=arguments.group_mask,
        allow_missing=arguments.allow_missing,
        without_space=request.selection.space == {},
    )
    return replace(inputs, left_out={**inputs.left_out, **left_out})


def _without_maps(model: StatsModel, there: Container[str | None]) -> list[Note]:
    """Name the contrasts that no subject has."""
    return [
        Note("no subject has it; excluded.tsv says why", f"contrast {c.name}", loses_data=True)
        for c in model.nodes[0].contrasts
        if c.label not in there
    ]


def _open_log(output_dir: Path, notes: Iterable[Note]) -> Path:
    now = datetime.now(UTC)
    log = output_dir / "logs" / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{now:%Y-%m-%d %H:%M:%S} UTC",
        " ".join(sys.argv),
        *(f"note: {line}" for line in merged(notes, every_place=True)),
        "",
    ]
    log.write_text("\n".join(lines), encoding="utf-8")
    return log


def _show_tests(console: ReportConsole, path: Path) -> None:
    """Print how many voxels survive each test."""
    table = read_tsv(path)
    if table.empty:
        console.print("No test was carried out: the model's Dataset node asks for none.")
        return
    table["survive"] = [f"{r.n_voxels} ({r.n_clusters})" for r in table.itertuples()]
    shown = table.pivot_table("survive", "test", "contrast", aggfunc="first", sort=False)
    shown = shown.rename_axis(index=None, columns="voxels (clusters)")
    console.print(f"\n{shown.to_string()}\n")
    uncorrected = [test for test in shown.index if test in UNCORRECTED]
    if uncorrected:
        console.print(f"{' and '.join(uncorrected)}: not corrected for the number of voxels")
    console.print(
        "names with FDR or fdr: the false discovery rate is controlled; with FWE, and bonferroni: "
        "the family-wise error",
    )
    for text in hopeless_tests(table):
        console.print(f"note: {text}")
