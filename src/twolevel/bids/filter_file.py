"""Filter files in fMRIPrep's form: which images a user wants, by pybids's names of entities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twolevel.bids.wanted import ABSENT, ANY
from twolevel.errors import InputError, Problem, did_you_mean
from twolevel.files.sidecars import read_json
from twolevel.model.nodes import ENTITY_KEYS
from twolevel.notes import Note

if TYPE_CHECKING:
    from pathlib import Path

OPTION = "--bids-filter-file"
PARTS = ("bold", "sbref", "fmap", "t1w", "t2w", "flair", "roi")
SELECTABLE = {name: key for name, key in ENTITY_KEYS.items() if name != "subject"}
# What fMRIPrep itself says of BOLD images: it selects nothing among them.
OF_ALL_BOLD = {
    "datatype": {"func"},
    "suffix": {"bold"},
    "extension": {".nii", ".nii.gz", "nii", "nii.gz"},
}
BY_OPTION = {
    "subject": "--participant-label",
    "space": "--space",
    "resolution": "--space",
    "res": "--space",
}
QUERIES = {"*": ANY, "Query.ANY": ANY, "Query.NONE": ABSENT, "Query.OPTIONAL": None}


def read_filter_file(path: Path) -> tuple[dict[str, tuple[str, ...]], list[Note]]:
    """Read what a filter file selects among the BOLD images.

    Parameters
    ----------
    path : Path
        JSON as fMRIPrep takes it: ``{"bold": {"session": "1", "acquisition": ["mb", null]}}``,
        where null stands for files without the entity and ``"*"`` for any label.

    Returns
    -------
    labels : dict of str to tuple of str
        As `twolevel.bids.layout.Selection` holds them.
    notes : list of Note
        Parts of the file that mean nothing here.

    Raises
    ------
    InputError
        The file is not of this form, or names what cannot be selected by; all offenders.
    """
    content = read_json(path)
    where = f"{OPTION} {path}"
    problems = [
        Problem(
            f"{where}: {part}",
            "a part that fMRIPrep does not know",
            f"one of: {', '.join(PARTS)}; only bold selects something here",
            did_you_mean(part, PARTS) or 'write it as {"bold": {"session": "1"}}',
        )
        for part in content
        if part not in PARTS
    ]
    filters = content.get("bold", {})
    if not isinstance(filters, dict):
        problems.append(
            Problem(f"{where}: bold", repr(filters), "{entity: label, ...}", "correct the file")
        )
        filters = {}
    labels = {}
    for name, value in filters.items():
        if problem := _problem(where, name, value):
            problems.append(problem)
        elif name not in OF_ALL_BOLD and (wanted := _labels(value)):
            labels[SELECTABLE[name]] = wanted
    if problems:
        raise InputError(problems)
    unused = [part for part in content if part != "bold"]
    what = f'{OPTION}: only its part "bold" selects something here; not used'
    return labels, [Note(what, detail=", ".join(unused))] if unused else []


def _problem(where: str, name: str, value: Any) -> Problem | None:
    """Say what is wrong with one entry, if anything is."""
    values = value if isinstance(value, list) else [value]
    place = f"{where}: bold.{name}"
    if name in OF_ALL_BOLD:
        if set(map(str, values)) <= OF_ALL_BOLD[name]:
            return None
        of_bold = " or ".join(sorted(OF_ALL_BOLD[name]))
        return Problem(
            place, repr(value), f"{of_bold}: only BOLD images are analysed", "remove it"
        )
    if name not in SELECTABLE:
        remedy = f"give {BY_OPTION[name]} instead" if name in BY_OPTION else "correct or remove it"
        return Problem(
            place,
            "an entity that nothing is selected by here",
            f"one of: {', '.join(SELECTABLE)}",
            did_you_mean(name, SELECTABLE) or remedy,
        )
    if not values or not all(_is_label(v) for v in values):
        return Problem(
            place, repr(value), 'a label, a list of labels, null or "*"', "correct the entry"
        )
    return None


def _is_label(value: Any) -> bool:
    return value is None or (isinstance(value, (str, int)) and not isinstance(value, bool))


def _labels(value: Any) -> tuple[str, ...]:
    """Write an entry as labels of a selection; nothing where it admits everything."""
    values = value if isinstance(value, list) else [value]
    labels = [ABSENT if v is None else QUERIES.get(str(v), str(v)) for v in values]
    return () if None in labels else tuple(label for label in labels if label is not None)
