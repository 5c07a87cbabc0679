"""What instructions may look like besides their strict form."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from twolevel.model.declared import key_of
from twolevel.model.transformations.arithmetic import Add, Divide, Multiply, Power, Subtract
from twolevel.model.transformations.combining import And, Or
from twolevel.model.transformations.conditions import (
    PATTERN_SIGNS,
    bare,
    is_condition,
    strict_condition,
)
from twolevel.model.transformations.convolve import Convolve, hrf_of
from twolevel.model.transformations.replacing import Assign, Replace
from twolevel.model.transformations.rows import Filter
from twolevel.model.transformations.variables import level_name, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from twolevel.model.transformations.instruction import Instruction

LARGEST = 1e300
COMMENTS = {"name", "description"}


def strict_form(
    kind: type[Instruction], known: list[str], step: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Write an instruction as it should be, and say what was not.

    Parameters
    ----------
    known : list of str
        Keys of that kind of instruction.
    step : dict
        As the file has it. Name and Description are no keys of an instruction; null is what is not
        stated.

    Returns
    -------
    (dict, list of str)
        Unknown keys are left as they are, for the checks.
    """
    notes: list[str] = []
    by_plain = {key.casefold(): key for key in known}
    lists = {
        key_of(one.name)
        for one in fields(kind)
        if "tuple" in str(one.type) or "Names" in str(one.type)
    }
    strict: dict[str, Any] = {}
    for key, value in step.items():
        if str(key).casefold() in COMMENTS or value is None:
            continue
        right = by_plain.get(str(key).casefold(), key)
        if right != key and right not in step and right not in strict:
            notes.append(f'the key "{key}" is read as "{right}"')
        elif right != key:
            right = key
        strict[right] = value
        if right in lists and isinstance(value, str):
            strict[right] = [value]
            notes.append(f'"{right}": {json.dumps(value)} is read as [{json.dumps(value)}]')
    notes += LENIENT.get(kind, _nothing)(strict)
    return strict, notes


def _nothing(_: dict[str, Any]) -> list[str]:
    return []


def _response(step: dict[str, Any]) -> list[str]:
    """Take ``spm + derivative`` and the like apart."""
    model = step.get("Model")
    if not isinstance(model, str) or (read := hrf_of(model)) is None:
        return []
    base, derivative, dispersion = read
    if model == base:
        return []
    step["Model"] = base
    step.update({"Derivative": True} if derivative else {})
    step.update({"Dispersion": True} if dispersion else {})
    more = "".join(f', "{k}": true' for k in ("Derivative", "Dispersion") if step.get(k) is True)
    return [f'"Model": {json.dumps(model)} is read as "Model": "{base}"{more}']


def _replacements(step: dict[str, Any]) -> list[str]:
    """Make entries of {old: new}, which is strict, and of what bidspm writes."""
    given, notes = step.get("Replace"), []
    if isinstance(given, dict) and {"key", "value"} <= set(given) <= {"key", "value", "regex"}:
        given = [given]
        notes.append('"Replace" is read as a list of one {"key": ..., "value": ...}')
    if isinstance(given, dict):
        step["Replace"] = [{"key": _text(old), "value": new} for old, new in given.items()]
    elif isinstance(given, list):
        step["Replace"] = [dict(one) if isinstance(one, dict) else one for one in given]
        notes += [note for one in step["Replace"] if isinstance(one, dict) for note in _entry(one)]
    if step.get("Attribute") == "amplitude":
        step["Attribute"] = "value"
        notes.append('"Attribute": "amplitude" is read as "value"')
    return notes


def _entry(one: dict[str, Any]) -> list[str]:
    key = _text(one.get("key"))
    one.update({"key": key} if "key" in one else {})
    if isinstance(key, str) and "regex" not in one and PATTERN_SIGNS.search(key):
        one["regex"] = True
        return [f'"key": {json.dumps(key)} is read with "regex": true']
    return []


def _text(key: Any) -> Any:
    """Write a number as the text that stands for it."""
    is_number = isinstance(key, int | float) and not isinstance(key, bool)
    return level_name(key) if is_number and abs(key) < LARGEST else key


def _attributes(step: dict[str, Any]) -> list[str]:
    """Take pybids's word for a value."""
    old = [key for key in ("InputAttr", "TargetAttr") if step.get(key) == "amplitude"]
    step.update(dict.fromkeys(old, "value"))
    return [f'"{key}": "amplitude" is read as "value"' for key in old]


def _condition(step: dict[str, Any]) -> list[str]:
    """Quote text and odd names in a query."""
    query = step.get("Query")
    if not isinstance(query, str):
        return []
    by = [step.get(key, ()) for key in ("Input", "By")]
    names = [n for many in by if isinstance(many, list) for n in many if isinstance(n, str)]
    step["Query"] = strict_condition(query, names)
    return _pattern_or_other("Query", query, step["Query"])


def _conditions(step: dict[str, Any]) -> list[str]:
    """Quote text in the conditions of And and Or."""
    given = step.get("Input")
    if not isinstance(given, list):
        return []
    step["Input"] = [
        strict_condition(n, ()) if isinstance(n, str) and is_condition(n) else n for n in given
    ]
    pairs = zip(given, step["Input"], strict=True)
    return [note for old, new in pairs for note in _pattern_or_other("Input", old, new)]


def _pattern_or_other(key: str, old: Any, new: Any) -> list[str]:
    if old != new:
        return [f'"{key}": {json.dumps(old)} is read as {json.dumps(new)}']
    if isinstance(old, str) and is_condition(old) and bare(old) is not None:
        return [f'"{key}": {json.dumps(old)} is read as a regular expression, as bidspm does']
    return []


def _value(step: dict[str, Any]) -> list[str]:
    """Take a number as text for the number."""
    value = step.get("Value")
    if isinstance(value, str) and not math.isnan(number(value)):
        step["Value"] = number(value)
        return [f'"Value": {json.dumps(value)} is read as {step["Value"]:g}']
    return []


def _value_and_condition(step: dict[str, Any]) -> list[str]:
    return _value(step) + _condition(step)


LENIENT: dict[type[Instruction], Callable[[dict[str, Any]], list[str]]] = {
    Convolve: _response,
    Replace: _replacements,
    Assign: _attributes,
    Filter: _condition,
    And: _conditions,
    Or: _conditions,
    Add: _value_and_condition,
    Subtract: _value_and_condition,
    Multiply: _value_and_condition,
    Divide: _value_and_condition,
    Power: _value_and_condition,
}
