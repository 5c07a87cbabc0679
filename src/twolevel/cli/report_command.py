"""``twolevel report``, and the end of every run."""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING

from twolevel.cli.console import ReportConsole
from twolevel.report.atlas import read_atlas
from twolevel.report.page import write_report

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from twolevel.report.atlas import Atlas


def execute(arguments: argparse.Namespace) -> int:
    """Make the report of an output directory anew, from its derivatives alone.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        The folder is no output directory of this program, or the atlas is none.
    """
    atlas = given_atlas(arguments)
    make_report(arguments, arguments.output_dir.resolve(), atlas, ReportConsole())
    return 0


def given_atlas(arguments: argparse.Namespace) -> Atlas | None:
    """Read the atlas that ``--atlas`` names.

    Returns
    -------
    Atlas or None
        None where the option was not given.

    Raises
    ------
    InputError
        The file is no atlas.
    """
    return None if arguments.atlas is None else read_atlas(arguments.atlas.resolve())


def make_report(
    arguments: argparse.Namespace, output_dir: Path, atlas: Atlas | None, console: ReportConsole
) -> None:
    """Make the report, say where it is, and show it if asked to.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``open``.
    """
    with console.status("making the report"):
        path = write_report(output_dir, atlas)
    console.print(f"report        {path}")
    if arguments.open:
        webbrowser.open(path.as_uri())
