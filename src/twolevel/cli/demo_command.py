"""``twolevel demo``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.cli import run_command
from twolevel.cli.console import ReportConsole
from twolevel.cli.parser import build_parser
from twolevel.cli.simulate_command import simulate
from twolevel.errors import OutputError, Problem
from twolevel.files.sidecars import read_json, write_json

if TYPE_CHECKING:
    import argparse

RECORD = "demo.json"


def execute(arguments: argparse.Namespace) -> int:
    """Simulate a dataset (unless it is there), analyse it, say where the results are.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    OutputError
        The folder holds something else.
    """
    console = ReportConsole()
    folder = arguments.output_dir.resolve()
    settings = {
        "n_subjects": arguments.n_subjects,
        "n_runs": arguments.n_runs,
        "n_volumes": arguments.n_volumes,
        "voxel_size": arguments.voxel_size,
        "random_seed": arguments.random_seed,
    }
    data = folder / "data"
    record = folder / RECORD  # written when the data are complete
    if not record.is_file() or read_json(record) != settings:
        if folder.exists() and any(folder.iterdir()):
            raise OutputError(
                Problem(
                    f"OUTPUT_DIR {folder}",
                    "a folder with something else in it",
                    "a new folder, or a demo of the same settings",
                    "give another folder, or remove this one",
                )
            )
        simulate(arguments, data, console)
        write_json(record, settings)
    console.print(f"data          {data}")
    words = ["run", str(data), str(folder / "results"), "all", "--model", "balloon"]
    words += ["--work-dir", str(folder / "work"), "--worker", arguments.worker]
    words += ["--nprocs", str(arguments.nprocs)] if arguments.nprocs else []
    words += ["--atlas", str(arguments.atlas)] if arguments.atlas else []
    words += ["--open"] if arguments.open else []
    words += ["--no-figures"] if arguments.no_figures else []
    words += ["--no-report"] if arguments.no_report else []
    words += ["--verbose"] if arguments.verbose else []
    words += ["--debug"] if arguments.debug else []
    return run_command.execute(build_parser().parse_args(words))
