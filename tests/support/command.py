"""Calling the command as a user does."""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twolevel.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SMALL = Path(__file__).parents[1] / "models" / "small_smdl.json"
NOTHING_DRAWN = ("--no-figures", "--no-report")
PLAIN = ("--worker", "debug", *NOTHING_DRAWN)  # in this process, job after job
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Analysis:
    """A finished call of the command."""

    output_dir: Path
    work_dir: Path
    text: str


@dataclass(frozen=True)
class Answer:
    """What a call of the command answered."""

    status: int
    out: str
    err: str


def answer(*words: object, environment: Mapping[str, str] | None = None) -> Answer:
    """Call the command in this process and return what it answers."""
    out, err = io.StringIO(), io.StringIO()
    given = ["twolevel", *map(str, words)]
    with as_a_process(given, environment or {}), redirect_stdout(out), redirect_stderr(err):
        try:
            status = main()
        except SystemExit as end:  # of the parser
            status = int(end.code or 0)
    return Answer(status, out.getvalue(), err.getvalue())


@contextmanager
def as_a_process(argv: list[str], environment: Mapping[str, str]) -> Iterator[None]:
    """Put back what a call changes of its process, which is that of the tests here."""
    variables, here, given = dict(os.environ), Path.cwd(), sys.argv
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    sys.argv = argv
    os.environ.update(environment)
    try:
        yield
    finally:
        sys.argv = given
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(here)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        gc.unfreeze()  # what is frozen by a command, which ends soon, would stay for all tests


def call(*words: object, status: int = 0, environment: Mapping[str, str] | None = None) -> str:
    """Call the command in this process and return all that it prints."""
    found = answer(*words, environment=environment)
    assert found.status == status, found.out + found.err
    return found.out + found.err


def analyse(
    data: Path,
    output_dir: Path,
    level: str,
    *words: object,
    model: str | Path = SMALL,
    status: int = 0,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run an analysis in this process, with the work directory beside the output directory."""
    return call(
        "run", data, output_dir, level, "-m", model, "-w", output_dir.with_name("work"), *PLAIN,
        *words, status=status, environment=environment,
    )  # fmt: skip


def call_process(
    *words: object, status: int = 0, environment: Mapping[str, str] | None = None
) -> str:
    """Do the same in a process of its own, where that is what is tested."""
    done = subprocess.run(
        [sys.executable, "-m", "twolevel", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file that must be the same bytes: all but logs, figures and the report."""
    return {
        path.relative_to(folder).as_posix(): _without_figures(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.relative_to(folder).parts[0] not in {"logs", "figures", "report.html"}
    }


def _without_figures(path: Path) -> bytes:
    """Read a file; the record of what was published lists figures too, where some were drawn."""
    if path.parent.name != ".twolevel" or path.suffix != ".json":
        return path.read_bytes()
    record = json.loads(path.read_bytes())
    files = {name: of for name, of in record["Files"].items() if not name.startswith("figures/")}
    return json.dumps({**record, "Files": files}).encode()
