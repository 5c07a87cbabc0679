"""The output dataset: what describes it, and bringing finished trees to it."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolevel.bids.atomic import write_bytes
from twolevel.bids.entities import parse_name
from twolevel.bids.git import commit_of, origin_of
from twolevel.bids.sidecars import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["publish", "write_dataset_files"]

PRIVATE = "_"  # what begins so stays in the work directory
IGNORED = """\
**/*_statmap.*
**/*_design.*
**/*_clusters.*
**/*_quality.*
**/*_boldref.*
group
figures
logs
excluded.tsv
report.html
"""
README = """\
Statistical maps of a task, made by twolevel.

sub-*/func   one set of maps per run, with its design and its quality, and one set of maps per
             subject (fixed effects over runs)
group        the group model and the tests
figures      pictures of the group maps
excluded.tsv what was left out, and why

Each map and each table has a JSON file beside it that says what its numbers mean.
Outside the analysis mask a map holds NaN.
"""


def write_dataset_files(output_dir: Path, links: Mapping[str, Path]) -> None:
    """Write ``dataset_description.json``, ``.bidsignore`` and a README at the root of the outputs.

    The sources are named by the address that they were cloned from, if it is one, and their
    commit, if they are in version control; by their place relative to the outputs otherwise.

    Parameters
    ----------
    output_dir : Path
    links : mapping of str to Path
        Datasets by the names that BIDS URIs use.
    """
    relative = {name: _relative_uri(root, output_dir) for name, root in links.items()}
    sources = []
    for name, root in links.items():
        description = root / "dataset_description.json"
        stated = read_json(description) if description.is_file() else {}
        doi = stated.get("DatasetDOI")
        commit, origin = commit_of(root), origin_of(root)
        sources.append(
            {
                "URL": origin if "://" in origin and "file:" not in origin else relative[name],
                **({"DOI": doi} if doi else {}),
                **({"Version": commit} if commit else {}),
                **({"GeneratedBy": made_by} if (made_by := _made_by(stated)) else {}),
            }
        )
    write_json(
        output_dir / "dataset_description.json",
        {
            "Name": "twolevel: statistical maps of a task",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "twolevel", "Version": version("twolevel")}],
            "SourceDatasets": sources,
            "DatasetLinks": relative,
        },
    )
    write_bytes(output_dir / ".bidsignore", IGNORED.encode())
    write_bytes(output_dir / "README", README.encode())


def _made_by(description: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return name and version of what made derivatives: a paper's methods have to say it."""
    if description.get("DatasetType") != "derivative":
        return []
    programs = description.get("GeneratedBy")
    return [
        {key: str(program[key]) for key in ("Name", "Version") if key in program}
        for program in (programs if isinstance(programs, list) else [])
        if isinstance(program, dict) and "Name" in program
    ]


def _relative_uri(root: Path, output_dir: Path) -> str:
    # Relative, because no file of the outputs may hold a path of the machine that made it.
    return Path(os.path.relpath(root.resolve(), output_dir.resolve())).as_posix()


def publish(
    trees: Sequence[Path],
    output_dir: Path,
    *,
    folders: Sequence[str],
    entities: Mapping[str, str],
) -> list[Path]:
    """Copy finished trees to their final place, and drop what an earlier run left there.

    Parameters
    ----------
    trees : sequence of Path
        Folders whose content is laid out as in `output_dir`; names that begin with an underscore
        at their root stay behind.
    output_dir : Path
    folders : sequence of str
        Patterns of folders under `output_dir` in which to look for what an earlier run left.
    entities : mapping of str to str
        A file there of the same task and space that is in none of the trees is removed.

    Returns
    -------
    list of Path
        The files that are there now.
    """
    published = []
    for tree in trees:
        for path in sorted(p for p in tree.rglob("*") if p.is_file()):
            relative = path.relative_to(tree)
            if relative.parts[0].startswith(PRIVATE):
                continue
            target = output_dir / relative
            if not _same_content(path, target):
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f".{target.name}.part")
                shutil.copyfile(path, partial)
                partial.replace(target)
            published.append(target)
    kept = set(published)
    for folder in (f for pattern in folders for f in output_dir.glob(pattern)):
        for path in [p for p in folder.iterdir() if p.is_file() and p not in kept]:
            name = parse_name(path)
            if name is not None and _same_kind(name.entities, entities):
                path.unlink()
    return published


def _same_content(a: Path, b: Path) -> bool:
    if not b.is_file() or a.stat().st_size != b.stat().st_size:
        return False
    return a.read_bytes() == b.read_bytes()


def _same_kind(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    """Tell whether two names are of one task, space and resolution, compared whole."""
    return all(a.get(key) == b.get(key) for key in ("task", "space", "cohort", "res"))
