"""``validate --show-events``: the events of a participant, before and after the model's edits."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich import box
from rich.measure import Measurement
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from twolevel.bids.edited_events import read_edited
from twolevel.bids.run_tables import events_for, variables_of_run
from twolevel.bids.selection import select_runs
from twolevel.errors import InputError, Problem, did_you_mean
from twolevel.files.tables import MISSING, line_of, read_tsv
from twolevel.model.graph import run_node
from twolevel.model.nodes import matches
from twolevel.model.variables import columns_of_instructions, possible_factors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from twolevel.bids.edited_events import EditedEvents
    from twolevel.cli.checks import Request
    from twolevel.cli.console import ReportConsole
    from twolevel.model.nodes import Node

ROWS = 20
ONSETS = 4
LONGEST = 28
DIGITS = 8
WIDEST = 10_000
STYLES = {"dropped": "red", "added": "green", "changed": "yellow"}


def show_events(
    request: Request, subject: str, console: ReportConsole, *, every_row: bool = False
) -> None:
    """Show the events of the runs of one participant (``01`` or ``sub-01``) that are selected.

    Tables end after 20 rows unless every row is wanted. What is wrong with the events of a run is
    shown in their place.

    Raises
    ------
    InputError
        The participant is not among those selected.
    """
    label, there = subject.removeprefix("sub-"), request.selection.subjects or ()
    if label not in there:
        raise InputError(
            Problem(
                f"--show-events {subject}",
                "no such subject among those selected",
                f"one of: {', '.join(there)}",
                did_you_mean(label, there) or "check the label",
            )
        )
    selection = replace(request.selection, subjects=(label,))
    node = run_node(request.model)
    for files in select_runs(request.bids_dir, request.derivatives, selection):
        if files.events is None:
            console.print(f"{files.name}: no events file\n")
            continue
        try:
            _show_run(files.name, files.events, node, console, ROWS if not every_row else None)
        except InputError as error:
            console.print(f"{files.name}: these events are refused\n{error}\n")


def _show_run(name: str, path: Path, node: Node, console: ReportConsole, most: int | None) -> None:
    """Show the table of a run, its edits, and what the variables take of it."""
    edits = node.run_settings.events
    raw = read_tsv(path, dtype=str, used=lambda _: False)
    edited = read_edited(path, edits, lambda _: False)
    n_after = f", {len(edited.table)} after {len(edits)} edits" if edits else ", no edits"
    console.print(f"{name}: {len(raw)} rows of events{n_after}")
    for number, (edit, count) in enumerate(zip(edits, edited.counts, strict=True), start=1):
        console.print(f"  {number}. {edit}: {count} rows")
    rows = list(_rows(raw, edited))
    shown = [row for row in rows if row[1] or not edits]
    columns = _columns(node, raw, edited)
    if shown:
        _print(console, _table(["line", "", *columns], shown[:most], columns))
    if len(shown) > len(shown[:most]):
        more = f"{len(shown) - len(shown[:most])} more rows"
        console.print(f"  ... and {more} (-v shows them)")
    if edits:
        console.print(
            f"  {len(rows) - len(shown)} rows are as they were; `twolevel run` keeps the whole "
            "table beside the design: *_desc-edited_events.tsv"
        )
    left = [str(column) for column in edited.table if column not in columns]
    if left:
        console.print(f"  columns that the model does not name: {', '.join(left)}")
    _show_variables(path, node, console)


def _show_variables(path: Path, node: Node, console: ReportConsole) -> None:
    """Show which rows of the edited table the variables from the events take."""
    run = events_for(node, path)
    variables = variables_of_run(node, run.events, None)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("variable", "HRF", "events", "onsets (s)", "mean duration (s)"):
        table.add_column(heading, justify="right" if heading == "events" else "left")
    for name, rows in variables.rows.items():
        first = " ".join(f"{onset:g}" for onset in islice(rows["onset"], ONSETS))
        table.add_row(
            Text(name),
            Text(variables.conditions[name] or "not convolved"),
            str(len(rows)),
            first + " ..." * (len(rows) > ONSETS),
            f"{rows['duration'].mean():.3g}",
        )
    if table.row_count:
        _print(console, table)
    else:
        console.print("  no variable takes any of them\n")


def _columns(node: Node, raw: pd.DataFrame, edited: EditedEvents) -> list[str]:
    """Name the columns that the model is about, in the order of the table."""
    edits = node.run_settings.events
    named = {"onset", "duration", *possible_factors(node), *columns_of_instructions(node)}
    named |= {name for edit in edits for name in (*edit.columns, *edit.assigned)}
    every = dict.fromkeys(map(str, (*raw, *edited.table)))
    return [c for c in every if c in named or any(matches(c, pattern) for pattern in node.x)]


def _rows(raw: pd.DataFrame, edited: EditedEvents) -> Iterator[tuple[int, str, Any, Any]]:
    """Give each row: its line, what became of it, and its cells before and after."""
    after = edited.table
    for label in sorted({*raw.index, *after.index}, key=lambda label: (line_of(label), label)):
        old = raw.loc[label] if label in raw.index else None
        new = after.loc[label] if label in after.index else None
        if old is None or new is None:
            what = "added" if old is None else "dropped"
        else:
            old = old.reindex(after.columns)
            same = (old == new) | (old.isna() & new.isna())
            what = "" if same.all() else "changed"
        yield line_of(label), what, old if old is not None else new, new


def _table(headings: Sequence[str], rows: Sequence[Any], columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(Text(heading), no_wrap=True)
    for line, what, old, new in rows:
        cells = [
            _cell(old.get(name), old.get(name) if new is None else new[name]) for name in columns
        ]
        table.add_row(str(line), what, *map(Text, cells), style=STYLES.get(what))
    return table


def _cell(old: Any, new: Any) -> str:
    """Write a cell, and what it was where it has changed."""
    before, after = _written(old), _written(new)
    return after if before == after else f"{before} > {after}"


def _written(cell: Any) -> str:
    """Write a value short: blanks around it to be seen, numbers without their last digits."""
    if pd.isna(cell):
        return MISSING
    text = str(cell)
    if text != text.strip():
        return f'"{text[:LONGEST]}"'
    number = pd.to_numeric(text, errors="coerce") if len(text) > DIGITS else np.nan
    return f"{number:.{DIGITS}g}" if np.isfinite(number) else text[:LONGEST]


def _print(console: ReportConsole, table: Table) -> None:
    """Print a table as wide as it is: nothing of it is cut off."""
    wide = console.options.update(max_width=WIDEST)
    width = Measurement.get(console, wide, table).maximum
    segments = console.render(table, console.options.update(max_width=max(width, 1)))
    console.print(Segments(segments), end="")
