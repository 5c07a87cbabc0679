from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from twolevel.bids.events import events_within_scan, read_events
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
    ("column", "rows"),
    [
        ("onset", ["1 1 a", "n/a 1 a", "3 1 b", "n/a 1 b"]),
        ("duration", ["1 1 a", "2 n/a a", "3 1 b", "4 n/a b"]),
        ("trial_type", ["1 1 a", "2 1 n/a", "3 1 b", "4 1 n/a"]),
    ],
)
def test_a_missing_value_is_an_error_that_names_the_lines(write, column, rows):
    path = write("\n".join(["onset duration trial_type", *rows, ""]))
    assert problems_of(path) == [(f"no valid {column} in lines 3, 5", "a value in every row")]


def test_text_where_a_number_must_be_is_an_error_that_names_the_line(write):
    path = write("onset duration trial_type\n1 1 a\nsoon 1 a\n")
    assert problems_of(path)[0][0] == "no valid onset in lines 3"


def test_negative_durations_are_an_error_that_names_the_lines(write):
    path = write("onset duration trial_type\n1 0 a\n2 -1 a\n3 -0.5 b\n")
    assert problems_of(path) == [("negative durations in lines 3, 4", "0 s or more")]


def test_all_columns_that_are_wrong_are_listed_at_once(write):
    path = write("onset trial_type\nn/a n/a\n2 a\n")
    assert [found for found, _ in problems_of(path)] == [
        "no valid onset in lines 2",
        "no column duration",
        "no valid trial_type in lines 2",
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


@pytest.mark.parametrize("content", [b"", b"onset\tduration\n\xff\xfe\t1\n"])
def test_what_is_no_table_is_refused_by_name(tmp_path, content):
    path = tmp_path / "events.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no readable table") as caught:
        read_events(path)
    assert caught.value.problems[0].where == str(path)
