"""JSON and YAML text as plain values, strictly: nothing dropped, nothing guessed, bounded."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable

DEEPEST = 60
MOST_VALUES = 200_000  # of a model, aliases of YAML written out
# Words and numbers that YAML 1.1 turns into something else than what is written.
LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
TRUTH = {"true", "false"}


def parse_json(text: str, *, most_values: int | None = None) -> Any:
    """Read JSON.

    Parameters
    ----------
    most_values : int, optional
        More of them are refused.

    Returns
    -------
    object
        Dicts, lists, text, numbers, bool, None. Numbers that no float can hold, ``NaN`` and
        ``Infinity`` stay text, so that whoever needs a number there says so.

    Raises
    ------
    ValueError
        In words for the user: no JSON, a key that occurs twice, or more than anyone writes.
    """
    try:
        content = json.loads(
            text, object_pairs_hook=_each_once, parse_float=_number, parse_constant=str
        )
    except RecursionError as error:
        raise ValueError(f"more than {DEEPEST} levels") from error
    except ValueError as error:
        if "digits" in str(error):
            raise ValueError("a number of thousands of digits") from error
        raise
    _check_size(content, most_values)
    return content


def parse_yaml(text: str) -> Any:
    """Read YAML as far as it says what JSON can say.

    Returns
    -------
    object
        See `parse_json`.

    Raises
    ------
    ValueError
        In words for the user: no YAML; a key that occurs twice; a word that YAML would turn into
        another value (``01``, ``yes``, ``1:30``, a date) without quotation marks.
    """
    try:
        content = yaml.load(text, _Loader)  # noqa: S506 (a safe loader)
    except RecursionError as error:
        raise ValueError(f"more than {DEEPEST} levels") from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except (AttributeError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"a value that does not fit its tag ({error})") from error
    _check_size(content, MOST_VALUES)
    return content


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses what is not meant as it is read."""


def _plain_scalar(loader: _Loader, node: yaml.ScalarNode) -> Any:
    written, line = str(node.value), node.start_mark.line + 1
    kind = node.tag.rpartition(":")[2]
    odd = kind == "timestamp" or (kind == "bool" and written.casefold() not in TRUTH)
    if odd or (kind in {"int", "float"} and LEADING_ZERO.fullmatch(written)):
        raise ValueError(
            f"{written} without quotation marks in line {line}, which is no text in YAML but "
            f'something else; write "{written}"'
        )
    try:
        value = getattr(yaml.SafeLoader, f"construct_yaml_{kind}")(loader, node)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{written[:60]!r} in line {line} is no {kind}") from error
    return value if kind == "bool" or math.isfinite(value) else written


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    _refuse_repeated(keys, f" in the object that begins in line {node.start_mark.line + 1}")
    return loader.construct_mapping(node, deep=True)


for _kind in ("int", "float", "bool", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _plain_scalar)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_repeated([key for key, _ in pairs])
    return dict(pairs)


def _refuse_repeated(keys: list[str], where: str = "") -> None:
    seen = dict.fromkeys(keys)
    if len(seen) < len(keys):
        twice = next(key for key in seen if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" more than once{where}; all but one would be lost')


def _number(written: str) -> float | str:
    value = float(written)
    return value if math.isfinite(value) else written


def _check_size(content: object, most_values: int | None) -> None:
    """Refuse what nobody writes by hand: the steps that follow would take hours or all memory."""
    n_values, level = 0, [content]
    for _ in range(DEEPEST):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                _check_text(*value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, str):
                _check_text(value)
            elif not isinstance(value, (int, float, type(None))):
                found = f"a {type(value).__name__} ({str(value)[:60]})"
                raise ValueError(f"{found}, which JSON lacks")  # noqa: TRY004 (of the text)
            n_values += 1
            if most_values is not None and n_values + len(below) > most_values:
                raise ValueError(f"more than {most_values} values")
        level = below
        if not level:
            return
    raise ValueError(f"more than {DEEPEST} levels")


def _check_text(*texts: object) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(f"a key that is no text: {str(text)[:60]}")  # noqa: TRY004 (as above)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"text that is no Unicode: {text[:60]!a}") from error
