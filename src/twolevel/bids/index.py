"""The files of a dataset by their names, and which of them apply to another by inheritance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.bids.entities import parse_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twolevel.bids.entities import BidsName, Entities


def list_subjects(*folders: Path) -> list[str]:
    """List the labels of subjects with a folder in these datasets, sorted, without ``sub-``."""
    return sorted({p.name[4:] for f in folders for p in f.glob("sub-*") if p.is_dir()})


def files_of_runs(root: Path, subjects: Sequence[str]) -> list[tuple[Path, BidsName]]:
    """List the files under sub-*/[ses-*/]func; dangling links count."""
    found = []
    folders = [root / f"sub-{s}" for s in subjects] if subjects else sorted(root.glob("sub-*"))
    for folder in folders:
        for func in [folder / "func", *sorted(folder.glob("ses-*/func"))]:
            if func.is_dir():
                for path in sorted(func.iterdir()):
                    name = parse_name(path)
                    if name is not None and name.entities.get("sub") == folder.name[4:]:
                        found.append((path, name))
    return found


def closest(inherited: Sequence[Path]) -> list[Path]:
    """Return the last of the files that apply, and those that apply just as closely."""

    def rank(path: Path) -> tuple[Path, int]:
        return path.parent, path.name.count("_")

    return [path for path in inherited if rank(path) == rank(inherited[-1])]


def find_sidecars(root: Path, path: Path) -> list[Path]:
    """List the JSON files that apply to a file by the inheritance principle; later ones win."""
    name = parse_name(path)
    if name is None:
        return []
    return inherited_files(root, path.parent, name.entities, name.suffix, ".json")


def inherited_files(
    root: Path, folder: Path, entities: Entities, suffix: str, extension: str
) -> list[Path]:
    """List the files that apply, by inheritance, to those of these entities in a folder.

    They come from the root down.
    """
    there = entities.normalised()
    found: list[Path] = []
    for level in [*reversed(folder.parents), folder]:
        if level != root and root not in level.parents:
            continue
        here = []
        for candidate in level.glob(f"*{suffix}{extension}"):
            name = parse_name(candidate)
            if name is None or name.suffix != suffix or name.extension != extension:
                continue
            if name.entities.normalised().items() <= there.items():
                here.append((len(name.entities), candidate))
        found.extend(candidate for _, candidate in sorted(here))
    return found
