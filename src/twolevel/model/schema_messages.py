"""What a schema found wrong, as found, expected and what to do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from twolevel.errors import Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import ValidationError

LONGEST = 60
LIMITS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
NAMED = {"Nodes": "node", "Contrasts": "contrast"}
KINDS = {
    "string": "text",
    "list": "a list: [...]",
    "dict": "an object: {...}",
    "model": "an object: {...}",
    "dataclass": "an object: {...}",
    "tuple": "a list: [...]",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "finite": "a finite number",
    "too": "at least one value",
}


def schema_problems(
    where: str, content: object, error: ValidationError, known: Sequence[str] = ()
) -> Iterator[Problem]:
    """Say what a schema found wrong, each place once.

    The known keys, which may stand in the outermost object, are for the messages.
    """
    by_place: dict[str, list[Mapping[str, Any]]] = {}
    for detail in error.errors():
        by_place.setdefault(place_of(detail["loc"], content), []).append(detail)
    for place, details in by_place.items():
        first = details[0]
        key = str(first["loc"][-1]) if first["loc"] else ""
        here = f"{where}{place}".rstrip(": ")
        if first["type"] == "missing":
            yield Problem(here, f'no key "{key}"', f'the key "{key}"', "add it")
        elif first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
            yield unknown_key(here, key, known if len(first["loc"]) == 1 else ())
        else:
            expected = " or ".join(dict.fromkeys(_expected(detail) for detail in details))
            choices = re.findall(r"'([^']*)'", expected)
            meant = did_you_mean(str(first["input"]), choices) if choices else ""
            yield Problem(here, shown(first["input"]), expected, meant or "correct the value")


def unknown_key(where: str, key: str, known: Sequence[str]) -> Problem:
    """Describe a key that nobody knows, and those that may stand there if they are known."""
    expected = f"one of the keys {', '.join(known)}" if known else "a key of this object"
    return Problem(
        where,
        "an unknown key",
        expected,
        did_you_mean(key, known) or "correct the spelling or remove it",
    )


def shown(value: object) -> str:
    """Write a value as it stands in the file, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except ValueError:  # a number of thousands of digits
        text = type(value).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def place_of(loc: Sequence[int | str], content: object) -> str:
    """Write where a value is: nodes and contrasts by their names, everything else by keys.

    Names that the schema gives to alternatives are left out.
    """
    place, key = "", ""
    for part in loc:
        if isinstance(content, list) and isinstance(part, int) and part < len(content):
            content = content[part]
            name = content.get("Name") if isinstance(content, dict) else None
            if key in NAMED and isinstance(name, str):
                before = place.removesuffix(key).rstrip(": .")
                place = f'{before}: {NAMED[key]} "{name}"'.removeprefix(": ")
            else:
                place = f"{place}[{part}]"
            key = ""
        elif isinstance(content, dict) and (part in content or part == loc[-1]):
            key, content = str(part), content.get(part)
            place = f"{place}: {key}" if place.endswith('"') else f"{place}.{key}".lstrip(".")
    return place


def _expected(detail: Mapping[str, Any]) -> str:
    limits = detail.get("ctx", {})
    kind = str(detail["type"])
    if kind == "literal_error":
        return f"one of {limits['expected']}".replace(" or ", ", ")
    for sign, words in LIMITS.items():
        if sign in limits:
            return f"a number, {words} {limits[sign]:g}"
    if kind == "string_pattern_mismatch":
        return f"text of the form {limits['pattern']}"
    if kind == "value_error":
        return str(limits["error"])
    return KINDS.get(kind.partition("_")[0], str(detail["msg"]).removeprefix("Input should be "))
