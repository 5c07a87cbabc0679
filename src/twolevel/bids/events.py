"""Reading the events of a run, and telling which of them a design cannot take."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.bids.edited_events import EditedEvents, read_edited
from twolevel.errors import InputError, Problem, did_you_mean
from twolevel.files.tables import in_lines, line_of, read_tsv
from twolevel.model.nodes import matches
from twolevel.model.variables import TIMING
from twolevel.notes import Note
from twolevel.stats.run.design import EARLIEST_ONSET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twolevel.model.event_edits import EventEdit

MILLISECONDS = 1000.0
SCANS_TOO_LATE = 10.0
SHOWN = 5
TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class RunEvents:
    """The events of a run.

    Attributes
    ----------
    events : pandas.DataFrame
        Those that the design can take.
    outside : pandas.DataFrame
        Those that it cannot: too late or too early.
    scan_end : float
        End of the last volume in seconds; NaN where it is not known yet.
    incomplete : pandas.DataFrame
        Rows without onset, or without a value in any of the factors.
    needs : tuple of str
        Columns in which an event needs a value, for the messages.
    edited : EditedEvents or None
        The table after the edits of the model; None where it has none.
    """

    events: pd.DataFrame
    outside: pd.DataFrame
    scan_end: float
    incomplete: pd.DataFrame = field(default_factory=pd.DataFrame)
    needs: tuple[str, ...] = ("onset",)
    edited: EditedEvents | None = None

    @property
    def lines_outside(self) -> list[int]:
        """Lines of the file, the header being the first, of the events outside the scan."""
        return [line_of(index) for index in self.outside.index]

    @property
    def lines_incomplete(self) -> list[int]:
        """Lines of the file of the rows without onset or without a level."""
        return [line_of(index) for index in self.incomplete.index]

    @property
    def why_incomplete(self) -> str:
        """Why such rows are left out."""
        return f"n/a in {' or '.join(self.needs)}"

    def notes(self, where: str) -> list[Note]:
        """Say what was left out, if anything was."""
        total = len(self.events) + len(self.outside) + len(self.incomplete)
        notes = []
        if not self.incomplete.empty:
            what = f"events with {self.why_incomplete} are left out"
            lines = in_lines(self.incomplete.index)
            detail = f"{len(self.incomplete)} of {total}: lines {lines}"
            notes.append(Note(what, where, detail, loses_data=True))
        if not self.outside.empty:
            onsets = zip(self.lines_outside, self.outside["onset"], strict=True)
            rows = ", ".join(f"{line} ({onset:g} s)" for line, onset in onsets)
            what = "events with an onset outside the scan are left out"
            detail = (
                f"{len(self.outside)} of {total} (the last volume ends at {self.scan_end:.1f} s): "
                f"lines {rows}"
            )
            notes.append(Note(what, where, detail, loses_data=True))
        return notes


def read_events(
    path: Path | str, factors: Sequence[str] = ("trial_type",), variables: Sequence[str] = ()
) -> pd.DataFrame:
    """Read the events of a run, without the rows that have n/a as onset or in every factor.

    Parameters
    ----------
    path : Path or str
        ``*_events.tsv``.
    factors : sequence of str
        Columns that are names, never numbers.
    variables : sequence of str
        What the model's X names, wildcards allowed: columns of these names hold numbers.

    Returns
    -------
    pandas.DataFrame
        ``onset`` and ``duration`` in seconds, float64; factors as text; columns that `variables`
        names as float64, words for true and false as 1 and 0; the others as they are. ``n/a`` is a
        missing value. The index tells the line of the file: index + 2.

    Raises
    ------
    InputError
        A column is missing, or a cell of these columns holds neither what it must nor ``n/a``.
    """
    return _read(path, factors, variables, ())[0]


def events_of_run(
    path: Path | str,
    factors: Sequence[str],
    variables: Sequence[str],
    *,
    possible: Sequence[str] = (),
    texts: Sequence[str] = (),
    edits: Sequence[EventEdit] = (),
    timing: tuple[float, float] | None = None,
    n_volumes: int | None = None,
) -> RunEvents:
    """Read the events of a run and set apart those that its design cannot take.

    Parameters
    ----------
    path : Path or str
        ``*_events.tsv``.
    factors, variables : sequence of str
        See `read_events`.
    possible : sequence of str
        Columns that are factors too, where they are there.
    texts : sequence of str
        Columns that are kept as text, wildcards allowed.
    edits : sequence of EventEdit
        Made before anything is checked.
    timing : (float, float), optional
        Repetition time and start time in seconds.
    n_volumes : int, optional
        Without these two, all onsets are taken to lie in the scan.

    Raises
    ------
    InputError
        See `read_events` and `apply_edits`; or no event lies in the scan.
    """
    events, incomplete, needs, edited = _read(path, factors, variables, possible, texts, edits)
    if n_volumes is None or timing is None:
        run = RunEvents(events, events.iloc[:0], np.nan)
    else:
        run = events_within_scan(events, n_volumes, *timing)
        _refuse_all_outside(path, run, timing[0])
    return replace(run, incomplete=incomplete, needs=("onset", *needs), edited=edited)


def events_within_scan(
    events: pd.DataFrame, n_volumes: int, repetition_time: float, start_time: float
) -> RunEvents:
    """Set apart the events that a design cannot take.

    An onset at or after the end of the last volume is too late; one more than 24 s before the
    first volume is too early (nilearn does not consider it).

    Parameters
    ----------
    events : pandas.DataFrame
        With ``onset`` in seconds.
    n_volumes : int
    repetition_time, start_time : float
        Seconds.

    Returns
    -------
    RunEvents
    """
    scan_end = start_time + n_volumes * repetition_time
    outside = (events["onset"] >= scan_end) | (events["onset"] < start_time + EARLIEST_ONSET)
    return RunEvents(events[~outside], events[outside], scan_end)


def _refuse_all_outside(path: Path | str, run: RunEvents, repetition_time: float) -> None:
    """Refuse onsets in milliseconds: none lies in the scan, or those in its first instant only.

    Onsets in milliseconds that happen to be below the end of the scan in seconds lie in the first
    thousandth of it; the last one is then later than any onset in seconds could be.
    """
    if run.outside.empty:
        return
    in_first_instant = (run.events["onset"] <= run.scan_end / MILLISECONDS).all()
    far = (run.outside["onset"] > SCANS_TOO_LATE * run.scan_end).any()
    if run.events.empty or (in_first_instant and far):
        first, last = run.outside["onset"].min(), run.outside["onset"].max()
        none = "no onset in the scan" if run.events.empty else "no onset after its first instant"
        raise InputError(
            Problem(
                f"events: {path}",
                f"{none}: lines {in_lines(run.outside.index)} ({first:g} to {last:g}), "
                f"while the scan ends at {run.scan_end:g} s",
                "onsets in seconds from the start of the scan",
                "are they milliseconds? then divide by 1000; otherwise check what they are "
                f"counted from, and RepetitionTime ({repetition_time:g} s)",
            )
        )


def _read(
    path: Path | str,
    factors: Sequence[str],
    variables: Sequence[str],
    possible: Sequence[str] = (),
    texts: Sequence[str] = (),
    edits: Sequence[EventEdit] = (),
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...], EditedEvents | None]:
    """Read the rows that are events, those that are none for want of an onset or a level.

    Returns also in which columns an event needs a value, in one of them at least.
    """
    needed = tuple(dict.fromkeys(("onset", "duration", *factors)))
    as_text = [name for name in (*factors, *possible, *texts) if name not in TIMING]
    patterns = [name for name in variables if name not in needed]

    def is_used(column: str) -> bool:
        return column in needed or any(matches(column, p) for p in (*patterns, *as_text))

    edited = read_edited(path, edits, is_used) if edits else None
    table = (
        edited.typed(as_text)
        if edited
        else read_tsv(path, dtype=dict.fromkeys(as_text, str), used=is_used)
    )
    there = [str(column) for column in table]
    if missing := [column for column in needed if column not in table]:
        raise InputError([_no_column(path, column, needed, there) for column in missing])
    factors = tuple(dict.fromkeys((*factors, *(c for c in possible if c in table))))
    kept = {c for c in there if c in factors or any(matches(c, text) for text in texts)}
    incomplete = table["onset"].isna()
    if factors:
        incomplete |= table[list(factors)].isna().all(axis=1)
    events = table[~incomplete].copy()
    problems = [_not_numbers(path, events, column) for column in ("onset", "duration")]
    problems += [_empty(path, events, factor) for factor in factors]
    for column in [c for c in there if c not in kept and c not in TIMING and is_used(c)]:
        numbers = _numbers(events[column])
        named = column in patterns
        # What only a wildcard names need not be numbers, but then it may not be some numbers.
        if named or numbers.notna().any():
            problems.append(_not_numbers(path, events, column))
            events[column] = numbers
    for column in ("onset", "duration"):
        events[column] = _numbers(events[column])
    if (events["duration"] < 0).any():
        lines = in_lines(events.index[events["duration"] < 0])
        problems.append(
            Problem(
                f"events: {path}",
                f"negative durations in lines {lines}",
                "0 s or more",
                "correct these rows",
            )
        )
    if found := [problem for problem in problems if problem is not None]:
        raise InputError(found)
    return events, table[incomplete], factors, edited


def _numbers(column: pd.Series) -> pd.Series:
    """Turn cells into numbers; what is none, or is not finite, becomes missing."""
    words = column.map(lambda cell: TRUTH.get(str(cell).casefold(), np.nan))
    if column.notna().any() and words[column.notna()].notna().all():
        return words.astype(float)
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers))


def _not_numbers(path: Path | str, events: pd.DataFrame, column: str) -> Problem | None:
    wrong = events[column].notna() & _numbers(events[column]).isna()
    if not wrong.any():
        return None
    cells = events.loc[wrong, column]
    shown = ", ".join(f'line {line_of(i)} ("{cell}")' for i, cell in cells.iloc[:SHOWN].items())
    more = f" and {len(cells) - SHOWN} more" if len(cells) > SHOWN else ""
    all_of_them = bool(wrong.all()) and column not in TIMING
    return Problem(
        f"events: {path}",
        f"no number in column {column}: {shown}{more}",
        "numbers, and n/a where there is no value",
        f"to make conditions of these words, name {column} in a Factor instruction and "
        f"{column}.LEVEL in X"
        if all_of_them
        else "correct these cells, or write n/a into them",
    )


def _empty(path: Path | str, events: pd.DataFrame, factor: str) -> Problem | None:
    empty = events[factor].notna() & (events[factor].str.strip() == "")
    if not empty.any():
        return None
    return Problem(
        f"events: {path}",
        f"an empty cell in column {factor}: lines {in_lines(events.index[empty])}",
        "a value, or n/a where there is none",
        "write n/a into these cells, or what is missing there",
    )


def _no_column(path: Path | str, column: str, needed: Sequence[str], there: list[str]) -> Problem:
    return Problem(
        f"events: {path}",
        f"no column {column}",
        f"columns {', '.join(needed)}; there are: {', '.join(there)}",
        did_you_mean(column, there) or "correct the file, or the model's Factor",
    )
