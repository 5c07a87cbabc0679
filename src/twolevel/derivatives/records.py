"""What lies in an output directory, by whom it was made and of what: our own records of it.

Each subject and the group have a record for every kind of map (task, space, resolution) and every
selection they were made of. What is in no record is not ours: it is never removed, and only
overwritten where that was asked for. A record is a file of its own, so that calls for different
subjects or tasks never write to the same one.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from twolevel.bids.entities import Entities, parse_name
from twolevel.derivatives.exclusions import EXCLUDED, Exclusion, write_exclusions
from twolevel.errors import InputError, Problem
from twolevel.files.atomic import write_bytes
from twolevel.files.sealed import FileDigest
from twolevel.files.sidecars import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

GROUP = "group"
RECORDS = ".twolevel"
OF_ONE_FILE = ("contrast", "stat", "label", "desc", "seg")
OF_A_KIND = ("task", "space", "cohort", "res", "den")


def unit_of(entities: Entities) -> Entities:
    """Return the entities that all files of a run, a subject or a group have in common."""
    return entities.without(*OF_ONE_FILE)


def kind_of(entities: Entities) -> Entities:
    """Return task, space and resolution: maps of one kind can be compared over subjects."""
    return entities.only(*OF_A_KIND)


@dataclass(frozen=True)
class Publication:
    """What was made of one subject, or of the group, of one kind and one selection.

    Attributes
    ----------
    who : str
        ``sub-01``, or ``group``.
    kind : Entities
        Task, space, resolution: see `kind_of`.
    selection : dict
        What was asked for, and the derivatives it was taken from: see `Scope`.
    files : dict of str to FileDigest
        By their place in the output directory.
    excluded : tuple of Exclusion
        What was left out.
    failed : str
        Why the latest attempt failed; the files are of an earlier one then.
    """

    who: str
    kind: Entities
    selection: Mapping[str, Any]
    files: Mapping[str, FileDigest] = field(default_factory=dict)
    excluded: tuple[Exclusion, ...] = ()
    failed: str = ""

    @property
    def path(self) -> str:
        """Where its record lies in the output directory."""
        digest = hashlib.sha256(json.dumps(self.selection, sort_keys=True).encode()).hexdigest()
        kind = [f"{key}-{value}" for key, value in self.kind.items()]
        # A name may be as long as a file system allows; the kind is there for a reader only.
        name = "_".join([self.who, *kind])[:200]
        return f"{RECORDS}/{name}_{digest[:12]}.json"

    @property
    def units(self) -> frozenset[Entities]:
        """The runs and the subject (or the group) that it has files of: see `unit_of`."""
        names = [parse_name(place) for place in self.files]
        return frozenset(unit_of(name.entities) for name in names if name is not None)


def write_publication(output_dir: Path, publication: Publication) -> None:
    """Write a record in place of an earlier one of the same kind and selection."""
    content = {
        "Who": publication.who,
        "Kind": dict(publication.kind),
        "Selection": dict(publication.selection),
        "Failed": publication.failed,
        "Excluded": [vars(exclusion) for exclusion in publication.excluded],
        "Files": dict(sorted(publication.files.items())),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    write_bytes(output_dir / publication.path, text.encode(), sync=True)


def record_failure(output_dir: Path, planned: Publication, error: str) -> None:
    """Record that an attempt failed, and why; what lies there is of an earlier one."""
    there = [p for p in read_publications(output_dir, planned.who) if p.path == planned.path]
    write_publication(output_dir, replace(there[0] if there else planned, failed=error))


def read_publications(output_dir: Path, who: str = "*") -> list[Publication]:
    """Read the records of an output directory in order of their names; refuse damaged ones."""
    found = []
    for path in sorted((output_dir / RECORDS).glob(f"{who}_*.json")):
        with suppress(FileNotFoundError):  # another call has replaced it meanwhile
            found.append(_read(path))
    return found


def _read(path: Path) -> Publication:
    content = read_json(path)
    try:
        return Publication(
            str(content["Who"]),
            Entities(dict(content["Kind"])),
            dict(content["Selection"]),
            {name: FileDigest(int(n), str(d)) for name, (n, d) in content["Files"].items()},
            tuple(Exclusion(**row) for row in content["Excluded"]),
            str(content["Failed"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            Problem(
                str(path),
                f"a damaged record ({type(error).__name__}: {error})",
                "what `twolevel run` wrote of its results",
                "restore it from a backup; without it the files that it lists do not count as "
                "twolevel's, and --overwrite is needed to replace them",
            )
        ) from error


def merge_exclusions(output_dir: Path, who: Iterable[str]) -> None:
    """Write the tables of what was left out anew, from the records of all calls.

    Those of subjects (``sub-01``) are renewed by name; ``group`` stands for that of all.
    """
    with FileLock(output_dir / RECORDS / "lock", mode=0o666):
        for name in who:
            everything = name == GROUP
            records = read_publications(output_dir, "*" if everything else name)
            rows = dict.fromkeys(row for record in records for row in _rows(record))
            folder = output_dir if everything else output_dir / name
            write_exclusions(folder / EXCLUDED, rows)


def _rows(record: Publication) -> list[Exclusion]:
    """Say of each row which task and space it is about."""
    space = ":".join(
        record.kind[key] if key == "space" else f"{key}-{record.kind[key]}"
        for key in OF_A_KIND[1:]
        if key in record.kind
    )
    task = record.kind.get("task", "")
    return [replace(row, task=row.task or task, space=space) for row in record.excluded]
