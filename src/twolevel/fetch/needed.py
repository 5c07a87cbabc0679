"""Which files an analysis needs, and how many bytes of them are still to be downloaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twolevel.bids.index import find_sidecars
from twolevel.files.annex import bytes_of, is_absent, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.runs import RunFiles

OF_DATASET = ("dataset_description.json", "participants.tsv", "participants.json")


@dataclass(frozen=True)
class Content:
    """What a file holds, or will hold once it is downloaded.

    Attributes
    ----------
    key : str or None
        git-annex's key of content that is not here; None where it is.
    n_bytes : int or None
        Size; None where the key does not tell.
    """

    path: Path
    key: str | None
    n_bytes: int | None


def images_of(runs: Iterable[RunFiles]) -> list[Path]:
    """List the images of runs, BOLD and mask of each: what a download is about."""
    return [path for run in runs for path in (run.bold, run.mask) if path is not None]


def tables_of(runs: Iterable[RunFiles], bids_dir: Path, derivatives: Sequence[Path]) -> list[Path]:
    """List what an analysis needs beside the images, each file once.

    Events, confounds with their JSON, the sidecars of all of these and of the images, the
    participants and the descriptions of the datasets.
    """
    paths = [root / name for root in (bids_dir, *derivatives) for name in OF_DATASET]
    found = [path for path in paths if path.is_file() or path.is_symlink()]
    for run in runs:
        found += [run.events] if run.events is not None else []
        found += run.confound_files.values()
        found += [*run.raw_sidecars, *run.derivative_sidecars]
        if run.events is not None:
            found += find_sidecars(bids_dir, run.events)
        if run.mask is not None:
            root = next(root for root in derivatives if root in run.mask.parents)
            found += find_sidecars(root, run.mask)
    return list(dict.fromkeys(found))


def content_of(path: Path) -> Content:
    """Describe the content of a file."""
    if not is_absent(path):
        return Content(path, None, path.stat().st_size)
    key = key_of(path)
    return Content(path, key or "", bytes_of(key) if key else None)


def to_download(paths: Iterable[Path]) -> dict[str, int]:
    """List the content that is not here yet: bytes by key, 0 where a key does not tell.

    Files of the same content are downloaded once.
    """
    contents = map(content_of, paths)
    return {c.key: c.n_bytes or 0 for c in contents if c.key is not None}


def identities(
    images: Iterable[Path], tables: Iterable[Path], keys: Mapping[Path, str]
) -> dict[str, str]:
    """Name what files hold by path, so that another content has another name.

    By git-annex's key, which is made from the content; else by a digest of a table, or by size and
    time of an image, which is too large to be read for it.
    """
    named = {}
    for image in images:
        state = image.stat() if image not in keys else None
        named[str(image)] = (
            f"{state.st_size} {state.st_mtime_ns}" if state is not None else keys[image]
        )
    for table in tables:
        named[str(table)] = keys.get(table) or hashlib.sha256(table.read_bytes()).hexdigest()
    return named
