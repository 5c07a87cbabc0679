"""Edits of events: real situations, each against the table edited by hand in pandas."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from twolevel.bids.edited_events import apply_edits, read_edited
from twolevel.errors import InputError
from twolevel.files.tables import in_lines, line_of
from twolevel.model.declared import checker
from twolevel.model.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRIALS = """\
onset duration trial_type rt correct block
2 1.5 go 0.41 1 practice
6.5 1.5 stop 0.73 0 practice
11 1.5 go n/a n/a main
15.25 1.5 go 0.38 1 main
20 1.5 stop 0.52 1 main
26 1.5 go 0.61 0 main
31.5 1.5 go 0.47 1 main
"""
MILLISECONDS = """\
onset duration trial_type rt
2000 1500 go 410
6500 1500 stop 999
11250 1500 go 380
"""
FACES = """\
onset duration emotion gender level
2 1 happy f 01
5 1 sad m 02
8 n/a happy m 03
11 1 n/a f 04
14 1 sad f 05
"""
BLANKS = "onset\tduration\ttrial_type\n2\t1\tface \n5\t1\tFace\n8\t1\t face\n11\t1\thouse\n"


def edited(text: str, edits: list[dict[str, Any]]):
    """Edit a table of text; blanks stand for tabs where there is no tab."""
    table = pd.read_csv(
        StringIO(text if "\t" in text else text.replace(" ", "\t")),
        sep="\t", dtype=str, na_values=["n/a"], keep_default_na=False,
    )  # fmt: skip
    settings = checker(RunSettings).validate_python({"Events": edits})
    return apply_edits(table, settings.events, "events: FILE")


def by_hand(text: str) -> pd.DataFrame:
    """Read the same table as pandas does by itself."""
    text = text if "\t" in text else text.replace(" ", "\t")
    return pd.read_csv(StringIO(text), sep="\t", na_values=["n/a"], keep_default_na=False)


def assert_same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Compare tables: numbers as numbers, to the last digit, and all else as text."""
    assert list(ours) == list(theirs)
    assert len(ours) == len(theirs)
    for name in ours:
        expected = theirs[name].reset_index(drop=True)
        found = ours[name].reset_index(drop=True)
        assert list(found.isna()) == list(expected.isna()), name
        if pd.api.types.is_numeric_dtype(expected):
            np.testing.assert_array_equal(found.astype(float), expected.astype(float), name)
        else:
            assert list(found.dropna()) == list(expected.dropna()), name


def missed(t: pd.DataFrame) -> pd.DataFrame:
    t.loc[t.rt.isna(), "trial_type"] = "missed"
    return t


def practice_dropped(t: pd.DataFrame) -> pd.DataFrame:
    return t[t.block != "practice"]


def in_seconds(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(onset=t.onset * 0.001, duration=t.duration * 0.001)


def codes(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(rt=t.rt.replace(999, np.nan))


def codes_and_seconds(t: pd.DataFrame) -> pd.DataFrame:
    t = in_seconds(codes(t))
    return t.assign(rt=t.rt * 0.001)


def two_columns(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(trial_type=t.emotion + "_" + t.gender)


def response_time(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(duration=t.rt.where(t.rt.notna(), t.duration))


def response_regressor(t: pd.DataFrame) -> pd.DataFrame:
    more = t[t.rt.notna()].copy()
    more = more.assign(trial_type="rt", duration=more.rt)
    return pd.concat([t, more]).sort_values("onset", kind="stable")


def first_of_block(t: pd.DataFrame) -> pd.DataFrame:
    t.loc[t.block != t.block.shift(), "trial_type"] = "first"
    return t


def blocks(t: pd.DataFrame) -> pd.DataFrame:
    first = t[t.block != t.block.shift()]
    more = first.assign(trial_type=first.block, duration=30)
    return pd.concat([t, more]).sort_values("onset", kind="stable")


def feedback(t: pd.DataFrame) -> pd.DataFrame:
    more = t.assign(onset=t.onset + t.duration, duration=0.5, trial_type="feedback")
    return pd.concat([t, more]).sort_values("onset", kind="stable")


def feedback_by_outcome(t: pd.DataFrame) -> pd.DataFrame:
    known = t[t.correct.notna()]
    names = np.where(known.correct == 1, "right", "wrong")
    more = known.assign(onset=known.onset + known.rt, duration=0, trial_type=names)
    return pd.concat([t, more]).sort_values("onset", kind="stable")


def no_duration(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(duration=t.duration.fillna(0))


def without_duration_dropped(t: pd.DataFrame) -> pd.DataFrame:
    return t.dropna(subset=["duration"])


def stripped(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(trial_type=t.trial_type.str.strip())


def one_case(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(trial_type=t.trial_type.str.strip().str.lower())


def post_error(t: pd.DataFrame) -> pd.DataFrame:
    t.loc[t.correct.shift() == 0, "trial_type"] = "post_error"
    return t


def correctness(t: pd.DataFrame) -> pd.DataFrame:
    t.loc[t.correct == 1, "trial_type"] += "_correct"
    t.loc[t.correct == 0, "trial_type"] += "_error"
    return t


def dummy_scans(t: pd.DataFrame) -> pd.DataFrame:
    t = t.assign(onset=t.onset - 4 * 2)
    return t[t.onset >= 0]


def merged(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(trial_type=t.trial_type.replace({"go": "trial", "stop": "trial"}))


def jitter(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(gap=(t.onset - t.onset.shift() - t.duration.shift()))


def fast(t: pd.DataFrame) -> pd.DataFrame:
    t.loc[(t.rt > 0.3) & (t.rt < 0.45) & t.trial_type.isin(["go"]), "trial_type"] = "fast_go"
    return t


def outliers(t: pd.DataFrame) -> pd.DataFrame:
    t.loc[t.rt > 0.7, "rt"] = np.nan
    return t


def numbered_levels(t: pd.DataFrame) -> pd.DataFrame:
    return t[(t.level < 2) | (t.level > 3)]


def indicator(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(is_error=(t.correct == 0).astype(float))


def switch(t: pd.DataFrame) -> pd.DataFrame:
    before = t.trial_type.shift()
    same = t.trial_type == before
    kind = np.where(same, "repeat", "switch")
    return t.assign(kind=pd.Series(kind).where(before.notna()))


def onset_of_response(t: pd.DataFrame) -> pd.DataFrame:
    t = t.dropna(subset=["rt"])
    return t.assign(onset=t.onset + t.rt, duration=0)


def n_back(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(two_back=(t.trial_type == t.trial_type.shift(2)).astype(float))


IS_FIRST = "isna(previous(block)) or previous(block) != block"
EXAMPLES: dict[str, tuple[str, list[dict[str, Any]], Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "missed responses are a condition of their own": (
        TRIALS, [{"Where": "isna(rt)", "Set": {"trial_type": "'missed'"}}], missed
    ),
    "practice trials dropped": (
        TRIALS, [{"Where": "block == 'practice'", "Drop": True}], practice_dropped
    ),
    "milliseconds": (MILLISECONDS, [{"Scale": {"onset": 0.001, "duration": 0.001}}], in_seconds),
    "codes for missing values": (MILLISECONDS, [{"Recode": {"rt": {"999": "n/a"}}}], codes),
    "codes, and then milliseconds": (
        MILLISECONDS,
        [{"Recode": {"rt": {"999.0": None}}},
         {"Scale": {"onset": 0.001, "duration": 0.001, "rt": 0.001}}],
        codes_and_seconds,
    ),
    "trial types from two columns": (
        FACES, [{"Set": {"trial_type": 'emotion + "_" + gender'}}], two_columns
    ),
    "response time as duration": (
        TRIALS, [{"Where": "not isna(rt)", "Set": {"duration": "rt"}}], response_time
    ),
    "a regressor of response times beside the trials": (
        TRIALS,
        [{"Where": "not isna(rt)", "Add": {"trial_type": "'rt'", "duration": "rt"}}],
        response_regressor,
    ),
    "first trial of a block": (
        TRIALS, [{"Where": IS_FIRST, "Set": {"trial_type": "'first'"}}], first_of_block
    ),
    "a block from runs of rows": (
        TRIALS, [{"Where": IS_FIRST, "Add": {"trial_type": "block", "duration": 30}}], blocks
    ),
    "feedback after each trial": (
        TRIALS,
        [{"Add": {"onset": "onset + duration", "duration": 0.5, "trial_type": "'feedback'"}}],
        feedback,
    ),
    "feedback by outcome, at the response": (
        TRIALS,
        [{"Where": "correct == 1",
          "Add": {"onset": "onset + rt", "duration": 0, "trial_type": "'right'"}},
         {"Where": "correct == 0 and trial_type != 'right'",
          "Add": {"onset": "onset + rt", "duration": 0, "trial_type": "'wrong'"}}],
        feedback_by_outcome,
    ),
    "durations that are n/a": (
        FACES, [{"Where": "isna(duration)", "Set": {"duration": 0}}], no_duration
    ),
    "rows without duration dropped": (
        FACES, [{"Where": "isna(duration)", "Drop": True}], without_duration_dropped
    ),
    "blanks at the end": (BLANKS, [{"Strip": ["trial_type"]}], stripped),
    "differences of case": (
        BLANKS, [{"Strip": ["trial_type"]}, {"Recode": {"trial_type": {"Face": "face"}}}], one_case
    ),
    "trials after an error": (
        TRIALS, [{"Where": "previous(correct) == 0", "Set": {"trial_type": "'post_error'"}}],
        post_error,
    ),
    "correct and incorrect": (
        TRIALS,
        [{"Where": "correct == 1", "Set": {"trial_type": "trial_type + '_correct'"}},
         {"Where": "correct == 0", "Set": {"trial_type": "trial_type + '_error'"}}],
        correctness,
    ),
    "onsets shifted by dummy scans": (
        TRIALS, [{"Set": {"onset": "onset - 4 * 2"}}, {"Where": "onset < 0", "Drop": True}],
        dummy_scans,
    ),
    "conditions merged": (
        TRIALS, [{"Recode": {"trial_type": {"go": "trial", "stop": "trial"}}}], merged
    ),
    "jitter: time since the end of the last trial": (
        TRIALS, [{"Set": {"gap": "onset - previous(onset) - previous(duration)"}}], jitter
    ),
    "fast trials of one kind": (
        TRIALS,
        [{"Where": "0.3 < rt < 0.45 and trial_type in ['go']",
          "Set": {"trial_type": "'fast_go'"}}],
        fast,
    ),
    "outliers without a value": (
        TRIALS, [{"Where": "rt > 0.7", "Set": {"rt": "n/a"}}], outliers
    ),
    "levels with zeros in front, by number": (
        FACES, [{"Where": "level in [2, 3]", "Drop": True}], numbered_levels
    ),
    "an indicator as modulator": (TRIALS, [{"Set": {"is_error": "correct == 0"}}], indicator),
    "switch and repeat": (
        TRIALS,
        [{"Where": "previous(trial_type) == trial_type", "Set": {"kind": "'repeat'"}},
         {"Where": "previous(trial_type) != trial_type", "Set": {"kind": "'switch'"}}],
        switch,
    ),
    "the response as the event": (
        TRIALS,
        [{"Where": "isna(rt)", "Drop": True}, {"Set": {"onset": "onset + rt", "duration": 0}}],
        onset_of_response,
    ),
    "the same as two trials before": (
        TRIALS, [{"Set": {"two_back": "previous(previous(trial_type)) == trial_type"}}], n_back
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_edits_equal_the_table_edited_by_hand(name):
    text, edits, edit = EXAMPLES[name]
    assert_same(edited(text, edits).table, edit(by_hand(text)))


def test_rows_are_counted_for_each_edit():
    edits: list[dict[str, Any]] = [
        {"Where": "rt > 0.5", "Set": {"trial_type": "'slow'"}},
        {"Where": "correct == 0", "Drop": True},
        {"Where": "trial_type == 'go'", "Add": {"duration": 0}},
        {"Recode": {"correct": {"1": "yes", "0": "no"}}},
        {"Strip": ["block"]},
        {"Where": "isna(rt)", "Scale": {"rt": 2}},
    ]
    assert edited(TRIALS, edits).counts == (3, 2, 4, 7, 0, 0)


def test_every_row_has_a_label_of_its_own_that_tells_its_line():
    twice: list[dict[str, Any]] = [
        {"Where": "trial_type == 'stop'", "Add": {"onset": "onset + 1"}}
    ] * 2
    again: list[dict[str, Any]] = [{"Where": "onset == 7.5", "Drop": True}, *twice]
    table = edited(TRIALS, [*twice, *again]).table
    assert table.index.is_unique
    lines = [line_of(label) for label in table.index]
    assert lines == [2, *[3] * 8, 4, 5, *[6] * 16, 7, 8]
    assert in_lines(table.index) == "2, 3, 4, 5, 6, 7, 8"
    assert list(table.onset.astype(float)) == sorted(table.onset.astype(float))


def test_values_are_of_the_table_before_the_edit():
    table = edited(
        "onset duration\n1 2\n3 4\n", [{"Set": {"onset": "duration", "duration": "onset"}}]
    )
    assert_same(table.table, pd.DataFrame({"onset": [2, 4], "duration": [1, 3]}))


def test_rows_without_onset_come_last_where_rows_are_added():
    table = edited(
        "onset duration\nn/a 2\n3 4\n1 1\n", [{"Where": "onset == 1", "Add": {"duration": 9}}]
    )
    expected = pd.DataFrame({"onset": [1, 1, 3, np.nan], "duration": [1, 9, 4, 2]})
    assert_same(table.table, expected)


def test_dropped_rows_are_known():
    result = edited(
        TRIALS, [{"Where": "isna(rt)", "Drop": True}, {"Where": "rt > 5", "Drop": True}]
    )
    settings = [edit for edit, _ in zip("ab", result.dropped, strict=True)]
    assert [(n, e, in_lines(rows)) for n, e, rows in result.dropped_by(settings)] == [
        (1, "a", "4")
    ]


def test_the_file_has_the_line_of_each_row():
    result = edited(FACES, [{"Where": "isna(duration)", "Drop": True}])
    assert list(result.as_file().source_line) == [2, 3, 5, 6]


COLUMNS = "one of the columns onset, duration, trial_type, rt, correct, block"
NO_NUMBERS = (
    'no number in block: line 2 ("practice"), line 3 ("practice"), line 4 ("main"), '
    'line 5 ("main"), line 6 ("main") and 2 more'
)
MAKE_NUMBERS = (
    "make n/a of these cells first (Recode), ask for text with == and quotes, or join texts with "
    '+ "" +'
)


@pytest.mark.parametrize(
    ("edit", "found", "expected", "remedy"),
    [
        (
            {"Where": "rtt > 1", "Drop": True},
            'no column "rtt" ({"Where": "rtt > 1", "Drop": true})',
            COLUMNS,
            'Did you mean "rt"?',
        ),
        (
            {"Set": {"trial_type": "go"}},
            'no column "go" ({"Set": {"trial_type": "go"}})',
            COLUMNS,
            "correct the name; if it is a text, quote it: 'go'",
        ),
        (
            {"Scale": {"block": 2}},
            NO_NUMBERS,
            "numbers, and n/a where there is no value",
            MAKE_NUMBERS,
        ),
    ],
)
def test_what_an_edit_lacks_is_said(edit, found, expected, remedy):
    with pytest.raises(InputError) as caught:
        edited(TRIALS, [edit])
    (problem,) = caught.value.problems
    assert problem.where == "events: FILE: event edit 1"
    assert (problem.found, problem.expected, problem.remedy) == (found, expected, remedy)


def test_all_columns_that_an_edit_lacks_are_named():
    with pytest.raises(InputError) as caught:
        edited(TRIALS, [{"Where": "a > 1", "Set": {"x": "b + c"}}])
    assert [p.found.split(" (")[0] for p in caught.value.problems] == [
        'no column "a"', 'no column "b"', 'no column "c"',
    ]  # fmt: skip


def test_cells_keep_their_text_and_what_is_not_used_may_be_anything(tmp_path: Path):
    path = tmp_path / "events.tsv"
    path.write_bytes(b"onset\tduration\tlevel\tnotes\n1\t1\t01 \tM\xfcller\n2\t1\t1\t-\n")
    edits = checker(RunSettings).validate_python(
        {"Events": [{"Where": "level == 1", "Set": {"n": 1}}]}
    )
    result = read_edited(path, edits.events, lambda name: name != "notes")
    assert list(result.table.level) == ["01 ", "1"]
    assert result.counts == (2,)
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in result.typed(["level"]).dtypes]
    assert dict(zip(result.table, numeric, strict=True)) == {
        "onset": True, "duration": True, "level": False, "notes": False, "n": True,
    }  # fmt: skip


def test_a_column_without_any_value_can_be_given_some():
    text = "onset duration rt\n1 n/a n/a\n2 n/a n/a\n"
    edits: list[dict[str, Any]] = [
        {"Recode": {"duration": {"n/a": 0}}},
        {"Strip": ["rt"]},
        {"Scale": {"rt": 2}},
        {"Where": "onset == 1", "Set": {"rt": "'slow'"}},
    ]
    result = edited(text, edits)
    expected = pd.DataFrame({"onset": [1, 2], "duration": [0, 0], "rt": ["slow", None]})
    assert_same(result.table, expected)
    assert result.counts == (2, 0, 0, 1)


def test_a_table_without_rows_stays_one():
    edits: list[dict[str, Any]] = [
        {"Where": "rt > 1", "Drop": True},
        {"Add": {"duration": 1}},
        {"Set": {"x": "previous(rt)"}},
    ]
    result = edited("onset duration rt\n", edits)
    assert (len(result.table), list(result.table), result.counts) == (
        0, ["onset", "duration", "rt", "x"], (0, 0, 0),
    )  # fmt: skip
