"""What a cached result depends on besides its inputs: the code."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import twolevel

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(twolevel.__file__).parent
OF_NUMBERS = (
    "bids/**/*.py",
    "checks/**/*.py",
    "derivatives/**/*.py",
    "fetch/**/*.py",  # a step that downloads checks what came, and says the timing of runs
    "files/**/*.py",
    "model/**/*.py",
    "numerics/**/*.py",
    "space/**/*.py",
    "stats/**/*.py",
    "tasks/**/*.py",
    "workflow/group.py",  # they say which step gets what
    "workflow/subject.py",
    "errors.py",
    "notes.py",
)
OF_DRAWING = ("report/**/*.py", "tasks/draw.py")
NUMERICAL = (
    "deflate",
    "isal",
    "llvmlite",
    "nibabel",
    "nilearn",
    "numba",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
)
PICTURES = ("matplotlib", "pillow")


def sources_of_numbers() -> list[Path]:
    """List the files that a number may depend on: all that a step executes which computes."""
    return sorted(set(_find(OF_NUMBERS)) - set(_find(OF_DRAWING)))


def sources_of_drawing() -> list[Path]:
    """List the files that a figure may depend on: those of its numbers, and what draws them."""
    return sorted({*_find(OF_NUMBERS), *_find(OF_DRAWING)})


@cache
def numbers_fingerprint() -> str:
    """Digest what numbers depend on: sources of this package, and the numerical libraries.

    Pydra identifies a task by the text of its own body. Helpers, constants and libraries do not
    count there, so that every task that computes takes this as an input.
    """
    return _digest(sources_of_numbers(), NUMERICAL)


@cache
def drawing_fingerprint() -> str:
    """Digest what figures depend on, as the input of every task that draws."""
    return _digest(sources_of_drawing(), (*NUMERICAL, *PICTURES))


def _find(patterns: Sequence[str]) -> list[Path]:
    return [path for pattern in patterns for path in ROOT.glob(pattern)]


def _digest(paths: Sequence[Path], libraries: Sequence[str]) -> str:
    digest = hashlib.sha256(platform.python_version().encode())
    for name in libraries:
        digest.update(f"{name}={version(name)}".encode())
    for path in paths:
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]
