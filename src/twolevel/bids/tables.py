"""Tab-separated tables as BIDS wants them: UTF-8, one header line, ``n/a`` for what is missing."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from twolevel.bids.annex import require_content
from twolevel.bids.atomic import write_bytes
from twolevel.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_tsv", "write_tsv"]


def read_tsv(path: Path | str, *, dtype: Mapping[str, type] | None = None) -> pd.DataFrame:
    """Read a BIDS table; ``n/a`` becomes a missing value, nothing else does.

    Parameters
    ----------
    path : Path or str
        The ``.tsv`` file.
    dtype : mapping of str to type, optional
        Types of columns that must not be guessed (``{"trial_type": str}``).

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    InputError
        The file is no table of that kind.
    """
    path = Path(path)
    require_content(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        _check_fields(path, text)
        return pd.read_csv(
            StringIO(text),
            sep="\t",
            index_col=False,
            na_values=["n/a"],
            keep_default_na=False,
            dtype=dict(dtype) if dtype else None,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(
            Problem(
                str(path),
                f"no readable table ({error})",
                "a tab-separated table in UTF-8 with one header line",
                "look at the file; restore it from its source if it is damaged",
            )
        ) from error


def _check_fields(path: Path, text: str) -> None:
    """Refuse rows with more or fewer fields than the header: columns would be shifted."""
    header, *rows = text.splitlines() or [""]
    n_fields = header.count("\t") + 1
    wrong = [
        f"{number} ({row.count(chr(9)) + 1})"
        for number, row in enumerate(rows, start=2)
        if row.strip() and row.count("\t") + 1 != n_fields
    ]
    commas = n_fields == 1 and "," in header
    if wrong or commas:
        found = (
            "a header without tabs"
            if commas
            else f"other numbers of fields in lines {', '.join(wrong[:8])}"
        )
        raise InputError(
            Problem(
                str(path),
                found,
                f"fields separated by tabs, in each line as many as in the header ({n_fields})",
                "write tabs instead of commas" if commas else "correct these lines",
            )
        )


def write_tsv(path: Path | str, table: pd.DataFrame) -> Path:
    """Write a BIDS table, without the index, floats with all their digits.

    Parameters
    ----------
    path : Path or str
        The ``.tsv`` file; missing folders are made.
    table : pandas.DataFrame
        Missing values are written as ``n/a``.

    Returns
    -------
    Path
        The file written.
    """
    text = StringIO()
    table.to_csv(text, sep="\t", index=False, na_rep="n/a", lineterminator="\n")
    return write_bytes(path, text.getvalue().encode())
