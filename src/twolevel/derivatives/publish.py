"""The output dataset: what describes it, and bringing finished trees to it."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolevel.bids.run_inputs import dataset_links
from twolevel.derivatives.old_labels import with_old_labels
from twolevel.derivatives.records import merge_exclusions, read_publications, write_publication
from twolevel.errors import DamagedError, OutputError, Problem
from twolevel.fetch.git import commit_of, origin_of
from twolevel.files.atomic import write_bytes
from twolevel.files.sealed import PRIVATE, FileDigest, digest_file, is_whole, sealed_files
from twolevel.files.sidecars import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from twolevel.derivatives.records import Publication

SHOWN = 5
IGNORED = """\
**/*_statmap.*
**/*_design.*
**/*_desc-edited_events.*
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
    Sources that an earlier call named stay, and so does a README of the user's.
    """
    path = output_dir / "dataset_description.json"
    earlier = read_json(path) if path.is_file() else {}
    relative = {name: _relative_uri(root, output_dir) for name, root in links.items()}
    sources = [_source(root, relative[name]) for name, root in links.items()]
    now = {source["URL"] for source in sources} | set(relative.values())
    kept = [s for s in _dicts(earlier.get("SourceDatasets")) if s.get("URL") not in now]
    write_json(
        path,
        {
            "Name": "twolevel: statistical maps of a task",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "twolevel", "Version": version("twolevel")}],
            "SourceDatasets": [*kept, *sources],
            "DatasetLinks": {**_links(earlier), **relative},
        },
    )
    ignored = output_dir / ".bidsignore"
    lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.is_file() else []
    lines += [line for line in IGNORED.splitlines() if line not in lines]
    write_bytes(ignored, ("\n".join(lines) + "\n").encode())
    if not any(found.name.upper().startswith("README") for found in output_dir.iterdir()):
        write_bytes(output_dir / "README", README.encode())


def linked_datasets(
    output_dir: Path, bids_dir: Path, derivatives: Sequence[Path]
) -> dict[str, Path]:
    """Name datasets as BIDS URIs do, by names that mean no other dataset in the outputs."""
    path = output_dir / "dataset_description.json"
    earlier = _links(read_json(path)) if path.is_file() else {}
    links: dict[str, Path] = {}
    for wanted, root in dataset_links(bids_dir, derivatives).items():
        place, name, number = _relative_uri(root, output_dir), wanted, 2
        while name in links or _means_another(output_dir, earlier.get(name, place), place):
            name, number = f"{wanted}{number}", number + 1
        links[name] = root
    return links


def _means_another(output_dir: Path, earlier: str, place: str) -> bool:
    """Tell whether a name is taken; by a dataset that was moved away, it is not."""
    return earlier != place and (output_dir / earlier).is_dir()


def _links(description: Mapping[str, Any]) -> dict[str, str]:
    links = description.get("DatasetLinks")
    return {str(k): str(v) for k, v in links.items()} if isinstance(links, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _source(root: Path, relative: str) -> dict[str, Any]:
    """Describe a dataset that results are made from."""
    description = root / "dataset_description.json"
    stated = read_json(description) if description.is_file() else {}
    doi = stated.get("DatasetDOI")
    commit, origin = commit_of(root), origin_of(root)
    return {
        "URL": origin if "://" in origin and "file:" not in origin else relative,
        **({"DOI": doi} if doi else {}),
        **({"Version": commit} if commit else {}),
        **({"GeneratedBy": made_by} if (made_by := _made_by(stated)) else {}),
    }


def derivative_versions(derivatives: Sequence[Path]) -> tuple[str, ...]:
    """Say what preprocessed the data, as ``fMRIPrep 23.1.3``; empty where no dataset says it."""
    descriptions = [root / "dataset_description.json" for root in derivatives]
    programs = [p for d in descriptions if d.is_file() for p in _made_by(read_json(d))]
    return tuple(sorted({f"{p['Name']} {p.get('Version', '')}".strip() for p in programs}))


def _made_by(description: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return name and version of what made derivatives: a paper's methods have to say it."""
    if description.get("DatasetType") != "derivative":
        return []
    return [
        {key: str(program[key]) for key in ("Name", "Version") if key in program}
        for program in _dicts(description.get("GeneratedBy"))
        if "Name" in program
    ]


def _relative_uri(root: Path, output_dir: Path) -> str:
    # Relative, because no file of the outputs may hold a path of the machine that made it.
    return Path(os.path.relpath(root.resolve(), output_dir.resolve())).as_posix()


def publish(
    trees: Sequence[Path],
    output_dir: Path,
    publication: Publication,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Copy finished trees to their final place, and drop what an earlier call left there.

    Nothing is touched before every tree was found to be whole. The record is written before the
    files and again after them, so that whenever this is cut short, it lists all that is ours.

    Parameters
    ----------
    trees : sequence of Path
        Sealed folders whose content is laid out as in `output_dir`; names that begin with an
        underscore at their root stay behind.
    publication : Publication
        The record of what is published; its files are those of the trees.
    overwrite : bool
        Take the place of files of other selections, and of files that are not ours.

    Returns
    -------
    list of Path
        The files that are there now.

    Raises
    ------
    DamagedError
        A tree is not whole; nothing was changed.
    OutputError
        Files that are not ours, or were made of another selection, are in the way; nothing was
        changed.
    """
    sources = _whole_files(trees)
    files = {place: digest for place, (_, digest) in sources.items()}
    publication = replace(publication, files=files)
    earlier = read_publications(output_dir, publication.who)
    same = [p for p in earlier if p.path == publication.path]
    others = [p for p in earlier if p.path != publication.path and p.units & publication.units]
    if not overwrite:
        _refuse_to_replace(output_dir, files, {place for p in same for place in p.files})
    old = {k: d for p in (*same, *(others if overwrite else ())) for k, d in p.files.items()}
    kept = with_old_labels(output_dir, old.keys() - files.keys())
    write_publication(output_dir, replace(publication, files=old | files))
    for place, (source, digest) in sources.items():
        target = output_dir / place
        if not (target.is_file() and digest_file(target) == digest):
            write_bytes(target, source.read_bytes())
    for place in old.keys() - files.keys() - kept:
        _remove(output_dir, place, old[place])
    # What never came to anything is of no interest any more, whatever it was to be made of.
    in_vain = [p for p in earlier if p.kind == publication.kind and not p.files and p.failed]
    for record in [*in_vain, *(others if overwrite else ())]:
        (output_dir / record.path).unlink(missing_ok=True)
    # The maps of a contrast that has another label by now stay, and stay ours.
    stays = {place: old[place] for place in kept}
    write_publication(output_dir, replace(publication, files=stays | files))
    merge_exclusions(output_dir, [publication.who])
    return [output_dir / place for place in files]


def _whole_files(trees: Sequence[Path]) -> dict[str, tuple[Path, FileDigest]]:
    """Check sealed trees, and list their files by the place where they belong."""
    sources = {}
    for tree in trees:
        for place, digest in sealed_files(tree).items():
            if not place.startswith(PRIVATE):
                sources[place] = (tree / place, digest)
        if not is_whole(tree):
            raise DamagedError(tree, "a file that is not what was computed")
    return sources


def _lies_there(path: Path, digest: FileDigest) -> bool:
    """Tell whether another file has the place; a link to nowhere may be one that was dropped."""
    return path.is_symlink() or (path.exists() and digest_file(path) != digest)


def _refuse_to_replace(
    output_dir: Path, files: Mapping[str, FileDigest], ours: Collection[str]
) -> None:
    """Refuse to write over other files than those that an earlier call of this selection wrote."""
    places = [
        place
        for place, digest in files.items()
        if place not in ours and _lies_there(output_dir / place, digest)
    ]
    if not places:
        return
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    raise OutputError(
        Problem(
            f"OUTPUT_DIR {output_dir}",
            f"{len(places)} files that this call would overwrite, of another selection or not of "
            f"twolevel's making: {', '.join(places[:SHOWN])}{more}",
            "results of this selection only, or nothing, under the names that it writes",
            "give another OUTPUT_DIR, or --overwrite to replace them",
        )
    )


def _remove(output_dir: Path, place: str, digest: FileDigest) -> None:
    """Remove a file that we wrote, unless somebody changed it or it lies behind a link."""
    path = output_dir / place
    behind_link = any(parent.is_symlink() for parent in list(path.parents)[: place.count("/")])
    try:
        unchanged = digest_file(path) == digest
    except OSError:
        return
    if unchanged and not behind_link:
        path.unlink()
