"""Calling DataLad and git-annex: without a prompt, and without a process left behind."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from twolevel.errors import InputError, Problem
from twolevel.fetch.git import git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DATALAD, GIT_ANNEX = "datalad", "git-annex"
GIT_NEEDED = (2, 31)  # the first that takes settings from variables
PATIENCE_S = 10  # for a program that was asked to end
PR_SET_PDEATHSIG = 1
# No question may be asked: there may be nobody to answer.
SILENT = {
    "LANGUAGE": "C",  # what git says is read
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    # A connection that delivers next to nothing for a minute is given up.
    "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
    "GIT_HTTP_LOW_SPEED_TIME": "60",
}
IDENTITY = {"user.name": "twolevel", "user.email": "twolevel@localhost"}
ALLOWED = "annex.security.allowed-ip-addresses"


def require_programs(*names: str) -> None:
    """Refuse to go on without git and the programs that a download needs; say what to install."""
    problems = [
        Problem(
            name,
            "not installed",
            "DataLad and git-annex, which fetch datasets",
            'install the extra "fetch": pip install "twolevel[fetch]"',
        )
        for name in names
        if _find(name) is None
    ]
    there = _version_of_git()
    if there < GIT_NEEDED:
        found = f"version {'.'.join(map(str, there))}" if there else "not installed"
        needed = ".".join(map(str, GIT_NEEDED))
        problems.append(
            Problem("git", found, f"git {needed} or later", "install it: apt install git")
        )
    if problems:
        raise InputError(problems)


def _version_of_git() -> tuple[int, ...]:
    numbers = re.search(r"(\d+)\.(\d+)", git(Path.cwd(), "--version"))
    return tuple(map(int, numbers.groups())) if numbers else ()


def call(words: Sequence[str], *, cwd: Path, url: str) -> tuple[int, str, str]:
    """Call a program, which will talk to the remote at `url`, and wait for it."""
    with started(words, cwd=cwd, url=url) as (process, log):
        out = process.stdout.read() if process.stdout else ""
        return process.wait(), out, log()


@contextmanager
def started(
    words: Sequence[str], *, cwd: Path, url: str, stdin: IO[bytes] | None = None
) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """Start a program that is ended, with all that it started, when the block is left.

    Parameters
    ----------
    words, cwd, url
        As for `call`.
    stdin : file, optional
        What it reads; nothing by default.

    Yields
    ------
    process : subprocess.Popen
        Its standard output is a pipe.
    log : callable
        Returns what it has written to its standard error.
    """
    name, *rest = words
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:

        def log() -> str:
            errors.seek(0)
            return errors.read()

        process = subprocess.Popen(  # noqa: S603  # no shell, words of this program's own
            [_find(name) or name, *rest],
            cwd=cwd,
            # A clone gets nothing from a repository around it.
            env=_environment(Path(cwd.anchor) if name == DATALAD else cwd, url),
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            start_new_session=True,  # away from the terminal: no prompt, no Ctrl-C
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
        try:
            yield process, log
        finally:
            _end(process)


def _end_with_parent() -> None:
    """Ask the kernel to end this process when the one that started it is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: subprocess.Popen[str]) -> None:
    """End a program and what it started, kindly at first."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what it started may go on without it
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _find(name: str) -> str | None:
    """Find a program beside this Python, or on the path."""
    return shutil.which(name, path=_search_path())


def _search_path() -> str:
    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])


def _environment(cwd: Path, url: str) -> dict[str, str]:
    """Return the environment of a program that neither asks nor wants a name to commit under."""
    environment = {**os.environ, **SILENT, "PATH": _search_path()}
    # git-annex records where content is in commits of its own, and fails without a name for them.
    settings = {key: value for key, value in IDENTITY.items() if not git(cwd, "config", key)}
    if (address := _private_address(url)) and not git(cwd, "config", ALLOWED):
        settings[ALLOWED] = address
    count = int(environment.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(settings.items(), start=count):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    environment["GIT_CONFIG_COUNT"] = str(count + len(settings))
    return environment


def _private_address(url: str) -> str:
    """Return the address of a server on this machine or in this network.

    git-annex connects to public addresses only, so that no dataset can make it ask servers that
    the public cannot reach. A server that the user named is meant.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return ""
        found = {str(info[4][0]) for info in socket.getaddrinfo(parts.hostname, None)}
    except (OSError, ValueError):
        return ""  # no such host, or no address: the program that connects will say so
    return " ".join(sorted(a for a in found if ipaddress.ip_address(a).is_private))
