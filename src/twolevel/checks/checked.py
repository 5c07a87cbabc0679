"""Runs that have passed their checks, and what the checks found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twolevel.bids.run_inputs import RunInputs
    from twolevel.bids.runs import RunFiles
    from twolevel.files.nifti import ImageHeader
    from twolevel.model.variables import RunVariables
    from twolevel.notes import Note
    from twolevel.space.mask import Mask


@dataclass(frozen=True)
class CheckedTables:
    """A run whose tables and sidecars have passed their checks.

    Attributes
    ----------
    timing : (float, float)
        Repetition time and start time in seconds.
    variables : RunVariables
        Of the run node, in this run.
    takes_confounds : bool
        The design needs the confounds.
    n_events, n_unused : int
        Events in the scan, and those of them that are in no regressor.
    unused, outside : dict of tuple of str to int
        By ``factor.level``, the latter, and the events outside the scan.
    impulses : bool
        A regressor takes events of no duration.
    edited : tuple of int
        Rows that each edit of the events changed, dropped or added.
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
    edited: tuple[int, ...] = ()


@dataclass(frozen=True)
class CheckedRun:
    """A run that has passed all its checks.

    Attributes
    ----------
    header : ImageHeader
        Of the BOLD image.
    mask : Mask
        The brain mask.
    """

    tables: CheckedTables
    inputs: RunInputs
    header: ImageHeader
    mask: Mask
