"""The terminal, or whoever reads what is printed."""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console


class ReportConsole(Console):
    """A console that prints what it is given, letter by letter, in lines as long as they are.

    rich takes ``[x]`` in a path for markup and ``:x:`` for a picture. Where nobody reads any more
    (``| head``) it would end the program, and hours of computing with it; this one goes quiet.
    """

    def __init__(self, *, quiet: bool = False, **options: Any) -> None:
        super().__init__(
            markup=False, emoji=False, highlight=False, soft_wrap=True, quiet=quiet, **options
        )
        self._complains = not quiet

    def complain(self, text: str) -> None:
        """Print what went wrong, where errors go."""
        if self._complains:
            ReportConsole(stderr=True).print(text)

    def on_broken_pipe(self) -> None:
        """Print nothing from now on."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())  # what is left in the buffer goes there
        os.close(nowhere)
