"""What of an output directory is not whole, so that the report shows the rest and says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from twolevel.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass
class Incomplete:
    """Collects what could not be read: a subject that was published half, a file that was removed.

    Attributes
    ----------
    found : dict of str to str
        What is not shown, and the file that is missing or damaged.
    """

    found: dict[str, str] = field(default_factory=dict)

    def attempt(self, what: str, read: Callable[[], T]) -> T | None:
        """Read something; where a file of it is missing or damaged, take note and return None."""
        try:
            return read()
        except FileNotFoundError as error:
            self.found.setdefault(what, f"missing: {error.filename or error}")
        except InputError as error:
            self.found.setdefault(
                what, "; ".join(f"{problem.where}: {problem.found}" for problem in error.problems)
            )
        return None
