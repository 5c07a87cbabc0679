"""What ``Software.twolevel.Events`` of a run node says: rows of the events, changed in order.

`twolevel.bids.edited_events` carries it out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from annotated_types import MaxLen

from twolevel.errors import did_you_mean
from twolevel.model.declared import CONFIG, key_of, setting
from twolevel.model.expression_tree import MISSING
from twolevel.model.expressions import columns_of, parse, parse_condition

if TYPE_CHECKING:
    from collections.abc import Callable

ACTIONS = ("set", "drop", "add", "recode", "strip", "scale")


@dataclass(frozen=True)
class ReadBy:
    """Has pydantic call a function with what the file says."""

    function: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Have pydantic call it before it looks at the type."""
        from pydantic_core import core_schema  # noqa: PLC0415  # the command line starts without it

        return core_schema.no_info_before_validator_function(self.function, handler(source))


class AsObject:
    """An object of the file, kept as pairs so that it can be hashed."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Have pydantic read the object, which must not be empty, and write it again."""
        from pydantic_core import core_schema  # noqa: PLC0415  # the command line starts without it

        pair, _ = get_args(source)
        key, value = map(handler.generate_schema, get_args(pair))
        written = core_schema.plain_serializer_function_ser_schema(_as_dict)
        return core_schema.no_info_after_validator_function(
            _as_pairs,
            core_schema.dict_schema(key, value),
            serialization=written,
        )


def _cell(value: Any) -> Any:
    """Read a value as the text of a cell; null is n/a."""
    if value is None:
        return MISSING
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return json.dumps(value) if is_number and isfinite(value) else value


def _expression(value: Any) -> Any:
    text = _cell(value)
    if isinstance(text, str):
        parse(text)
    return text


def _condition(value: Any) -> Any:
    if isinstance(value, str):
        parse_condition(value)
    return value


def _factor(value: Any) -> Any:
    if value == 0:
        raise ValueError("a number that is not 0")
    return value


def _known_keys(value: Any) -> Any:
    known = list(map(key_of, ("where", *ACTIONS)))
    strange = [key for key in value if key not in known] if isinstance(value, dict) else []
    if strange:
        meant = did_you_mean(str(strange[0]), known)
        here = f"{', '.join(map(str, strange))}. {meant}".rstrip(" .")
        raise ValueError(f"an edit of the keys {', '.join(known)}; here: {here}")
    return value


def _as_pairs(read: dict[Any, Any]) -> tuple[tuple[Any, Any], ...]:
    if not read:
        raise ValueError("an object with something in it")
    return tuple(read.items())


def _as_dict(value: Any) -> Any:
    """Turn pairs back into an object, at every depth."""
    if isinstance(value, tuple) and value and all(isinstance(v, tuple) for v in value):
        return {key: _as_dict(item) for key, item in value}
    return list(value) if isinstance(value, tuple) else value


Cell = Annotated[str, ReadBy(_cell)]
Expression = Annotated[str, ReadBy(_expression)]
Condition = Annotated[str, ReadBy(_condition)]
Factor = Annotated[float, ReadBy(_factor)]
Values = Annotated[tuple[tuple[str, Expression], ...], AsObject()]
Recoded = Annotated[tuple[tuple[Cell, Cell], ...], AsObject()]


@dataclass(frozen=True)
class EventEdit:
    """One edit of the events, in all rows or in those where a condition holds.

    Expressions are kept as they are written: see `twolevel.model.expressions`. Each sees the table
    as it was before this edit. Exactly one of the fields after `where` is given.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = dict(CONFIG)

    where: Condition | None = setting(
        None, "the rows: an expression that is true or false; all if absent", has_option=False
    )
    set: Values | None = setting(
        None, "{column: expression}: new values of columns, old or new ones", has_option=False
    )
    drop: Literal[True] | None = setting(None, "true: leave the rows out", has_option=False)
    add: Values | None = setting(
        None, "{column: expression}: a copy of each row with these values", has_option=False
    )
    recode: Annotated[tuple[tuple[str, Recoded], ...], AsObject()] | None = setting(
        None, "{column: {old: new}}: cells of a text or a number, with others", has_option=False
    )
    strip: tuple[str, ...] | None = setting(
        None, "columns whose cells lose the blanks around them", has_option=False
    )
    scale: Annotated[tuple[tuple[str, Factor], ...], AsObject()] | None = setting(
        None, "{column: factor}: numbers times a factor", has_option=False
    )

    def __post_init__(self) -> None:
        """Refuse no action, several, and a Drop of everything."""
        given = [key_of(name) for name in ACTIONS if getattr(self, name) is not None]
        if len(given) != 1 or self.strip == ():
            here = " and ".join(given) or "none"
            every = ", ".join(map(key_of, ACTIONS))
            raise ValueError(f"one of {every} in each edit, and not empty; here: {here}")
        if self.drop and self.where is None:
            raise ValueError('Drop with "Where": without it, every row would go')

    @property
    def action(self) -> str:
        """Its key in the file."""
        return next(key_of(name) for name in ACTIONS if getattr(self, name) is not None)

    @property
    def in_file(self) -> dict[str, Any]:
        """The edit as an object of the file."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return {key_of(name): _as_dict(v) for name, v in given.items() if v is not None}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table must have for it."""
        texts = [text for _, text in (*(self.set or ()), *(self.add or ()))]
        trees = map(parse, [*([self.where] if self.where else []), *texts])
        named = [name for tree in trees for name in columns_of(tree)]
        named += [name for name, _ in (*(self.recode or ()), *(self.scale or ()))]
        named += [*(self.strip or ()), *(["onset"] if self.add else [])]
        return tuple(dict.fromkeys(named))

    @property
    def assigned(self) -> tuple[str, ...]:
        """The columns to which it gives other values."""
        pairs = (*(self.set or ()), *(self.add or ()), *(self.recode or ()), *(self.scale or ()))
        return tuple(dict.fromkeys((*(name for name, _ in pairs), *(self.strip or ()))))

    def __str__(self) -> str:
        return json.dumps(self.in_file, ensure_ascii=False)


EventEdits = Annotated[tuple[Annotated[EventEdit, ReadBy(_known_keys)], ...], MaxLen(200)]
