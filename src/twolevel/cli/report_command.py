"""``twolevel report``, and the end of every run."""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING

from twolevel.cli.console import ReportConsole
from twolevel.report.atlas import read_atlas
from twolevel.report.page import write_report

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.cli.option_groups import AtlasOptions
    from twolevel.cli.options import ReportOptions
    from twolevel.report.atlas import Atlas


def execute(options: ReportOptions) -> int:
    """Make the report of an output directory anew, from its derivatives alone."""
    atlas = given_atlas(options)
    make_report(options, options.output_dir.resolve(), atlas, ReportConsole())
    return 0


def given_atlas(options: AtlasOptions) -> Atlas | None:
    """Read the atlas that ``--atlas`` names; None where the option was not given."""
    return None if options.atlas is None else read_atlas(options.atlas.resolve())


def make_report(
    options: AtlasOptions, output_dir: Path, atlas: Atlas | None, console: ReportConsole
) -> Path:
    """Make the report, say where it is, and show it if asked to."""
    with console.status("making the report"):
        path = write_report(output_dir, atlas)
    console.print(f"report        {path}")
    if options.open:
        webbrowser.open(path.as_uri())
    return path
