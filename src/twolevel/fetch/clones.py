"""Cloning a raw dataset and its derivatives, without the content of their large files."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from twolevel.errors import InputError, OutputError, Problem, TransferError
from twolevel.fetch.git import (
    ACCESSION,
    NAME_KEY,
    commit_of,
    dataset_name,
    git,
    git_folder,
    origin_of,
    without_user,
)
from twolevel.fetch.not_fetched import DERIVATIVES
from twolevel.fetch.programs import DATALAD, call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPENNEURO = {
    "raw": "https://github.com/OpenNeuroDatasets/{}.git",
    "derivatives": "https://github.com/OpenNeuroDerivatives/{}-fmriprep.git",
}
SOURCE_KEY = "twolevel.source"  # the URL as it was given: DataLad knows more forms than git
SHOWN = 12


@dataclass(frozen=True)
class Source:
    """Where a dataset comes from, and which version of it.

    Attributes
    ----------
    url : str or None
        What DataLad takes; None for OpenNeuro's, or for the clone that is there.
    version : str or None
        A tag, a branch or a commit; None for the newest, or for the clone as it is.
    """

    url: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Clones:
    """The clones of a dataset.

    Attributes
    ----------
    derivatives : Path
        ``derivatives/fmriprep`` in `raw`: a clone of its own, or a part of the raw dataset.
    """

    raw: Path
    derivatives: Path


def clone_datasets(
    name: str,
    target: Path,
    raw: Source,
    derivatives: Source,
    *,
    tell: Callable[[str], None],
) -> Clones:
    """Clone a raw dataset and its derivatives, or take the clones that are there.

    Parameters
    ----------
    name : str
        Accession at OpenNeuro (``ds000001``), or any name where both sources have a URL.
    target : Path
        Becomes the raw clone; absolute.
    tell : callable
        Is told what is going on, in words.

    Raises
    ------
    InputError
        The target holds something else, or a version does not exist.
    TransferError
        A dataset could not be cloned.
    """
    _check_target(target, name)
    place = target / DERIVATIVES
    is_there = _is_clone(target) and (_is_clone(place) or _is_part(place))
    with nullcontext() if is_there else _alone(target):
        _clone(target, "raw", name, raw, tell)
        _clone_derivatives(place, name, derivatives, tell)
    return Clones(target, place)


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keep other calls from cloning into the same place."""
    lock_file = target.with_name(f".{target.name}.lock")
    lock = FileLock(lock_file)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError(
            Problem(
                str(target),
                "another process is cloning into it",
                "one `twolevel fetch` at a time for a target",
                "wait until it has ended",
            )
        ) from error
    except OSError as error:
        raise OutputError(
            Problem(
                f"TARGET {target}",
                f"{target.parent} cannot be written: {error}",
                "a folder that can be written",
                "change its permissions, or give another TARGET",
            )
        ) from error
    try:
        yield
    finally:
        lock_file.unlink(missing_ok=True)
        lock.release()


def _clone_derivatives(
    place: Path, name: str, source: Source, tell: Callable[[str], None]
) -> None:
    if not _is_part(place):
        _clone(place, "derivatives", name, source, tell)
    elif source != Source():
        raise InputError(
            Problem(
                "--derivatives" if source.url else "--derivatives-version",
                f"the raw dataset holds {DERIVATIVES} itself",
                "derivatives of the raw dataset, or a clone of their own",
                "leave the option out, or give another raw dataset",
            )
        )


def _check_target(target: Path, name: str) -> None:
    """Refuse a folder that holds something other than this dataset."""
    found = ""
    if _is_clone(target):
        there = dataset_name(target)
        # Names given by hand may differ; accessions are of different datasets.
        if there != name and ACCESSION.fullmatch(there) and ACCESSION.fullmatch(name):
            found = f"a clone of {there}"
        elif there != name and not (target / "dataset_description.json").is_file():
            found = "a git repository that is no BIDS dataset"
    elif target.is_dir():
        found = "files that are no clone" if any(target.iterdir()) else ""
    elif target.exists() or target.is_symlink():
        found = "a file"
    if found:
        raise OutputError(
            Problem(
                f"TARGET {target}",
                found,
                f"a new or empty folder, or an earlier clone of {name}",
                "give another TARGET",
            )
        )


def _is_clone(folder: Path) -> bool:
    return (folder / ".git").exists()


def _is_part(place: Path) -> bool:
    """Tell whether derivatives are files of the raw dataset itself."""
    return not _is_clone(place) and place.is_dir() and any(place.iterdir())


def _clone(
    target: Path, kind: str, name: str, source: Source, tell: Callable[[str], None]
) -> None:
    if _is_clone(target):
        _check_origin(target, kind, source)
        if source.version is not None:
            _check_out(target, kind, source.version, tell)
        return
    url = source.url or _openneuro(kind, name)
    if Path(url).is_dir() and not git(Path(url), "rev-parse", "--git-dir"):
        raise InputError(
            Problem(
                f"--{kind} {url}",
                "a folder that is no git repository",
                "a DataLad dataset",
                f"plain files need no fetching: twolevel run {url}, with --derivatives",
            )
        )
    tell(f"{kind}: cloning {without_user(url)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f".{target.name}.partial*"):
        shutil.rmtree(stale, ignore_errors=True)
    # Under a name of its own: a killed clone may not have ended yet.
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent), "clone")
    try:
        _call_datalad(url, partial, target)
        if source.version is not None:
            _check_out(partial, kind, source.version, tell)
        git(partial, "config", NAME_KEY, name)
        git(partial, "config", SOURCE_KEY, without_user(url))
        partial.rename(target)
    finally:
        shutil.rmtree(partial.parent, ignore_errors=True)


def _openneuro(kind: str, name: str) -> str:
    if not ACCESSION.fullmatch(name):
        raise InputError(
            Problem(
                f"DATASET {name}",
                f"neither an accession of OpenNeuro nor --{kind}",
                f"an accession such as ds000001, or where the {kind} dataset is",
                f"give --{kind} URL",
            )
        )
    return OPENNEURO[kind].format(name)


def _call_datalad(url: str, partial: Path, target: Path) -> None:
    words = [DATALAD, "-f", "json", "clone", "--description", str(target), url, str(partial)]
    _, out, err = call(words, cwd=partial.parent, url=url)
    records = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    # Other steps (asking a source's own source, say) may fail where the clone is good.
    done = [r for r in records if r.get("action") == "install" and r.get("status") == "ok"]
    if not done or not _is_clone(partial):
        text = json.dumps([r.get("message") for r in records]) + err
        raise TransferError(f"{without_user(url)} could not be cloned: {_reason(text)}")


def _reason(text: str) -> str:
    """Find what git says of a failure among what DataLad says about it."""
    said = re.findall(r"(?:fatal|error|ssh|git-annex): ([^\n\\\]]+)", text)
    return said[-1].strip().rstrip("'") if said else " ".join(text.split())[-500:]


def _check_origin(target: Path, kind: str, source: Source) -> None:
    given = git(target, "config", SOURCE_KEY)
    git_folder(target)  # git must work there
    if source.url is None or without_user(source.url) in {given, origin_of(target)}:
        return
    raise OutputError(
        Problem(
            f"--{kind} {without_user(source.url)}",
            f"a clone of {origin_of(target) or 'nothing'} in {target}",
            "the same source as before",
            "give another TARGET, or remove that clone",
        )
    )


def _check_out(root: Path, kind: str, version: str, tell: Callable[[str], None]) -> None:
    """Change to a version, which may be younger than the clone."""
    commit = _fixed_commit(root, version)
    if not commit:  # a branch, which may have moved, or something that is not known here
        words = ["git", "fetch", "--quiet", "--tags", "origin"]
        status, _, err = call(words, cwd=root, url=origin_of(root))
        if status != 0:
            raise TransferError(f"no answer on version {version}: {_reason(err)}")
        branch = _commit(root, f"refs/remotes/origin/{version}")
        commit = _fixed_commit(root, version) or branch
    if not commit:
        tags = git(root, "tag", "--sort=-version:refname").split()
        more = f" and {len(tags) - SHOWN} more" if len(tags) > SHOWN else ""
        raise InputError(
            Problem(
                f"--{kind}-version {version}",
                "no such version",
                f"a tag or a commit; tags: {', '.join(tags[:SHOWN]) or '(none)'}{more}",
                "check the version",
            )
        )
    if commit == commit_of(root):
        return
    tell(f"{kind}: changing to version {version}")
    words = ["git", "-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", commit]
    status, _, err = call(words, cwd=root, url="")
    if status != 0:
        raise OutputError(
            Problem(
                f"--{kind}-version {version}",
                " ".join(err.split()),
                f"a clone without changes in {root}",
                "undo the changes there, or give another TARGET",
            )
        )


def _fixed_commit(root: Path, version: str) -> str:
    """Return the commit of a tag, or of the (beginning of the) name of a commit."""
    commit = _commit(root, f"refs/tags/{version}")
    if not commit and re.fullmatch(r"[0-9a-f]{7,64}", version):
        commit = _commit(root, version)
    return commit


def _commit(root: Path, name: str) -> str:
    return git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
