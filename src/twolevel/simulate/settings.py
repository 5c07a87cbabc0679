"""What can be asked of the simulation, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twolevel.errors import InputError, Problem
from twolevel.simulate.events import MINIMAL_SCAN_S

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Size and seed of the data set.

    Attributes
    ----------
    n_subjects, n_runs : int
        Subjects, and runs of each.
    voxel_size_mm : float
        Edge of the voxels, mm.
    n_volumes : int
        Volumes of a run.
    repetition_time : float
        Seconds between volumes.
    seed : int
        Fixes every random number.
    """

    n_subjects: int
    n_runs: int
    voxel_size_mm: float
    n_volumes: int
    repetition_time: float
    seed: int

    @property
    def scan_duration(self) -> float:
        """End of the last volume, s."""
        return self.n_volumes * self.repetition_time


LIMITS = {
    "n_subjects": (1, 99),
    "n_runs": (1, 99),
    "voxel_size_mm": (2.0, 6.0),
    "n_volumes": (30, 5000),
    "repetition_time": (0.2, 5.0),
    "seed": (0, 2**32 - 1),
}


def check_settings(settings: Settings, output_dir: Path) -> None:
    """Refuse what cannot be simulated.

    Parameters
    ----------
    settings : Settings
        What was asked for.
    output_dir : Path
        Where to.

    Raises
    ------
    InputError
        A number is out of its range, the scan is too short to hold every trial type, or the
        directory is not empty; all of it at once.
    """
    problems = []
    for name, (low, high) in LIMITS.items():
        value = getattr(settings, name)
        whole = isinstance(low, int)
        kind = "a whole number" if whole else "a number"
        right_type = isinstance(value, int if whole else int | float)
        if not right_type or isinstance(value, bool) or not low <= value <= high:
            problems.append(
                Problem(
                    name, repr(value), f"{kind} from {low} to {high}", "give one in that range"
                )
            )
    if not problems and settings.scan_duration < MINIMAL_SCAN_S:
        problems.append(
            Problem(
                "n_volumes x repetition_time",
                f"a scan of {settings.scan_duration:g} s",
                f"at least {MINIMAL_SCAN_S:g} s, so that every trial type occurs in each run",
                "ask for more volumes",
            )
        )
    if output_dir.exists() and not output_dir.is_dir():
        problems.append(
            Problem(str(output_dir), "a file", "a directory", "give another output directory")
        )
    elif output_dir.is_dir() and any(output_dir.iterdir()):
        problems.append(
            Problem(
                str(output_dir),
                "a directory that is not empty",
                "an empty or a new directory",
                "give another output directory, or empty this one",
            )
        )
    if problems:
        raise InputError(problems)
