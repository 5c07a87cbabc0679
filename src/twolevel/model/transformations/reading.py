"""Reading instructions as files have them, leniently, and writing them strictly."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from json import dumps
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from twolevel.errors import Problem, did_you_mean
from twolevel.model.declared import key_of
from twolevel.model.schema_messages import schema_problems, shown
from twolevel.model.transformations.leniency import strict_form
from twolevel.model.transformations.table import NOT_OFFERED, TRANSFORMATIONS
from twolevel.notes import Note

if TYPE_CHECKING:
    from twolevel.model.transformations.instruction import Instruction

Read = tuple["Instruction | None", list[Problem], list[Note]]


def read_instructions(
    place: str, steps: object
) -> tuple[tuple[Instruction, ...], list[Problem], list[Note]]:
    """Read the instructions of a node.

    Parameters
    ----------
    place : str
        File and node, for the messages.
    steps : list
        As the file has it.

    Returns
    -------
    tuple of Instruction
        Those without a problem, in order.
    list of Problem
        What cannot be carried out, each place.
    list of Note
        What was read otherwise than it is written, with the strict form.
    """
    if not isinstance(steps, list):
        expected = 'a list of instructions: [{"Name": ..., "Input": [...]}]'
        return (), [Problem(place, shown(steps), expected, "correct the list")], []
    read = [_one(f"{place}: instruction {n}", step) for n, step in enumerate(steps, 1)]
    instructions = tuple(instruction for instruction, _, _ in read if instruction is not None)
    problems = [problem for _, found, _ in read for problem in found]
    return instructions, problems, [note for _, _, found in read for note in found]


def written(instruction: Instruction) -> dict[str, Any]:
    """Write an instruction as a file has it, without what is the default."""
    kind = type(instruction)
    said = _checker(kind).dump_python(
        instruction, mode="json", by_alias=True, exclude_defaults=True
    )
    return {"Name": kind.__name__, **instruction.as_in_file(said)}


def keys_of(kind: type[Instruction]) -> list[str]:
    """List the keys of an instruction."""
    return [key_of(one.name) for one in fields(kind)]


def _one(place: str, step: object) -> Read:
    """Read one instruction."""
    name = _name_of(step)
    if not isinstance(step, dict) or name is None:
        expected = '{"Name": ..., "Input": [names of variables]}'
        return None, [Problem(place, shown(step), expected, "correct the instruction")], []
    kind = {_plain(known): one for known, one in TRANSFORMATIONS.items()}.get(_plain(name))
    if kind is None:
        return None, [_not_offered(place, name)], []
    here = f"{place} ({kind.__name__})"
    strict, notes = strict_form(kind, keys_of(kind), step)
    try:
        text = dumps(strict)
    except (TypeError, ValueError) as error:  # YAML has dates; numbers may have too many digits
        expected = "values that JSON has: text, numbers, true, false, lists and objects"
        return None, [Problem(here, str(error), expected, "correct the values")], []
    try:
        instruction = _checker(kind).validate_json(text)
    except ValidationError as error:
        known = ["Name", "Description", *keys_of(kind)]
        return None, list(schema_problems(f"{here}: ", strict, error, known)), []
    if kind.__name__ != name:
        notes.insert(0, f'"{name}" is read as "{kind.__name__}"')
    notes += instruction.remarks()
    return instruction, [], [Note(note, here) for note in notes]


def _name_of(step: object) -> str | None:
    names = (
        [v for k, v in step.items() if str(k).casefold() == "name"]
        if isinstance(step, dict)
        else []
    )
    return names[0] if len(names) == 1 and isinstance(names[0], str) else None


def _plain(name: str) -> str:
    """Reduce a name to what all its spellings share: ``Drop_na`` and ``DropNA``."""
    return "".join(name.split()).replace("_", "").casefold()


def _not_offered(place: str, name: str) -> Problem:
    expected = f"one of {', '.join(sorted(TRANSFORMATIONS))}"
    reasons = {_plain(known): reason for known, reason in NOT_OFFERED.items()}
    remedy = reasons.get(_plain(name)) or did_you_mean(name, TRANSFORMATIONS)
    return Problem(
        place,
        f'the instruction "{name}"',
        expected,
        remedy or "prepare that variable in the events, by Software.twolevel.Events",
    )


@cache
def _checker(kind: type[Instruction]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
