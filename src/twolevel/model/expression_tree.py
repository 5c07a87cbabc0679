"""An expression over the columns of a table, as a tree."""

from __future__ import annotations

from dataclasses import dataclass
from keyword import iskeyword
from typing import Literal

Kind = Literal["cells", "number", "text", "truth"]
# What each function takes, and what it gives; None for the kind of its first argument.
FUNCTIONS: dict[str, tuple[tuple[str, ...], Kind | None]] = {
    "isna": (("a column",), "truth"),
    "previous": (("a column",), None),
    "contains": (("a column", "quoted text"), "truth"),
}
MISSING = "n/a"


@dataclass(frozen=True)
class Column:
    """The cells of a column: text, which is a number where a number is needed."""

    name: str

    @property
    def kind(self) -> Kind:
        """What it gives."""
        return "cells"

    def __str__(self) -> str:
        words = self.name.split(".")
        is_plain = all(w.isidentifier() and not iskeyword(w) for w in words)
        return self.name if is_plain else f"`{self.name}`"


@dataclass(frozen=True)
class Constant:
    """A number or a text; the text ``n/a`` is a missing value."""

    value: float | str

    @property
    def kind(self) -> Kind:
        """What it gives."""
        return "text" if isinstance(self.value, str) else "number"

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True)
class Operation:
    """An operator or a function, and what it works on.

    Attributes
    ----------
    name : str
        As it is written; ``negative`` for a minus before a value, ``join`` for ``+`` of texts.
    parts : tuple of Tree
        Of ``in`` and ``not in``, a value and then the constants of the list.
    """

    name: str
    parts: tuple[Tree, ...]
    kind: Kind

    def __str__(self) -> str:
        first, *others = map(str, self.parts)
        if self.name in FUNCTIONS:
            return f"{self.name}({', '.join((first, *others))})"
        if self.name in {"in", "not in"}:
            return f"({first} {self.name} [{', '.join(others)}])"
        if self.name == "negative":
            return f"(-{first})"
        if self.name == "not":
            return f"(not {first})"
        sign = "+" if self.name == "join" else self.name
        return f"({f' {sign} '.join((first, *others))})"


Tree = Column | Constant | Operation
