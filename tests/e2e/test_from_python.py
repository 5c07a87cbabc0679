"""`twolevel.run` does what the command does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import PLAIN, SMALL, call, contents

import twolevel

SUBJECTS = ["01", "02"]
# As in a notebook: a loop is running already. The guard is what Python's processes ask for.
SCRIPT = """
import asyncio, json, sys
from pathlib import Path
import twolevel

async def analyse(folder):
    outcome = twolevel.run(
        twolevel.RunOptions(
            folder / "data", folder / "python", "all", model=sys.argv[2], nprocs=2,
            work_dir=folder / "work of python", settings={"alpha": 0.01, "n_perm": 20},
            no_figures=True,
        )
    )
    print(json.dumps({
        "status": outcome.status, "published": outcome.published, "failed": dict(outcome.failed),
        "report": str(outcome.report), "log": str(outcome.log), "files": len(outcome.files),
    }))

if __name__ == "__main__":
    asyncio.run(analyse(Path(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python")
    twolevel.simulate_dataset(
        folder / "data", n_subjects=2, n_runs=1, n_volumes=60, voxel_size_mm=6.0
    )
    return folder


def test_python_writes_the_bytes_of_the_command_and_prints_nothing(folder):
    words = ["run", folder / "data", folder / "command", "all", "-m", SMALL, *PLAIN]
    call(*words, "--alpha", "0.01", "--n-perm", "20", "-w", folder / "work of command")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, folder, SMALL], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)  # nothing else is printed
    assert contents(folder / "python") == contents(folder / "command")
    assert (outcome["status"], outcome["failed"]) == (0, {})
    assert outcome["published"] == [*SUBJECTS, "group"]
    assert outcome["files"] > 50
    assert Path(outcome["report"]) == folder / "python" / "report.html"
    log = Path(outcome["log"])
    record = json.loads(log.with_suffix(".json").read_text())
    assert record["Command"] == (
        f"twolevel run {folder / 'data'} {folder / 'python'} all --model {SMALL} --alpha 0.01 "
        f"--n-perm 20 --nprocs 2 --work-dir '{folder / 'work of python'}' --no-figures"
    )
    assert record["Attempted"] == [*SUBJECTS, "group"]
