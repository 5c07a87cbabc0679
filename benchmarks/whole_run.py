"""`twolevel run ... participant` from start to published maps, beside a script with nilearn."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import twolevel
from benchmarks.first_level import FIELDS, Case, image_of, say
from benchmarks.images import REAL
from benchmarks.measure import Cost, measure

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Measure one run against nilearn, and a subject with one process and with two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--repeat", type=int, default=3, help="measurements of each")
    arguments = parser.parse_args()
    dataset = _make_dataset(arguments.data)
    say(f"{os.cpu_count()} cores\n")
    say("| what | wall s | CPU s | peak GB |")
    say("|---|---|---|---|")
    one_run = ("--run-label", "1", "--nprocs", "1")
    ways: dict[str, Callable[[], Cost]] = {
        "nilearn, a script for one run": lambda: _nilearn(arguments.data, dataset),
        "twolevel run, one run": lambda: _twolevel(arguments.data, dataset, *one_run),
        "twolevel run, 4 runs, --nprocs 1 --omp-nthreads 1": lambda: _twolevel(
            arguments.data, dataset, "--nprocs", "1", "--omp-nthreads", "1"
        ),
        "twolevel run, 4 runs, --nprocs 2": lambda: _twolevel(
            arguments.data, dataset, "--nprocs", "2"
        ),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(arguments.repeat):
        for name, way in ways.items():
            costs[name].append(way())
    medians = {
        name: Cost(*(statistics.median(getattr(cost, f) for cost in found) for f in FIELDS))
        for name, found in costs.items()
    }
    for name, cost in medians.items():
        say(f"| {name} | {cost.wall_s:.2f} | {cost.cpu_s:.2f} | {cost.peak_gb:.2f} |")
    theirs, ours, alone, beside = medians.values()
    say(
        f"\none run: wall 1/{theirs.wall_s / ours.wall_s:.1f}, "
        f"memory 1/{theirs.peak_gb / ours.peak_gb:.1f} of the script's; "
        f"two processes: {alone.wall_s / beside.wall_s:.2f} x as fast as one with one thread"
    )


def _make_dataset(data: Path) -> Path:
    """Return a dataset of one subject and four runs, with images of real size."""
    dataset = data / "dataset"
    if not dataset.is_dir():
        partial = data / "partial-dataset"
        shutil.rmtree(partial, ignore_errors=True)
        twolevel.simulate_dataset(
            partial, n_subjects=1, n_runs=4, n_volumes=REAL.n_volumes, voxel_size_mm=6
        )
        bold, mask = image_of(Case("real"), data)
        for ending, image in (("preproc_bold", bold), ("brain_mask", mask)):
            for path in partial.glob(f"derivatives/fmriprep/sub-01/func/*_desc-{ending}.nii.gz"):
                path.unlink()
                path.hardlink_to(image)
        partial.rename(dataset)
    return dataset


def _twolevel(data: Path, dataset: Path, *options: str) -> Cost:
    output_dir, work_dir = data / "results", data / "work"
    for folder in (output_dir, work_dir):
        shutil.rmtree(folder, ignore_errors=True)
    words = ["run", str(dataset), str(output_dir), "participant", "-m", "balloon"]
    words += ["-w", str(work_dir), *options]
    return measure([sys.executable, "-m", "twolevel", *words])


def _nilearn(data: Path, dataset: Path) -> Cost:
    folder = dataset / "derivatives" / "fmriprep" / "sub-01" / "func"
    bold = min(folder.glob("*_desc-preproc_bold.nii.gz"))
    script = Path(__file__).with_name("nilearn_script.py")
    maps = data / "nilearn"
    shutil.rmtree(maps, ignore_errors=True)
    return measure([sys.executable, str(script), str(dataset), str(bold), str(maps)])


if __name__ == "__main__":
    main()
