"""Pre-flight: every check that a command makes before it computes, all problems together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolevel.bids.layout import Selection, list_subjects, parse_space
from twolevel.bids.preflight import Plan, check_inputs
from twolevel.bids.selection import choose_subjects
from twolevel.bids.sidecars import read_json
from twolevel.cli.select import labels, make_selection
from twolevel.errors import InputError, OutputError, Problem, Problems
from twolevel.model.override import override
from twolevel.model.read import find_model, read_model
from twolevel.stats.noise import noise_order

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from rich.console import Console

    from twolevel.model.spec import StatsModel

__all__ = [
    "Request",
    "check_enough",
    "check_output",
    "load_request",
    "make_plan",
]

FEWEST = 2


@dataclass(frozen=True)
class Request:
    """What a user asked for, with every path absolute.

    Attributes
    ----------
    bids_dir : Path
    derivatives : tuple of Path
    model : StatsModel
    selection : Selection
        Its subjects are chosen.
    """

    bids_dir: Path
    derivatives: tuple[Path, ...]
    model: StatsModel
    selection: Selection


def load_request(
    arguments: argparse.Namespace, problems: Problems, *, from_data: bool = True
) -> Request | None:
    """Read the model and choose the subjects.

    Parameters
    ----------
    arguments : argparse.Namespace
    problems : Problems
        Takes what is wrong.
    from_data : bool
        Subjects are chosen from the dataset; otherwise only those named (or drawn) are taken.

    Returns
    -------
    Request or None
        None where something is wrong with the model or the selection.
    """
    bids_dir = arguments.bids_dir.resolve()
    if not bids_dir.is_dir():
        problems.found.append(
            Problem(str(bids_dir), "no such folder", "the raw BIDS dataset", "check the path")
        )
        return None
    given = arguments.derivatives or [bids_dir / "derivatives" / "fmriprep"]
    derivatives = tuple(path.resolve() for path in given)
    model = problems.attempt(lambda: _load_model(arguments, bids_dir))
    space = problems.attempt(lambda: parse_space(arguments.space) if arguments.space else None)
    subjects: tuple[str, ...] | None = ()
    wanted = arguments.participant_label or (model.input_filter("subject") if model else ())
    if from_data or arguments.n_subjects is not None:
        subjects = problems.attempt(
            lambda: choose_subjects(
                bids_dir,
                derivatives,
                wanted,
                n_subjects=arguments.n_subjects,
                seed=arguments.random_seed,
            )
        )
        if subjects is None:  # go on with those that are there, so that all problems are listed
            there = list_subjects(bids_dir, *derivatives)
            subjects = tuple(s for s in labels(list(wanted), "sub-") if s in there) or None
    else:
        subjects = labels(list(wanted), "sub-")
    if model is None or subjects is None:
        return None
    selection = make_selection(arguments, model, subjects, space)
    return Request(bids_dir, derivatives, model, selection)


def _load_model(arguments: argparse.Namespace, bids_dir: Path) -> StatsModel:
    model = read_model(find_model(arguments.model, bids_dir))
    options: dict[str, Any] = {
        "smoothing_fwhm_mm": arguments.smoothing_fwhm,
        "downsample": arguments.downsample,
        "engine": arguments.engine,
        # Where nothing is random in the runs, another seed leaves their results valid.
        "seed": arguments.random_seed if _has_random_runs(model) else None,
        "first_level": arguments.first_level,
        "fixed_effects": arguments.fixed_effects,
        "group_input": arguments.group_input,
        "sides": arguments.sides,
        "alpha": arguments.alpha,
        "n_perm": arguments.n_perm,
        "cluster_forming_p": arguments.cluster_forming_p,
        "connectivity": arguments.connectivity,
        "tail": arguments.tail,
    }
    return override(model, options)


def _has_random_runs(model: StatsModel) -> bool:
    run = model.node("run")
    return run is not None and noise_order(run.run_settings.noise_model) > 1


def make_plan(
    request: Request,
    problems: Problems,
    console: Console,
    *,
    with_group: bool,
    images: bool = True,
) -> Plan | None:
    """Check all inputs of the participant level.

    Parameters
    ----------
    request : Request
    problems : Problems
        Takes what is wrong.
    console : rich.console.Console
    with_group : bool
        The group level follows: it needs a Dataset node, and subjects on one grid.
    images : bool
        The images are there and are checked too.

    Returns
    -------
    Plan or None
    """
    with console.status("checking inputs") as status:
        plan = problems.attempt(
            lambda: check_inputs(
                request.bids_dir,
                request.derivatives,
                request.selection,
                request.model,
                progress=lambda n, total: status.update(f"checking inputs: run {n} of {total}"),
                same_grid=with_group,
                images=images,
            )
        )
    if with_group and request.model.node("dataset") is None:
        problems.found.append(
            Problem(
                f'model "{request.model.name}"',
                "no Dataset node",
                "a Dataset node: the group model",
                "add one to the model, or run the participant level only",
            )
        )
    return plan


def check_enough(n_subjects: int) -> None:
    """Refuse too few subjects for a group.

    Parameters
    ----------
    n_subjects : int

    Raises
    ------
    InputError
    """
    if n_subjects < FEWEST:
        raise InputError(
            Problem(
                "group",
                f"{n_subjects} subject{'s' * (n_subjects != 1)}",
                f"at least {FEWEST}",
                "select more subjects, or run the participant level only",
            )
        )


def check_output(output_dir: Path, work_dir: Path, request_dirs: list[Path]) -> None:
    """Refuse folders that must not, or cannot, be written.

    Parameters
    ----------
    output_dir, work_dir : Path
    request_dirs : list of Path
        The raw dataset first, then the derivatives.

    Raises
    ------
    OutputError
    """
    raw, *derivatives = request_dirs
    problems = []
    for option, path in (("OUTPUT_DIR", output_dir), ("--work-dir", work_dir)):
        inside_raw = path == raw or (
            raw in path.parents and raw / "derivatives" not in path.parents
        )
        inside = next((d for d in derivatives if d == path or d in path.parents), None)
        if inside_raw or inside is not None:
            problems.append(
                Problem(
                    f"{option} {path}",
                    f"inside the input {inside or raw}",
                    "a folder outside the data, or one of its own under derivatives/",
                    f"give another {option}",
                )
            )
        elif blocker := _not_writable(path):
            problems.append(
                Problem(
                    f"{option} {path}",
                    blocker,
                    "a folder that can be written",
                    "change its permissions, or give another one",
                )
            )
    if output_dir == work_dir or output_dir in work_dir.parents:
        problems.append(
            Problem(
                f"--work-dir {work_dir}",
                "inside OUTPUT_DIR",
                "a folder outside the results",
                "give another --work-dir",
            )
        )
    description = output_dir / "dataset_description.json"
    if not problems and description.is_file():
        makers = read_json(description).get("GeneratedBy")
        names = [m.get("Name") for m in makers if isinstance(m, dict)] if makers else []
        if names[:1] != ["twolevel"]:
            problems.append(
                Problem(
                    f"OUTPUT_DIR {output_dir}",
                    "a dataset that twolevel did not make",
                    "a new folder, or earlier results of twolevel",
                    "give another OUTPUT_DIR",
                )
            )
    if problems:
        raise OutputError(problems)


def _not_writable(path: Path) -> str:
    existing = next(p for p in (path, *path.parents) if p.exists())
    if not existing.is_dir():
        return f"{existing} is a file"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"{existing} is not writable"
    return ""
