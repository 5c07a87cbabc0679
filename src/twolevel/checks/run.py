"""Every check of one run that can be made before anything is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.bids.run_inputs import (
    ASSUMED,
    START_TIMES,
    gather,
    read_timing,
    start_time_source,
)
from twolevel.bids.run_tables import events_for
from twolevel.checks.absent import present_files
from twolevel.checks.checked import CheckedRun, CheckedTables
from twolevel.checks.designs import check_design
from twolevel.checks.model import check_taken, levels_of, not_taken
from twolevel.errors import InputError, Problem, Problems
from twolevel.files.maps import read_mask
from twolevel.files.nifti import check_length, read_header
from twolevel.notes import Note

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from twolevel.bids.events import RunEvents
    from twolevel.bids.runs import RunFiles
    from twolevel.files.nifti import ImageHeader
    from twolevel.model.nodes import Node
    from twolevel.model.variables import RunVariables
    from twolevel.space.grid import Grid
    from twolevel.space.mask import Mask


def check_run(files: RunFiles, node: Node, links: dict[str, Path]) -> CheckedRun:
    """Check the files of a run, and that they agree with one another and with the model.

    All offenders of this run are raised at once.
    """
    downsample = node.run_settings.downsample
    problems = Problems()
    there = present_files(files, ["bold", "mask"], problems)
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

    All offenders are raised at once. Without the number of volumes, what depends on it is left
    unchecked.
    """
    problems = Problems()
    needed = ["events", *(["confounds"] if node.run_settings.confound_strategy else [])]
    there = present_files(files, needed, problems)
    timing = problems.attempt(lambda: read_timing(files)) if files.bold else None
    run = None
    if "events" in there:
        within = n_volumes if timing else None
        run = problems.attempt(lambda: events_for(node, there["events"], timing, within))
    if problems.found or timing is None or run is None:
        raise InputError(problems.found)
    events = run.events
    variables, notes = check_design(files, node, events, n_volumes, timing)
    check_taken(
        there["events"], run, variables, node, n_volumes * timing[0] if n_volumes else None
    )
    unused = not_taken(events, variables)
    taken = events.drop(index=unused)
    takes_confounds = bool(
        node.run_settings.confound_strategy or variables.confounds or len(variables.dense)
    )
    return CheckedTables(
        files,
        timing,
        variables,
        takes_confounds,
        [
            *_notes_on_start(files, timing[1]),
            *_notes_on_events(files, run, variables),
            *notes,
        ],
        len(events),
        len(unused),
        _counts(events.loc[unused], variables),
        _counts(run.outside, variables),
        bool((taken["duration"] == 0).any()),
        run.edited.counts if run.edited else (),
    )


def _counts(events: pd.DataFrame, variables: RunVariables) -> dict[tuple[str, ...], int]:
    return {level: len(rows) for level, rows in levels_of(events, variables.factors).items()}


def _notes_on_start(files: RunFiles, start_time: float) -> list[Note]:
    if start_time_source(files) != ASSUMED:
        return []
    what = f"the start time is taken to be {START_TIMES[ASSUMED]}"
    return [Note(what, files.name, f"{start_time:g} s")]


def _notes_on_events(files: RunFiles, run: RunEvents, variables: RunVariables) -> list[Note]:
    notes = []
    if run.events.empty and files.events is not None:
        notes.append(Note("no event at all", files.name, files.events.name))
    twice = int(run.events.duplicated(["onset", *variables.factors]).sum())
    if twice:
        notes.append(Note("rows of events repeat an onset; they add up", files.name, str(twice)))
    for name in [v for v in variables.conditions if v in run.events]:
        if without := int(run.events[name].isna().sum()):
            what = f"rows with n/a in {name} take no part in it"
            notes.append(Note(what, files.name, f"{without} of {len(run.events)}"))
    return [*notes, *run.notes(files.name)]


def _check_images(bold: Path, mask: Path) -> ImageHeader:
    header, mask_header = read_header(bold), read_header(mask)
    for path in (bold, mask):
        check_length(path)
    if len(header.shape) != 4 or header.shape[3] < 2:
        raise InputError(
            Problem(str(bold), f"shape {header.shape}", "a 4-D image", "check the preprocessing")
        )
    if not header.grid.matches(mask_header.grid):
        raise InputError(
            Problem(
                f"{mask}: grid",
                describe_grid(mask_header.grid),
                f"that of {bold}: {describe_grid(header.grid)}",
                "take mask and image from one run of the preprocessing",
            )
        )
    return header


def _check_mask(path: Path, downsample: int) -> Mask:
    """Refuse a mask without a voxel, or with none left after down-sampling."""
    mask = read_mask(path).every(downsample)
    if not mask.n_points:
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


def describe_grid(grid: Grid) -> str:
    """Write shape and affine in a line."""
    rows = ["[" + " ".join(f"{v:g}" for v in row) + "]" for row in grid.affine[:3]]
    return f"{' x '.join(map(str, grid.shape))} voxels, affine {' '.join(rows)}"
