"""Reading events, and telling which of them lie outside the scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.bids.tables import read_tsv
from twolevel.errors import InputError, Problem
from twolevel.notes import Note
from twolevel.stats.design import EARLIEST_ONSET

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RunEvents", "events_within_scan", "read_events"]


@dataclass(frozen=True)
class RunEvents:
    """The events of a run.

    Attributes
    ----------
    events : pandas.DataFrame
        Those that the design takes.
    outside : pandas.DataFrame
        Those that it cannot: too late or too early.
    scan_end : float
        End of the last volume in seconds.
    """

    events: pd.DataFrame
    outside: pd.DataFrame
    scan_end: float

    @property
    def lines_outside(self) -> list[int]:
        """Lines of the file, the header being the first, of the events left out."""
        return [int(index) + 2 for index in self.outside.index]

    def notes(self, where: str) -> list[Note]:
        """Say what was left out, if anything was."""
        if self.outside.empty:
            return []
        onsets = zip(self.lines_outside, self.outside["onset"], strict=True)
        rows = ", ".join(f"{line} ({onset:g} s)" for line, onset in onsets)
        total = len(self.events) + len(self.outside)
        what = "events with an onset outside the scan are left out"
        detail = (
            f"{len(self.outside)} of {total} (the last volume ends at {self.scan_end:.1f} s): "
            f"lines {rows}"
        )
        return [Note(what, where, detail, loses_data=True)]


def read_events(path: Path | str, factors: tuple[str, ...] = ("trial_type",)) -> pd.DataFrame:
    """Read the events of a run.

    Parameters
    ----------
    path : Path or str
        ``*_events.tsv``.
    factors : tuple of str
        Columns that are names, never numbers.

    Returns
    -------
    pandas.DataFrame
        ``onset`` and ``duration`` in seconds, float64; factors as text; the other columns as they
        are, ``n/a`` as missing values.

    Raises
    ------
    InputError
        A column is missing, or onset, duration or a factor has no value in some row.
    """
    events = read_tsv(path, dtype=dict.fromkeys(factors, str))
    problems = []
    for column in dict.fromkeys(("onset", "duration", *factors)):
        if column not in events:
            problems.append(
                Problem(
                    f"events: {path}",
                    f"no column {column}",
                    f"columns onset, duration, "
                    f"{', '.join(factors)}; there are: {', '.join(map(str, events))}",
                    "correct the file, or the model's Factor",
                )
            )
            continue
        if column not in factors:
            numbers = pd.to_numeric(events[column], errors="coerce")
            numbers = numbers.where(np.isfinite(numbers))
        else:
            numbers = events[column].where(events[column].str.strip() != "")
        if numbers.isna().any():
            lines = ", ".join(str(i + 2) for i in events.index[numbers.isna()])
            problems.append(
                Problem(
                    f"events: {path}",
                    f"no valid {column} in lines {lines}",
                    "a value in every row",
                    "correct these rows or remove them",
                )
            )
        events[column] = numbers
    if "duration" in events and (events["duration"] < 0).any():
        lines = ", ".join(str(i + 2) for i in events.index[events["duration"] < 0])
        problems.append(
            Problem(
                f"events: {path}",
                f"negative durations in lines {lines}",
                "0 s or more",
                "correct these rows",
            )
        )
    if problems:
        raise InputError(problems)
    return events.astype({"onset": float, "duration": float})


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
