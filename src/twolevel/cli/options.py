"""The options of the commands, in groups that commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS = 4  # downloads at the same time


def _number(
    kind: type[int] | type[float], low: float, high: float = float("inf"), *, inside: bool = False
) -> Callable[[str], float]:
    """Make a converter that refuses numbers out of range, with argparse's own message."""

    def convert(text: str) -> float:
        value = kind(text)
        if not (low < value < high if inside else low <= value <= high):
            wanted = f"between {low:g} and {high:,}" if high < float("inf") else f"{low:g} or more"
            wanted += ", both excluded" if inside else ""
            raise argparse.ArgumentTypeError(f"{text} is not {wanted}")
        return value

    convert.__name__ = "number" if kind is float else "whole number"
    return convert


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return path


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add which runs are analysed, and where their derivatives are."""
    group = add_labels(parser)
    group.add_argument(
        "-d",
        "--derivatives",
        type=Path,
        action="append",
        metavar="PATH",
        help="fMRIPrep derivatives, repeatable (default: BIDS_DIR/derivatives/fmriprep)",
    )
    group.add_argument(
        "--n-subjects",
        type=_number(int, 1),
        metavar="N",
        help="draw N subjects at random (see --random-seed)",
    )


def add_labels(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add which runs are meant, by their labels; return the group."""
    group = parser.add_argument_group("selection")
    group.add_argument(
        "--participant-label",
        nargs="+",
        default=[],
        metavar="LABEL",
        help="subjects, with or without sub- (default: all)",
    )
    group.add_argument(
        "--exclude-participant-label",
        nargs="+",
        default=[],
        metavar="LABEL",
        help="subjects that are left out, with or without sub-; recorded in excluded.tsv",
    )
    group.add_argument(
        "--session-label", nargs="+", default=[], metavar="LABEL", help="sessions (default: all)"
    )
    group.add_argument(
        "-t",
        "--task-id",
        metavar="TASK",
        help="the task, where neither the model nor the dataset leaves one only",
    )
    group.add_argument(
        "--run-label",
        nargs="+",
        default=[],
        metavar="LABEL",
        help="runs; 1 and 01 are the same (default: all)",
    )
    group.add_argument(
        "--bids-filter-file",
        type=_file,
        metavar="FILE",
        help='JSON as fMRIPrep takes it, {"bold": {"session": "1", "acquisition": ["mb"]}}: '
        'labels by pybids\'s names of entities; null for none, "*" for any',
    )
    group.add_argument(
        "--space",
        metavar="SPACE[:res-R]",
        help="space of the images, as MNI152NLin2009cAsym:res-2; none for images without a space "
        "entity, where that is a space common to all subjects "
        "(default: the only one there, or MNI152NLin2009cAsym)",
    )
    return group


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add where `fetch` takes a dataset from, and how."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--raw", metavar="URL", help="the raw dataset: what DataLad takes, a path too"
    )
    group.add_argument("--derivatives", metavar="URL", help="its fMRIPrep derivatives, likewise")
    for dataset in ("raw", "derivatives"):
        group.add_argument(
            f"--{dataset}-version",
            metavar="VERSION",
            help="tag, branch or commit (default: the newest; an earlier clone stays as it is)",
        )
    _add_jobs(group, default=JOBS)
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="clone without any content, list files and bytes, and download nothing; the last "
        "line is the number of bytes still to be downloaded",
    )


def add_downloads(parser: argparse.ArgumentParser) -> None:
    """Add how `run` downloads."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--fetch",
        action="store_true",
        help="download each subject's images first; needs DataLad clones (see `twolevel fetch`)",
    )
    group.add_argument(
        "--drop",
        action="store_true",
        help="with --fetch: drop a subject's images from the disk once its maps are published, "
        "where git-annex finds another copy",
    )
    _add_jobs(group, default=None)


def _add_jobs(group: argparse._ArgumentGroup, default: int | None) -> None:
    group.add_argument(
        "--jobs",
        type=_number(int, 1),
        default=default,
        metavar="N",
        help=f"files downloaded at the same time (default: {JOBS})",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the model, and what replaces its settings."""
    group = parser.add_argument_group(
        "model",
        "All but --model, --group-mask and --random-seed replace what the model file says.",
    )
    group.add_argument(
        "-m",
        "--model",
        metavar="FILE|PRESET",
        help="BIDS Stats Model, JSON or YAML, or the preset balloon "
        "(default: the only model under BIDS_DIR/models)",
    )
    group.add_argument(
        "--smoothing-fwhm",
        type=_number(float, 0, 100),
        metavar="MM",
        help="Gaussian smoothing of the runs in mm, 0 for none",
    )
    group.add_argument(
        "--downsample",
        type=_number(int, 1),
        metavar="N",
        help="use every Nth voxel along each axis, for a quick look",
    )
    group.add_argument(
        "--engine",
        choices=["twolevel", "nilearn"],
        help="what fits the runs: nilearn gives the same numbers, slowly, for comparison",
    )
    group.add_argument(
        "--first-level",
        choices=["per-run", "multi-run"],
        help="a model per run and then fixed effects, or all runs in one model",
    )
    group.add_argument(
        "--fixed-effects",
        choices=["mean", "precision"],
        help="equal weights for the runs, or weights by inverse variance",
    )
    group.add_argument(
        "--group-input",
        choices=["effect", "t", "z"],
        help="which map of the subjects goes up to the group",
    )
    group.add_argument(
        "--sides",
        type=int,
        choices=[1, 2],
        help="of all tests: 2 both signs, 1 greater than 0 only",
    )
    group.add_argument(
        "--alpha",
        type=_number(float, 0, 1, inside=True),
        metavar="RATE",
        help="error rate of fdr, bonferroni and the family-wise tests "
        "(fpr keeps its rate per voxel)",
    )
    group.add_argument(
        "--n-perm",
        type=_number(int, 2, 1_000_000),
        metavar="N",
        help="permutations (default: the model's; 10000 where it states none, 100 in the preset); "
        "up to 13 subjects all sign flips are used instead",
    )
    group.add_argument(
        "--cluster-forming-p",
        type=_number(float, 0, 0.5, inside=True),
        metavar="P",
        help="voxels with a smaller p form the clusters of the permutation tests (default: 0.001)",
    )
    group.add_argument(
        "--connectivity",
        type=int,
        choices=[6, 18, 26],
        help="neighbours of a voxel in these clusters and in TFCE: by faces, edges, corners "
        "(default: 6)",
    )
    group.add_argument(
        "--tail",
        choices=["gpd"],
        help="read small permutation p from a fitted generalised Pareto tail (approximate)",
    )
    group.add_argument(
        "--group-mask", type=_file, metavar="FILE", help="analyse the group only within this mask"
    )
    group.add_argument(
        "--random-seed",
        type=_number(int, 0),
        default=0,
        metavar="N",
        help="one seed for everything random (default: 0)",
    )


def add_processes(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add how many processes work; return the group."""
    group = parser.add_argument_group("running")
    group.add_argument(
        "--nprocs", type=_number(int, 1), metavar="N", help="processes (default: one per core)"
    )
    group.add_argument(
        "--worker",
        choices=["cf", "debug"],
        default="cf",
        help="cf: a pool of processes; debug: everything in one process (default: cf)",
    )
    return group


def add_running(parser: argparse.ArgumentParser) -> None:
    """Add processes and the work directory."""
    group = add_processes(parser)
    group.add_argument(
        "--omp-nthreads",
        type=_number(int, 1),
        metavar="N",
        help="threads of each process (default: what cores there are, shared by the processes)",
    )
    group.add_argument(
        "--mem-gb",
        type=_number(float, 0.5),
        metavar="GB",
        help="memory for all processes together; a run that needs more is read in several passes "
        "(default: three quarters of the machine's)",
    )
    group.add_argument(
        "-w",
        "--work-dir",
        type=Path,
        default=Path("work"),
        metavar="PATH",
        help="intermediate results, which make a second run short; one directory "
        "per run at a time (default: ./work)",
    )
    group.add_argument(
        "--clean-work-dir",
        action="store_true",
        help="forget all earlier results in the work directory first",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="replace results of another selection (sessions, runs, filters, version of the "
        "derivatives) that lie under the same names in OUTPUT_DIR; they are listed",
    )
    add_allow_missing(group)


def add_allow_missing(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """Add whether an analysis goes on without what is missing."""
    group.add_argument(
        "--allow-missing",
        action="store_true",
        help="leave out runs that lack a file or fail their checks, recorded in excluded.tsv, and "
        "go on to the group when subjects failed or are missing",
    )


def add_report(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add how the report is made and shown; return the group."""
    group = parser.add_argument_group("report")
    group.add_argument(
        "--atlas",
        type=_file,
        metavar="FILE",
        help="names the regions at peaks: a 3-D image of labels, with NAME.tsv (columns index and "
        "name) or NAME.csv beside it (default: Desikan - Killiany, for maps in MNI152 space)",
    )
    group.add_argument("--open", action="store_true", help="show the report in the browser")
    return group


def add_leaving_out(group: argparse._ArgumentGroup) -> None:
    """Add what a run need not make, for the numbers alone."""
    group.add_argument(
        "--no-figures",
        action="store_true",
        help="draw no figures, which takes most of the time of a small analysis; the same call "
        "without this option adds them",
    )
    group.add_argument(
        "--no-report",
        action="store_true",
        help="make no report; `twolevel report OUTPUT_DIR` makes it later",
    )


def add_simulation(parser: argparse.ArgumentParser) -> None:
    """Add what the simulated dataset is like."""
    group = parser.add_argument_group("simulation")
    any_number = float("inf")
    for option, kind, low, high, default, text in (
        ("--n-subjects", int, 1, any_number, 8, "subjects"),
        ("--n-runs", int, 1, any_number, 3, "runs of each"),
        ("--n-volumes", int, 30, any_number, 150, "volumes of each run"),
        ("--voxel-size", float, 2, 6, 4.0, "edge of a voxel in mm, 2 to 6"),
        ("--random-seed", int, 0, any_number, 0, "seed"),
    ):
        group.add_argument(
            option,
            type=_number(kind, low, high),
            default=default,
            metavar="N",
            help=f"{text} (default: {default:g})",
        )
