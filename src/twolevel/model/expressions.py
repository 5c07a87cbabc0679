"""Expressions over the columns of a table: read here, never run as code.

They are a subset of Python's: comparisons (``0.2 < rt < 3``), ``and``, ``or``, ``not``,
``in ["a", "b"]``, ``not in``, ``+ - * /``, numbers, quoted text, names of columns (any other than
``word`` or ``word.word`` between backticks) and the functions of `FUNCTIONS`. Python's own parser
makes a tree of the text, of which only what is named here is taken.
`twolevel.model.evaluation.evaluate` says what it means for a table.
"""

from __future__ import annotations

import ast
import re
import warnings
from functools import lru_cache, singledispatchmethod
from math import isfinite
from typing import TYPE_CHECKING

from twolevel.errors import did_you_mean
from twolevel.model.expression_tree import FUNCTIONS, MISSING, Column, Constant, Operation, Tree

if TYPE_CHECKING:
    from twolevel.model.expression_tree import Kind

LONGEST = 2000  # characters
DEEPEST = 50  # operations within one another
SHOWN = 24
COMPARISONS: dict[type, str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
ARITHMETIC: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
NOT_OURS = {"&": "and", "|": "or", "!": "not", "=": "=="}
QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`')


class ExpressionError(ValueError):
    """A text that is no expression.

    Parameters
    ----------
    position : int
        Where the trouble begins, counted from 0.
    found, expected : str
        What is there, and what should be.
    """

    def __init__(self, text: str, position: int, found: str, expected: str) -> None:
        self.position = position
        rest = text[position : position + SHOWN]
        more = " ..." if len(text) > position + SHOWN else ""
        place = f"before: {rest + more}" if rest else "at the end"
        super().__init__(f"{expected}; found {found} at character {position + 1}, {place}")


@lru_cache(maxsize=4096)
def parse(text: str) -> Tree:
    """Read an expression.

    Parameters
    ----------
    text : str
        At most 2000 characters, with at most 50 operations within one another. ``n/a`` alone is
        the missing value.

    Returns
    -------
    Tree
        Hashable; ``str`` of it is read back as the same tree.

    Raises
    ------
    ExpressionError
        It is none; with the place and what was expected there.
    """
    text = re.sub(r"\s", " ", text).strip()
    if text == MISSING:
        return Constant(MISSING)
    if len(text) > LONGEST:
        found = f"{len(text)} characters"
        raise ExpressionError(text, LONGEST, found, f"at most {LONGEST} characters")
    return _Reader(text).read()


def parse_condition(text: str) -> Tree:
    """Read an expression that is true or false of each row.

    Raises
    ------
    ExpressionError
        It is no expression, or gives something else.
    """
    tree = parse(text)
    if tree.kind != "truth":
        raise ExpressionError(
            text.strip(), 0, "a value", 'a condition, such as rt > 0.2 or x == "a"'
        )
    return tree


def columns_of(tree: Tree) -> tuple[str, ...]:
    """Return the names of the columns that an expression reads, each once."""
    if isinstance(tree, Column):
        return (tree.name,)
    parts = tree.parts if isinstance(tree, Operation) else ()
    return tuple(dict.fromkeys(name for part in parts for name in columns_of(part)))


class _Reader:
    """Turns Python's tree of a text into ours."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.quoted_names: dict[int, str] = {}
        # Names between backticks become words of the same length, so that places stay the same.
        self.plain = QUOTED.sub(self._hide, text)
        if "`" in QUOTED.sub("", self.plain):
            at = self.plain.index("`")
            raise ExpressionError(text, at, "a backtick without its partner", "`name of a column`")

    def _hide(self, match: re.Match[str]) -> str:
        word = match[0]
        if not word.startswith("`"):
            return word
        if not word[1:-1].strip():
            raise ExpressionError(self.text, match.start(), "no name", "`name of a column`")
        self.quoted_names[match.start()] = word[1:-1]
        return "_" * len(word)

    def read(self) -> Tree:
        """Read the whole text."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # an unknown escape in a text, for one
                body = ast.parse(self.plain, mode="eval").body
        except SyntaxError as error:
            raise self._no_syntax(error) from None
        except (ValueError, MemoryError, RecursionError):
            found = "too many signs within one another, or a character that no text has"
            raise ExpressionError("", 0, found, "an expression") from None
        return self._tree(body, 0)

    def _no_syntax(self, error: SyntaxError) -> ExpressionError:
        at = (error.offset or 0) - 1 if error.lineno == 1 else -1
        at = at if 0 <= at < len(self.text) else len(self.text)  # it ends too early
        sign = self.text[at : at + 1] or "nothing"
        ours = NOT_OURS.get(sign)
        expected = f'"{ours}"' if ours else "a column, a number, quoted text or an operator"
        if not self.text:
            expected = 'an expression, such as rt > 0.2 or trial_type == "go"'
        return ExpressionError(self.text, at, f'"{sign}"' if self.text else sign, expected)

    def _at(self, node: ast.expr) -> int:
        return len(self.plain.encode()[: node.col_offset].decode())

    def _end_of(self, node: ast.expr) -> int:
        return len(self.plain.encode()[: node.end_col_offset].decode())

    def _written(self, node: ast.expr) -> str:
        return self.text[self._at(node) : self._end_of(node)]

    def _refuse(self, node: ast.expr, found: str, expected: str) -> ExpressionError:
        return ExpressionError(self.text, self._at(node), found, expected)

    def _tree(self, node: ast.expr, depth: int) -> Tree:
        if depth > DEEPEST:
            raise self._refuse(
                node, "too many operations within one another", f"{DEEPEST} at most"
            )
        return self._read(node, depth + 1)

    @singledispatchmethod
    def _read(self, node: ast.expr, depth: int) -> Tree:  # noqa: ARG002  # of what is not ours
        raise self._refuse(
            node,
            f'"{self._written(node)[:SHOWN]}"',
            "columns, numbers, quoted text, comparisons, and/or/not, in [...], + - * / and "
            f"{', '.join(f'{name}()' for name in FUNCTIONS)} only",
        )

    def _value(self, node: ast.expr, depth: int, *kinds: Kind) -> Tree:
        """Read a part that must give one of some kinds."""
        tree = self._tree(node, depth)
        self._check(tree, node, *kinds)
        return tree

    def _check(self, tree: Tree, node: ast.expr, *kinds: Kind) -> None:
        if tree.kind not in kinds:
            expected = {
                "truth": 'a condition, such as rt > 0.2 or x == "a"',
                "text": "quoted text or a column",
            }.get(kinds[-1], "a column or a number")
            found = {"truth": "a condition", "text": "text", "number": "a number"}
            raise self._refuse(node, found.get(tree.kind, f'the column "{tree}"'), expected)

    @_read.register
    def _name(self, node: ast.Name, _: int) -> Tree:
        at = self._at(node)
        return Column(self.quoted_names.get(at, self._written(node)))

    @_read.register
    def _dotted(self, node: ast.Attribute, depth: int) -> Tree:
        inner = node.value
        if not isinstance(inner, ast.Name | ast.Attribute) or self._at(inner) in self.quoted_names:
            raise self._refuse(node, "a dot after something else", "a column, as trial_type.go")
        self._tree(inner, depth)
        name = self._written(node)
        if "`" in name or " " in name:
            raise self._refuse(node, f'"{name}"', f"`{name.replace('`', '')}`, in one quoting")
        return Column(name)

    @_read.register
    def _constant(self, node: ast.Constant, _: int) -> Tree:
        value = node.value
        if isinstance(value, str):
            return Constant(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = float("inf")
            if isfinite(number):
                return Constant(number)
        raise self._refuse(node, self._written(node)[:SHOWN], "a finite number or quoted text")

    @_read.register
    def _unary(self, node: ast.UnaryOp, depth: int) -> Tree:
        if isinstance(node.op, ast.Not):
            return Operation("not", (self._value(node.operand, depth, "truth"),), "truth")
        if isinstance(node.op, ast.USub):
            value = self._value(node.operand, depth, "number", "cells")
            if isinstance(value, Constant) and isinstance(value.value, float):
                return Constant(-value.value)
            return Operation("negative", (value,), "number")
        raise self._refuse(node, f'"{self._written(node)[:1]}"', 'a value, "-" or "not"')

    @_read.register
    def _binary(self, node: ast.BinOp, depth: int) -> Tree:
        sign = ARITHMETIC.get(type(node.op))
        if sign is None:
            between = self.text[self._end_of(node.left) : self._at(node.right)].strip(" ()")
            ours = NOT_OURS.get(between)
            expected = f'"{ours}"' if ours else "one of + - * /"
            at = self.text.index(between, self._end_of(node.left))
            raise ExpressionError(self.text, at, f'"{between}"', expected)
        left = self._tree(node.left, depth)
        right = self._tree(node.right, depth)
        joins = sign == "+" and "text" in {left.kind, right.kind}
        for tree, part in ((left, node.left), (right, node.right)):
            self._check(tree, part, *(("text",) if joins else ()), "number", "cells")
        if joins:
            return Operation("join", (left, right), "text")
        return Operation(sign, (left, right), "number")

    @_read.register
    def _and_or(self, node: ast.BoolOp, depth: int) -> Tree:
        name = "and" if isinstance(node.op, ast.And) else "or"
        parts = tuple(self._value(part, depth, "truth") for part in node.values)
        return Operation(name, parts, "truth")

    @_read.register
    def _comparisons(self, node: ast.Compare, depth: int) -> Tree:
        sides = [node.left, *node.comparators]
        pairs = [
            self._comparison(left, op, right, depth)
            for left, op, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return pairs[0] if len(pairs) == 1 else Operation("and", tuple(pairs), "truth")

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Tree:
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.List | ast.Tuple) or not right.elts:
                raise self._refuse(
                    right, f'"{self._written(right)[:SHOWN]}"', 'a list, as ["a", 3]'
                )
            value = self._value(left, depth, "text", "number", "cells")
            members = tuple(self._member(item, depth) for item in right.elts)
            return Operation(
                "in" if isinstance(op, ast.In) else "not in", (value, *members), "truth"
            )
        sign = COMPARISONS.get(type(op))
        if sign is None:
            raise self._refuse(right, '"is"', "one of == != < <= > >= in")
        sides = tuple(
            self._value(side, depth, "text", "number", "cells") for side in (left, right)
        )
        for side, node in zip(sides, (left, right), strict=True):
            self._not_missing(side, node)
            if side.kind == "text" and sign not in {"==", "!="}:
                raise self._refuse(node, "text", f"a number: text has no order ({sign})")
        if {"text", "number"} == {side.kind for side in sides}:
            raise self._refuse(right, "text beside a number", "two texts or two numbers")
        return Operation(sign, sides, "truth")

    def _member(self, item: ast.expr, depth: int) -> Tree:
        tree = self._tree(item, depth)
        self._not_missing(tree, item)
        if not isinstance(tree, Constant):
            raise self._refuse(
                item, f'"{self._written(item)[:SHOWN]}"', "numbers and quoted texts"
            )
        return tree

    def _not_missing(self, tree: Tree, node: ast.expr) -> None:
        if tree == Constant(MISSING):
            raise self._refuse(node, '"n/a", with which nothing compares', "isna(column)")

    @_read.register
    def _call(self, node: ast.Call, depth: int) -> Tree:
        name = self._written(node.func)
        if not isinstance(node.func, ast.Name) or name not in FUNCTIONS:
            meant = did_you_mean(name, FUNCTIONS)
            found = f'the function "{name[:SHOWN]}"'
            raise self._refuse(node, found, f"one of {', '.join(FUNCTIONS)}. {meant}".rstrip(" ."))
        takes, kind = FUNCTIONS[name]
        if node.keywords or len(node.args) != len(takes):
            found = f"{len(node.args) + len(node.keywords)} values in {name}()"
            raise self._refuse(node, found, f"{name}({', '.join(takes)})")
        first = self._value(node.args[0], depth, "text", "number", "cells")
        others = tuple(self._tree(item, depth) for item in node.args[1:])
        for tree, item in zip(others, node.args[1:], strict=True):
            if not isinstance(tree, Constant) or tree.kind != "text":
                raise self._refuse(item, f'"{self._written(item)[:SHOWN]}"', "quoted text")
        return Operation(name, (first, *others), kind or first.kind)
