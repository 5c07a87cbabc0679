"""The report of 200 subjects: how long it takes to make, how large it is, how fast it opens."""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from browser import open_browser

import twolevel
from benchmarks.first_level import say

N_SIMULATED, N_COPIES = 50, 4
RUN = ("--model", "balloon", "--nprocs", "2")


def main() -> None:
    """Simulate, analyse, make the report, open it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--repeat", type=int, default=3, help="measurements of each")
    arguments = parser.parse_args()
    folder = arguments.data.resolve() / "many_subjects"
    output_dir = folder / "results"
    if not (output_dir / "report.html").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        _simulate(folder / "data")
        _call("run", folder / "data", output_dir, "all", *RUN, "--work-dir", folder / "work")
    making, opening, viewing = [], [], []
    for _ in range(arguments.repeat):
        started = time.monotonic()
        _call("report", output_dir)
        making.append(time.monotonic() - started)
        with open_browser() as browser:
            page = browser.new_page()
            started = time.monotonic()
            page.goto((output_dir / "report.html").as_uri())
            opening.append(time.monotonic() - started)
            started = time.monotonic()
            page.locator("button.start").first.click()
            page.locator("#viewer[data-state=ready]").wait_for()
            viewing.append(time.monotonic() - started)
    n_subjects = len(list(output_dir.glob("sub-*")))
    size = (output_dir / "report.html").stat().st_size
    beside = sum(path.stat().st_size for path in (output_dir / "figures").glob("sub-*.html"))
    say(
        "| subjects | report.html MB | pages of subjects MB | made s | opened s | viewer ready s |"
    )
    say("|---|---|---|---|---|---|")
    seconds = " | ".join(f"{statistics.median(t):.1f}" for t in (making, opening, viewing))
    say(f"| {n_subjects} | {size / 1e6:.1f} | {beside / 1e6:.1f} | {seconds} |")


def _simulate(data: Path) -> None:
    """Simulate some subjects, and copy them under further labels: only the number matters."""
    twolevel.simulate_dataset(
        data, n_subjects=N_SIMULATED, n_runs=2, n_volumes=60, voxel_size_mm=6.0
    )
    for copy in range(1, N_COPIES):
        for folder in sorted([*data.glob("sub-*"), *data.glob("derivatives/fmriprep/sub-*")]):
            label = folder.name.removeprefix("sub-")
            if not label.isdigit() or not folder.is_dir():
                continue
            new = f"sub-{'abc'[copy - 1]}{label}"
            target = folder.with_name(new)
            shutil.copytree(folder, target)
            for path in sorted(p for p in target.rglob("*") if p.is_file()):
                path.rename(path.with_name(path.name.replace(folder.name, new)))
    participants = data / "participants.tsv"
    labels = sorted(path.name for path in data.glob("sub-*") if path.is_dir())
    participants.write_text("participant_id\n" + "\n".join(labels) + "\n")


def _call(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "twolevel", *map(str, words)], check=True)


if __name__ == "__main__":
    main()
