"""The levels of a run, one after the other, and what is said of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from twolevel.bids.entities import entities_of
from twolevel.cli.machine import prepare_kernels, process_count
from twolevel.cli.maps_of_subjects import find_group, without_maps
from twolevel.cli.progress import StageProgress, show_notes
from twolevel.cli.shown_tests import show_tests
from twolevel.derivatives.quality import inflation_notes, low_mean_notes
from twolevel.derivatives.records import GROUP, record_failure
from twolevel.errors import InputError, Problems
from twolevel.files.checkpoint import unfinished_shares
from twolevel.workflow.engine import Execution
from twolevel.workflow.subject import is_at_once
from twolevel.workflow.submit import participant_stages, run_group, run_participants
from twolevel.workflow.work_dir import UNFINISHED

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.checks.dataset import Plan
    from twolevel.checks.maps import GroupInputs
    from twolevel.cli.checks import PlannedOutputs, Request
    from twolevel.cli.console import ReportConsole
    from twolevel.cli.options import RunOptions
    from twolevel.notes import Note
    from twolevel.workflow.publisher import Outcome
    from twolevel.workflow.submit import Fetching

DONE, SOME_FAILED = 0, 1


class Levels:
    """The levels of one run: carries them out, says what comes of them, and keeps it."""

    def __init__(
        self,
        options: RunOptions,
        request: Request,
        cache_root: Path,
        console: ReportConsole,
        log: Path,
        fetching: Fetching | None,
    ) -> None:
        self.options, self.request, self.fetching = options, request, fetching
        self.output_dir, self.cache_root = options.output_dir.resolve(), cache_root
        self.console, self.log = console, log
        self.attempted: list[str] = []
        self.published: list[str] = []
        self.failed: dict[str, str] = {}
        self.notes: list[Note] = []
        self.files: list[Path] = []

    def _execution(self, progress: StageProgress) -> Execution:
        n_procs = process_count(self.options)
        return Execution(
            self.cache_root,
            self.output_dir,
            self.options.worker,
            n_procs,
            progress,
            overwrite=self.options.overwrite,
        )

    def participants(self, plan: Plan, planned: PlannedOutputs) -> int:
        """Run the participant level."""
        model = self.request.model
        at_once = is_at_once(participant_stages(model))
        totals = {
            "download": len(plan.runs) if self.fetching else 0,
            "run": 0 if at_once else sum(len(runs) for runs in plan.runs.values()),
            "subject": len(plan.runs),
        }
        prepare_kernels(self.console)
        with StageProgress(self.console, "participant level", totals, self.log) as progress:
            outcome = run_participants(
                plan, model, planned.records, self._execution(progress), self.fetching
            )
            progress.finish(ok=not outcome.failed)
        self.attempted.extend(plan.runs)
        status = self._take(outcome)
        quality = [*low_mean_notes(outcome.files), *inflation_notes(outcome.files)]
        notes = [*outcome.notes, *quality]
        if outcome.done:
            there = {entities_of(path).get("contrast") for path in outcome.files}
            notes += without_maps(model, there)
        self._show_notes(notes, verbose=self.options.verbose)
        if outcome.done:
            self.console.print(f"subject maps  {self.output_dir}/sub-*/func")
        if self.options.level == "participant" and (self.output_dir / "group").is_dir():
            self.console.print(
                "note: the maps in group/ are of an earlier run; `run ... group` renews them"
            )
        return status

    def group_of(self, plan: Plan, planned: PlannedOutputs, *, may_run: bool) -> int:
        """Run the group level on the maps of the subjects that this call analysed."""
        if not (may_run or self.options.allow_missing):
            self.console.print(
                "The group was not run: give --allow-missing to run it without these subjects."
            )
            return SOME_FAILED
        problems = Problems()
        group = problems.attempt(lambda: find_group(self.options, self.request, plan))
        if group is not None:
            return self.group(group)
        error = str(InputError(problems.found))
        record_failure(self.output_dir, planned.records[GROUP], error)
        return self._take_failures({GROUP: error})

    def group(self, inputs: GroupInputs) -> int:
        """Run the group level."""
        model = self.request.model
        self.attempted.append(GROUP)
        notes = list(inputs.notes)
        if self.options.level == "group":  # otherwise it was said of the subjects
            there = {name.contrast.label for part in inputs.parts for name in part.files}
            notes += without_maps(model, there)
        self._show_notes(notes, verbose=True)
        totals = {"contrast": 0, "test": 0}
        for part in inputs.parts:
            n_contrasts = sum(len(unit.contrasts) for unit in part.units)
            totals["contrast"] += n_contrasts
            totals["test"] += n_contrasts * len(part.stage.node.group_settings.tests)
        figures = self.options.draws
        if figures:  # one step for the subjects' coverage, and one for each contrast and test
            totals["drawing"] = len(inputs.parts) + totals["contrast"] + totals["test"]
        earlier = self._figures()
        prepare_kernels(self.console)
        shares = partial(unfinished_shares, self.cache_root.parent / UNFINISHED)
        with StageProgress(self.console, "group level", totals, self.log, shares) as progress:
            outcome = run_group(
                inputs,
                model,
                self._execution(progress),
                seed=self.options.random_seed,
                group_mask=self.options.group_mask,
                figures=figures,
            )
            progress.finish(ok=not outcome.failed)
        if self._take(outcome) != DONE:
            return SOME_FAILED
        tables = [path for path in outcome.files if path.name.endswith("_tests.tsv")]
        for table in tables:
            if len(tables) > 1:
                self.console.print(f"\n{table.relative_to(self.output_dir / 'group')}")
            show_tests(self.console, table)
        removed = len(earlier - self._figures())
        without = f"none drawn{f'; {removed} of an earlier call removed' * bool(removed)}"
        for what, where in (
            ("group maps", f"{self.output_dir}/group"),
            ("figures", f"{self.output_dir}/figures" if figures else without),
            *(("tests", table) for table in tables),
            ("left out", self.output_dir / "excluded.tsv"),
        ):
            self.console.print(f"{what:<13} {where}")
        return DONE

    def _take(self, outcome: Outcome) -> int:
        """Keep what came of a level, and return the exit status that follows."""
        self.published.extend(outcome.done)
        self.files.extend(outcome.files)
        return self._take_failures(outcome.failed)

    def _take_failures(self, failed: dict[str, str]) -> int:
        self.failed.update(failed)
        for who, error in failed.items():
            name = who if who == GROUP else f"sub-{who}"
            self.console.complain(f"\n{name} failed:\n{error}")
        if failed and self.options.debug:
            self.console.complain(self.log.read_text(encoding="utf-8"))
        return SOME_FAILED if failed else DONE

    def _show_notes(self, notes: list[Note], *, verbose: bool) -> None:
        self.notes.extend(notes)
        show_notes(self.console, notes, verbose=verbose)

    def _figures(self) -> set[Path]:
        return set((self.output_dir / "figures").rglob("*_statmap.*"))
