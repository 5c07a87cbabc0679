"""What was left out, and why, as tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pandas as pd

from twolevel.bids.entities import OTHER_ENTITIES
from twolevel.files.tables import read_tsv, write_tsv

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from twolevel.bids.entities import Entities

EXCLUDED = "excluded.tsv"
EXCLUSION_COLUMNS = (
    "subject",
    "session",
    "task",
    "run",
    "other",
    "space",
    "contrast",
    "kind",
    "item",
    "count",
    "reason",
)


@dataclass(frozen=True)
class Exclusion:
    """Something that was left out, and why.

    Attributes
    ----------
    kind : str
        ``volume``, ``event``, ``voxel``, ``contrast``, ``run`` or ``subject``.
    subject, session, run : str
        Labels; empty where it concerns all.
    other : str
        What tells the run from others beside these: ``dir-AP``.
    task, space : str
        As the options name them; filled in from the record of what was published.
    contrast : str
        Label; empty where it concerns all.
    item : str
        Which: indices of volumes, lines of events.
    count : int
        How many.
    """

    kind: str
    reason: str
    subject: str = ""
    session: str = ""
    run: str = ""
    other: str = ""
    task: str = ""
    space: str = ""
    contrast: str = ""
    item: str = ""
    count: int = 1

    @classmethod
    def in_run(
        cls,
        entities: Entities,
        kind: str,
        reason: str,
        *,
        contrast: str = "",
        item: str = "",
        count: int = 1,
    ) -> Exclusion:
        """Describe something left out of a run, named by its entities: run-01 is run-1."""
        return cls(
            kind,
            reason,
            subject=entities["sub"],
            session=entities.get("ses", ""),
            run=entities.normalised().get("run", ""),
            other=entities.in_words(OTHER_ENTITIES),
            contrast=contrast,
            item=item,
            count=count,
        )


def write_exclusions(path: Path, exclusions: Iterable[Exclusion]) -> Path:
    """Write a table of exclusions, also when there are none."""
    rows = [asdict(exclusion) for exclusion in exclusions]
    table = pd.DataFrame(rows, columns=list(EXCLUSION_COLUMNS))
    return write_tsv(path, table.replace("", None))


def read_exclusions(path: Path) -> list[Exclusion]:
    """Read a table of exclusions."""
    table = read_tsv(path, dtype=dict.fromkeys(EXCLUSION_COLUMNS, str))
    return [
        Exclusion(**{**{k: str(v) for k, v in row.items()}, "count": int(row["count"])})  # type: ignore[arg-type]
        for row in table.fillna("").to_dict("records")
    ]
