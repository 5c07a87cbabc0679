"""Git repositories: which one holds a file, where it came from, at which commit."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from twolevel.errors import TransferError

ACCESSION = re.compile(r"ds\d{6}")
NAME_KEY = "twolevel.dataset"  # in the configuration of a clone that `twolevel fetch` made


def git(root: Path, *words: str) -> str:
    """Ask git a question such as ``rev-parse HEAD``; empty where it fails or there is no git.

    The answer comes without its last line end.
    """
    status, out, _ = _call(root, *words)
    return out if status == 0 else ""


def _call(root: Path, *words: str) -> tuple[int, str, str]:
    """Return the exit status of git, its answer without the last line end, and its complaints."""
    program = shutil.which("git")
    if program is None:
        return 1, "", "git is not installed"
    answer = subprocess.run(  # noqa: S603  # words of this program's own, in the user's folder
        [program, "-C", str(root), *words], capture_output=True, text=True, check=False
    )
    return answer.returncode, answer.stdout.rstrip("\n"), answer.stderr


def repository_of(path: Path | str) -> Path | None:
    """Find the repository of an absolute path: the innermost folder above that holds ``.git``."""
    return next((p for p in Path(path).parents if (p / ".git").exists()), None)


def git_folder(root: Path) -> Path:
    """Return the folder in which git keeps a repository.

    Raises
    ------
    TransferError
        git does not work there, because the folder belongs to another user, say.
    """
    status, out, err = _call(root, "rev-parse", "--absolute-git-dir")
    if status != 0:
        raise TransferError(f"git does not work in {root}: {' '.join(err.split())}")
    return Path(out)


def without_user(url: str) -> str:
    """Write an address without a user name or a password."""
    return re.sub(r"://[^/]*@", "://", url)


def commit_of(root: Path) -> str:
    """Return the commit of a dataset that is a repository of its own; empty where it is none."""
    if not (root / ".git").exists():
        return ""
    # A branch that git-annex adjusts (all files unlocked, say) has commits of its own.
    branch = git(root, "symbolic-ref", "--short", "--quiet", "HEAD")
    adjusted = branch.startswith("adjusted/")
    return git(root, "rev-parse", f"refs/basis/{branch}" if adjusted else "HEAD")


def origin_of(root: Path) -> str:
    """Return where a dataset was cloned from, without user name and password; empty if nowhere."""
    url = git(root, "config", "remote.origin.url") if (root / ".git").exists() else ""
    return without_user(url)


def dataset_name(root: Path) -> str:
    """Name a raw dataset as `twolevel fetch` wants it.

    By what it was fetched as, the accession in its origin, or the name of its folder.
    """
    if fetched_as := git(root, "config", NAME_KEY):
        return fetched_as
    accessions = ACCESSION.findall(origin_of(root))
    return accessions[-1] if accessions else root.name
