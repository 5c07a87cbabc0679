"""Edits of events as a model file says them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from twolevel.model.declared import checker
from twolevel.model.nodes import Node, StatsModel
from twolevel.model.override import override
from twolevel.model.schema_messages import schema_problems
from twolevel.model.settings import RunSettings
from twolevel.model.stages import digest_of

EDITS: list[dict[str, Any]] = [
    {"Where": "isna(rt)", "Set": {"trial_type": "'missed'", "weight": "rt * 2", "rt": "n/a"}},
    {"Where": "block == 'practice'", "Drop": True},
    {"Where": "rt > 0", "Add": {"trial_type": "'rt'", "duration": "rt"}},
    {"Recode": {"rt": {"999": "n/a", "-1": "0"}, "trial_type": {"go": "trial"}}},
    {"Strip": ["trial_type", "block"]},
    {"Where": "onset > 1000", "Scale": {"onset": 0.001}},
]


def read(*edits: Any) -> RunSettings:
    settings: RunSettings = checker(RunSettings).validate_python({"Events": list(edits)})
    return settings


def node(settings: RunSettings) -> Node:
    return Node("run", "run", ("run", "subject"), ("face",), settings)


def test_what_is_read_is_written_again():
    settings = read(*EDITS)
    assert checker(RunSettings).dump_python(settings, mode="json", exclude_defaults=True) == {
        "Events": EDITS
    }
    assert [edit.in_file for edit in settings.events] == EDITS
    assert [edit.action for edit in settings.events] == [
        "Set", "Drop", "Add", "Recode", "Strip", "Scale",
    ]  # fmt: skip
    assert str(settings.events[1]) == """{"Where": "block == 'practice'", "Drop": true}"""


def test_an_edit_names_the_columns_that_it_needs_and_those_that_it_gives():
    columns = [(edit.columns, edit.assigned) for edit in read(*EDITS).events]
    assert columns == [
        (("rt",), ("trial_type", "weight", "rt")),
        (("block",), ()),
        (("rt", "onset"), ("trial_type", "duration")),
        (("rt", "trial_type"), ("rt", "trial_type")),
        (("trial_type", "block"), ("trial_type", "block")),
        (("onset",), ("onset",)),
    ]


def test_numbers_and_null_may_stand_for_text():
    as_numbers = read(
        {"Set": {"duration": 0, "rt": None, "w": 1.5}}, {"Recode": {"rt": {9: 1, 8: None}}}
    )
    as_text = read(
        {"Set": {"duration": "0", "rt": "n/a", "w": "1.5"}},
        {"Recode": {"rt": {"9": "1", "8": "n/a"}}},
    )
    assert as_numbers == as_text


def test_edits_and_their_order_are_part_of_the_digest():
    first, second = EDITS[:2]
    digests = [
        digest_of((node(settings),))
        for settings in (
            RunSettings(),
            read(),
            read(first),
            read(first, second),
            read(second, first),
        )
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4
    assert len({read(first), read(first), read(second)}) == 2


def test_edits_from_python_replace_those_of_the_file():
    model = override(
        StatsModel("m", (node(read(EDITS[0])),), ()), {"events": read(EDITS[1]).events}
    )
    assert model.nodes[0].settings == read(EDITS[1])


ONE = "one of Set, Drop, Add, Recode, Strip, Scale in each edit, and not empty; here:"
KEYS = "an edit of the keys Where, Set, Drop, Add, Recode, Strip, Scale; here:"


@pytest.mark.parametrize(
    ("edit", "place", "expected"),
    [
        ({"Wher": "a > 1", "Drop": True}, "[0]", f'{KEYS} Wher. Did you mean "Where"?'),
        ({"Xyz": 1, "Drop": True}, "[0]", f"{KEYS} Xyz"),
        ({"Where": "a > 1"}, "[0]", f"{ONE} none"),
        ({"Where": "a > 1", "Drop": True, "Set": {"a": 1}}, "[0]", f"{ONE} Set and Drop"),
        ({"Strip": []}, "[0]", f"{ONE} Strip"),
        ({"Drop": True}, "[0]", 'Drop with "Where": without it, every row would go'),
        ({"Where": "a > 1", "Drop": False}, "[0].Drop", "one of True"),
        ({"Where": "a", "Drop": True}, "[0].Where", (
            'a condition, such as rt > 0.2 or x == "a"; found a value at character 1, before: a'
        )),
        ({"Where": 1, "Drop": True}, "[0].Where", "text"),
        ({"Set": {}}, "[0].Set", "an object with something in it"),
        ({"Set": {"a": "b = 1"}}, "[0].Set.a", '"=="; found "=" at character 3, before: = 1'),
        ({"Set": {"a": True}}, "[0].Set.a", "text"),
        ({"Add": ["a"]}, "[0].Add", "an object: {...}"),
        ({"Recode": {"a": "b"}}, "[0].Recode.a", "an object: {...}"),
        ({"Recode": {"a": {"b": [1]}}}, "[0].Recode.a.b", "text"),
        ({"Strip": "a"}, "[0].Strip", "a list: [...]"),
        ({"Scale": {"onset": 0}}, "[0].Scale.onset", "a number that is not 0"),
        ({"Scale": {"onset": "ms"}}, "[0].Scale.onset", "a number"),
        ({"Scale": {"onset": float("inf")}}, "[0].Scale.onset", "a finite number"),
        ("Drop", "[0]", "an object: {...}"),
    ],
)  # fmt: skip
def test_what_is_no_edit_is_refused_with_its_place(edit, place, expected):
    content = {"Events": [edit]}
    with pytest.raises(ValidationError) as caught:
        checker(RunSettings).validate_python(content)
    (problem,) = schema_problems("m: ", content, caught.value)
    assert (problem.where, problem.expected) == (f"m: Events{place}", expected)


def test_there_may_not_be_too_many():
    with pytest.raises(ValidationError):
        read(*[EDITS[0]] * 201)
