"""What a field of a dataclass declares: its key in a file, its option, its bounds, its help.

The annotation holds the type, bounds (`annotated_types`) and choices (``Literal``); the
rest lies in the field's metadata, where pydantic finds the names that it knows. Everything that
checks, reads or explains a value is made from that, so that a setting is written once.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, dataclass, field, fields
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import TypeAdapter

OWN = "twolevel"  # the key of the metadata under which pydantic looks for nothing


@dataclass(frozen=True)
class Option:
    """How a field is given on the command line.

    Attributes
    ----------
    flags : tuple of str
        Its names; where there are none, one is made of the field's name.
    metavar : str or None
        What the usage shows for the value.
    is_positional : bool
        It has no flag but a place.
    is_repeated : bool
        Each value has a flag of its own, rather than all of them one.
    must_exist : bool
        The path is that of a file.
    """

    flags: tuple[str, ...] = ()
    metavar: str | None = None
    is_positional: bool = False
    is_repeated: bool = False
    must_exist: bool = False


@dataclass(frozen=True)
class Bounds:
    """What a number has to lie within; None for no bound."""

    low: float | None = None
    high: float | None = None
    low_is_excluded: bool = False
    high_is_excluded: bool = False

    def allow(self, value: float) -> bool:
        """Tell whether a number is allowed; one that is none never is."""
        low = self.low is None or (value > self.low if self.low_is_excluded else value >= self.low)
        high = self.high is None or (
            value < self.high if self.high_is_excluded else value <= self.high
        )
        return low and high and value == value  # noqa: PLR0124  # not NaN

    def __str__(self) -> str:
        if self.high is None:
            return f"{'more than ' * self.low_is_excluded}{self.low:g}" + (
                " or more" * (not self.low_is_excluded)
            )
        if self.low is None:
            return f"{'less than ' * self.high_is_excluded}{self.high:,}" + (
                " or less" * (not self.high_is_excluded)
            )
        words = f"between {self.low:g} and {self.high:,}"
        if self.low_is_excluded and self.high_is_excluded:
            return f"{words}, both excluded"
        if self.low_is_excluded or self.high_is_excluded:
            return f"{words}, {self.low if self.low_is_excluded else self.high:g} excluded"
        return words


@dataclass(frozen=True)
class Declared:
    """A field with everything that it declares.

    Attributes
    ----------
    kind : type
        Of the value, or of each value where there may be several.
    choices : tuple
        All values there are; empty where they are too many.
    is_many : bool
        The field is a tuple.
    is_required : bool
        It has no default.
    option : Option or None
        None where the command line has none.
    """

    name: str
    key: str
    kind: type
    default: Any
    help: str
    choices: tuple[Any, ...] = ()
    bounds: Bounds | None = None
    is_many: bool = False
    is_required: bool = False
    option: Option | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """The names of the option."""
        option = self.option or Option()
        name = self.name if option.is_positional else f"--{self.name.replace('_', '-')}"
        return option.flags or (name,)


def setting(
    default: Any,
    text: str,
    *flags: str,
    metavar: str | None = None,
    key: str | None = None,
    pattern: str | None = None,
    has_option: bool = True,
    is_repeated: bool = False,
    must_exist: bool = False,
) -> Any:
    """Declare a field that has a default.

    Parameters
    ----------
    text : str
        What it is; ``{default}`` in it stands for the default.
    *flags : str
        Names of the option where the field's name makes none.
    metavar : str, optional
        What the usage shows for the value.
    key : str, optional
        Its key in a model file where the field's name makes none.
    pattern : str, optional
        A regular expression that text must match.
    """
    option = Option(flags, metavar, is_repeated=is_repeated, must_exist=must_exist)
    metadata = {
        "description": text.replace("{default}", f"{default}"),
        "alias": key,
        "pattern": pattern,
        OWN: option if has_option else None,
    }
    return field(
        default=default, metadata={k: v for k, v in metadata.items() if v is not None or k == OWN}
    )


def place(text: str, *names: str, metavar: str | None = None) -> dict[str, Any]:
    """Make the metadata of a field that has a place on the command line, and no flag."""
    return {"description": text, OWN: Option(names, metavar, is_positional=True)}


def key_of(name: str) -> str:
    """Make the key in a model file of the name of a field: ``n_perm`` is ``NPerm``."""
    return "".join(part.capitalize() for part in name.split("_"))


# How pydantic reads a dataclass of a file: no key that no field has, no number that is none.
CONFIG = {
    "extra": "forbid",
    "alias_generator": key_of,
    "serialize_by_alias": True,
    "allow_inf_nan": False,
}


def declared(cls: type) -> tuple[Declared, ...]:
    """List what the fields of a dataclass declare."""
    hints = get_type_hints(cls, include_extras=True)
    found = []
    for one in fields(cls):
        hint, bounds = _plain(hints[one.name])
        is_many = get_origin(hint) is tuple
        if is_many:
            hint, bounds = _plain(get_args(hint)[0])
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        found.append(
            Declared(
                one.name,
                str(one.metadata.get("alias", key_of(one.name))),
                type(choices[0]) if choices else hint,
                None if one.default is MISSING else one.default,
                str(one.metadata.get("description", "")),
                choices,
                bounds,
                is_many,
                one.default is MISSING,
                one.metadata.get(OWN),
            )
        )
    return tuple(found)


def checker(cls: type) -> TypeAdapter[Any]:
    """Have pydantic make what checks and reads a dataclass, and writes its JSON schema."""
    from pydantic import TypeAdapter  # noqa: PLC0415  # the command line starts without it

    return TypeAdapter(cls)


def _plain(hint: Any) -> tuple[Any, Bounds | None]:
    """Take None and annotations off a type; the bounds are in these."""
    bounds: dict[str, Any] = {}
    while True:
        if get_origin(hint) is Annotated:
            hint, *extras = get_args(hint)
            for extra in _each(extras):
                bounds.update(_bound(extra))
        elif get_origin(hint) in {Union, types.UnionType}:
            (hint,) = [part for part in get_args(hint) if part is not type(None)]
        else:
            return hint, Bounds(**bounds) if bounds else None


def _each(extras: list[Any]) -> Iterator[Any]:
    for extra in extras:
        yield from extra if isinstance(extra, GroupedMetadata) else (extra,)


def _bound(extra: Any) -> dict[str, Any]:
    match extra:
        case Ge(low):
            return {"low": low}
        case Gt(low):
            return {"low": low, "low_is_excluded": True}
        case Le(high):
            return {"high": high}
        case Lt(high):
            return {"high": high, "high_is_excluded": True}
    return {}
