"""``twolevel report``."""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING

from twolevel.cli.console import ReportConsole
from twolevel.report.page import write_report

if TYPE_CHECKING:
    import argparse

__all__ = ["execute"]


def execute(arguments: argparse.Namespace) -> int:
    """Make the report of an output directory anew, from its derivatives alone.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        The folder is no output directory of this program.
    """
    path = write_report(arguments.output_dir.resolve())
    console = ReportConsole()
    console.print(f"report        {path}", highlight=False, markup=False, soft_wrap=True)
    if arguments.open:
        webbrowser.open(path.as_uri())
    return 0
