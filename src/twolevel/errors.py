"""Every exception that twolevel raises on purpose.

::

    TwolevelError
    ├── InputError          something in the data, the model or the options is not as it must be
    │   ├── ModelError      the model file
    │   └── OutputError     the output or the work directory
    ├── TransferError       a dataset could not be cloned, or content not downloaded or dropped
    ├── AnalysisError       a step could not be carried out although the input was accepted
    └── DamagedError        a result in the work directory is not what was computed

Library code raises; only ``twolevel.cli`` catches.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """One offender: where, what was found, what was expected, what to do.

    Parameters
    ----------
    where : str
        File, entity or option.
    found : str
        What is there.
    expected : str
        What should be there.
    remedy : str
        What the reader can do about it.
    """

    where: str
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.where}\n"
            f"  found:    {self.found}\n"
            f"  expected: {self.expected}\n"
            f"  do:       {self.remedy}"
        )


@dataclass(frozen=True)
class AbsentContent(Problem):
    """Files whose content has not been fetched.

    Parameters
    ----------
    paths : tuple of Path
        All of them; `where` shows the first ones.
    """

    paths: tuple[Path, ...]


class TwolevelError(Exception):
    """Base of all exceptions of this package."""


class InputError(TwolevelError):
    """Input that is refused, with all its offenders.

    Parameters
    ----------
    problems : Problem or sequence of Problem
        All that is wrong, in the order in which it should be read.
    """

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type, tuple[tuple[Problem, ...]]]:
        """Keep the problems when the exception crosses a process boundary."""
        return (type(self), (self.problems,))


class ModelError(InputError):
    """A model file that cannot be read as a BIDS Stats Model, or asks for what is not offered."""


class OutputError(InputError):
    """An output or work directory that cannot be used."""


class TransferError(TwolevelError):
    """A dataset could not be cloned, or content could not be downloaded or dropped."""


class AnalysisError(TwolevelError):
    """A step failed on input that had passed the checks."""


class DamagedError(TwolevelError):
    """A result in the work directory is not what was computed; it has to be computed again.

    Parameters
    ----------
    tree : Path
        Folder of the result.
    found : str
        What is wrong with it.
    """

    def __init__(self, tree: Path, found: str) -> None:
        self.tree, self.found = tree, found
        super().__init__(f"{tree}: {found}")

    def __reduce__(self) -> tuple[type, tuple[Path, str]]:
        """Keep the folder when the exception crosses a process boundary."""
        return (type(self), (self.tree, self.found))


@dataclass
class Problems:
    """Collects problems, so that they are listed together."""

    found: list[Problem] = field(default_factory=list)

    def attempt(self, function: Callable[[], T]) -> T | None:
        """Call a function and keep the problems that it raises.

        Returns
        -------
        object or None
            What it returned; None where it raised.
        """
        try:
            return function()
        except InputError as error:
            self.found.extend(error.problems)
            return None

    def stop_if_any(self) -> None:
        """Raise all that was collected."""
        if self.found:
            raise InputError(self.found)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Write names in a line, the first ones where they are many."""
    more = f" ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def did_you_mean(name: str, there: Iterable[str]) -> str:
    """Suggest the name that resembles `name` most, as a sentence, or nothing."""
    there = list(there)
    last_parts = [t for t in there if t.split(".")[-1] == name]
    near = (
        last_parts
        or [t for t in there if name in t]
        or difflib.get_close_matches(name, there, n=1)
    )
    return f'Did you mean "{near[0]}"?' if near else ""
