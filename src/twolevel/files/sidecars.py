"""JSON files: sidecars and dataset descriptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolevel.errors import InputError, Problem
from twolevel.files.annex import require_content
from twolevel.files.atomic import write_bytes
from twolevel.files.plain_text import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_json(path: Path | str) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    InputError
        The file is not JSON, or holds something other than an object.
    """
    path = Path(path)
    require_content(path)
    try:
        content = parse_json(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(
            Problem(str(path), f"no valid JSON ({error})", "a JSON object", "correct the file")
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            Problem(
                str(path), f"JSON of type {type(content).__name__}", "a JSON object", "correct it"
            )
        )
    return content


def write_json(path: Path | str, content: Mapping[str, Any]) -> Path:
    """Write strict JSON with two spaces of indent, keys in the order given; make missing folders.

    NaN and infinity are refused.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return write_bytes(path, text.encode())


def sidecar_of(path: Path) -> Path:
    """Return the name of the JSON file beside an image (``.nii.gz``)."""
    return path.with_name(path.name.replace(".nii.gz", ".json"))
