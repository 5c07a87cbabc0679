"""Maps whose contrast had another label when an earlier version of this program made them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twolevel.bids.entities import parse_name
from twolevel.errors import InputError
from twolevel.files.sidecars import read_json
from twolevel.model.labels import contrast_label

if TYPE_CHECKING:
    from collections.abc import Collection


def with_old_labels(output_dir: Path, places: Collection[str]) -> set[str]:
    """Choose the files of contrasts whose sidecars name them as no label does any more.

    Parameters
    ----------
    places : collection of str
        Published files, by their place in the output directory.
    """
    labels = {place: _label_of(place) for place in places}
    # One sidecar tells for all files of a label.
    told = {label: p for p, label in labels.items() if label and p.endswith("_statmap.json")}
    old = {label for label, place in told.items() if _is_old(output_dir / place, label)}
    return {place for place, label in labels.items() if label in old}


def _label_of(place: str) -> str | None:
    name = parse_name(Path(place))
    return name.entities.get("contrast") if name is not None else None


def _is_old(sidecar: Path, label: str) -> bool:
    """Tell whether the name of a contrast gives another label than its file has."""
    try:
        contrast = read_json(sidecar).get("Contrast") if sidecar.is_file() else None
    except InputError:
        return False
    name = contrast.get("Name") if isinstance(contrast, dict) else None
    return isinstance(name, str) and contrast_label(name) != label
