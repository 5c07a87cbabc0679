from __future__ import annotations

import io
import subprocess
import sys

import pytest

from twolevel.cli.console import ReportConsole

WRITER = """
import sys
from twolevel.cli.console import ReportConsole
console = ReportConsole()
for number in range(10_000):
    console.print(f"line {number}")
print("computed to the end", file=sys.stderr)
"""


def test_a_reader_that_goes_away_does_not_end_the_program():
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "line 0\n"
    process.stdout.close()
    assert process.stderr.read() == "computed to the end\n"
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.parametrize(
    "text",
    [
        "log           /data/re*sult? [x]/logs/1.log",
        "[bold]/data[/bold] [/] [red]",
        "/data/:smile:/[link=there]a 100% #1 {a}",
        "sub-01 'run' 3.5 True http://here",
        f"/data/{'long ' * 60}end",
    ],
)
@pytest.mark.parametrize("terminal", [False, True])
def test_every_letter_is_printed(text, terminal):
    screen = io.StringIO()
    ReportConsole(file=screen, force_terminal=terminal, width=60).print(text)
    assert screen.getvalue() == f"{text}\n"
