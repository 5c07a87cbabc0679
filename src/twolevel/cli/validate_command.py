"""``twolevel validate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.cli.checks import (
    check_enough,
    check_names,
    load_request,
    make_plan,
    plan_outputs,
    units_of_plan,
)
from twolevel.cli.console import ReportConsole
from twolevel.cli.plan import picture_of, plan_table
from twolevel.cli.progress import show_notes
from twolevel.cli.shown_events import show_events
from twolevel.errors import InputError, Problems

if TYPE_CHECKING:
    from twolevel.cli.options import ValidateOptions


def execute(options: ValidateOptions) -> int:
    """Make every check and say what would be analysed."""
    console = ReportConsole()
    problems = Problems()
    request = load_request(options, problems)
    if request is None:
        raise InputError(problems.found)
    if options.show_events is not None:
        show_events(request, options.show_events, console, every_row=options.verbose)
    with_group = request.model.node("dataset") is not None
    plan = make_plan(request, problems, console, with_group=with_group)
    narrowed = bool(options.participant_label) or options.n_subjects is not None
    n_subjects = len(plan.runs if plan is not None else request.selection.subjects)
    # One subject alone may be meant for the participant level; `run` will say so for the group.
    if with_group and (problems.found or not narrowed):
        problems.attempt(lambda: check_enough(n_subjects))
    if plan is not None:
        planned = plan_outputs(request, plan, with_group=with_group)
        problems.attempt(lambda: check_names(planned, request.model, [request.bids_dir]))
    problems.stop_if_any()
    if plan is None:
        raise RuntimeError("no plan and no problem")
    show_notes(console, (*request.notes, *plan.notes), verbose=options.verbose)
    units = units_of_plan(request.model, plan)
    console.print(f"\n{plan_table(request.model, plan, units)}\n")
    if options.write_graph is not None:
        picture_of(request.model, units, options.write_graph)
    n_runs = sum(len(runs) for runs in plan.runs.values())
    console.print(
        f"All checks passed: {len(plan.runs)} subjects, {n_runs} runs, "
        f'model "{request.model.name}".',
    )
    return 0
