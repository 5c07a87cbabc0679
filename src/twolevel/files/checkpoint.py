"""Unfinished permutations: saved after every block, so that an interruption costs one block."""

from __future__ import annotations

from dataclasses import fields
from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from twolevel.files.atomic import write_bytes
from twolevel.stats.permute.state import PermutationState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATE, SHARE = ".npz", ".share"


class Checkpoint:
    """Where the state of one contrast's permutations is kept.

    Parameters
    ----------
    folder : Path
        Of all unfinished permutations.
    key : str
        Changes with everything that changes the result.
    label : str
        What is permuted, for the display of progress.
    """

    def __init__(self, folder: Path, key: str, label: str) -> None:
        self.state_path = folder / f"{key}{STATE}"
        self.share_path = folder / f"{key}{SHARE}"
        self.label = label

    def load(self) -> PermutationState | None:
        """Return the state that was saved; None where there is none, or none that can be read."""
        try:
            with np.load(self.state_path) as saved:
                arrays = {f.name: saved[f.name] for f in fields(PermutationState)}
        except (OSError, EOFError, KeyError, ValueError, BadZipFile):  # by a loss of power, say
            return None
        return PermutationState(**{**arrays, "n_done": int(arrays["n_done"])})

    def save(self, state: PermutationState) -> None:
        """Save a state in place of the last one."""
        content = BytesIO()
        np.savez(content, **vars(state))
        write_bytes(self.state_path, content.getvalue())
        share = state.n_done / len(state.highest)
        write_bytes(self.share_path, f"{share:.4f} {self.label}".encode())

    def remove(self) -> None:
        """Forget the state: all is done."""
        self.state_path.unlink(missing_ok=True)
        self.share_path.unlink(missing_ok=True)


def unfinished_shares(folder: Path) -> Iterator[tuple[str, float]]:
    """Tell how much of each unfinished permutation is done."""
    for path in sorted(folder.glob(f"*{SHARE}")):
        try:
            share, _, label = path.read_text(encoding="utf-8").partition(" ")
        except FileNotFoundError:  # finished meanwhile
            continue
        yield label, float(share)
