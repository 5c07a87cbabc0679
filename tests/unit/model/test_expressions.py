"""Expressions: what is read, what is refused and where, what it is for each row of a table."""

from __future__ import annotations

import builtins
import operator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twolevel.errors import InputError
from twolevel.model.evaluation import evaluate
from twolevel.model.expression_tree import FUNCTIONS, Column, Constant, Operation, Tree
from twolevel.model.expressions import ExpressionError, columns_of, parse, parse_condition

COMPARISONS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
TABLE = pd.DataFrame(
    {
        "onset": ["1", "2", "3", "4"],
        "rt": ["0.5", np.nan, "999", "0.2"],
        "kind": ["go", "stop ", "go", np.nan],
        "odd name": ["1", "02", "x", "3"],
        "kind.x": ["a", "b", "a", "b"],
    },
    index=[0, 1, 2, 2**32],
)


def values(text: str, table: pd.DataFrame = TABLE) -> list[Any]:
    return list(evaluate(parse(text), table, "events: FILE"))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("rt > 0.3", "(rt > 0.3)"),
        ("  rt\n>\t0.3 ", "(rt > 0.3)"),
        ("0.1 < rt <= 1", "((0.1 < rt) and (rt <= 1.0))"),
        ("a and b > 1 or not isna(c)".replace("a and", "a < 1 and"), None),
        ("kind + '_' + `odd name`", "((kind + '_') + `odd name`)"),
        ("kind not in ['go', -1]", "(kind not in ['go', -1.0])"),
        ("kind in ('go',)", "(kind in ['go'])"),
        ("trial_type.go == 1", "(trial_type.go == 1.0)"),
        ("`in` * -(x)", "(`in` * (-x))"),
        ('contains(previous(kind), "it\'s")', 'contains(previous(kind), "it\'s")'),
        ('"`no name`" == x', "('`no name`' == x)"),
        ("größe > 1", "(größe > 1.0)"),
        ("n/a", "'n/a'"),
    ],
)
def test_expressions_are_read_and_written(text, written):
    tree = parse(text)
    assert written is None or str(tree) == written
    assert parse(str(tree)) == tree


def test_columns_are_named_once():
    assert columns_of(parse("a + b > a and contains(`c d`, 'e')")) == ("a", "b", "c d")
    assert columns_of(parse("1 + 2")) == ()


@pytest.mark.parametrize(
    ("text", "expected", "found", "character"),
    [
        ("", 'an expression, such as rt > 0.2 or trial_type == "go"', "nothing", 1),
        ("rt & 3 > 2", '"and"', '"&"', 4),
        ("a > 1 | b > 2", '"or"', '"|"', 7),
        ("a = 1", '"=="', '"="', 3),
        ("rt >", "a column, a number, quoted text or an operator", '"nothing"', 5),
        ("ü > 3 3", "a column, a number, quoted text or an operator", '"3"', 7),
        (
            "isnan(a)",
            'one of isna, previous, contains. Did you mean "isna"?',
            'the function "isnan"',
            1,
        ),
        ("contains(a)", "contains(a column, quoted text)", "1 values in contains()", 1),
        ("contains(a, b)", "quoted text", '"b"', 13),
        ('a > "3"', "a number: text has no order (>)", "text", 5),
        ('1 == "a"', "two texts or two numbers", "text beside a number", 6),
        ('x == "n/a"', "isna(column)", '"n/a", with which nothing compares', 6),
        ("x in ['a', 'n/a']", "isna(column)", '"n/a", with which nothing compares', 12),
        ("a in b", 'a list, as ["a", 3]', '"b"', 6),
        ("a in [b]", "numbers and quoted texts", '"b"', 7),
        ("a is 3", "one of == != < <= > >= in", '"is"', 6),
        ("not a", 'a condition, such as rt > 0.2 or x == "a"', 'the column "a"', 5),
        ("1 < (a > 2)", "a column or a number", "a condition", 6),
        ('"a" * 3', "a column or a number", "text", 1),
        ("a ** 2", "one of + - * /", '"**"', 3),
        ("x == True", "a finite number or quoted text", "True", 6),
        ("1e999 > a", "a finite number or quoted text", "1e999", 1),
        ("`a > 1", "`name of a column`", "a backtick without its partner", 1),
        ("`` > 1", "`name of a column`", "no name", 1),
        ("`a b`.c > 1", "a column, as trial_type.go", "a dot after something else", 1),
        ("+a > 1", 'a value, "-" or "not"', '"+"', 1),
        ("a" * 2001, "at most 2000 characters", "2001 characters", 2001),
        ("-" * 60 + "a", "50 at most", "too many operations within one another", 52),
        (
            "\ud800",
            "an expression",
            "too many signs within one another, or a character that no text has",
            1,
        ),
    ],
)
def test_the_place_and_what_was_expected_are_said(text, expected, found, character):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"{expected}; found {found} at character {character}, ")
    assert caught.value.position == character - 1


def test_what_stands_at_the_place_is_shown():
    for text, shown in [
        ("a > 1 & b > 2", "before: & b > 2"),
        ("a >", "at the end"),
        ("a > 1 and isnan(a_column_of_a_long_name)", "before: isnan(a_column_of_a_long ..."),
    ]:
        with pytest.raises(ExpressionError) as caught:
            parse(text)
        assert str(caught.value).endswith(f", {shown}")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "open('f')", "().__class__.__bases__", "a.b()", "a[0]",
        "lambda: 1", "[x for x in y]", "{'a': 1}", "a if b > 1 else c", 'f"{a}"', "x := 3",
        "a; b", "await a", "(yield)", "isna(*a)", "isna(a, b=1)", "isna.x(a)", "b'a'", "1j", "...",
        "`isna`(a)", "a @ b", "a // 2", "~a", "None", r"'\d' == a", "1 2", "1if a>1else 2", "\x00",
        "(" * 300 + "1" + ")" * 300, "not " * 480 + "a > 1", "1" * 1999, "a" + "+a" * 999,
    ],
)  # fmt: skip
def test_nothing_else_is_read(text):
    with pytest.raises(ExpressionError):
        parse(text)


def test_nothing_is_ever_called(monkeypatch):
    called: list[Any] = []
    for name in ("eval", "exec", "open", "print"):
        monkeypatch.setattr(builtins, name, called.append)
        with pytest.raises(ExpressionError):
            parse(f"{name}('1') == 1")
        assert values(f"{name} == 1", pd.DataFrame({name: ["1"]})) == [True]
    assert called == []


def test_a_condition_is_asked_for():
    assert parse_condition("rt > 1") == parse("rt > 1")
    with pytest.raises(ExpressionError) as caught:
        parse_condition(" rt + 1")
    assert str(caught.value) == (
        'a condition, such as rt > 0.2 or x == "a"; found a value at character 1, before: rt + 1'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rt > 0.3", [True, False, True, False]),
        ("rt != 999", [True, False, False, True]),
        ("not rt == 999", [True, True, False, True]),
        ("rt == rt", [True, False, True, True]),
        ("rt not in [999, 0.2]", [True, False, False, False]),
        ("`odd name` == 2", [False, True, False, False]),
        ("`odd name` == '2'", [False, False, False, False]),
        ("`odd name` in ['02', 3]", [False, True, False, True]),
        ("`odd name` != 1", [False, True, True, True]),
        ("`odd name` == onset", [True, True, False, False]),
        ("kind.x == 'a'", [True, False, True, False]),
        ("kind == 'stop'", [False, False, False, False]),
        ("contains(kind, 'top')", [False, True, False, False]),
        ("isna(kind) or isna(rt)", [False, True, False, True]),
        ("previous(kind) == 'go'", [False, True, False, True]),
        ("isna(previous(kind))", [True, False, False, False]),
        ("`odd name` != 'x' and `odd name` > 1", [False, True, False, True]),
        ("`odd name` == 'x' or `odd name` > 1", [False, True, True, True]),
        ("isna(onset / 0)", [True, True, True, True]),
        ("-onset < -2.5", [False, False, True, True]),
        ("2 * (onset - 1) / 4 == 0.5", [False, True, False, False]),
        ("1 < 2", [True, True, True, True]),
    ],
)
def test_conditions_of_a_table(text, expected):
    assert values(text) == expected


def test_values_of_a_table():
    assert values("onset * 2 + 1") == [3, 5, 7, 9]
    assert values("'t' + (onset + 0.5)") == ["t1.5", "t2.5", "t3.5", "t4.5"]
    joined = values('kind + "_" + `odd name`')
    assert (joined[:3], pd.isna(joined[3])) == (["go_1", "stop _02", "go_x"], True)
    assert pd.isna(values("n/a")).all()
    assert pd.isna(values("rt + onset")).tolist() == [False, True, False, False]
    assert values("onset", TABLE.iloc[:0]) == values("previous(onset) > 1", TABLE.iloc[:0]) == []


def test_text_is_refused_only_in_rows_that_matter():
    with pytest.raises(InputError) as caught:
        values("`odd name` > 1")
    (problem,) = caught.value.problems
    assert problem.found == 'no number in `odd name`: line 4 ("x")'
    rows = np.array([True, True, False, True])
    result = evaluate(parse("`odd name` + 0"), TABLE, "events: FILE", rows)
    assert list(result[rows]) == [1, 2, 3]
    before = np.array([True, True, True, False])
    assert len(evaluate(parse("previous(`odd name`) + 0"), TABLE, "events: FILE", before)) == 4


def test_numbers_of_a_table_are_compared_as_they_are():
    table = pd.DataFrame({"x": [1.0, np.nan, 3.0], "y": ["1", "2", "4"]})
    assert values("x == 1", table) == [True, False, False]
    assert values("x == '1'", table) == [True, False, False]
    assert values("x != y", table) == [False, False, True]


names = st.one_of(
    st.sampled_from(["rt", "trial_type", "a.b", "in", "isna", "True", "x y", "1", "größe", "'"]),
    st.text(st.characters(exclude_characters="`", exclude_categories=["C", "Z"]), min_size=1),
)
numbers = st.floats(allow_nan=False, allow_infinity=False).map(Constant)
texts = st.text(max_size=8).filter(lambda text: text != "n/a").map(Constant)
columns = names.map(Column)


def numeric(depth: int) -> st.SearchStrategy[Tree]:
    if not depth:
        return columns | numbers
    part = numeric(depth - 1)
    pairs = st.tuples(st.sampled_from("+-*/"), st.tuples(part, part))
    made = pairs.map(lambda made: Operation(made[0], made[1], "number"))
    negative = columns.map(lambda column: Operation("negative", (column,), "number"))
    return part | made | negative


def truth(made: tuple[str, tuple[Tree, ...]]) -> Operation:
    return Operation(made[0], made[1], "truth")


def value_and_list(made: tuple[Tree, list[Constant]]) -> tuple[Tree, ...]:
    return made[0], *made[1]


def conditions(depth: int) -> st.SearchStrategy[Operation]:
    compared = st.tuples(st.sampled_from(sorted(COMPARISONS)), st.tuples(numeric(1), numeric(1)))
    listed = st.lists(numbers | texts, min_size=1, max_size=3)
    members = st.tuples(columns, listed).map(value_and_list)
    among = st.tuples(st.sampled_from(["in", "not in"]), members)
    isna = st.tuples(st.just("isna"), st.tuples(columns))
    contains = st.tuples(st.just("contains"), st.tuples(columns, texts))
    simple = st.one_of(compared, among, isna, contains).map(truth)
    if not depth:
        return simple
    part = conditions(depth - 1)
    both = st.tuples(st.sampled_from(["and", "or"]), st.tuples(part, part))
    neither = st.tuples(st.just("not"), st.tuples(part))
    return simple | both.map(truth) | neither.map(truth)


@given(numeric(3) | conditions(3))
def test_what_is_written_is_read_back(tree):
    assert parse(str(tree)) == tree


signs = st.lists(
    st.sampled_from([*"ab1. ()[]<>=!+-*/'\"`,", *FUNCTIONS, " and ", " or ", " not ", " in "]),
    max_size=25,
).map("".join)


@given(st.text(max_size=60) | signs)
def test_any_text_is_read_or_refused_with_its_place(text):
    try:
        written = str(parse(text))
    except ExpressionError as error:
        place = error.position
    else:
        assert parse(written) == parse(text)
        place = 0
    assert 0 <= place <= len(text)


cells = st.none() | st.integers(-3, 3) | st.sampled_from([0.5, 1e-3, 1e6])
tables = st.lists(st.tuples(cells, cells), max_size=6).map(
    lambda rows: pd.DataFrame(rows, columns=["a", "b"], dtype=float)
)


@given(tables, st.sampled_from(sorted(COMPARISONS)), st.sampled_from("+-*/"), st.integers(-3, 3))
def test_evaluation_equals_pandas_by_hand(table, sign, operation, number):
    as_cells = table.map(lambda v: np.nan if np.isnan(v) else repr(v)).astype(object)
    reckoned = {
        "+": table.a + table.b, "-": table.a - table.b,
        "*": table.a * table.b, "/": table.a / table.b,
    }[operation].replace([np.inf, -np.inf], np.nan)  # fmt: skip
    ours = evaluate(parse(f"a {operation} b"), as_cells, "t")
    pd.testing.assert_series_equal(ours, reckoned, check_names=False, check_exact=True)
    compared = COMPARISONS[sign](reckoned, number) & reckoned.notna()
    ours = evaluate(parse(f"a {operation} b {sign} {number}"), as_cells, "t")
    assert list(ours) == list(compared)
    both = compared & ~(table.b > 0) | table.a.shift().isna()
    text = f"a {operation} b {sign} {number} and not b > 0 or isna(previous(a))"
    assert list(evaluate(parse(text), as_cells, "t")) == list(both)
