"""What is kept of the edits of a run's events, beside its design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twolevel.bids.edited_events import SOURCE_LINE
from twolevel.files.sidecars import write_json
from twolevel.files.tables import write_tsv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twolevel.bids.edited_events import EditedEvents
    from twolevel.bids.run_inputs import RunSpec
    from twolevel.model.event_edits import EventEdit


def event_edits_record(
    edited: EditedEvents | None, edits: Sequence[EventEdit]
) -> dict[str, list[dict[str, Any]]]:
    """Say in the design's sidecar what each edit is, and how many rows it touched."""
    if edited is None:
        return {}
    pairs = zip(edits, edited.counts, strict=True)
    return {"EventEdits": [{**edit.in_file, "Rows": count} for edit, count in pairs]}


def save_edited_events(spec: RunSpec, edited: EditedEvents, folder: Path) -> None:
    """Save the events as the design takes them, with their sidecar."""
    path = folder / spec.entities.with_(desc="edited").path("events", ".tsv")
    write_tsv(path, edited.as_file())
    write_json(
        path.with_suffix(".json"),
        {
            "Description": "Events of the run after the edits that the model asks for (EventEdits "
            "in the sidecar of the design)",
            SOURCE_LINE: {
                "Description": "Line of the events file that the row comes from, the header being "
                "line 1; rows that an edit added have that of the row they are copies of"
            },
            "Sources": [source for source in spec.sources if source.endswith("_events.tsv")],
        },
    )
