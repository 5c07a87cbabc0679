from __future__ import annotations

import subprocess
import sys

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
