"""Tab-separated tables as BIDS wants them: UTF-8, one header line, ``n/a`` for what is missing.

BIDS knows no quoting: a quotation mark is a character like any other. Files that spreadsheets
wrote are read all the same: see `read_tsv`.
"""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from twolevel.errors import InputError, Problem
from twolevel.files.annex import require_content
from twolevel.files.atomic import write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MISSING = "n/a"
LARGEST_BYTES = 2**29  # a table of half a gigabyte is none
SHOWN = 12
# Rows that were made of others have labels beyond the lines that any file has: see `line_of`.
ROWS_OF_A_FILE = 2**32
LINE_END = re.compile(r"\r\n|\n|\r")  # not str.splitlines, which splits at U+2028 and others too
QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def read_tsv(
    path: Path | str,
    *,
    dtype: Mapping[str, type] | type[str] | None = None,
    used: Callable[[str], bool] | None = None,
) -> pd.DataFrame:
    """Read a BIDS table; ``n/a`` becomes a missing value, nothing else does.

    Lines may end with LF, CR LF or CR. A cell that is wrapped in quotation marks as a whole is
    read without them; any other quotation mark is an ordinary character. Blanks around a cell are
    left out, except where `dtype` asks for text. Lines without any text are no rows.

    Parameters
    ----------
    path : Path or str
        The ``.tsv`` file.
    dtype : mapping of str to type, or str, optional
        Types of columns that must not be guessed (``{"trial_type": str}``); ``str`` for all.
    used : callable, optional
        Tells which columns matter; all of them if it is not given. In the others, text that is not
        UTF-8 is shown with replacement characters, and names may occur twice.

    Returns
    -------
    pandas.DataFrame
        A row for each line with text after the header, indexed so that `line_of` tells its line.

    Raises
    ------
    InputError
        The file is no table of that kind; with the lines.
    """
    path = Path(path)
    header, rows = _cells(path, used)
    if dtype is None or isinstance(dtype, type):
        dtype = dict.fromkeys(header if dtype is str else (), str)
    _check_names(path, header, used)
    as_text = [
        header.index(name) for name, kind in dtype.items() if kind is str and name in header
    ]
    lines = ["\t".join(header), *(_clean_line(cells, as_text) for cells in rows.values())]
    table = pd.read_csv(
        StringIO("\n".join(lines) + "\n"),
        sep="\t",
        index_col=False,
        na_values=[MISSING],
        keep_default_na=False,
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
        dtype=dtype or None,
    )
    if len(table) != len(rows):
        raise InputError(
            _unreadable(path, f"{len(table)} rows read from {len(rows)} lines after the header")
        )
    table.index = pd.Index([line - 2 for line in rows])
    return table


def line_of(index: object) -> int:
    """Return the line of the file, the header being the first, of a row of `read_tsv`.

    A row that was made of another one is labelled as that one, and ``ROWS_OF_A_FILE`` more.
    """
    return int(str(index)) % ROWS_OF_A_FILE + 2


def in_lines(rows: Iterable[object]) -> str:
    """Write where rows of `read_tsv` are (``3, 5, 7``), those beyond a dozen as a number."""
    lines = list(dict.fromkeys(str(line_of(row)) for row in rows))
    more = f" ... {lines[-1]} ({len(lines)} lines)" if len(lines) > SHOWN else ""
    return ", ".join(lines[:SHOWN]) + more


def _cells(
    path: Path, used: Callable[[str], bool] | None
) -> tuple[list[str], dict[int, list[str]]]:
    """Split a file into its header and its rows by line, each with as many cells."""
    require_content(path)
    if path.stat().st_size > LARGEST_BYTES:
        raise InputError(_unreadable(path, f"{path.stat().st_size} bytes"))
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise InputError(_unreadable(path, "text in UTF-16, or no text"))
    # Bytes that are not UTF-8 become surrogates, so that they do no harm where nobody looks.
    text = content.decode("utf-8-sig", errors="surrogateescape")
    first, *others = LINE_END.split(text)
    header = [_shown(_clean(name)) for name in first.split("\t")]
    if not any(header):
        raise InputError(_unreadable(path, "no header" if text.strip() else "nothing"))
    rows = {line: row.split("\t") for line, row in enumerate(others, start=2) if row.strip()}
    _check_fields(path, header, rows)
    if not text.isascii():
        _check_encoding(path, header, rows, used)
    return header, rows


def _clean_line(cells: list[str], as_text: Iterable[int]) -> str:
    """Join the cells of a row; those of columns of text keep their blanks."""
    line = "\t".join(cells)
    if '"' not in line and line.split() == cells:  # most lines need no cleaning
        return line
    clean = [_clean(cell) for cell in cells]
    for index in as_text:
        clean[index] = MISSING if clean[index] == MISSING else _unquoted(cells[index])
    return "\t".join(clean)


def _clean(cell: str) -> str:
    return _unquoted(cell).strip()


def _unquoted(cell: str) -> str:
    """Take away quotation marks around the whole cell; without such, leave it as it is."""
    quoted = QUOTED.fullmatch(cell.strip()) if '"' in cell else None
    return quoted[1].replace('""', '"') if quoted else cell


def _shown(text: str) -> str:
    """Replace what could not be decoded."""
    return text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")


def _unreadable(path: Path, found: str) -> Problem:
    return Problem(
        str(path),
        f"no readable table ({found})",
        "a tab-separated table in UTF-8 with one header line",
        "look at the file; save it again as text in UTF-8, or restore it from its source",
    )


def _check_fields(path: Path, header: list[str], rows: Mapping[int, list[str]]) -> None:
    """Refuse rows with more or fewer fields than the header: columns would be shifted."""
    wrong = [f"{line} ({len(row)})" for line, row in rows.items() if len(row) != len(header)]
    commas = len(header) == 1 and "," in header[0]
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
                f"fields separated by tabs, in each line as many as in the header ({len(header)})",
                "write tabs instead of commas" if commas else "correct these lines",
            )
        )


def _check_encoding(
    path: Path, header: list[str], rows: dict[int, list[str]], used: Callable[[str], bool] | None
) -> None:
    """Replace what is not UTF-8 in columns that nobody uses, and refuse it in the others."""
    offenders = []
    for line, row in rows.items():
        for index, (name, cell) in enumerate(zip(header, row, strict=True)):
            row[index] = _shown(cell)
            if row[index] != cell and (used is None or used(name)):
                offenders.append(f'line {line}, column {name} ("{row[index]}")')
    if offenders:
        raise InputError(_unreadable(path, f"not in UTF-8: {', '.join(offenders[:SHOWN])}"))


def _check_names(path: Path, header: list[str], used: Callable[[str], bool] | None) -> None:
    """Refuse a name that two columns have: nobody could tell which of them is meant."""
    names = [name for name in header if name and (used is None or used(name))]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            Problem(
                str(path),
                f"several columns of the name {', '.join(twice)}",
                "a name of its own for each column",
                "rename or remove the others",
            )
        )


def write_tsv(path: Path | str, table: pd.DataFrame) -> Path:
    """Write a BIDS table, without the index, floats with all their digits; make missing folders.

    Missing values are written as ``n/a``.
    """
    text = StringIO()
    table.to_csv(text, sep="\t", index=False, na_rep="n/a", lineterminator="\n")
    return write_bytes(path, text.getvalue().encode())
