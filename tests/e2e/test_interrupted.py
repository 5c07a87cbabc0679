"""A run that is interrupted leaves no process, and goes on where it was."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import SMALL, Analysis, analyse, contents


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_goes_on_with_the_same_command(
    dataset: Path, small: Analysis, tmp_path: Path, how: signal.Signals
):
    output_dir, work_dir = tmp_path / "results", tmp_path / "work"
    words = ["run", dataset, output_dir, "participant", "-m", SMALL, "-w", work_dir]
    words += ["--no-figures", "--no-report", "--nprocs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "twolevel", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "run sub-" in line and "done" in line:
            break
    process.send_signal(how)
    process.stdout.close()
    status = process.wait(timeout=60)
    assert status == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    deadline = time.monotonic() + 20
    while (left := children_of_work(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
    text = analyse(dataset, output_dir, "participant")
    assert ": failed" not in text
    assert re.search(r"run sub-\d+ run-\d: cached|6 runs \(\d done, \d cached\)", text)
    subjects = {k: v for k, v in contents(output_dir).items() if k.startswith("sub-")}
    expected = {k: v for k, v in contents(small.output_dir).items() if k.startswith("sub-")}
    assert subjects == expected


def children_of_work(folder: Path) -> list[str]:
    """Return the processes that still work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in os.readlink(entry / "cwd"):  # noqa: PTH115  # of another process
                found.append(entry.name)
        except OSError:
            continue
    return found
