"""What a cached result depends on besides its inputs: the code."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

import twolevel

LIBRARIES = (
    "deflate",
    "isal",
    "llvmlite",
    "matplotlib",
    "nibabel",
    "nilearn",
    "numba",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
)


@cache
def software_fingerprint() -> str:
    """Digest the sources of this package and the versions of the numerical libraries.

    Pydra identifies a task by the text of its own body. Helpers, constants and libraries do not
    count there, so that every task takes this as an input.

    Returns
    -------
    str
        Hexadecimal.
    """
    digest = hashlib.sha256(platform.python_version().encode())
    for name in LIBRARIES:
        digest.update(f"{name}={version(name)}".encode())
    root = Path(twolevel.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]
