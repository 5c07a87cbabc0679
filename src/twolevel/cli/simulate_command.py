"""``twolevel simulate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.cli.console import ReportConsole
from twolevel.simulate import simulate_dataset

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def simulate(arguments: argparse.Namespace, folder: Path, console: ReportConsole) -> None:
    """Write the dataset and show how far it is.

    Parameters
    ----------
    arguments : argparse.Namespace
        Options of the simulation.
    folder : Path
        Where it goes.
    """
    with console.status("simulating") as status:
        simulate_dataset(
            folder,
            n_subjects=arguments.n_subjects,
            n_runs=arguments.n_runs,
            n_volumes=arguments.n_volumes,
            voxel_size_mm=arguments.voxel_size,
            seed=arguments.random_seed,
            progress=lambda n, total: status.update(f"simulating: run {n} of {total}"),
        )


def execute(arguments: argparse.Namespace) -> int:
    """Simulate a dataset.

    Returns
    -------
    int
        Exit status.
    """
    console = ReportConsole()
    folder = arguments.output_dir.resolve()
    simulate(arguments, folder, console)
    console.print(
        f"dataset      {folder}\nderivatives  {folder / 'derivatives' / 'fmriprep'}\n"
        f"truth        {folder / 'derivatives' / 'truth'}\n\n"
        f"Analyse it:  twolevel run {folder} OUTPUT_DIR all --model balloon",
    )
    return 0
