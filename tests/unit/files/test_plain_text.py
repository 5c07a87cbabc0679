from __future__ import annotations

import pytest

from twolevel.files.plain_text import MOST_VALUES, parse_json, parse_yaml

LETTERS = "bcdefghi"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{key}: &{key} [{', '.join([f'*{chr(ord(key) - 1)}'] * 9)}]\n" for key in LETTERS
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1, "a": 1}', 'the key "a" more than once; all but one would be lost'),
        ('[{"x": {"b": 1, "c": 2, "b": 3}}]', 'the key "b" more than once'),
        ("[" * 100_000, "more than 60 levels"),
        ("[" * 61 + "]" * 61, "more than 60 levels"),
        ('{"a": ' + "9" * 5000 + "}", "a number of thousands of digits"),
        ('{"a": "\\ud800"}', "text that is no Unicode"),
        ('{"\\udfff": 1}', "text that is no Unicode"),
        ("[" + "0," * 300_000 + "0]", "more than 200000 values"),
        ("{", "Expecting property name"),
    ],
)
def test_json_that_would_lose_something_or_never_end_is_refused(text, found):
    with pytest.raises(ValueError, match=found):
        parse_json(text, most_values=MOST_VALUES)


@pytest.mark.parametrize("number", ["1e400", "-1e999", "NaN", "Infinity", "-Infinity"])
def test_numbers_that_no_float_holds_stay_text(number):
    assert parse_json(f'{{"a": {number}, "b": 0.5}}') == {"a": number, "b": 0.5}


@pytest.mark.parametrize(
    "written", ["01", "-007", "yes", "No", "off", "1:30", "2020-01-01", "2020-99-99"]
)
def test_yaml_never_turns_a_word_into_something_else(written):
    with pytest.raises(ValueError, match=f'in line 2, which is .*; write "{written}"'):
        parse_yaml(f"task: t\nsubject: [{written}]\n")
    assert parse_yaml(f'a: "{written}"') == {"a": written}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\na: 3\n", 'the key "a" more than once in the object that begins in line 1'),
        ("x:\n  - {b: 1, b: 2}\n", 'the key "b" more than once in the object that .* line 2'),
        ("a: !!int ''", "is no int"),
        ("a: !!float abc", "is no float"),
        ("a: !!python/object:os.system 1", "could not determine a constructor"),
        ("a: !!set {x}", "which JSON lacks"),
        ("1: x", "a key that is no text: 1"),
        (BOMB, "more than 200000 values"),
        ("a: [", "while parsing"),
    ],
)  # fmt: skip
def test_yaml_that_is_not_what_json_can_say_is_refused(text, found):
    with pytest.raises(ValueError, match=found):
        parse_yaml(text)


def test_plain_yaml_gives_plain_values():
    text = "a: 8.0e-3\nb: 1/2\nc: .inf\nd: [0, -1, 0.5, true, null]\ne: &x {k: v}\nf: *x\n"
    assert parse_yaml(text) == {
        "a": 0.008, "b": "1/2", "c": ".inf", "d": [0, -1, 0.5, True, None],
        "e": {"k": "v"}, "f": {"k": "v"},
    }  # fmt: skip
