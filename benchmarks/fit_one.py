"""Fit one run with one engine, in a process of its own, and print what it took."""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.images import CONTRASTS, design_matrix

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Fit, and print wall time, processor time and peak memory as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=["twolevel", "nilearn", "igzip"])
    parser.add_argument("bold", type=Path)
    parser.add_argument("mask", type=Path)
    parser.add_argument("--fwhm", type=float, default=5.0)
    parser.add_argument("--noise", default="ar1")
    parser.add_argument("--downsample", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--mem-gb", type=float)
    arguments = parser.parse_args()
    function = {"twolevel": _twolevel, "nilearn": _nilearn, "igzip": _igzip}[arguments.engine]
    work = function(arguments)
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    print(
        json.dumps(
            {
                "wall_s": time.perf_counter() - wall,
                "cpu_s": time.process_time() - cpu,
                "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
            }
        )
    )


def _twolevel(arguments: argparse.Namespace) -> Callable[[], None]:
    from twolevel.files.nifti import read_header
    from twolevel.files.run_data import run_blocks
    from twolevel.numerics.kernels import compile_kernels
    from twolevel.numerics.resources import UNLIMITED, Resources
    from twolevel.stats.run.fit import fit_blocks

    compile_kernels()

    def work() -> None:
        n_threads = arguments.threads
        limit = arguments.mem_gb
        memory = int(limit * 1e9) if limit else UNLIMITED.memory_bytes
        blocks = run_blocks(
            arguments.bold,
            arguments.mask,
            smoothing_fwhm_mm=arguments.fwhm,
            downsample=arguments.downsample,
            resources=Resources(n_threads, memory),
        )
        design = design_matrix(read_header(arguments.bold).shape[3])
        fit_blocks(
            blocks,
            design,
            CONTRASTS,
            noise_model=arguments.noise,
            percent=True,
            n_threads=n_threads,
        )

    return work


def _nilearn(arguments: argparse.Namespace) -> Callable[[], None]:
    from nibabel import load
    from nilearn.glm.first_level import FirstLevelModel

    def work() -> None:
        bold, mask = load(arguments.bold), load(arguments.mask)
        step = arguments.downsample
        if step > 1:
            bold, mask = (image.slicer[::step, ::step, ::step] for image in (bold, mask))
        model = FirstLevelModel(
            mask_img=mask,
            smoothing_fwhm=arguments.fwhm or None,
            noise_model=arguments.noise,
            signal_scaling=0,
            n_jobs=arguments.threads,
            random_state=0,
        ).fit(
            str(arguments.bold) if step == 1 else bold,
            design_matrices=design_matrix(bold.shape[3]),
        )
        for contrast in CONTRASTS.values():
            maps = model.compute_contrast(contrast, output_type="all")
            for name in ("effect_size", "effect_variance"):
                np.asarray(maps[name].dataobj)

    return work


def _igzip(arguments: argparse.Namespace) -> Callable[[], None]:
    from isal import igzip

    def work() -> None:
        opened = igzip.open if arguments.bold.suffix == ".gz" else open
        with opened(arguments.bold, "rb") as stream:
            while stream.read(1 << 20):
                pass

    return work


if __name__ == "__main__":
    main()
