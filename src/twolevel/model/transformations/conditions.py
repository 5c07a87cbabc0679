"""Conditions over variables: expressions, and comparisons as bidspm writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

from twolevel.model.evaluation import evaluate
from twolevel.model.expression_tree import Column
from twolevel.model.expressions import columns_of, parse_condition
from twolevel.model.transformations.variables import level_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twolevel.model.expression_tree import Tree
    from twolevel.model.transformations.variables import Variable
    from twolevel.model.transformations.workbench import Workbench

# A column, a sign, and text without quotation marks: trial_type==^.*LEFT$
BARE = re.compile(
    r"""\s*(?P<column>[^=~!<>"'`()*?]+?)\s*(?P<sign>==|~=|!=)\s*(?P<text>[^\s"'`=<>0-9-][^"'`=<>]*?)\s*"""
)
PATTERN_SIGNS = re.compile(r"[\^$*+?\[\](){}|\\]")
SIGNS = re.compile(r"==|~=|!=|<|>|\b(?:not )?in \[|\bisna\(|\bcontains\(")


@dataclass(frozen=True)
class Condition:
    """Something that is true of a row or not.

    Attributes
    ----------
    columns : tuple of str
        The variables it is about.
    tree : Tree or None
        The expression; None for a pattern that the only column has to fit, or must not.
    """

    columns: tuple[str, ...]
    tree: Tree | None = None
    pattern: str = ""
    is_negated: bool = False

    def holds(self, variable: Variable, bench: Workbench) -> pd.Series:
        """Tell of which rows of a variable it is true; a missing value fits nothing."""
        return self._holds(bench.columns(self.columns, variable), bench)

    def variable(self, bench: Workbench) -> Variable:
        """Make a variable of it: 1 where it is true, 0 elsewhere."""
        frame, like = bench.side_by_side(bench.names(self.columns), as_text=True)
        return like.with_values(self._holds(frame, bench).astype(float))

    def _holds(self, frame: pd.DataFrame, bench: Workbench) -> pd.Series:
        if self.tree is not None:
            return evaluate(self.tree, frame, bench.step).astype(bool)
        cells = frame[self.columns[0]]
        fits = [
            pd.notna(cell)
            and (re.fullmatch(self.pattern, level_name(cell)) is None) == self.is_negated
            for cell in cells
        ]
        return pd.Series(fits, index=cells.index, dtype=bool)


def is_condition(text: str) -> bool:
    """Tell whether a text compares something, rather than being a name."""
    return SIGNS.search(text) is not None


@lru_cache(maxsize=1024)
def condition(text: str) -> Condition:
    """Read a condition: an expression, or ``column == ^regular expression$`` as bidspm has it.

    Raises
    ------
    ValueError
        It is neither.
    """
    found = bare(text)
    if found is None:
        tree = parse_condition(text)
        return Condition(columns_of(tree), tree)
    try:
        re.compile(found["text"])
    except re.error as error:
        raise ValueError(f"a regular expression after {found['sign']}: {error}") from error
    return Condition((found["column"],), None, found["text"], found["sign"] != "==")


def columns_in(text: str) -> tuple[str, ...]:
    """Return the variables that a condition is about; none where a text is no condition."""
    try:
        return condition(text).columns if is_condition(text) else ()
    except ValueError:
        return ()


def bare(text: str) -> re.Match[str] | None:
    """Match a comparison of a column with a pattern, or with text, without quotation marks."""
    found = BARE.fullmatch(text)
    if found is None or re.search(r"\b(and|or|not|in)\b", text):
        return None
    return found


def strict_condition(text: str, names: Iterable[str]) -> str:
    """Write a condition as it should be: text in quotation marks, odd names between backticks.

    Parameters
    ----------
    names : iterable of str
        Variables that it may name.
    """
    found = bare(text)
    if found is not None and found["text"] in names:
        column, other = Column(found["column"]), found["text"]
        return f"{column} {'==' if found['sign'] == '==' else '!='} `{other}`"
    if found is not None:
        if PATTERN_SIGNS.search(found["text"]):
            return text
        sign = "!=" if found["sign"] == "~=" else found["sign"]
        return f'{Column(found["column"])} {sign} "{found["text"]}"'
    if "`" in text or '"' in text or "'" in text:
        return text
    odd = sorted((n for n in names if str(Column(n)) != n), key=len, reverse=True)
    if odd:
        text = re.sub("|".join(map(re.escape, odd)), lambda name: f"`{name[0]}`", text)
    return text.replace("~=", "!=")
