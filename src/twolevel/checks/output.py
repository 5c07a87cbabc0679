"""Every check of an output directory that can be made before anything is computed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twolevel.bids.entities import parse_name
from twolevel.derivatives.maps import MEANINGS
from twolevel.derivatives.old_labels import with_old_labels
from twolevel.derivatives.records import GROUP, Publication, read_publications, unit_of
from twolevel.errors import OutputError, Problem
from twolevel.files.sidecars import read_json
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.entities import BidsName, Entities

SHOWN = 5
# What a folder may hold that is taken for results: what people and version control put there.
HARMLESS = re.compile(r"\.|README|LICEN[CS]E", re.IGNORECASE)
# By suffix, the `desc` of our own files; None for those without.
OWN_FILES: dict[str, set[str] | None] = {
    "design": None,
    "mask": {"analysis"},
    "boldref": {"mean"},
    "quality": {"run", "volumes"},
    "null": {"permutation"},
    "tests": None,
}


def check_output(output_dir: Path, work_dir: Path, request_dirs: list[Path]) -> None:
    """Refuse folders that must not, or cannot, be written.

    The raw dataset comes first among the requested folders, then the derivatives.
    """
    raw, *derivatives = request_dirs
    problems = []
    for option, path in (("OUTPUT_DIR", output_dir), ("--work-dir", work_dir)):
        inside_raw = path == raw or (
            raw in path.parents and raw / "derivatives" not in path.parents
        )
        inside = next((d for d in derivatives if d == path or d in path.parents), None)
        if inside_raw or inside is not None:
            problems.append(
                Problem(
                    f"{option} {path}",
                    f"inside the input {inside or raw}",
                    "a folder outside the data, or one of its own under derivatives/",
                    f"give another {option}",
                )
            )
        elif blocker := _not_writable(path):
            problems.append(
                Problem(
                    f"{option} {path}",
                    blocker,
                    "a folder that can be written",
                    "change its permissions, or give another one",
                )
            )
    if output_dir == work_dir or output_dir in work_dir.parents:
        problems.append(
            Problem(
                f"--work-dir {work_dir}",
                "inside OUTPUT_DIR",
                "a folder outside the results",
                "give another --work-dir",
            )
        )
    if not problems and (found := _not_ours(output_dir)):
        problems.append(
            Problem(
                f"OUTPUT_DIR {output_dir}",
                found,
                "a new or empty folder, or earlier results of twolevel",
                "give another OUTPUT_DIR; nothing in this one was touched",
            )
        )
    if problems:
        raise OutputError(problems)


def _not_ours(output_dir: Path) -> str:
    """Say what a folder holds that is not ours; empty where it is ours, or as good as empty."""
    description = output_dir / "dataset_description.json"
    if description.is_file():
        makers = read_json(description).get("GeneratedBy")
        names = [m.get("Name") for m in makers if isinstance(m, dict)] if makers else []
        return "" if names[:1] == ["twolevel"] else "a dataset that twolevel did not make"
    there = sorted(output_dir.iterdir()) if output_dir.is_dir() else []
    strangers = [path.name for path in there if not HARMLESS.match(path.name)]
    more = " ..." if len(strangers) > SHOWN else ""
    return f"files of somebody else: {', '.join(strangers[:SHOWN])}{more}" if strangers else ""


def _not_writable(path: Path) -> str:
    existing = next(p for p in (path, *path.parents) if p.exists())
    if not existing.is_dir():
        return f"{existing} is a file"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"{existing} is not writable"
    return ""


@dataclass
class InTheWay:
    """What a call would write over although it did not make it.

    Attributes
    ----------
    selections : dict of str to list of str
        What it was made of, in words, and the subjects (or the group) it was made of.
    strangers : list of str
        Files in no record of ours, by their place in the output directory.
    old : list of str
        Files of ours under a label that their contrast had in an earlier version.
    """

    selections: dict[str, list[str]] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)
    old: list[str] = field(default_factory=list)

    def of_old_labels(self) -> list[Note]:
        """Say that maps under an earlier label stay."""
        what = "files of contrasts whose label was another in an earlier version stay as they are"
        detail = f"{len(self.old)}, which no step reads any more: {_listed(self.old)}"
        return [Note(what, detail=detail)] if self.old else []

    def refusals(self, output_dir: Path, now: str) -> list[Problem]:
        """Refuse to write over it."""
        problems = [
            Problem(
                f"OUTPUT_DIR {output_dir}",
                f"maps of {_listed(who)}, made of {selection}",
                f"maps of what this call asks for, {now}, or none under the same names",
                "give another OUTPUT_DIR, or --overwrite to replace these maps",
            )
            for selection, who in self.selections.items()
        ]
        if self.strangers:
            problems.append(
                Problem(
                    f"OUTPUT_DIR {output_dir}",
                    f"{len(self.strangers)} files under the names that this call writes, in no "
                    f"record of twolevel's in this folder: {_listed(self.strangers)}",
                    "files that an earlier call recorded as its own",
                    "give another OUTPUT_DIR, or --overwrite to replace these files",
                )
            )
        return problems

    def notes(self) -> list[Note]:
        """Say that it is going to be replaced."""
        notes = [
            Note(f"--overwrite replaces the maps made of {selection}", detail=_listed(who))
            for selection, who in self.selections.items()
        ]
        if self.strangers:
            what = "--overwrite replaces files that no earlier call recorded as its own"
            notes.append(Note(what, detail=", ".join(self.strangers)))
        return notes


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more


def find_in_the_way(
    output_dir: Path,
    planned: Iterable[Publication],
    names: Mapping[str, Sequence[Entities]],
) -> InTheWay:
    """Find what lies where a call is going to write, and was not made of the same selection.

    The planned publications are still without files; the names are the entities of each run and of
    the subject, or of the group, by `Publication.who`.
    """
    found = InTheWay()
    for publication in planned:
        here = names[publication.who]
        units = {unit_of(entities) for entities in here}
        records = read_publications(output_dir, publication.who)
        for record in records:
            if record.path != publication.path and record.units & units:
                words = selection_in_words(record.selection)
                found.selections.setdefault(words, []).append(publication.who)
        known = {place for record in records for place in record.files}
        found.old.extend(sorted(with_old_labels(output_dir, known)))
        folders = dict.fromkeys(entities.folder.as_posix() for entities in here)
        if publication.who == GROUP:
            folders["figures"] = None
        for folder in folders:
            for place in _own_by_name(output_dir, folder, units):
                if place not in known:
                    found.strangers.append(place)
    return found


def _own_by_name(output_dir: Path, folder: str, units: set[Entities]) -> Iterator[str]:
    """List the files in a folder that have the names of files that are going to be written."""
    for path in sorted((output_dir / folder).glob("*")):
        name = parse_name(path)
        if name is not None and unit_of(name.entities) in units and _is_own(name):
            yield f"{folder}/{path.name}"


def _is_own(name: BidsName) -> bool:
    if name.suffix == "statmap" and name.extension in {".png", ".svg"}:
        return True
    if name.suffix == "statmap":
        return name.entities.get("stat", "").rstrip("0123456789") in MEANINGS
    if name.suffix == "clusters":
        return True
    wanted = OWN_FILES.get(name.suffix, set())
    desc = name.entities.get("desc")
    return desc is None if wanted is None else desc in wanted


def selection_in_words(selection: Mapping[str, Any]) -> str:
    """Write a selection as people say it: ``task t, session pre (fMRIPrep 23.1.3)``."""
    asked = selection.get("Asked", {})
    first = [entity for entity in ("task", "session", "run") if entity in asked]
    asked = {entity: asked[entity] for entity in dict.fromkeys([*first, *asked])}
    parts = [
        f"{entity} {' '.join('(none)' if value is None else str(value) for value in values)}"
        for entity, values in asked.items()
    ]
    whole = [w for e, w in (("session", "all sessions"), ("run", "all runs")) if e not in asked]
    made_by = ", ".join(selection.get("Derivatives", []))
    return ", ".join([*parts, *whole]) + (f" ({made_by})" if made_by else "")
