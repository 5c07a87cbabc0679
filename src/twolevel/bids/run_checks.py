"""Every check of one run that can be made before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twolevel.bids.annex import is_absent, not_fetched
from twolevel.bids.confounds import confound_names, read_confounds
from twolevel.bids.events import events_within_scan, read_events
from twolevel.bids.images import check_length, read_header, read_mask
from twolevel.bids.run_inputs import RunInputs, gather, read_timing
from twolevel.errors import InputError, Problem, Problems
from twolevel.model.spec import INTERCEPT, is_wild
from twolevel.model.variables import RunVariables, resolve_variables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from twolevel.bids.images import ImageHeader
    from twolevel.bids.layout import RunFiles
    from twolevel.model.spec import Node

__all__ = ["CheckedRun", "check_run", "describe_grid"]


@dataclass(frozen=True)
class CheckedRun:
    """A run that has passed its checks.

    Attributes
    ----------
    files : RunFiles
    inputs : RunInputs
    variables : RunVariables
        Of the run node, in this run.
    header : ImageHeader
        Of the BOLD image.
    mask : ndarray of shape (x, y, z), bool
        The brain mask.
    notes : list of str
        What a user should know although it stops nothing.
    """

    files: RunFiles
    inputs: RunInputs
    variables: RunVariables
    header: ImageHeader
    mask: NDArray[np.bool_]
    notes: list[str]


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
    settings = node.run_settings
    problems = Problems()
    needed = ["bold", "mask", "events", *(["confounds"] if settings.confound_strategy else [])]
    there = _present(files, needed, problems)
    header = timing = events = mask = None
    if "bold" in there and "mask" in there:
        header = problems.attempt(lambda: _check_images(there["bold"], there["mask"]))
        mask = problems.attempt(lambda: _check_mask(there["mask"], settings.downsample))
        timing = problems.attempt(lambda: read_timing(files))
    if "events" in there:
        events = problems.attempt(lambda: read_events(there["events"], node.factors))
    if problems.found or header is None or timing is None or events is None or mask is None:
        raise InputError(problems.found)
    variables, notes = _check_tables(files, node, events, header.shape[3])
    repetition_time, start_time = timing
    within = events_within_scan(events, header.shape[3], repetition_time, start_time)
    if within.note:
        notes.insert(0, f"events of {files.name}: {within.note}")
    twice = int(events.duplicated(["onset", *node.factors]).sum())
    if twice:
        notes.insert(0, f"events of {files.name}: {twice} rows repeat an onset; they add up")
    if events.empty:
        notes.insert(0, f"events of {files.name}: no event at all in {there['events']}")
    takes_confounds = settings.confound_strategy is not None or bool(variables.confounds)
    inputs = gather(
        files,
        repetition_time,
        start_time,
        links,
        confounds=takes_confounds,
        downsample=settings.downsample,
    )
    return CheckedRun(files, inputs, variables, header, mask, notes)


def _present(files: RunFiles, kinds: Sequence[str], problems: Problems) -> dict[str, Path]:
    """Return the files that are there, and note the others."""
    expected = {
        "bold": "*_desc-preproc_bold.nii.gz of this run and space in the derivatives",
        "mask": "*_desc-brain_mask.nii.gz of this run and space in the derivatives",
        "events": "*_events.tsv of this run in the raw dataset",
        "confounds": "*_desc-confounds_timeseries.tsv of this run in the derivatives",
    }
    there = {}
    for kind in kinds:
        path = getattr(files, kind)
        if path is None:
            word = "BOLD image" if kind == "bold" else kind
            problems.found.append(
                Problem(
                    f"{files.name}: {word}",
                    "missing",
                    expected[kind],
                    "complete the dataset, or leave the subject or run out "
                    "(--participant-label, --run-label)",
                )
            )
        elif is_absent(path):
            problems.found.append(not_fetched(path))
        else:
            there[kind] = path
    return there


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
                "look at the preprocessing" + (", or use a smaller --downsample" if down else ""),
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


def _check_tables(
    files: RunFiles, node: Node, events: pd.DataFrame, n_volumes: int
) -> tuple[RunVariables, list[str]]:
    settings = node.run_settings
    without = resolve_variables(node, events, ())
    named = any(x != INTERCEPT and (is_wild(x) or x in without.missing) for x in node.x)
    factor_levels = tuple(f"{factor}." for factor in node.factors)
    only_events = all(x == INTERCEPT or x.startswith(factor_levels) for x in node.x)
    if settings.confound_strategy is None and (only_events or not named):
        return without, _notes_on_design(files, node, without, high_pass=False)
    problems = Problems()
    kinds = ["confounds", *(["confounds_json"] if files.confounds_json is not None else [])]
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
    if len(confounds.regressors) != n_volumes:
        raise InputError(
            Problem(
                f"confounds: {files.confounds}",
                f"{len(confounds.regressors)} rows",
                f"{n_volumes}, one per volume of {files.bold}",
                "take both from one run of the preprocessing",
            )
        )
    n_columns = len(variables.conditions) + confounds.regressors.shape[1] + 1
    if len(confounds.kept) <= n_columns:
        raise InputError(
            Problem(
                f"design of {files.name}",
                f"{n_columns} regressors for {len(confounds.kept)} volumes",
                "fewer regressors than volumes",
                "choose fewer confounds",
            )
        )
    notes = _notes_on_design(files, node, variables, high_pass=confounds.high_pass)
    unsteady = [c for c in confound_names(table) if c.startswith("non_steady_state_outlier")]
    if len(confounds.kept) == n_volumes and not set(unsteady) & set(confounds.regressors):
        notes += [
            f"design of {files.name}: {c} is neither a regressor nor left out" for c in unsteady
        ]
    return variables, notes


def _notes_on_design(
    files: RunFiles, node: Node, variables: RunVariables, *, high_pass: bool
) -> list[str]:
    notes = []
    if not high_pass and node.high_pass_hz is None:
        notes.append(
            f"design of {files.name}: no high-pass: neither cosines among the confounds nor "
            "HighPassFilterCutoffHz in the model; slow drift stays in the data"
        )
    as_it_is = [name for name, hrf in variables.conditions.items() if hrf is None]
    if as_it_is:
        notes.append(
            f"design of {files.name}: {', '.join(as_it_is)} not convolved with any HRF; "
            "sampled at the volumes as it is"
        )
    if variables.missing:
        notes.append(
            f"design of {files.name}: no {', '.join(variables.missing)}; contrasts that need it "
            "leave this run out"
        )
    return notes
