"""Tables of confounds beside fMRIPrep's: those of a run, found by the patterns of a model."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from twolevel.bids.entities import INDEX_ENTITIES, RUN_ENTITIES, entities_of
from twolevel.model.confound_options import KEYS, PLACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from twolevel.bids.entities import Entities
    from twolevel.bids.runs import RunFiles
    from twolevel.model.nodes import StatsModel


def attach_confounds(runs: Iterable[RunFiles], model: StatsModel, roots: Sequence[Path]) -> None:
    """Find the further tables of confounds of each run that a model names, in any dataset.

    A file whose name holds another task, session, run, ... than the run's is not of that run.
    """
    of_nodes = [node.run_settings.confounds for node in model.nodes if node.level == "run"]
    patterns = dict.fromkeys(pattern for of_node in of_nodes for pattern in of_node)
    for run in runs:
        run.more_confounds = {p: _matches(run.entities, p, roots) for p in patterns}


def _matches(entities: Entities, pattern: str, roots: Sequence[Path]) -> list[Path]:
    """List the files that a pattern means for a run; none where it names an entity it has not.

    Numbers are also found with leading zeros, and without: run-1 is run-01.
    """
    there = entities.normalised().only("sub", *RUN_ENTITIES)
    for width in (None, 1, 2, 3):
        labels = {
            key: label.lstrip("0").zfill(width) if width and key in INDEX_ENTITIES else label
            for key, label in entities.items()
        }
        if any(KEYS[name] not in labels for name in PLACE.findall(pattern)):
            return []
        filled = pattern
        for name in PLACE.findall(pattern):
            filled = filled.replace(f"{{{name}}}", labels[KEYS[name]])
        # Not Path.glob, which takes a link to content that is not fetched for nothing.
        found = {
            root / name: None
            for root in roots
            for name in sorted(glob.glob(filled, root_dir=root, recursive=True))  # noqa: PTH207
        }
        own = [p for p in found if not p.is_dir() and _may_be_of(entities_of(p), there)]
        if own:
            return own
    return []


def _may_be_of(named: Entities, run: Entities) -> bool:
    return named.normalised().only("sub", *RUN_ENTITIES).items() <= run.items()
