"""A run as a set of files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twolevel.bids.entities import RUN_ENTITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from twolevel.bids.entities import Entities


@dataclass
class RunFiles:
    """The files of one run; None where there is none.

    Attributes
    ----------
    entities : Entities
        Those of the BOLD image (or of the events, where there is no image), without ``desc``.
    bold, mask, confounds, confounds_json : Path or None
        Of the derivatives.
    events : Path or None
        Of the raw dataset, the closest by inheritance.
    raw_sidecars, derivative_sidecars : list of Path
        JSON files that apply to the BOLD image, from the root down; later ones win.
    more_confounds : dict of str to list of Path
        Further tables of confounds, by the pattern that they fit.
    """

    entities: Entities
    bold: Path | None = None
    mask: Path | None = None
    confounds: Path | None = None
    confounds_json: Path | None = None
    events: Path | None = None
    raw_sidecars: list[Path] = field(default_factory=list)
    derivative_sidecars: list[Path] = field(default_factory=list)
    more_confounds: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The run in words: ``sub-01 run-1``."""
        return self.entities.in_words(("sub", *RUN_ENTITIES))

    @property
    def confound_files(self) -> dict[str, Path]:
        """All tables of confounds that are there, and the JSON, as `open_confounds` takes them."""
        more = [path for paths in self.more_confounds.values() for path in paths]
        own = {"confounds": self.confounds, "confounds_json": self.confounds_json}
        numbered = {f"confounds_{number}": path for number, path in enumerate(more, start=1)}
        return {kind: path for kind, path in own.items() if path is not None} | numbered


def averaged_sessions(sessions: Iterable[Iterable[str]]) -> str:
    """Say that sessions (of each subject) are averaged as if they were runs; empty if none are."""
    numbers = sorted({len(set(labels)) for labels in sessions})
    if not numbers or numbers[-1] < 2:
        return ""
    number = f"{numbers[-1]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    return f"{number} sessions per subject are averaged; a Session node keeps them apart"


def iter_subjects(runs: Iterable[RunFiles]) -> Iterator[tuple[str, list[RunFiles]]]:
    """Group runs by subject, in order."""
    grouped: dict[str, list[RunFiles]] = {}
    for files in runs:
        grouped.setdefault(files.entities["sub"], []).append(files)
    yield from grouped.items()
