"""Files that dependencies ship, found without importing them: that would take seconds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def shipped_file(package: str, *parts: str) -> Path:
    """Return a file in the folder of an installed package.

    Parameters
    ----------
    *parts : str
        Its place below the folder.

    Raises
    ------
    FileNotFoundError
        The package, or the file in its installed version, is not there.
    """
    spec = find_spec(package)
    path = Path(spec.origin).parent.joinpath(*parts) if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"{package}: no {'/'.join(parts)}; install the version that twolevel asks for"
        )
    return path
