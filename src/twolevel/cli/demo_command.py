"""``twolevel demo``."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from twolevel.cli import run_command
from twolevel.cli.console import ReportConsole
from twolevel.cli.option_groups import ProcessOptions, ShownOptions, SimulationOptions, Telling
from twolevel.cli.options import RunOptions
from twolevel.cli.simulate_command import simulate
from twolevel.errors import OutputError, Problem
from twolevel.files.sidecars import read_json, write_json

if TYPE_CHECKING:
    from twolevel.cli.options import DemoOptions

RECORD = "demo.json"
_SHARED = (*fields(Telling), *fields(ProcessOptions), *fields(ShownOptions))


def execute(options: DemoOptions) -> int:
    """Simulate a dataset (unless it is there), analyse it, say where the results are.

    A folder that holds something else is refused.
    """
    console = ReportConsole()
    folder = options.output_dir.resolve()
    settings = {f.name: getattr(options, f.name) for f in fields(SimulationOptions)}
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
        simulate(options, data, console)
        write_json(record, settings)
    console.print(f"data          {data}")
    shared = {f.name: getattr(options, f.name) for f in _SHARED}
    return run_command.execute(
        RunOptions(
            data, folder / "results", "all", model="balloon", work_dir=folder / "work", **shared
        )
    )
