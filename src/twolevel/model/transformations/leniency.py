"""What instructions may look like besides their strict form."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from twolevel.model.declared import key_of
from twolevel.model.transformations.convolve import Convolve, hrf_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from twolevel.model.transformations.instruction import Instruction

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
        if key.casefold() in COMMENTS or value is None:
            continue
        right = by_plain.get(key.casefold(), key)
        if right != key and right not in step:
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


LENIENT: dict[type[Instruction], Callable[[dict[str, Any]], list[str]]] = {Convolve: _response}
