"""That the model and the tables mean the same: in each run, and over all of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd

from twolevel.checks.found_contrasts import found_contrasts, label_clashes, notes_on_found
from twolevel.errors import InputError, Problem, did_you_mean, listed
from twolevel.files.tables import in_lines
from twolevel.model.nodes import INTERCEPT, is_wild, matches
from twolevel.model.variables import convolved_names, named_variables, same_but_for_spelling
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from twolevel.bids.events import RunEvents
    from twolevel.checks.checked import CheckedTables
    from twolevel.model.nodes import Contrast, Node
    from twolevel.model.variables import RunVariables

SAME_S = 1e-3


def check_taken(
    path: Path | str,
    run: RunEvents,
    variables: RunVariables,
    node: Node,
    scan_duration: float | None = None,
) -> None:
    """Check the events that the regressors of a run take, and those that they only seem not to.

    Parameters
    ----------
    path : Path or str
        The events file, for the messages.
    node : Node
        Of the run level.
    scan_duration : float, optional
        Seconds; without it, how long events last is left unchecked.

    Raises
    ------
    InputError
        An event that a regressor takes has no duration, or one longer than the whole scan, or
        instructions moved it out of the scan; or a level is spelt a little differently from one
        that the model names.
    """
    durations = pd.concat(
        [pd.Series(dtype=float), *(r["duration"] for r in variables.rows.values())]
    )
    durations = durations[~durations.index.duplicated()].sort_index()
    rows = durations.index
    problems = list(_misspelt(path, run.events, node, variables.factors))
    if durations.isna().any():
        problems.append(
            Problem(
                f"events: {path}",
                f"no duration in lines {in_lines(rows[durations.isna()])}",
                "a duration in seconds in every row that a regressor takes",
                "write how long these events lasted (0 for an instant), or leave their levels out "
                "of the model",
            )
        )
    if scan_duration is not None and (durations > scan_duration).any():
        too_long = durations[durations > scan_duration]
        problems.append(
            Problem(
                f"events: {path}",
                f"a duration of {too_long.max():g} s in a scan of {scan_duration:g} s: lines "
                f"{in_lines(too_long.index)}",
                "durations in seconds, none longer than the whole scan",
                "are they milliseconds? then divide by 1000; otherwise correct these rows, or "
                "check RepetitionTime",
            )
        )
    problems += [
        Problem(
            f"events: {path}",
            f"{name}: instructions made onsets at or after the end of the scan "
            f"({run.scan_end:g} s), in lines {in_lines(late)}",
            "onsets in the scan",
            "leave such rows out with Filter, or correct what gives the onsets",
        )
        for name, rows in variables.rows.items()
        if len(late := rows.index[rows["onset"] >= run.scan_end])
    ]
    if problems:
        raise InputError(problems)


def _misspelt(
    path: Path | str, events: pd.DataFrame, node: Node, factors: Sequence[str]
) -> Iterable[Problem]:
    """Find levels that differ from one that the model names by blanks, case or form of number."""
    named = [name for name in named_variables(node) if not is_wild(name)]
    for factor in factors:
        prefix = f"{factor}."
        wanted = [name.removeprefix(prefix) for name in named if name.startswith(prefix)]
        meant = {same_but_for_spelling(level): level for level in wanted}
        levels = events[factor].dropna().astype(str)
        for level in sorted(set(levels) - set(wanted)):
            like = meant.get(same_but_for_spelling(level))
            if like is None:
                continue
            yield Problem(
                f"events: {path}",
                f'{factor} "{level}" in lines {in_lines(levels.index[levels == level])}',
                f'"{like}", as the model names it: other blanks, '
                "capitals or forms of a number make another level, which no contrast takes",
                f'correct these rows, or name "{prefix}{level}" in the model\'s X too if it is '
                "another condition",
            )


def not_taken(events: pd.DataFrame, variables: RunVariables) -> pd.Index:
    """Return the labels of the rows of events that are in no regressor."""
    taken = {i for rows in variables.rows.values() for i in rows.index}
    return events.index[~events.index.isin(taken)]


def levels_of(events: pd.DataFrame, factors: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """Sort the rows of events by their ``factor.level``, one for each factor that has a value."""
    sorted_rows: dict[tuple[str, ...], list[int]] = {}
    for row, values in zip(
        events.index, events[list(factors)].itertuples(index=False), strict=True
    ):
        pairs = zip(factors, values, strict=True)
        levels = tuple(f"{factor}.{level}" for factor, level in pairs if pd.notna(level))
        sorted_rows.setdefault(levels, []).append(int(row))
    return sorted_rows


def check_model(runs: Sequence[CheckedTables], node: Node) -> tuple[list[Problem], list[Note]]:
    """Check that what the model names is there, in some run at least."""
    conditions = dict.fromkeys(v for run in runs for v in run.variables.conditions)
    available = sorted({v for run in runs for v in run.variables.available})
    columns = {v for run in runs for v in run.variables.columns}
    known = {*conditions, *columns}
    problems = []
    in_contrasts = {name for contrast in node.contrasts for name in contrast.variables}
    for contrast in node.contrasts:
        problems += [
            _nowhere(contrast, name, runs, list(conditions) or available)
            for name in contrast.variables
            if name not in columns
        ]
    names = [x for x in node.x if x != INTERCEPT and x not in known and x not in in_contrasts]
    problems += [
        Problem(
            f'model: X names "{name}"',
            "no such variable in any run that passed its checks",
            f"a variable of the events ({listed(available)}) or a column of the confounds",
            did_you_mean(name, available) or "correct the model's X",
        )
        for name in names
        if not is_wild(name)
    ]
    notes = [
        Note(f'model: X names "{name}": no run has a variable of that pattern')
        for name in names
        if is_wild(name) and not any(matches(v, name) for v in known)
    ]
    more, of_hrf = _check_convolved(runs, node, available)
    problems += [*more, *label_clashes(found_contrasts(runs, node), node)]
    if not problems:
        notes += [*_lonely_contrasts(runs, node), *notes_on_found(runs, node)]
    notes += notes_on_edits(runs, node)
    return problems, [*notes, *of_hrf, *_unused_note(runs), *impulse_notes(runs)]


def _nowhere(
    contrast: Contrast, name: str, runs: Sequence[CheckedTables], there: Sequence[str]
) -> Problem:
    delays = {d: None for run in runs for d in run.variables.delays_of(name)}
    if delays:
        return Problem(
            f'contrast "{contrast.name}"',
            f"{name}, which is convolved with fir: it has a regressor for each delay",
            f"one of these, or all of them as rows of an F contrast: {listed(list(delays))}",
            "name delays in Contrasts, or in X or DummyContrasts in its place",
        )
    outside = sum(n for run in runs for levels, n in run.outside.items() if name in levels)
    available = {v for run in runs for v in run.variables.available}
    return Problem(
        f'contrast "{contrast.name}"',
        f'no run has it: no regressor "{name}" in any run that passed its checks'
        + (f"; the {outside} events of that level lie outside the scan" if outside else ""),
        f"a regressor of the design; there are: {listed(there)}",
        "check the onsets and RepetitionTime, or leave the contrast out"
        if outside
        else did_you_mean(name, [*there, *sorted(available)])
        or "correct the contrast or the model's X",
    )


def _check_convolved(
    runs: Sequence[CheckedTables], node: Node, available: Sequence[str]
) -> tuple[list[Problem], list[Note]]:
    """Find levels that are to be convolved and are in no run."""
    as_it_is = {v for run in runs for v, hrf in run.variables.conditions.items() if hrf is None}
    problems, notes = [], []
    for pattern in convolved_names(node):
        if any(matches(v, pattern) for v in available) or pattern in node.x:
            continue
        found = "no such variable in any run that passed its checks"
        if is_wild(pattern) and not as_it_is:
            notes.append(Note(f'model: Convolve (or HRF) names "{pattern}": {found}'))
            continue
        left = f"; not convolved are: {listed(sorted(as_it_is))}" if as_it_is else ""
        problems.append(
            Problem(
                f'model: Convolve (or HRF) names "{pattern}"',
                found + left,
                f"variables of the events: {listed(available)}",
                did_you_mean(pattern, [*sorted(as_it_is), *available])
                or "correct the name or remove it",
            )
        )
    return problems, notes


def _lonely_contrasts(runs: Sequence[CheckedTables], node: Node) -> list[Note]:
    """Name contrasts of which no single run has all variables."""
    return [
        Note(
            f'contrast "{contrast.name}": no run has it',
            detail=f"no run has all of {', '.join(contrast.variables)}",
            loses_data=True,
        )
        for contrast in node.contrasts
        if all(set(contrast.variables) & set(run.variables.missing) for run in runs)
    ]


def _unused_note(runs: Sequence[CheckedTables]) -> list[Note]:
    """Say how many events are in no regressor, in one note over all runs."""
    counts: Counter[tuple[str, ...]] = Counter()
    for run in runs:
        counts.update(run.unused)
    n_unused = sum(run.n_unused for run in runs)
    if not n_unused:
        return []
    named = [f"{', '.join(levels) or 'none'} ({n})" for levels, n in counts.most_common()]
    what = f"{n_unused} of {sum(run.n_events for run in runs)} events are in no regressor"
    return [Note(what, detail=f"levels {listed(named)}", loses_data=True)]


def notes_on_edits(runs: Sequence[CheckedTables], node: Node) -> list[Note]:
    """Name the edits of events that touch no row in any run."""
    return [
        Note(f"event edit {number} touches no row in any run", detail=str(edit))
        for number, edit in enumerate(node.run_settings.events, start=1)
        if not any(run.edited[number - 1] for run in runs)
    ]


def impulse_notes(runs: Sequence[CheckedTables]) -> list[Note]:
    """Say that effects of events of no duration cannot be compared between repetition times."""
    with_impulses = [run for run in runs if run.impulses]
    times = sorted(run.timing[0] for run in with_impulses)
    if not times or times[-1] - times[0] <= SAME_S:
        return []
    subjects: dict[str, dict[str, None]] = {}
    for run in with_impulses:
        subject = f"sub-{run.files.entities['sub']}"
        subjects.setdefault(f"{run.timing[0]:g} s", {})[subject] = None
    return [
        Note(
            "events of 0 s are impulses of 1/50 of the repetition time: their effects scale with "
            "it, and the repetition times differ",
            detail="; ".join(f"{t} in {listed(list(names))}" for t, names in subjects.items()),
        )
    ]
