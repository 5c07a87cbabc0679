"""What each call of the command did, beside its log: the report tells of failures from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolevel.bids.sidecars import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GROUP", "History", "RunRecord", "read_history", "write_run_record"]

GROUP = "group"


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
    """

    command: str
    attempted: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """All calls that made an output directory.

    Attributes
    ----------
    commands : list of str
        In order of time, each once.
    failed : dict of str to str
        Subjects, and ``group``, whose latest attempt failed, with its error.
    """

    commands: list[str]
    failed: dict[str, str]


def write_run_record(log: Path, record: RunRecord) -> Path:
    """Write what a call did beside its log.

    Parameters
    ----------
    log : Path
        Its name begins with the time.
    record : RunRecord

    Returns
    -------
    Path
    """
    content: dict[str, Any] = {
        "Command": record.command,
        "Attempted": record.attempted,
        "Failed": record.failed,
    }
    return write_json(log.with_suffix(".json"), content)


def read_history(output_dir: Path) -> History:
    """Read what all calls did; several of them may have shared the directory.

    Parameters
    ----------
    output_dir : Path

    Returns
    -------
    History
    """
    commands: dict[str, None] = {}
    failed: dict[str, str] = {}
    for path in sorted((output_dir / "logs").glob("*.json")):
        record = read_json(path)
        commands.pop(record["Command"], None)  # the latest call comes last
        commands[record["Command"]] = None
        for who in record["Attempted"]:
            failed.pop(who, None)
        failed |= record["Failed"]
    return History(list(commands), failed)
