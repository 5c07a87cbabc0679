from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from twolevel.bids.events import events_of_run, events_within_scan, read_events
from twolevel.errors import InputError
from twolevel.notes import merged

if TYPE_CHECKING:
    from pathlib import Path

CONDITIONS = {"pumps_demean", "control_pumps_demean", "cash_demean", "explode_demean"}


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "sub-01_task-x_events.tsv"
        path.write_text(text.replace(" ", "\t"))
        return path

    return write


def problems_of(path: Path, **options) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        read_events(path, **options)
    assert all(str(path) in problem.where for problem in caught.value.problems)
    return [(problem.found, problem.expected) for problem in caught.value.problems]


def test_every_real_events_file_is_read(shared):
    paths = sorted((shared / "ds000001").glob("sub-*/func/*_events.tsv"))
    assert len(paths) == 48
    for path in paths:
        events = read_events(path)
        assert len(events) == len(path.read_text().splitlines()) - 1, path.name
        assert set(events["trial_type"]) == CONDITIONS, path.name
        assert events["onset"].dtype == events["duration"].dtype == np.float64
        assert events["onset"].is_monotonic_increasing, path.name


def test_26_of_48_real_runs_have_onsets_after_the_scan(shared):
    notes = {}
    for path in sorted((shared / "ds000001").glob("sub-*/func/*_events.tsv")):
        within = events_within_scan(read_events(path), 300, 2.0, 0.0)
        assert (within.events["onset"] < 600).all()
        assert (within.outside["onset"] >= 600).all()
        found = within.notes(path.name)
        assert len(found) == (not within.outside.empty)
        notes.update({note.where: note for note in found})
    assert len(notes) == 26
    note = notes["sub-16_task-balloonanalogrisktask_run-01_events.tsv"]
    assert note.loses_data
    assert note.detail == "1 of 121 (the last volume ends at 600.0 s): lines 122 (604.086 s)"


def test_lines_of_the_note_are_those_of_the_file(shared):
    path = (
        shared / "ds000001/sub-16/func/sub-16_task-balloonanalogrisktask_run-01_events.tsv"
    )  # line 1 is the header
    assert path.read_text().splitlines()[122 - 1].startswith("604.086\t")


@pytest.mark.parametrize(
    ("onset", "inside"),
    [(-24.0, True), (-24.1, False), (0.0, True), (19.999, True), (20.0, False), (25.0, False)],
)
def test_an_event_is_inside_up_to_the_end_of_the_last_volume(onset, inside):
    events = pd.DataFrame({"onset": [onset], "duration": [1.0], "trial_type": ["a"]})
    within = events_within_scan(events, n_volumes=10, repetition_time=2.0, start_time=0.0)
    assert len(within.events) == inside
    assert len(within.outside) == (not inside)
    assert within.scan_end == 20.0


def test_the_start_time_shifts_the_end_of_the_scan():
    events = pd.DataFrame({"onset": [20.5, 21.0], "duration": 1.0, "trial_type": "a"})
    within = events_within_scan(events, n_volumes=10, repetition_time=2.0, start_time=1.0)
    assert within.scan_end == 21.0
    assert list(within.events["onset"]) == [20.5]
    assert merged(within.notes("sub-01")) == [
        (
            "sub-01: events with an onset outside the scan are left out: "
            "1 of 2 (the last volume ends at 21.0 s): lines 3 (21 s)"
        )
    ]


def test_there_is_no_note_where_nothing_is_left_out():
    events = pd.DataFrame({"onset": [1.0], "duration": [1.0], "trial_type": ["a"]})
    assert events_within_scan(events, 10, 2.0, 0.0).notes("sub-01") == []


@pytest.mark.parametrize(
    "rows",
    [
        ["1 1 a", "n/a 1 a", "3 1 b", "n/a 1 b"],
        ["1 1 a", "2 1 n/a", "3 1 b", "4 1 n/a"],
        ["1 1 a", "n/a n/a n/a", "3 1 b", "n/a n/a b"],
        ["1 1 a", "n/a err a", "3 1 b", "4 err n/a"],
    ],
)
def test_rows_without_onset_or_level_are_left_out_with_their_lines(write, rows):
    path = write("\n".join(["onset duration trial_type", *rows, ""]))
    run = events_of_run(path, ("trial_type",), (), timing=(2.0, 0.0), n_volumes=10)
    assert run.events["onset"].tolist() == [1.0, 3.0]
    assert run.lines_incomplete == [3, 5]
    assert merged(run.notes("sub-01")) == [
        "sub-01: events with n/a in onset or trial_type are left out: 2 of 4: lines 3, 5"
    ]
    assert read_events(path)["trial_type"].tolist() == ["a", "b"]


def test_a_row_stays_while_one_of_several_factors_has_a_value(write):
    path = write("onset duration kind hand\n1 1 face n/a\n2 1 n/a left\n3 1 n/a n/a\n")
    run = events_of_run(path, ("kind", "hand"), ())
    assert run.events["onset"].tolist() == [1.0, 2.0]
    assert run.lines_incomplete == [4]
    assert run.why_incomplete == "n/a in onset or kind or hand"


def test_n_a_in_the_duration_is_kept_until_it_is_known_who_takes_the_row(write):
    events = read_events(write("onset duration trial_type\n1 n/a a\n2 1 b\n"))
    assert events["duration"].isna().tolist() == [True, False]


def test_lines_are_those_of_the_file_after_rows_were_left_out(write):
    path = write("onset duration trial_type\nn/a 1 a\n\n30 1 a\n5 1 n/a\n40 1 b\n2 1 b\n")
    run = events_of_run(path, ("trial_type",), (), timing=(2.0, 0.0), n_volumes=10)
    assert run.lines_incomplete == [2, 5]
    assert run.lines_outside == [4, 6]
    assert [index + 2 for index in run.events.index] == [7]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("soon 1 a", 'no number in column onset: line 3 ("soon")'),
        ("1,5 1 a", 'no number in column onset: line 3 ("1,5")'),
        ("inf 1 a", 'no number in column onset: line 3 ("inf")'),
        ("1 -inf a", 'no number in column duration: line 3 ("-inf")'),
        ("1 NaN a", 'no number in column duration: line 3 ("NaN")'),
        ("1 1e999 a", 'no number in column duration: line 3 ("inf")'),
        ("1 2s a", 'no number in column duration: line 3 ("2s")'),
    ],
)
def test_what_is_no_finite_number_is_named_with_its_line(write, row, found):
    path = write(f"onset duration trial_type\n1 1 a\n{row}\n")
    assert problems_of(path) == [(found, "numbers, and n/a where there is no value")]


@pytest.mark.parametrize("cell", ["err", "", "NaN", "nan", "inf", "0,8", "1 2", "None"])
@pytest.mark.parametrize("pattern", ["rt", "r*", "?t"])
def test_one_cell_that_is_no_number_never_takes_a_modulator_away(tmp_path, cell, pattern):
    path = tmp_path / "x_events.tsv"
    path.write_text(f"onset\tduration\trt\n1\t1\t0.5\n2\t1\tn/a\n3\t1\t{cell}\n4\t1\t0.7\n")
    (problem,) = problems_of(path, factors=(), variables=(pattern, "1"))
    assert problem[0] == f'no number in column rt: line 4 ("{cell}")'


def test_a_column_of_words_is_no_modulator_and_the_message_says_how_it_becomes_a_factor(write):
    path = write("onset duration hand\n1 1 left\n2 1 right\n")
    with pytest.raises(InputError) as caught:
        read_events(path, (), ("hand",))
    (problem,) = caught.value.problems
    assert problem.found == 'no number in column hand: line 2 ("left"), line 3 ("right")'
    assert "name hand in a Factor instruction and hand.LEVEL in X" in problem.remedy
    # A wildcard takes what is numeric and leaves words alone.
    assert read_events(path, (), ("h*",))["hand"].tolist() == ["left", "right"]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["True", "False", "n/a"], [1.0, 0.0, np.nan]),
        (["true", "false", "true"], [1.0, 0.0, 1.0]),
        (["1", "n/a", "2e1"], [1.0, np.nan, 20.0]),
        (["n/a", "n/a", "n/a"], [np.nan] * 3),
    ],
)
def test_modulators_are_numbers_or_true_and_false(write, cells, numbers):
    rows = "\n".join(f"{i} 1 {cell}" for i, cell in enumerate(cells))
    events = read_events(write(f"onset duration rt\n{rows}\n"), (), ("rt",))
    np.testing.assert_array_equal(events["rt"].to_numpy(float), numbers)


def test_columns_that_the_model_does_not_name_may_hold_anything(write):
    path = write("onset duration trial_type rt\n1 1 a err\n2 1 b inf\n")
    assert read_events(path, variables=("trial_type.a", "1"))["rt"].tolist() == ["err", "inf"]


@pytest.mark.parametrize(
    ("onsets", "found"),
    [
        (
            [6000, 15000],
            "no onset in the scan: lines 2, 3 (6000 to 15000), while the scan ends at",
        ),
        ([0, 9000, 15000], "no onset after its first instant: lines 3, 4 (9000 to 15000)"),
        ([250, 310], "no onset in the scan: lines 2, 3 (250 to 310)"),
    ],
)
def test_onsets_that_all_lie_outside_are_refused_as_milliseconds(write, onsets, found):
    rows = "\n".join(f"{onset} 1 a" for onset in onsets)
    path = write(f"onset duration trial_type\n{rows}\n")
    with pytest.raises(InputError) as caught:
        events_of_run(path, ("trial_type",), (), timing=(2.0, 0.0), n_volumes=100)
    (problem,) = caught.value.problems
    assert problem.found.startswith(found)
    assert "are they milliseconds? then divide by 1000" in problem.remedy
    assert "RepetitionTime (2 s)" in problem.remedy


@pytest.mark.parametrize("onsets", [[0, 210], [-3, 5, 400], [0.1, 150, 1e5]])
def test_some_onsets_outside_are_left_out_and_no_reason_to_refuse(write, onsets):
    rows = "\n".join(f"{onset} 1 a" for onset in onsets)
    path = write(f"onset duration trial_type\n{rows}\n")
    run = events_of_run(path, ("trial_type",), (), timing=(2.0, 0.0), n_volumes=100)
    assert len(run.outside) == 1


def test_negative_durations_are_an_error_that_names_the_lines(write):
    path = write("onset duration trial_type\n1 0 a\n2 -1 a\n3 -0.5 b\n")
    assert problems_of(path) == [("negative durations in lines 3, 4", "0 s or more")]


def test_all_columns_that_are_wrong_are_listed_at_once(write):
    path = write("onset duration trial_type\nx -1 a\n2 y b\n3 -2 c\n")
    assert [found for found, _ in problems_of(path)] == [
        'no number in column onset: line 2 ("x")',
        'no number in column duration: line 3 ("y")',
        "negative durations in lines 2, 4",
    ]
    assert [found for found, _ in problems_of(write("onset kind\n1 a\n"))] == [
        "no column duration",
        "no column trial_type",
    ]


def test_a_missing_column_is_an_error_that_lists_those_that_are_there(write):
    path = write("onset duration kind\n1 1 a\n")
    assert problems_of(path) == [
        (
            "no column trial_type",
            "columns onset, duration, trial_type; there are: onset, duration, kind",
        )
    ]


def test_columns_that_are_not_factors_need_not_be_there(write):
    path = write("onset duration kind\n1 1 a\n")
    assert list(read_events(path, ("kind",))["kind"]) == ["a"]
    assert list(read_events(path, ())["onset"]) == [1.0]


def test_trial_types_that_look_like_numbers_stay_as_they_are_written(write):
    path = write("onset duration trial_type\n1 1 01\n2 1 1\n3 1 1.0\n4 1 1e3\n")
    events = read_events(path)
    assert list(events["trial_type"]) == ["01", "1", "1.0", "1e3"]


@pytest.mark.parametrize("word", ["NA", "nan", "None", "null", "N/A"])
def test_only_n_a_is_a_missing_value(write, word):
    path = write(f"onset duration trial_type\n1 1 {word}\n")
    assert list(read_events(path)["trial_type"]) == [word]


def test_missing_values_in_other_columns_are_kept(write):
    path = write("onset duration trial_type gain\n1 1 a n/a\n2 1 b 2.5\n")
    gain = read_events(path)["gain"]
    assert gain.dtype == np.float64
    assert np.isnan(gain[0])
    assert gain[1] == 2.5


def test_whole_numbers_become_seconds_as_floats(write):
    events = read_events(write("onset duration trial_type\n1 0 a\n"))
    assert events["onset"].dtype == events["duration"].dtype == np.float64


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_bytes(b"\xef\xbb\xbfonset\tduration\ttrial_type\r\n1\t2\ta\r\n")
    assert list(read_events(path)["onset"]) == [1.0]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"onset\tduration\n\xff\xfe\t1\n"])
def test_what_is_no_table_is_refused_by_name(tmp_path, content):
    path = tmp_path / "events.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no readable table") as caught:
        read_events(path)
    assert caught.value.problems[0].where == str(path)
