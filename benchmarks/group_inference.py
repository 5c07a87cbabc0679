"""Permutation inference beside nilearn: ``python -m benchmarks.group_inference --help``."""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.first_level import say
from benchmarks.images import REAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SMOOTHNESS = 1.5  # standard deviation of the noise's Gaussian, in voxels


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes
    ----------
    name : str
    statistics : tuple of str
        Of `twolevel.PermutationSettings`.
    n_perm : int
        Permutations of twolevel.
    n_nilearn : int
        Of nilearn, fewer because each takes so long; 0 for none.
    n_subjects : int
    """

    name: str
    statistics: tuple[str, ...]
    n_perm: int
    n_nilearn: int
    n_subjects: int = 16


CASES = {
    "max-t": Case("max-T", ("voxel",), 10_000, 1000),
    "clusters": Case(
        "cluster size and mass (and max-T)", ("voxel", "clusterSize", "clusterMass"), 10_000, 100
    ),
    "tfce": Case("TFCE (and max-T)", ("voxel", "tfce"), 1000, 20),
    "all": Case("all four", ("voxel", "clusterSize", "clusterMass", "tfce"), 10_000, 0),
    "500": Case("max-T, 500 subjects", ("voxel",), 10_000, 0, 500),
    "1000": Case("max-T, 1,000 subjects", ("voxel",), 10_000, 0, 1000),
}


def main() -> None:
    """Measure the cases and print a table in Markdown, or one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--repeat", type=int, default=3, help="measurements of each")
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--engine", choices=["twolevel", "nilearn"], help="measure one, here")
    arguments = parser.parse_args()
    if arguments.engine:
        _measure_here(arguments)
        return
    say(f"{REAL.n_mask:,} voxels, {arguments.threads} threads\n")
    say("| case | engine | permutations | wall s | ms each | peak GB | nilearn / this |")
    say("|---|---|---|---|---|---|---|")
    for name in arguments.case:
        _compare(name, arguments)


def _compare(name: str, arguments: argparse.Namespace) -> None:
    case = CASES[name]
    _make_maps(arguments.data, case.n_subjects)
    engines = ["twolevel", *(["nilearn"] if case.n_nilearn else [])]
    found: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    for _ in range(arguments.repeat if case.n_nilearn else 1):
        for engine in engines:
            words = ["--case", name, "--engine", engine, "--threads", str(arguments.threads)]
            words += ["--data", str(arguments.data)]
            run = [sys.executable, "-m", "benchmarks.group_inference", *words]
            output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
            found[engine].append(json.loads(output.splitlines()[-1]))
    each = {e: statistics.median(f["wall_s"] / f["n_perm"] for f in found[e]) for e in engines}
    for engine in engines:
        measured = found[engine]
        wall, peak = (statistics.median(m[key] for m in measured) for key in ("wall_s", "peak_gb"))
        ratio = f"{each['nilearn'] / each[engine]:.0f} x" if len(each) > 1 else ""
        say(
            f"| {case.name} | {engine} | {measured[0]['n_perm']:,} | {wall:.1f} | "
            f"{1000 * each[engine]:.3g} | {peak:.2f} | {ratio} |"
        )


def _measure_here(arguments: argparse.Namespace) -> None:
    case = CASES[arguments.case[0]]
    ours = arguments.engine == "twolevel"
    prepare = _twolevel if ours else _nilearn
    work = prepare(case, _make_maps(arguments.data, case.n_subjects), arguments.threads)
    work(32 if ours else 2)  # compiles, loads libraries, starts processes
    n_perm = case.n_perm if ours else case.n_nilearn
    started = time.perf_counter()
    work(n_perm)
    wall = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    say(json.dumps({"n_perm": n_perm, "wall_s": wall, "peak_gb": peak}))


def _twolevel(case: Case, path: Path, n_threads: int) -> Callable[[int], object]:
    import twolevel
    from twolevel.files.stack import StackedMaps
    from twolevel.numerics.relabelings import draw_sign_flips
    from twolevel.numerics.resources import Resources
    from twolevel.stats.permute.model import PermutationModel

    maps, mask = StackedMaps(path), REAL.brain(REAL.n_mask)
    settings = twolevel.PermutationSettings(statistics=case.statistics)  # type: ignore[arg-type]
    ones, n = np.ones((case.n_subjects, 1)), case.n_subjects

    def work(n_perm: int) -> object:
        # As few as asked for, also where all there are would be taken.
        flips = draw_sign_flips(np.arange(n), n_perm, 0, exhaustive_up_to=2)
        none = np.empty((n, 0))
        model = PermutationModel(ones / np.sqrt(n), none, none, n - 1, flips, "t")
        return twolevel.permute_group(maps, mask, model, settings, resources=Resources(n_threads))

    return work


def _nilearn(case: Case, path: Path, n_threads: int) -> Callable[[int], object]:
    import nibabel as nib
    from nilearn.maskers import NiftiMasker
    from nilearn.mass_univariate import permuted_ols

    brain = nib.Nifti1Image(REAL.brain(REAL.n_mask).astype(np.uint8), REAL.affine)
    masker = NiftiMasker(brain).fit()
    maps = np.load(path)

    def work(n_perm: int) -> object:
        return permuted_ols(
            np.ones((len(maps), 1)),
            maps,
            model_intercept=False,
            n_perm=n_perm,
            n_jobs=n_threads,
            random_state=0,
            masker=masker,
            threshold=0.001 if "clusterSize" in case.statistics else None,
            tfce="tfce" in case.statistics,
            output_type="dict",
        )

    return work


def _make_maps(data: Path, n_subjects: int) -> Path:
    """Return smooth noise with an effect in a ball, one row per subject."""
    from twolevel.files.stack import stack_maps

    path = data / f"group-{n_subjects}.npy"
    if not path.is_file():
        data.mkdir(parents=True, exist_ok=True)
        mask = REAL.brain(REAL.n_mask)
        where = np.indices(mask.shape) - np.array(mask.shape).reshape(3, 1, 1, 1) // 2
        effect = ((where**2).sum(axis=0) < 8**2)[mask]
        rng = np.random.default_rng(0)
        partial = path.with_suffix(".part.npy")
        rows = (_smooth_noise(rng, mask) + effect for _ in range(n_subjects))
        stack_maps(partial, rows, (n_subjects, int(mask.sum())))
        partial.rename(path)
    return path


def _smooth_noise(rng: np.random.Generator, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    noise = gaussian_filter(rng.standard_normal(mask.shape, np.float32), SMOOTHNESS)
    values: NDArray[np.float32] = noise[mask]
    values /= values.std()
    return values


if __name__ == "__main__":
    main()
