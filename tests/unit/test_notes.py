"""Notes: said once however often they are true, what loses data first."""

from __future__ import annotations

from twolevel.notes import Note, merged

RUNS = [f"sub-{s:02d} run-1" for s in range(1, 13)]


def test_one_place_stands_in_front_and_its_detail_behind():
    assert merged([Note("no high-pass", "sub-01 run-1", "no cosines")]) == [
        "sub-01 run-1: no high-pass: no cosines"
    ]


def test_a_note_about_everything_names_no_place():
    assert merged([Note("two sessions are averaged")]) == ["two sessions are averaged"]


def test_what_is_true_of_many_runs_is_one_line_with_their_number():
    (line,) = merged([Note("no high-pass", run) for run in RUNS])
    assert line == (
        "no high-pass: 12 times: sub-01 run-1, sub-02 run-1, sub-03 run-1 ... sub-12 run-1"
    )


def test_few_places_are_all_named_with_their_details():
    notes = [Note("left out", run, f"line {k}") for k, run in enumerate(RUNS[:2])]
    assert merged(notes) == ["left out: sub-01 run-1: line 0; sub-02 run-1: line 1"]


def test_every_place_is_named_where_asked_for():
    (line,) = merged([Note("left out", run, "why") for run in RUNS], every_place=True)
    assert all(f"{run}: why" in line for run in RUNS)


def test_what_loses_data_comes_first_and_otherwise_the_order_is_kept():
    notes = [Note("b"), Note("lost", "sub-02", loses_data=True), Note("a"), Note("b")]
    assert merged(notes) == ["sub-02: lost", "b", "a"]


def test_no_note_is_hidden_however_many_there_are():
    assert len(merged(Note(f"thing {k}") for k in range(200))) == 200


def test_the_same_note_about_the_same_place_is_said_once():
    assert merged([Note("x", "sub-01"), Note("x", "sub-01")]) == ["sub-01: x"]
