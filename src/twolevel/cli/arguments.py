"""The command line of a dataclass: each field that declares an option gets one."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from twolevel.model.declared import Declared, declared
from twolevel.model.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from twolevel.cli.options import CommandOptions

T = TypeVar("T")
MAPPING = "settings"  # the field that holds what replaces settings of the model


def add_options(parser: argparse.ArgumentParser, cls: type) -> None:
    """Add an option, or a place, for each field of a class, in the groups of its bases.

    An option that is not given is absent from what the parser returns: defaults are the fields'.
    """
    groups: dict[str, argparse._ArgumentGroup] = {}
    by_name = {one.name: one for one in declared(cls)}
    for part in _parts(cls):
        title = vars(part).get("TITLE", "")
        if title and title not in groups:
            groups[title] = parser.add_argument_group(title, vars(part).get("ABOUT"))
        for one in _options(part, by_name):
            is_free = not title or (one.option is not None and one.option.is_positional)
            _add(parser if is_free else groups[title], one)


def make_options(cls: type[T], given: argparse.Namespace) -> T:
    """Make the object that stands for what was given.

    Raises
    ------
    ValueError
        Options that do not go together.
    """
    values = vars(given)
    arguments: dict[str, Any] = {
        one.name: tuple(values[_dest(one)]) if one.is_many else values[_dest(one)]
        for one in declared(cls)
        if one.option is not None and _dest(one) in values
    }
    if any(one.name == MAPPING for one in declared(cls)):
        arguments[MAPPING] = {s.name: values[s.name] for s in _settings() if s.name in values}
    return cls(**arguments)


def command_of(options: CommandOptions) -> str:
    """Write the command that means the same options, without those left at their defaults.

    What no option can set stands behind it as a comment.
    """
    values = {one.name: one.default for one in _settings()}
    values.update({f.name: getattr(options, f.name) for f in fields(options)})
    given = getattr(options, MAPPING, {})
    places, words = [], []
    by_name = {one.name: one for one in declared(type(options))}
    for one in (one for part in _parts(type(options)) for one in _options(part, by_name)):
        if one.option is not None and one.option.is_positional:
            places += [str(values[one.name])] if values[one.name] is not None else []
        elif one.name in given or values[one.name] != one.default:
            words += _words(one, given.get(one.name, values[one.name]))
    command = shlex.join(["twolevel", options.COMMAND, *places, *words])
    only_in_python = {n: v for n, v in given.items() if n not in {s.name for s in _settings()}}
    return f"{command}  # and {only_in_python}" if only_in_python else command


def _words(one: Declared, value: Any) -> list[str]:
    flag = one.flags[-1]
    if one.kind is bool:
        return [flag]
    if one.is_many and one.option is not None and one.option.is_repeated:
        return [word for item in value for word in (flag, str(item))]
    return [flag, *map(str, value)] if one.is_many else [flag, str(value)]


def _parts(cls: type) -> Iterator[type]:
    """Walk through a class's bases, in the order in which it names them, and then itself."""
    for base in cls.__bases__:
        if base is not object:
            yield from _parts(base)
    yield cls


def _options(part: type, by_name: Mapping[str, Declared]) -> Iterator[Declared]:
    """Return the options of the fields that a part adds."""
    for name in vars(part).get("__annotations__", {}):
        if name == MAPPING:
            yield from _settings()
        elif name in by_name and by_name[name].option is not None:
            yield by_name[name]


def _settings() -> Iterator[Declared]:
    for cls in dict.fromkeys(SETTINGS.values()):
        yield from (one for one in declared(cls) if one.option is not None)


def _dest(one: Declared) -> str:
    is_positional = one.option is not None and one.option.is_positional
    return one.flags[0] if is_positional else one.name


def _add(group: argparse._ActionsContainer, one: Declared) -> None:
    option = one.option
    if option is None:
        raise TypeError(f"{one.name} has no option")
    keywords: dict[str, Any] = {
        "help": one.help.replace("%", "%%"),
        "default": argparse.SUPPRESS,
    }
    if not option.is_positional:
        keywords["dest"] = one.name
    elif not one.is_required:
        # argparse takes a text as the value of such a place, its mark for "no default" too.
        keywords |= {"nargs": "?", "default": one.default}
    if one.kind is bool:
        group.add_argument(*one.flags, action="store_true", **keywords)
        return
    if one.is_many and option.is_repeated:
        keywords["action"] = "append"
    elif one.is_many:
        keywords["nargs"] = "+"
    group.add_argument(
        *one.flags,
        type=_converter(one, must_exist=option.must_exist),
        choices=one.choices or None,
        metavar=option.metavar,
        **keywords,
    )


def _converter(one: Declared, *, must_exist: bool) -> Callable[[str], Any]:
    if must_exist:
        return _file
    if one.kind in {int, float} and not one.choices:
        return _number(one)
    return one.kind


def _number(one: Declared) -> Callable[[str], float]:
    """Make a converter that refuses numbers out of range, with argparse's own message."""

    def convert(text: str) -> float:
        value: float = one.kind(text)
        if one.bounds is not None and not one.bounds.allow(value):
            raise argparse.ArgumentTypeError(f"{text} is not {one.bounds}")
        return value

    convert.__name__ = "number" if one.kind is float else "whole number"
    return convert


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return path
