"""DataLad datasets with annexed content, made and served without the internet."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

# What is kept in the annex, as on OpenNeuro: of raw data the images, of derivatives the
# confounds too. Everything else is in git.
RAW_ATTRIBUTES = """\
* annex.backend=MD5E annex.largefiles=nothing
*.nii.gz annex.largefiles=anything
"""
DERIVATIVES_ATTRIBUTES = f"""\
{RAW_ATTRIBUTES}\
*_desc-confounds_timeseries.* annex.largefiles=anything
"""


@dataclass(frozen=True)
class Sources:
    """Two bare repositories, each the only copy of its dataset.

    `raw_content` and `derivatives_content` hold the bytes of every annexed file by its path.
    """

    raw: Path
    derivatives: Path
    raw_content: dict[str, bytes]
    derivatives_content: dict[str, bytes]


def isolated_environment(folder: Path) -> dict[str, str]:
    """Return the variables, to be put over those of the process, of a user who is new to git."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }


def loopback_environment() -> dict[str, str]:
    """Return the variables that let git-annex download from this machine, which it refuses."""
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "annex.security.allowed-ip-addresses",
        "GIT_CONFIG_VALUE_0": "127.0.0.1",
    }


def git(folder: Path, *words: str) -> str:
    """Call git in a folder as somebody with a name but no configuration; return what it says."""
    with tempfile.TemporaryDirectory() as home:
        environment = {name: text for name, text in os.environ.items() if name[:4] != "GIT_"}
        environment |= isolated_environment(Path(home))
        # git-annex lies beside this Python.
        environment["PATH"] = f"{sysconfig.get_path('scripts')}{os.pathsep}{environment['PATH']}"
        for role in ("AUTHOR", "COMMITTER"):
            environment[f"GIT_{role}_NAME"] = "Test"
            environment[f"GIT_{role}_EMAIL"] = "test@example.org"
        answer = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def make_datasets(plain: Path, folder: Path) -> Sources:
    """Make the DataLad datasets `raw.git` and `fmriprep.git` in `folder` from a simulated one.

    Both have the tags 1.0.0 and 1.0.1, which differ in the file CHANGES.
    """
    raw, derivatives = folder / "raw.git", folder / "fmriprep.git"
    return Sources(
        raw,
        derivatives,
        make_dataset(plain, raw, RAW_ATTRIBUTES),
        make_dataset(plain / "derivatives/fmriprep", derivatives, DERIVATIVES_ATTRIBUTES),
    )


def make_dataset(plain: Path, repository: Path, attributes: str) -> dict[str, bytes]:
    """Make a bare repository of a plain folder without its `derivatives`.

    It is made with a work tree, which is removed, so that git-annex never knew of another copy.
    The bytes of each annexed file are returned by its path.
    """
    work = repository.with_suffix(".work")
    shutil.copytree(plain, work, ignore=shutil.ignore_patterns("derivatives"))
    (work / ".gitattributes").write_text(attributes, encoding="utf-8")
    (work / ".datalad").mkdir()
    identity = f'[datalad "dataset"]\n\tid = {uuid.uuid4()}\n'
    (work / ".datalad" / "config").write_text(identity, encoding="utf-8")
    git(work, "init", "--quiet", "--initial-branch=main")
    git(work, "annex", "init", "--quiet", repository.name)
    for version in ("1.0.0", "1.0.1"):
        with (work / "CHANGES").open("a", encoding="utf-8") as changes:
            changes.write(f"{version} 2024-01-01\n  - A version.\n")
        git(work, "annex", "add", "--quiet", ".")
        git(work, "commit", "--quiet", "--message", version)
        git(work, "tag", version)

    columns = "${file}\t${key}\t${hashdirmixed}\t${hashdirlower}\n"
    listing = git(work, "annex", "find", f"--format={columns}")
    (work / ".git").rename(repository)
    shutil.rmtree(work)
    git(repository, "config", "core.bare", "true")
    (repository / "index").unlink()
    # A bare repository sorts its objects into other folders than one with a work tree.
    objects = repository / "annex" / "objects"
    former = objects.rename(repository / "annex" / "former")
    content: dict[str, bytes] = {}
    for line in listing.splitlines():
        relative, key, mixed, lower = line.split("\t")
        content[relative] = (plain / relative).read_bytes()
        found, wanted = former / mixed / key, objects / lower / key
        if not wanted.exists():  # files with the same content have one object
            found.chmod(0o755)
            wanted.parent.mkdir(parents=True, exist_ok=True)
            found.rename(wanted).chmod(0o555)
    shutil.rmtree(former)
    git(repository, "repack", "-adq")
    git(repository, "update-server-info")  # for servers that know nothing of git
    return content


def annexed_object(repository: Path, relative: str) -> Path:
    """Return the file of a bare repository that holds an annexed file, and make it writable."""
    key = git(repository, "show", f"HEAD:{relative}").strip().rpartition("/")[2]
    (found,) = (repository / "annex" / "objects").glob(f"*/*/{key}/{key}")
    found.parent.chmod(0o755)
    found.chmod(0o644)
    return found


def make_unlocked(clone: Path, *, adjusted: bool = False) -> None:
    """Make annexed files regular files instead of links; those without content hold a pointer.

    The change is staged or, if `adjusted`, on a branch that git-annex makes, as it does by itself
    where the file system knows no links.
    """
    git(clone, "annex", *(("adjust", "--unlock") if adjusted else ("unlock", ".")))


class StaticServer(ThreadingHTTPServer):
    """A web server of plain files that can resume.

    `requests` are the paths asked for, in order; `bytes_per_second` is the pace at which each
    annexed file is sent, and can be set at any time.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
        self.requests: list[str] = []
        self.bytes_per_second: int | None = None
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """Address of the folder that is served, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away; they are what is tested."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    server: StaticServer

    def send_head(self) -> Any:
        """Answer with the file, or with the rest of it if a range is asked for."""
        self.server.requests.append(self.path)
        path = Path(self.translate_path(self.path))
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if path.is_dir() or not path.exists():
            return self.send_error(404)
        if not asked:
            return super().send_head()
        size, start = path.stat().st_size, int(asked[1])
        if start >= size:
            return self.send_error(416)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        file = path.open("rb")
        file.seek(start)
        return file

    def copyfile(self, source: IO[bytes], outputfile: IO[bytes]) -> None:  # type: ignore[override]
        """Send a file, annexed content at the pace that is set."""
        while block := source.read(16384):
            outputfile.write(block)
            pace = self.server.bytes_per_second if "/annex/objects/" in self.path else None
            if pace and self.server.closing.wait(len(block) / pace):
                return

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def static_server(folder: Path) -> Iterator[StaticServer]:
    """Serve the files of a folder on a free port of this machine."""
    with StaticServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


@functools.cache
def can_mount() -> bool:
    """Return whether this process may mount file systems."""
    try:
        with tmpfs(2**20):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextmanager
def tmpfs(size_bytes: int) -> Iterator[Path]:
    """Mount a file system of a given size, to be filled; see `can_mount`."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs"]
        subprocess.run(["mount", *options, folder], check=True, capture_output=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True, capture_output=True)
