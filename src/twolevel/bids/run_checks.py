"""Every check of one run that can be made before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from twolevel.bids.annex import is_absent
from twolevel.bids.confounds import confound_names, read_confounds
from twolevel.bids.events import RunEvents, events_of_run
from twolevel.bids.images import check_length, read_header, read_mask
from twolevel.bids.model_checks import check_taken, levels_of, not_taken
from twolevel.bids.not_fetched import not_fetched
from twolevel.bids.run_inputs import (
    ASSUMED,
    RunInputs,
    gather,
    read_timing,
    start_time_source,
)
from twolevel.errors import InputError, Problem, Problems
from twolevel.model.spec import INTERCEPT, is_wild
from twolevel.model.variables import RunVariables, resolve_variables
from twolevel.notes import Note
from twolevel.stats.design import (
    HighPass,
    cosines_among,
    frame_times_of,
    n_cosines,
    one_high_pass,
    refuse_drift_twice,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from twolevel.bids.confounds import RunConfounds
    from twolevel.bids.images import ImageHeader
    from twolevel.bids.layout import RunFiles
    from twolevel.model.spec import Node

__all__ = [
    "CheckedRun",
    "CheckedTables",
    "check_run",
    "check_tables",
    "describe_grid",
    "missing_files",
]


@dataclass(frozen=True)
class CheckedTables:
    """A run whose tables and sidecars have passed their checks.

    Attributes
    ----------
    files : RunFiles
    timing : (float, float)
        Repetition time and start time in seconds.
    variables : RunVariables
        Of the run node, in this run.
    takes_confounds : bool
        The design needs the confounds.
    notes : list of Note
    n_events, n_unused : int
        Events in the scan, and those of them that are in no regressor.
    unused, outside : dict of tuple of str to int
        By ``factor.level``, the latter, and the events outside the scan.
    impulses : bool
        A regressor takes events of no duration.
    """

    files: RunFiles
    timing: tuple[float, float]
    variables: RunVariables
    takes_confounds: bool
    notes: list[Note]
    n_events: int = 0
    n_unused: int = 0
    unused: dict[tuple[str, ...], int] = field(default_factory=dict)
    outside: dict[tuple[str, ...], int] = field(default_factory=dict)
    impulses: bool = False


@dataclass(frozen=True)
class CheckedRun:
    """A run that has passed all its checks.

    Attributes
    ----------
    tables : CheckedTables
    inputs : RunInputs
    header : ImageHeader
        Of the BOLD image.
    mask : ndarray of shape (x, y, z), bool
        The brain mask.
    """

    tables: CheckedTables
    inputs: RunInputs
    header: ImageHeader
    mask: NDArray[np.bool_]


def check_run(files: RunFiles, node: Node, links: dict[str, Path]) -> CheckedRun:
    """Check the files of a run, and that they agree with one another and with the model.

    Parameters
    ----------
    files : RunFiles
    node : Node
        Of the run level.
    links : dict of str to Path
        Datasets by the names that BIDS URIs use.

    Returns
    -------
    CheckedRun

    Raises
    ------
    InputError
        With all offenders of this run.
    """
    downsample = node.run_settings.downsample
    problems = Problems()
    there = _present(files, ["bold", "mask"], problems)
    header = mask = None
    if "bold" in there and "mask" in there:
        header = problems.attempt(lambda: _check_images(there["bold"], there["mask"]))
        mask = problems.attempt(lambda: _check_mask(there["mask"], downsample))
    tables = problems.attempt(
        lambda: check_tables(files, node, n_volumes=header.shape[3] if header else None)
    )
    if problems.found or header is None or mask is None or tables is None:
        raise InputError(problems.found)
    inputs = gather(
        files, *tables.timing, links, confounds=tables.takes_confounds, downsample=downsample
    )
    return CheckedRun(tables, inputs, header, mask)


def check_tables(files: RunFiles, node: Node, *, n_volumes: int | None = None) -> CheckedTables:
    """Check the tables and sidecars of a run, and that they agree with the model.

    Parameters
    ----------
    files : RunFiles
    node : Node
        Of the run level.
    n_volumes : int, optional
        Of the image; without it, what depends on the number is left unchecked.

    Returns
    -------
    CheckedTables

    Raises
    ------
    InputError
        With all offenders.
    """
    problems = Problems()
    needed = ["events", *(["confounds"] if node.run_settings.confound_strategy else [])]
    there = _present(files, needed, problems)
    timing = problems.attempt(lambda: read_timing(files)) if files.bold else None
    run = None
    if "events" in there:
        run = problems.attempt(lambda: _read_run(there["events"], node, timing, n_volumes))
    if problems.found or timing is None or run is None:
        raise InputError(problems.found)
    events = run.events
    variables, notes = _check_design(files, node, events, n_volumes, timing)
    check_taken(
        there["events"], run, variables, node, n_volumes * timing[0] if n_volumes else None
    )
    unused = not_taken(events, variables, node.factors)
    taken = events.drop(index=unused)
    takes_confounds = bool(node.run_settings.confound_strategy or variables.confounds)
    return CheckedTables(
        files,
        timing,
        variables,
        takes_confounds,
        [
            *_notes_on_start(files, timing[1]),
            *_notes_on_events(files, run, variables, node),
            *notes,
        ],
        len(events),
        len(unused),
        _counts(events.loc[unused], node),
        _counts(run.outside, node),
        bool((taken["duration"] == 0).any()),
    )


def _counts(events: pd.DataFrame, node: Node) -> dict[tuple[str, ...], int]:
    return {level: len(rows) for level, rows in levels_of(events, node.factors).items()}


def _read_run(
    path: Path, node: Node, timing: tuple[float, float] | None, n_volumes: int | None
) -> RunEvents:
    return events_of_run(
        path,
        node.factors,
        node.x,
        timing=timing,
        n_volumes=n_volumes if timing else None,
    )


def _notes_on_start(files: RunFiles, start_time: float) -> list[Note]:
    if start_time_source(files) != ASSUMED:
        return []
    return [Note(f"the start time is taken to be {ASSUMED}", files.name, f"{start_time:g} s")]


def _notes_on_events(
    files: RunFiles, run: RunEvents, variables: RunVariables, node: Node
) -> list[Note]:
    notes = []
    if run.events.empty and files.events is not None:
        notes.append(Note("no event at all", files.name, files.events.name))
    twice = int(run.events.duplicated(["onset", *node.factors]).sum())
    if twice:
        notes.append(Note("rows of events repeat an onset; they add up", files.name, str(twice)))
    for name in [v for v in variables.conditions if v in run.events]:
        if without := int(run.events[name].isna().sum()):
            what = f"rows with n/a in {name} take no part in it"
            notes.append(Note(what, files.name, f"{without} of {len(run.events)}"))
    return [*notes, *run.notes(files.name)]


def missing_files(files: RunFiles, kinds: Sequence[str]) -> list[Problem]:
    """Describe the files that a run lacks.

    Parameters
    ----------
    files : RunFiles
    kinds : sequence of str
        Of ``bold``, ``mask``, ``events``, ``confounds``.

    Returns
    -------
    list of Problem
    """
    expected = {
        "bold": "*_desc-preproc_bold.nii.gz of this run and space in the derivatives",
        "mask": "*_desc-brain_mask.nii.gz of this run and space in the derivatives",
        "events": "*_events.tsv of this run in the raw dataset",
        "confounds": "*_desc-confounds_timeseries.tsv of this run in the derivatives",
    }
    return [
        Problem(
            f"{files.name}: {'BOLD image' if kind == 'bold' else kind}",
            "missing",
            expected[kind],
            "complete the dataset; leave subject or run out (--exclude-participant-label, "
            "--run-label, --bids-filter-file); or --allow-missing, which leaves out and records "
            "the runs that lack a file",
        )
        for kind in kinds
        if getattr(files, kind) is None
    ]


def _present(files: RunFiles, kinds: Sequence[str], problems: Problems) -> dict[str, Path]:
    """Return the files that are there, and note the others."""
    problems.found.extend(missing_files(files, kinds))
    paths = {kind: path for kind in kinds if (path := getattr(files, kind)) is not None}
    problems.found.extend(not_fetched([path]) for path in paths.values() if is_absent(path))
    return {kind: path for kind, path in paths.items() if not is_absent(path)}


def _check_images(bold: Path, mask: Path) -> ImageHeader:
    header, mask_header = read_header(bold), read_header(mask)
    for path in (bold, mask):
        check_length(path)
    if len(header.shape) != 4 or header.shape[3] < 2:
        raise InputError(
            Problem(str(bold), f"shape {header.shape}", "a 4-D image", "check the preprocessing")
        )
    same_affine = np.allclose(header.affine, mask_header.affine, atol=1e-3)
    if header.shape[:3] != mask_header.shape[:3] or not same_affine:
        raise InputError(
            Problem(
                f"{mask}: grid",
                describe_grid(mask_header),
                f"that of {bold}: {describe_grid(header)}",
                "take mask and image from one run of the preprocessing",
            )
        )
    return header


def _check_mask(path: Path, downsample: int) -> NDArray[np.bool_]:
    """Refuse a mask without a voxel, or with none left after down-sampling."""
    every = (slice(None, None, downsample),) * 3
    mask: NDArray[np.bool_] = read_mask(path)[0][every]
    if not mask.any():
        down = f" among every {downsample}th" if downsample > 1 else ""
        raise InputError(
            Problem(
                str(path),
                f"no voxel{down}",
                "a mask of the brain",
                "use a smaller --downsample" if down else "look at the preprocessing",
            )
        )
    return mask


def describe_grid(header: ImageHeader) -> str:
    """Write shape and affine in a line.

    Parameters
    ----------
    header : ImageHeader

    Returns
    -------
    str
    """
    rows = ["[" + " ".join(f"{v:g}" for v in row) + "]" for row in header.affine[:3]]
    return f"{' x '.join(map(str, header.shape[:3]))} voxels, affine {' '.join(rows)}"


def _check_design(
    files: RunFiles,
    node: Node,
    events: pd.DataFrame,
    n_volumes: int | None,
    timing: tuple[float, float],
) -> tuple[RunVariables, list[Note]]:
    settings = node.run_settings
    without = resolve_variables(node, events, ())
    named = any(x != INTERCEPT and (is_wild(x) or x in without.missing) for x in node.x)
    factor_levels = tuple(f"{factor}." for factor in node.factors)
    only_events = all(x == INTERCEPT or x.startswith(factor_levels) for x in node.x)
    if settings.confound_strategy is None and (only_events or not named):
        return without, _notes_on_design(files, node, without, high_pass=False)
    problems = Problems()
    kinds = ["confounds", *(["confounds_json"] if files.confounds_json else [])]
    there = _present(files, kinds, problems)
    problems.stop_if_any()
    table = there["confounds"]
    variables = resolve_variables(node, events, confound_names(table))
    confounds = read_confounds(
        table,
        files.confounds_json,
        strategy=settings.confound_strategy,
        names=variables.confounds,
    )
    n_rows = len(confounds.regressors)
    if n_rows != (n_volumes or n_rows):
        raise InputError(
            Problem(
                f"confounds: {files.confounds}",
                f"{n_rows} rows",
                f"{n_volumes}, one per volume of {files.bold}",
                "take both from one run of the preprocessing",
            )
        )
    times = frame_times_of(n_rows, *timing)
    high_pass, more = _check_high_pass(files, node, confound_names(table), confounds, times)
    n_drift = n_cosines(high_pass.drift_hz, times) if high_pass.drift_hz else 0
    n_confounds = confounds.regressors.shape[1] - len(high_pass.replaced)
    n_columns = len(variables.conditions) + n_confounds + n_drift + 1
    if len(confounds.kept) <= n_columns:
        raise InputError(
            Problem(
                f"design of {files.name}",
                f"{n_columns} regressors for {len(confounds.kept)} volumes",
                "fewer regressors than volumes",
                "choose fewer confounds" + (", or a lower cut-off" if n_drift else ""),
            )
        )
    notes = _notes_on_design(files, node, variables, high_pass=confounds.high_pass) + more
    unsteady = [c for c in confound_names(table) if c.startswith("non_steady_state_outlier")]
    if len(confounds.kept) == n_rows and not set(unsteady) & set(confounds.regressors):
        what = "volumes in a non-steady state are neither left out nor have a regressor"
        notes += [Note(what, files.name, ", ".join(unsteady))] if unsteady else []
    return variables, notes


def _check_high_pass(
    files: RunFiles,
    node: Node,
    there: Sequence[str],
    confounds: RunConfounds,
    frame_times: NDArray[np.float64],
) -> tuple[HighPass, list[Note]]:
    """Find the one high-pass of a run; refuse what would be two, or half of one."""
    hz = node.high_pass_hz
    taken, offered = cosines_among(confounds.regressors), cosines_among(there)
    high_pass = one_high_pass(confounds.regressors, frame_times, hz)
    if hz is None or not taken:
        if hz is not None:
            refuse_drift_twice(confounds.regressors, frame_times, hz)
        return high_pass, []
    if len(taken) < len(offered):
        raise InputError(
            Problem(
                f"model: X of {files.name}",
                f"{', '.join(taken)} of {len(offered)} cosines among the confounds, and "
                f"HighPassFilterCutoffHz {hz:g}",
                "one high-pass",
                "name all of them (cosine*) or none, or leave HighPassFilterCutoffHz out",
            )
        )
    if not high_pass.replaced:
        return high_pass, []
    if problems := [
        Problem(
            f'contrast "{contrast.name}"',
            f"{', '.join(named)}: a drift of HighPassFilterCutoffHz {hz:g} replaces the cosines",
            "regressors that are in the design",
            "leave the contrast or HighPassFilterCutoffHz out",
        )
        for contrast in node.contrasts
        if (named := sorted(set(contrast.weight_of) & set(taken)))
    ]:
        raise InputError(problems)
    refuse_drift_twice(confounds.regressors.drop(columns=list(taken)), frame_times, hz)
    return high_pass, [
        Note(
            f"HighPassFilterCutoffHz {hz:g} is not that of the confounds' cosines (1/128 Hz): a "
            "drift of that cut-off replaces them",
            files.name,
            f"{n_cosines(hz, frame_times)} columns for {len(taken)}",
        )
    ]


def _notes_on_design(
    files: RunFiles, node: Node, variables: RunVariables, *, high_pass: bool
) -> list[Note]:
    notes = []
    if not high_pass and node.high_pass_hz is None:
        notes.append(
            Note(
                "no high-pass: neither cosines among the confounds nor HighPassFilterCutoffHz in "
                "the model; slow drift stays in the data",
                files.name,
            )
        )
    as_it_is = [name for name, hrf in variables.conditions.items() if hrf is None]
    if as_it_is:
        notes.append(
            Note(
                f"{', '.join(as_it_is)} not convolved with any HRF: sampled as it is",
                files.name,
            )
        )
    in_contrasts = {name for contrast in node.contrasts for name in contrast.weight_of}
    there = f"there are {', '.join(variables.conditions) or 'no conditions'}"
    if needed := [name for name in variables.missing if name in in_contrasts]:
        what = f"no {', '.join(needed)}: contrasts that need it leave the run out"
        notes.append(Note(what, files.name, there, loses_data=True))
    if others := [name for name in variables.missing if name not in in_contrasts]:
        what = f"no {', '.join(others)}: the design goes without it"
        notes.append(Note(what, files.name, there, loses_data=True))
    return notes
