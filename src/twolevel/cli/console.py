"""The terminal, or whoever reads what is printed."""

from __future__ import annotations

import os
import sys

from rich.console import Console

__all__ = ["ReportConsole"]


class ReportConsole(Console):
    """A console that goes quiet when nobody reads it any more (``| head``).

    rich would end the program, and hours of computing with it.
    """

    def on_broken_pipe(self) -> None:
        """Print nothing from now on."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what is left in the buffer goes there
        os.close(nowhere)
