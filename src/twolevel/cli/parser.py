"""The options of every command."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from twolevel.cli.options import (
    add_allow_missing,
    add_downloads,
    add_labels,
    add_leaving_out,
    add_model,
    add_processes,
    add_report,
    add_running,
    add_selection,
    add_simulation,
    add_sources,
)
from twolevel.cli.spelling import HelpfulParser

if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = """\
examples:
  twolevel demo                                    a simulated dataset, analysed, in ./demo
  twolevel validate DATA --model balloon           every check, nothing computed
  twolevel run DATA OUT all --model balloon        the whole analysis
  twolevel run DATA OUT participant --participant-label 01 02 -m model.json -w work
  twolevel run DATA OUT group -m model.json        the group, from the subjects in OUT
  twolevel report OUT --atlas schaefer.nii.gz --open
                                                   the report anew, with regions of another atlas
  twolevel fetch ds000001 DATA --participant-label 01 02 --dry-run
                                                   what would be downloaded, and how much
  twolevel run DATA OUT all -m balloon --fetch --drop
                                                   download, analyse and drop subject by subject

exit status:
  0 all done   1 some subjects or downloads failed, the others are kept   2 usage
  3 input refused before anything was computed   4 internal error
"""


def hyphenated(argv: Sequence[str]) -> list[str]:
    """Write options with hyphens: ``--n_perm`` is ``--n-perm``."""
    result = []
    for word in argv:
        option, equals, value = word.partition("=")
        is_option = option.startswith("--")
        result.append((option.replace("_", "-") if is_option else option) + equals + value)
    return result


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the words of a command; leave the program with status 2 where they are no command.

    Parameters
    ----------
    argv : sequence of str
        Without the name of the program.
    """
    arguments = build_parser().parse_args(hyphenated(argv))
    if arguments.command == "run":
        if arguments.fetch and arguments.analysis_level == "group":
            arguments.refuse(
                "--fetch is for the levels participant and all; group reads no images"
            )
        for option, given in (("--drop", arguments.drop), ("--jobs", arguments.jobs is not None)):
            if given and not arguments.fetch:
                arguments.refuse(f"{option} goes with --fetch")
    if getattr(arguments, "no_report", False):
        for option, given in (("--open", arguments.open), ("--atlas", arguments.atlas)):
            if given:
                arguments.refuse(f"{option} is about the report, which --no-report leaves out")
    return arguments


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = HelpfulParser(
        prog="twolevel",
        description="Which brain regions respond, in this group of people, and how sure are we? "
        "From a BIDS dataset and its fMRIPrep derivatives to group maps and tests.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"twolevel {version('twolevel')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parser.commands = commands.choices

    run = _command(commands, "run", "Analyse a dataset: runs, subjects, group, tests.")
    run.add_argument("bids_dir", type=Path, metavar="BIDS_DIR", help="the raw BIDS dataset")
    run.add_argument("output_dir", type=Path, metavar="OUTPUT_DIR", help="where results go")
    run.add_argument(
        "analysis_level",
        choices=["participant", "group", "all"],
        help="participant: runs and subjects; group: the group, from the subjects in OUTPUT_DIR; "
        "all: one after the other",
    )
    add_selection(run)
    add_model(run)
    add_running(run)
    add_downloads(run)
    add_leaving_out(add_report(run))
    run.set_defaults(refuse=run.error)

    fetch = _command(
        commands,
        "fetch",
        "Clone a dataset and its fMRIPrep derivatives with DataLad, and download only the files "
        "that an analysis needs.",
    )
    fetch.add_argument(
        "dataset",
        metavar="DATASET",
        help="accession at OpenNeuro, as ds000001; any name where --raw and --derivatives say "
        "where the data are",
    )
    fetch.add_argument(
        "target",
        type=Path,
        metavar="TARGET_DIR",
        help="becomes the raw dataset, with the derivatives in derivatives/fmriprep; an earlier "
        "clone is gone on with",
    )
    add_labels(fetch)
    fetch.add_argument(
        "-m", "--model", metavar="FILE|PRESET", help="take task and labels from a model's Input"
    )
    add_sources(fetch)

    validate = _command(commands, "validate", "Make every check of `run`, and compute nothing.")
    validate.add_argument("bids_dir", type=Path, metavar="BIDS_DIR", help="the raw BIDS dataset")
    add_selection(validate)
    add_allow_missing(validate)
    add_model(validate)

    report = _command(
        commands, "report", "Make the report of results anew, from the derivatives alone."
    )
    report.add_argument(
        "output_dir", type=Path, metavar="OUTPUT_DIR", help="of an earlier `twolevel run`"
    )
    add_report(report)

    simulate = _command(
        commands, "simulate", "Write a synthetic BIDS dataset with fMRIPrep-like derivatives."
    )
    simulate.add_argument("output_dir", type=Path, metavar="OUTPUT_DIR", help="a new folder")
    add_simulation(simulate)

    demo = _command(commands, "demo", "Simulate the balloon dataset, analyse it, show the result.")
    demo.add_argument(
        "output_dir",
        type=Path,
        nargs="?",
        default=Path("demo"),
        metavar="OUTPUT_DIR",
        help="a folder for data, work and results (default: ./demo)",
    )
    add_simulation(demo)
    add_processes(demo)
    add_leaving_out(add_report(demo))
    demo.set_defaults(refuse=demo.error)
    return parser


def _command(
    commands: argparse._SubParsersAction[HelpfulParser], name: str, text: str
) -> HelpfulParser:
    parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.commands = commands.choices
    parser.add_argument("-v", "--verbose", action="store_true", help="name every run in the notes")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser
