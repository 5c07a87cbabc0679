"""What a user should know although it stops nothing, said once however often it is true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN = 3


@dataclass(frozen=True)
class Note:
    """One thing that is worth knowing.

    Parameters
    ----------
    what : str
        A phrase that is the same, word for word, wherever the same thing is true: notes are merged
        by it.
    where : str, optional
        Run, subject, contrast or file, as ``sub-01 run-1``; empty where it is about everything.
    detail : str, optional
        What is different from place to place: lines, numbers, names.
    loses_data : bool, optional
        Something is left out of the analysis. Such notes are shown first.
    """

    what: str
    where: str = ""
    detail: str = ""
    loses_data: bool = False


def merged(notes: Iterable[Note], *, every_place: bool = False) -> list[str]:
    """Write notes as lines, those that say the same as one, those that lose data first.

    Only the first places of a note are named, unless every one is wanted with its details.
    """
    places: dict[tuple[bool, str], dict[tuple[str, str], None]] = {}
    for note in notes:
        places.setdefault((not note.loses_data, note.what), {})[note.where, note.detail] = None
    in_order = sorted(places.items(), key=lambda item: item[0][0])
    return [_line(what, list(where), every_place=every_place) for (_, what), where in in_order]


def _line(what: str, places: list[tuple[str, str]], *, every_place: bool) -> str:
    if len(places) == 1:
        ((where, detail),) = places
        return ": ".join(part for part in (where, what, detail) if part)
    if every_place or len(places) <= SHOWN:
        return f"{what}: {'; '.join(': '.join(filter(None, place)) for place in places)}"
    names = list(dict.fromkeys(where or detail for where, detail in places))
    return f"{what}: {len(places)} times: {', '.join(names[:SHOWN])} ... {names[-1]}"
