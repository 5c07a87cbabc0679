"""That the design which a model asks for can be made of the tables of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.bids.confounds import RunConfounds, take_confounds
from twolevel.bids.run_tables import confounds_for, variables_of_run
from twolevel.checks.confounds import notes_on_confounds, present_confounds
from twolevel.errors import InputError, Problem
from twolevel.model.nodes import INTERCEPT, is_wild, matches
from twolevel.notes import Note
from twolevel.stats.run.design import frame_times_of, is_unsteady
from twolevel.stats.run.filters import (
    COSINES_HZ,
    HighPass,
    cosines_among,
    n_cosines,
    one_high_pass,
    refuse_drift_twice,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from twolevel.bids.confound_columns import OpenConfounds
    from twolevel.bids.runs import RunFiles
    from twolevel.model.nodes import Node
    from twolevel.model.variables import RunVariables


def check_design(
    files: RunFiles,
    node: Node,
    events: pd.DataFrame,
    n_volumes: int | None,
    timing: tuple[float, float],
) -> tuple[RunVariables, list[Note]]:
    """Find the variables of a run node in a run, and refuse a design that cannot be made of them.

    Parameters
    ----------
    node : Node
        Of the run level.
    events : pandas.DataFrame
        Those that the design can take.
    n_volumes : int or None
        Of the image; None where it is not there yet.
    timing : (float, float)
        Repetition time and start time in seconds.

    Raises
    ------
    InputError
        Confounds are missing or of another length, there are two high-passes, or as many
        regressors as volumes.
    """
    settings = node.run_settings
    by_name = settings.confound_strategy is None and not settings.confounds
    without = _without_confounds(node, events) if by_name else None
    if without is not None:
        notes = _notes_on_design(files, node, without, high_pass=False)
        if n_volumes is not None:
            none = RunConfounds(pd.DataFrame(index=range(n_volumes)), np.arange(n_volumes), False)
            notes += _check_size(files, node, (), without, none, n_volumes, timing)
        return without, notes
    opened = confounds_for(node, present_confounds(files, settings))
    columns = opened.names
    variables = _found(files, node, events, opened)
    confounds = take_confounds(opened, variables.confounds)
    _check_made(files, variables.dense, confounds)
    more = _check_size(files, node, columns, variables, confounds, n_volumes, timing)
    notes = _notes_on_design(files, node, variables, high_pass=confounds.high_pass) + more
    notes += notes_on_confounds(files.name, opened, variables.confounds)
    unsteady = [c for c in columns if is_unsteady(c)]
    all_kept = len(confounds.kept) == len(confounds.regressors)
    if all_kept and not set(unsteady) & set(confounds.regressors):
        what = "volumes in a non-steady state are neither left out nor have a regressor"
        notes += [Note(what, files.name, ", ".join(unsteady))] if unsteady else []
    return variables, notes


def _found(
    files: RunFiles, node: Node, events: pd.DataFrame, opened: OpenConfounds
) -> RunVariables:
    """Find the variables, and say of what run it is that they cannot be made."""
    try:
        return variables_of_run(node, events, opened)
    except InputError as error:
        problems = [replace(p, where=f"{files.name}: {p.where}") for p in error.problems]
        raise InputError(problems) from error


def _check_made(files: RunFiles, made: pd.DataFrame, confounds: RunConfounds) -> None:
    """Refuse what instructions made of confounds where it lacks values, or takes a name."""
    without = [str(c) for c in made if made[c].iloc[confounds.kept].isna().any()]
    twice = [str(c) for c in made if c in confounds.regressors]
    problems = []
    if without:
        problems.append(
            Problem(
                f"{files.name}: Transformations",
                f"no number in some volumes of {', '.join(without)}",
                "a number in every volume but the first",
                "take other confounds, or fill such volumes with Replace",
            )
        )
    if twice:
        problems.append(
            Problem(
                f"{files.name}: Transformations",
                f"{', '.join(twice)}, which ConfoundStrategy takes too",
                "a name of its own for each regressor",
                "give the result another name (Output)",
            )
        )
    if problems:
        raise InputError(problems)


def _without_confounds(node: Node, events: pd.DataFrame) -> RunVariables | None:
    """Find the variables in the events alone; None where the model asks for confounds too."""
    try:
        found = variables_of_run(node, events, None)
    except InputError:
        return None  # an instruction may be about a confound; with these, it says what it lacks
    levels = tuple(f"{factor}." for factor in found.factors)
    others = [x for x in node.x if x != INTERCEPT and not x.startswith(levels)]
    asks = any(is_wild(x) or x in found.missing for x in others)
    return None if asks else found


def _check_size(
    files: RunFiles,
    node: Node,
    there: Sequence[str],
    variables: RunVariables,
    confounds: RunConfounds,
    n_volumes: int | None,
    timing: tuple[float, float],
) -> list[Note]:
    """Refuse confounds of another length than the image, and more regressors than volumes."""
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
    high_pass, more = _check_high_pass(files, node, there, confounds, times)
    n_drift = n_cosines(high_pass.drift_hz, times) if high_pass.drift_hz else 0
    _refuse_empty_band(node.low_pass_hz, high_pass)
    n_fast = 0 if node.low_pass_hz is None else n_rows - 1 - n_cosines(node.low_pass_hz, times)
    n_confounds = confounds.regressors.shape[1] - len(high_pass.replaced)
    n_conditions = sum(len(variables.columns_of(name)) for name in variables.conditions)
    n_columns = n_conditions + variables.dense.shape[1] + n_confounds + n_drift + n_fast + 1
    n_left = len(confounds.kept) - n_columns
    if n_left <= 0:
        of_fast = f", {n_fast} of them above LowPassFilterCutoffHz {node.low_pass_hz}"
        raise InputError(
            Problem(
                f"design of {files.name}",
                f"{n_columns} regressors for {len(confounds.kept)} volumes"
                + of_fast * bool(n_fast),
                "fewer regressors than volumes",
                "choose fewer confounds"
                + (", or a lower cut-off" if n_drift else "")
                + (", or a higher LowPassFilterCutoffHz" if n_fast else ""),
            )
        )
    return [*more, *_notes_on_low_pass(files, node, times, n_fast, n_left)]


def _refuse_empty_band(hz: float | None, high_pass: HighPass) -> None:
    """Refuse a low-pass that leaves no frequency to the high-pass."""
    slow = high_pass.drift_hz or (COSINES_HZ if high_pass.cosines else None)
    if hz is not None and slow is not None and hz <= slow:
        raise InputError(
            Problem(
                "model: LowPassFilterCutoffHz",
                f"{hz:g}, and a high-pass of {slow:g} Hz",
                "a low-pass above the high-pass: frequencies between them stay",
                "correct one of the two, or leave LowPassFilterCutoffHz out",
            )
        )


def _notes_on_low_pass(
    files: RunFiles, node: Node, frame_times: NDArray[np.float64], n_fast: int, n_left: int
) -> list[Note]:
    """Say what a low-pass costs."""
    hz = node.low_pass_hz
    if hz is None:
        return []
    if n_fast <= 0:
        step = float(frame_times[1] - frame_times[0])
        what = (
            f"LowPassFilterCutoffHz {hz:g} takes nothing out: volumes every {step:g} s show no "
            f"frequency above {1 / (2 * step):g} Hz"
        )
        return [Note(what, files.name)]
    what = f"LowPassFilterCutoffHz {hz:g}: each frequency above it is a regressor of the design"
    detail = f"{n_fast} degrees of freedom for {len(frame_times)} volumes; {n_left} are left"
    return [Note(what, files.name, detail)]


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
        if (named := sorted(set(contrast.variables) & set(taken)))
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
    notes = [*variables.notes, *_notes_on_derivatives(node, variables)]
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
    in_contrasts = {name for contrast in node.contrasts for name in contrast.variables}
    there = f"there are {', '.join(variables.conditions) or 'no conditions'}"
    if needed := [name for name in variables.missing if name in in_contrasts]:
        what = f"no {', '.join(needed)}: contrasts that need it leave the run out"
        notes.append(Note(what, files.name, there, loses_data=True))
    if others := [name for name in variables.missing if name not in in_contrasts]:
        what = f"no {', '.join(others)}: the design goes without it"
        notes.append(Note(what, files.name, there, loses_data=True))
    return notes


def _notes_on_derivatives(node: Node, variables: RunVariables) -> list[Note]:
    """Say that regressors are in the design that X does not name."""
    derived = {c for name in variables.conditions for c in variables.columns_of(name)[1:]}
    kinds = [
        kind
        for kind in ("derivative", "dispersion")
        if any(c.endswith(f"_{kind}") and not any(matches(c, x) for x in node.x) for c in derived)
    ]
    what = f"the {' and '.join(kinds)} of responses: in the design although X does not name it"
    return [Note(what)] if kinds else []
