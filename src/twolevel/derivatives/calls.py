"""What each call of the command did, beside its log, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolevel.derivatives.records import GROUP, read_publications
from twolevel.files.sidecars import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class RunRecord:
    """One call of the command.

    Attributes
    ----------
    command : str
        As it was typed.
    attempted : list of str
        Labels of subjects, and ``group``.
    failed : dict of str to str
        Those of them that failed, with their errors.
    graph : str
        A picture of the model, SVG.
    """

    command: str
    attempted: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    graph: str = ""


@dataclass(frozen=True)
class History:
    """All calls that made an output directory.

    Attributes
    ----------
    commands : list of str
        In order of their numbers, each once.
    failed : dict of str to str
        Subjects, and ``group``, whose latest attempt failed, with its error.
    graph : str
        The picture of the model that the latest call drew; empty where none did.
    """

    commands: list[str]
    failed: dict[str, str]
    graph: str = ""


def write_run_record(log: Path, record: RunRecord) -> Path:
    """Write what a call did beside its log, whose name begins with the time."""
    content: dict[str, Any] = {
        "Number": 1 + max((_number(made) for made in _calls(log.parent)), default=0),
        "Command": record.command,
        "Attempted": record.attempted,
        "Failed": record.failed,
        "Graph": record.graph,
    }
    return write_json(log.with_suffix(".json"), content)


def read_history(output_dir: Path) -> History:
    """Read what all calls did; several of them may have shared the directory."""
    commands: dict[str, None] = {}
    graph = ""
    for made in sorted(_calls(output_dir / "logs"), key=_number):
        command = str(made.get("Command", ""))
        commands.pop(command, None)  # the latest call comes last
        commands[command] = None
        graph = str(made.get("Graph", "")) or graph
    records = sorted(read_publications(output_dir), key=lambda record: record.who == GROUP)
    failed = {p.who.removeprefix("sub-"): p.failed for p in records if p.failed}
    return History(list(commands), failed, graph)


def _calls(logs: Path) -> list[dict[str, Any]]:
    """Read what every call left."""
    return [read_json(path) for path in sorted(logs.glob("*.json"))]


def _number(made: dict[str, Any]) -> int:
    """Return the number of a call; a clock that was set back changes no number."""
    return int(made.get("Number", 0))
