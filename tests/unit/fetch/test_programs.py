from __future__ import annotations

import io
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import annexed
import pytest

from twolevel.errors import InputError
from twolevel.fetch import programs
from twolevel.fetch.programs import DATALAD, GIT_ANNEX, call, require_programs, started

ALLOWED = "annex.security.allowed-ip-addresses"
# A program that starts another, says so, and waits.
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("started", flush=True)
time.sleep(60)
"""
# It takes note of being asked to end, and goes on.
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
print("started", flush=True)
while True:
    time.sleep(60)
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from twolevel.fetch.programs import started
held = os.fdopen(int(sys.argv[1]), "wb")  # open for as long as the program that is started runs
with started(["sleep", "60"], cwd=Path.cwd(), url="", stdin=held):
    held.close()
    os.kill(os.getpid(), signal.SIGKILL)
"""

pytestmark = pytest.mark.usefixtures("newcomer")


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., str]:
    """Ask git, called as a program that talks to `url`, for a setting."""

    def ask(key: str, url: str = "") -> str:
        _, out, _ = call(["git", "config", "--get-all", key], cwd=tmp_path, url=url)
        return out

    return ask


def test_programs_beside_this_python_are_found_without_a_path(newcomer, tmp_path):
    (tmp_path / "git").symlink_to(shutil.which("git"))
    newcomer.setenv("PATH", str(tmp_path))
    assert shutil.which(GIT_ANNEX) is None
    require_programs(DATALAD, GIT_ANNEX)  # raises where one is missing


def test_programs_that_are_missing_are_refused_with_what_to_install(newcomer, tmp_path):
    newcomer.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError) as caught:
        require_programs("no-datalad", GIT_ANNEX, "no-annex")
    *missing, missing_git = map(str, caught.value.problems)
    assert missing == [
        f"{name}\n"
        "  found:    not installed\n"
        "  expected: DataLad and git-annex, which fetch datasets\n"
        '  do:       install the extra "fetch": pip install "twolevel[fetch]"'
        for name in ("no-datalad", "no-annex")
    ]
    assert missing_git.startswith("git\n  found:    not installed\n")


def test_a_call_returns_status_output_and_errors(tmp_path):
    words = ["sh", "-c", r"pwd; printf 'a\377b'; echo failed >&2; exit 3"]
    status, out, err = call(words, cwd=tmp_path, url="")
    assert (status, out, err) == (3, f"{tmp_path.resolve()}\na\ufffdb", "failed\n")


def test_a_program_reads_what_it_is_given_and_nothing_otherwise(tmp_path):
    (tmp_path / "names").write_bytes(b"one\0two")
    with (
        (tmp_path / "names").open("rb") as names,
        started(["cat"], cwd=tmp_path, url="", stdin=names) as (process, _),
    ):
        assert stdout(process).read() == "one\0two"
    assert call(["cat"], cwd=tmp_path, url="") == (0, "", "")


def test_git_annex_beside_this_python_is_called_without_a_path(newcomer, tmp_path):
    newcomer.setenv("PATH", os.defpath)
    status, out, _ = call([GIT_ANNEX, "version", "--raw"], cwd=tmp_path, url="")
    assert status == 0
    assert int(out.split(".")[0]) >= 8


def test_nobody_is_asked_for_a_password(newcomer, tmp_path):
    newcomer.delenv("GIT_TERMINAL_PROMPT")
    asked = tmp_path / "asked"
    program = tmp_path / "askpass"
    program.write_text(f"#!/bin/sh\ntouch '{asked}'\necho secret\n")
    program.chmod(0o755)
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        newcomer.setenv(name, str(program))
    question = tmp_path / "question"
    question.write_bytes(b"protocol=https\nhost=example.org\n\n")
    words = ["git", "-c", f"core.askPass={program}", "credential", "fill"]
    with (
        question.open("rb") as stdin,
        started(words, cwd=tmp_path, url="", stdin=stdin) as (process, log),
    ):
        assert process.wait(10) == 128
        assert "terminal prompts disabled" in log()
    assert not asked.exists()


def test_a_program_has_no_terminal_to_ask_on(tmp_path):
    words = [sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"]
    assert call(words, cwd=tmp_path, url="") == (0, "True\n", "")


def test_who_has_no_name_commits_under_that_of_this_program(ask):
    assert ask("user.name") == "twolevel\n"
    assert ask("user.email") == "twolevel@localhost\n"


def test_a_name_that_is_configured_is_kept_and_the_other_added(ask, tmp_path):
    annexed.git(tmp_path, "init", "--quiet")
    annexed.git(tmp_path, "config", "user.name", "Ada")
    assert ask("user.name") == "Ada\n"
    assert ask("user.email") == "twolevel@localhost\n"


def test_settings_in_variables_are_kept(ask, newcomer):
    newcomer.setenv("GIT_CONFIG_COUNT", "2")
    for number, (key, text) in enumerate([("user.email", "ada@example.org"), ("a.b", "c")]):
        newcomer.setenv(f"GIT_CONFIG_KEY_{number}", key)
        newcomer.setenv(f"GIT_CONFIG_VALUE_{number}", text)
    assert ask("user.email") == "ada@example.org\n"
    assert ask("a.b") == "c\n"
    assert ask("user.name") == "twolevel\n"
    assert ask(ALLOWED, "http://127.0.0.1") == "127.0.0.1\n"


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://127.0.0.1:8080/data.git", "127.0.0.1\n"),
        ("https://10.1.2.3/data.git", "10.1.2.3\n"),
        ("http://me:secret@192.168.0.7/data.git", "192.168.0.7\n"),
        ("http://[::1]:80/data.git", "::1\n"),
        ("http://8.8.8.8/data.git", ""),
        ("http://[2606:4700::1111]/data.git", ""),
        ("http://no-such-host.invalid/data.git", ""),
        ("http:///data.git", ""),
        ("ssh://127.0.0.1/data.git", ""),
        ("git@127.0.0.1:data.git", ""),
        ("/data/127.0.0.1", ""),
        ("127.0.0.1", ""),
        ("", ""),
    ],
)
def test_only_a_private_web_server_that_the_user_named_is_allowed(ask, url, addresses):
    assert ask(ALLOWED, url) == addresses


def test_a_name_stands_for_its_private_addresses(ask):
    addresses = ask(ALLOWED, "http://localhost:8080/data.git").split()
    assert addresses
    assert set(addresses) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("stated", ["all", "192.168.0.1"])
def test_what_the_user_allows_is_never_replaced(ask, tmp_path, stated):
    annexed.git(tmp_path, "init", "--quiet")
    annexed.git(tmp_path, "config", ALLOWED, stated)
    assert ask(ALLOWED, "http://127.0.0.1/data.git") == f"{stated}\n"


def stdout(process: subprocess.Popen[str]) -> IO[str]:
    return process.stdout or io.StringIO()


@contextmanager
def all_ended() -> Iterator[int]:
    """Yield the end of a pipe; then see that nobody has it open any more."""
    reading, writing = os.pipe()
    try:
        yield writing
        os.close(writing)
        assert select.select([reading], [], [], 5)[0], "a process is still there"
        assert os.read(reading, 1) == b""
    finally:
        os.close(reading)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_program_and_what_it_started_end_when_the_block_is_left(tmp_path, error):
    with all_ended() as held, os.fdopen(os.dup(held), "wb") as stdin:
        program = started([sys.executable, "-c", PARENT], cwd=tmp_path, url="", stdin=stdin)
        with pytest.raises(error), program as (process, _):  # noqa: PT012
            assert stdout(process).readline() == "started\n"
            raise error
        assert process.returncode == -signal.SIGTERM
        assert stdout(process).closed


def test_a_program_that_does_not_end_when_asked_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "PATIENCE_S", 0.3)
    with started([sys.executable, "-c", STUBBORN], cwd=tmp_path, url="") as (process, _):
        assert stdout(process).readline() == "started\n"
        copy = os.fdopen(os.dup(stdout(process).fileno()))
    assert process.returncode == -signal.SIGKILL
    with copy:
        assert copy.read() == "asked\n"


def test_a_program_that_has_ended_keeps_its_status(tmp_path):
    with started(["sh", "-c", "exit 5"], cwd=tmp_path, url="") as (process, _):
        process.wait(10)
    assert process.returncode == 5


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such request")
def test_a_program_ends_when_this_process_is_killed(tmp_path):
    with all_ended() as held:
        words = [sys.executable, "-c", KILLED, str(held)]
        answer = subprocess.run(
            words, cwd=tmp_path, pass_fds=[held], capture_output=True, check=False
        )
        assert answer.returncode == -signal.SIGKILL, answer.stderr


# It starts another that does not end when asked to.
WITH_STUBBORN_CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", '''
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("started", flush=True)
time.sleep(15)
'''])
time.sleep(15)
"""
# It ends by itself and leaves another behind.
LEAVES_A_CHILD = """
import subprocess
print(subprocess.Popen(["sleep", "15"]).pid, flush=True)
"""


@pytest.mark.parametrize("code", [WITH_STUBBORN_CHILD, LEAVES_A_CHILD])
def test_no_child_outlives_its_program(tmp_path, code, monkeypatch):
    monkeypatch.setattr(programs, "PATIENCE_S", 0.3)
    reading, writing = os.pipe()
    with (
        os.fdopen(writing, "wb") as held,
        started([sys.executable, "-c", code], cwd=tmp_path, url="", stdin=held) as (process, _),
    ):
        assert process.stdout is not None
        process.stdout.readline()
        if code is LEAVES_A_CHILD:
            process.wait()
    assert select.select([reading], [], [], 2)[0]
    os.close(reading)


@pytest.mark.parametrize("url", ["http://a..b/x", "http://[bad/x"])
def test_a_malformed_address_is_left_to_the_program_to_refuse(tmp_path, url):
    assert call(["true"], cwd=tmp_path, url=url)[0] == 0
