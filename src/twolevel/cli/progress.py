"""What a user sees while the work is going on."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from twolevel.notes import merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from twolevel.cli.console import ReportConsole
    from twolevel.notes import Note
    from twolevel.workflow.events import JobEvent

SECONDS_PER_LOOK, SECONDS_PER_LINE = 1.0, 30.0

# Quick steps are not worth a line.
SHOWN = {
    "FetchRuns": "download",
    "FitRun": "run",
    "FitSubject": "subject",
    "FitSubjectAtOnce": "subject",
    "FitMaps": "contrast",
    "ApplyTest": "test",
    "DrawDesign": "drawing",
    "DrawContrast": "drawing",
    "DrawTest": "drawing",
}


def format_seconds(seconds: float) -> str:
    """Write a duration as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


class StageProgress:
    """Progress of one stage: a bar on a terminal, plain lines elsewhere.

    Parameters
    ----------
    stage : str
        ``participant level`` or ``group level``.
    totals : dict of str to int
        How many runs, subjects, contrasts, tests, drawings there are.
    log : Path
        Every event goes there too.
    shares : callable, optional
        Tells how much is done of long steps that are under way: label and share of each.
    """

    def __init__(
        self,
        console: ReportConsole,
        stage: str,
        totals: dict[str, int],
        log: Path,
        shares: Callable[[], Iterable[tuple[str, float]]] = tuple,
    ) -> None:
        self.console = console
        self.stage = stage
        self.totals = {unit: n for unit, n in totals.items() if n}
        self.log = log
        self.counts: Counter[tuple[str, str]] = Counter()
        self.running: dict[str, None] = {}
        self.started = time.monotonic()
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(stage, total=sum(self.totals.values()), status="")
        self.shares = shares
        self.lock = threading.Lock()  # between events and the thread that watches the shares
        self.over = threading.Event()
        self.watch = threading.Thread(target=self._watch_shares, daemon=True)

    def __enter__(self) -> Self:
        self.bar.start()
        self.watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self.watch.join()
        self.bar.stop()

    def __call__(self, event: JobEvent) -> None:
        """Take note of an event and show it."""
        with self.lock:
            self._take(event)

    def _take(self, event: JobEvent) -> None:
        elapsed = time.monotonic() - self.started
        name = f"{event.task} of {event.label}"
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write(
                f"{elapsed:9.1f} s  {name}: {event.status} {event.detail or event.error}\n"
            )
        unit = SHOWN.get(event.task)
        if event.status == "running":
            self.running[event.label] = None
        elif event.status == "killed":
            self.running.pop(event.label, None)
            self.console.print(
                f"{name}: its process was killed, most likely for want of memory; "
                "it is tried once more, alone"
            )
        elif event.status != "queued":
            self.running.pop(event.label, None)
            if unit is not None:
                self.counts[unit, event.status] += 1
                self._line(f"{unit} {event.label}: {event.status}", elapsed)
        self._refresh(elapsed)

    def finish(self, *, ok: bool) -> None:
        """Count what was not looked at because a larger whole was cached, if nothing failed."""
        for unit, total in self.totals.items():
            seen = sum(n for (u, _), n in self.counts.items() if u == unit)
            if ok and seen < total:
                self.counts[unit, "cached"] += total - seen
        elapsed = time.monotonic() - self.started
        self._refresh(elapsed)
        if not self.console.is_terminal:
            self.console.print(
                f"{self.stage}: {self.summary()} in {format_seconds(elapsed)}",
            )

    def summary(self) -> str:
        """Say how many of each kind are done, failed, cached."""
        parts = []
        for unit, total in self.totals.items():
            by_status = [
                f"{n} {status}"
                for status in ("done", "cached", "failed")
                if (n := self.counts[unit, status])
            ]
            parts.append(
                f"{total} {unit}{'s' * (total != 1)} ({', '.join(by_status) or 'none yet'})"
            )
        return ", ".join(parts)

    def time_left(self, elapsed: float) -> str:
        """Estimate the time left from what has been computed so far, in `elapsed` seconds.

        Empty while there is nothing to go by.
        """
        computed = sum(n for (_, status), n in self.counts.items() if status == "done")
        finished = sum(self.counts.values())
        left = sum(self.totals.values()) - finished
        if not computed or left <= 0:
            return ""
        return f"about {format_seconds(elapsed / computed * left)} left"

    def _line(self, text: str, elapsed: float) -> None:
        if not self.console.is_terminal:
            total = sum(self.totals.values())
            finished = sum(self.counts.values())
            left = self.time_left(elapsed)
            self.console.print(
                f"{self.stage} {finished}/{total}  {text}" + (f"  ({left})" if left else ""),
            )

    def _watch_shares(self) -> None:
        """Show how far long steps have got: always on a terminal, now and then elsewhere."""
        pause = SECONDS_PER_LOOK if self.console.is_terminal else SECONDS_PER_LINE
        while not self.over.wait(pause):
            with self.lock:
                elapsed = time.monotonic() - self.started
                self._refresh(elapsed)
                for label, share in self.shares():
                    self._line(f"permutations of {label}: {share:.0%}", elapsed)

    def _refresh(self, elapsed: float) -> None:
        totals = {
            status: sum(n for (_, s), n in self.counts.items() if s == status)
            for status in ("done", "cached", "failed")
        }
        words = [
            f"{unit}s {sum(n for (u, _), n in self.counts.items() if u == unit)}/{total}"
            for unit, total in self.totals.items()
        ]
        words += [f"{n} {status}" for status, n in totals.items() if n and status != "done"]
        if self.running:
            share_of = {label: f" ({share:.0%})" for label, share in self.shares()}
            running = [label + share_of.get(label, "") for label in list(self.running)[:3]]
            words.append(f"running {', '.join(running)}")
        if left := self.time_left(elapsed):
            words.append(left)
        self.bar.update(self.task, completed=sum(totals.values()), status=" · ".join(words))


def show_notes(console: ReportConsole, notes: Iterable[Note], *, verbose: bool) -> None:
    """Print what a user should know although it stops nothing; every place of it if `verbose`."""
    for line in merged(notes, every_place=verbose):
        console.print(f"note: {line}")
