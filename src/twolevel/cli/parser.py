"""The options of every command."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from typing import TYPE_CHECKING

from twolevel.cli.arguments import add_options, make_options
from twolevel.cli.options import (
    DemoOptions,
    FetchOptions,
    ModelCommandOptions,
    ReportOptions,
    RunOptions,
    SimulateOptions,
    ValidateOptions,
)
from twolevel.cli.spelling import HelpfulParser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twolevel.cli.options import CommandOptions

TEXTS: dict[type[CommandOptions], str] = {
    RunOptions: "Analyse a dataset: runs, subjects, group, tests.",
    FetchOptions: "Clone a dataset and its fMRIPrep derivatives with DataLad, and download only "
    "the files that an analysis needs.",
    ModelCommandOptions: "Write a model to start with, made from what a dataset holds; or print a "
    "preset.",
    ValidateOptions: "Make every check of `run`, and compute nothing.",
    ReportOptions: "Make the report of results anew, from the derivatives alone.",
    SimulateOptions: "Write a synthetic BIDS dataset with fMRIPrep-like derivatives.",
    DemoOptions: "Simulate the balloon dataset, analyse it, show the result.",
}
EPILOG = """\
examples:
  twolevel demo                                    a simulated dataset, analysed, in ./demo
  twolevel model DATA --output model.json          a model of your own data to start with
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


def parse(argv: Sequence[str]) -> CommandOptions:
    """Read the words of a command; leave the program with status 2 where they are no command."""
    parser = build_parser()
    given = parser.parse_args(hyphenated(argv))
    by_name = {cls.COMMAND: cls for cls in TEXTS}
    try:
        return make_options(by_name[given.command], given)
    except ValueError as error:
        parser.commands[given.command].error(str(error))


def build_parser() -> HelpfulParser:
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
    for cls, text in TEXTS.items():
        command = commands.add_parser(cls.COMMAND, help=text, description=text, allow_abbrev=False)
        command.commands = commands.choices
        add_options(command, cls)
    return parser
