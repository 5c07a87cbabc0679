"""``twolevel simulate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.cli.console import ReportConsole
from twolevel.simulate.dataset import simulate_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.cli.option_groups import SimulationOptions
    from twolevel.cli.options import SimulateOptions


def simulate(options: SimulationOptions, folder: Path, console: ReportConsole) -> None:
    """Write the dataset into a folder and show how far it is."""
    with console.status("simulating") as status:
        simulate_dataset(
            folder,
            n_subjects=options.n_subjects,
            n_runs=options.n_runs,
            n_volumes=options.n_volumes,
            voxel_size_mm=options.voxel_size,
            seed=options.random_seed,
            progress=lambda n, total: status.update(f"simulating: run {n} of {total}"),
        )


def execute(options: SimulateOptions) -> int:
    """Simulate a dataset."""
    console = ReportConsole()
    folder = options.output_dir.resolve()
    simulate(options, folder, console)
    console.print(
        f"dataset      {folder}\nderivatives  {folder / 'derivatives' / 'fmriprep'}\n"
        f"truth        {folder / 'derivatives' / 'truth'}\n\n"
        f"Analyse it:  twolevel run {folder} OUTPUT_DIR all --model balloon",
    )
    return 0
