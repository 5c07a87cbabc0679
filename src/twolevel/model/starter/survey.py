"""What a dataset offers to a model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Survey:
    """What a dataset offers to a model of one task.

    Attributes
    ----------
    task : str
        Empty where file names hold none.
    other_tasks : tuple of str
        Those that the model is not for.
    runs : tuple of (str, str)
        Subject and session of each; an empty session where there is none.
    events : pandas.DataFrame
        Of all runs, as text, with the columns that every run has; the first level of the index is
        the run.
    confounds : tuple of str
        Columns that every run has, with a number for each volume but the first.
    some_confounds : tuple of str
        Columns of which that is not true.
    n_without_confounds : int
        Runs whose table of confounds is not there.
    n_volumes : int
        Of the shortest run; 0 where no run has confounds.
    participants : pandas.DataFrame
        Rows of participants.tsv of these subjects, as text, without their labels.
    has_images : bool
        There are preprocessed images.
    """

    task: str
    other_tasks: tuple[str, ...]
    runs: tuple[tuple[str, str], ...]
    events: pd.DataFrame
    confounds: tuple[str, ...] = ()
    some_confounds: tuple[str, ...] = ()
    n_without_confounds: int = 0
    n_volumes: int = 0
    participants: pd.DataFrame = field(default_factory=pd.DataFrame)
    has_images: bool = True

    @property
    def n_subjects(self) -> int:
        """How many subjects have runs."""
        return len({subject for subject, _ in self.runs})

    @property
    def has_sessions(self) -> bool:
        """Whether a subject has several sessions."""
        of_subjects = Counter(subject for subject, _ in set(self.runs))
        return max(of_subjects.values()) > 1
