"""The first level side by side with nilearn: ``python -m benchmarks.first_level --help``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.images import REAL, Grid, make_bold, make_mask
from benchmarks.measure import Cost

LONG = Grid((64, 76, 64), 6800, 90_000)  # nilearn issue #5588
FIELDS = ("wall_s", "cpu_s", "peak_gb")


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes
    ----------
    name : str
    grid : Grid
    dtype : str
        Of the stored numbers.
    suffix : str
        ``.nii.gz`` or ``.nii``.
    options : tuple of str
        Of `benchmarks.fit_one`.
    n_mask : int or None
        Voxels of the mask, where it is not that of the grid.
    engines : tuple of str
    """

    name: str
    grid: Grid = REAL
    dtype: str = "float32"
    suffix: str = ".nii.gz"
    options: tuple[str, ...] = ()
    n_mask: int | None = None
    engines: tuple[str, ...] = ("igzip", "twolevel", "nilearn")


CASES = (
    Case("float32 gzip, 5 mm, AR(1)"),
    Case("the same, 1 thread", options=("--threads", "1")),
    Case("int16 gzip, 5 mm, AR(1)", dtype="int16"),
    Case("float32 .nii, 5 mm, AR(1)", suffix=".nii"),
    Case("float64 gzip, 5 mm, AR(1)", dtype="float64"),
    Case("float32 gzip, downsample 2", options=("--downsample", "2")),
    Case("float32 gzip, no smoothing", options=("--fwhm", "0")),
    Case("float32 gzip, 5 mm, OLS", options=("--noise", "ols")),
    Case("float32 gzip, 5 mm, AR(2)", options=("--noise", "ar2")),
    Case("float32 gzip, mask of 4,000 voxels", n_mask=4000),
    Case("6,800 volumes, int16 gzip", LONG, "int16", engines=("igzip", "twolevel")),
    Case(
        "6,800 volumes, 1 GB for the time courses",
        LONG,
        "int16",
        options=("--mem-gb", "1"),
        engines=("igzip", "twolevel"),
    ),
)


def main() -> None:
    """Measure the cases and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--repeat", type=int, default=3, help="measurements of each engine")
    parser.add_argument("--case", type=int, nargs="+", help="numbers of cases (default: all)")
    arguments = parser.parse_args()
    say(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    say("| case | engine | wall s | CPU s | peak GB | nilearn / this | this / igzip |")
    say("|---|---|---|---|---|---|---|")
    for number, case in enumerate(CASES):
        if arguments.case is None or number in arguments.case:
            report(case, run_case(case, arguments.data, arguments.repeat))


def image_of(case: Case, data: Path) -> tuple[Path, Path]:
    """Return image and mask of a case, made where they are not there."""
    grid = case.grid
    stem = f"{'x'.join(map(str, grid.shape))}x{grid.n_volumes}"
    bold = make_bold(data / f"{stem}_{case.dtype}{case.suffix}", grid, case.dtype)
    mask = make_mask(data / f"{stem}_mask-{case.n_mask or grid.n_mask}.nii.gz", grid, case.n_mask)
    return bold, mask


def run_case(case: Case, data: Path, repeat: int) -> dict[str, Cost]:
    """Measure the engines in turn, and return the medians."""
    bold, mask = image_of(case, data)
    found: dict[str, list[dict[str, float]]] = {engine: [] for engine in case.engines}
    for _ in range(repeat):
        for engine in case.engines:
            words = [sys.executable, "-m", "benchmarks.fit_one", engine, str(bold), str(mask)]
            threads = case.options[1] if "--threads" in case.options else str(os.cpu_count())
            done = subprocess.run(
                [*words, *case.options],
                env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
                capture_output=True,
                text=True,
                check=True,
            )
            found[engine].append(json.loads(done.stdout))
    return {
        engine: Cost(*(statistics.median(cost[f] for cost in costs) for f in FIELDS))
        for engine, costs in found.items()
    }


def report(case: Case, costs: dict[str, Cost]) -> None:
    """Print the rows of a case."""
    for engine, cost in costs.items():
        of_nilearn = of_igzip = ""
        if engine == "twolevel":
            of_igzip = f"{cost.wall_s / costs['igzip'].wall_s:.2f} x"
            if theirs := costs.get("nilearn"):
                ratios = [getattr(theirs, field) / getattr(cost, field) for field in FIELDS]
                of_nilearn = "wall {:.1f} x, CPU {:.1f} x, memory {:.1f} x".format(*ratios)
        say(
            f"| {case.name} | {engine} | {cost.wall_s:.2f} | {cost.cpu_s:.2f} | "
            f"{cost.peak_gb:.2f} | {of_nilearn} | {of_igzip} |"
        )


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
