"""Damage to models, drawn at random."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 10**400, 1e300, -0.0, "", " ", "1", "1e400", "n/a", "*",
    "é\u0000", "\ud800", "False", "run", "Run", "contrast", "session.pre", "x" * 5000, [], {},
    [[]], [None], [1], ["1"], [[1, 0], [0]], {"Name": 3}, [{}], {"": ""},
)  # fmt: skip
KEYS = ("Name", "Level", "GroupBy", "Model", "X", "Steps", "AutoContrasts", "Transformations",
        "contrasts", "weights", "Type", "type", "Formula", "HRF", "Edges", "Filter", "Options",
        "Conditions", "", "constructor")  # fmt: skip
MOST = 4


def places(content: Any) -> list[tuple[Any, Any]]:
    """List every holder with each of its keys."""
    found, waiting = [], [content]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        found += [(holder, key) for key in keys]
        waiting += [holder[key] for key in keys if isinstance(holder[key], (dict, list))]
    return found


def mutated(content: dict[str, Any], random: Random) -> dict[str, Any]:
    """Return a model with some parts lost, replaced, moved, doubled or renamed."""
    model = copy.deepcopy(content)
    for _ in range(random.randint(1, MOST)):
        there = places(model)
        if not there:
            break
        holder, key = random.choice(there)
        other, its_key = random.choice(there)
        match random.randrange(6):
            case 0:
                del holder[key]
            case 1:
                holder[key] = copy.deepcopy(random.choice(ODD))
            case 2:
                holder[key] = copy.deepcopy(other.get(its_key) if isinstance(other, dict) else 1)
            case 3 if isinstance(holder, dict):
                holder[random.choice(KEYS)] = holder.pop(key)
            case 4 if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case _:
                holder[key] = [copy.deepcopy(holder[key])]
    return model


def damaged_text(content: dict[str, Any], random: Random) -> str:
    """Write a damaged model, of which now and then even the text is damaged."""
    text = json.dumps(mutated(content, random))
    if random.random() < 0.1:
        at = random.randrange(len(text) or 1)
        text = (
            text[:at] + random.choice(["", "{", "]", ",", '"', "[" * 3000, "9" * 5000]) + text[at:]
        )
    return text
