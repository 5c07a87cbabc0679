from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twolevel.bids.entities import Entities
from twolevel.derivatives.calls import History, RunRecord, read_history, write_run_record
from twolevel.derivatives.records import GROUP, Publication, record_failure, write_publication

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = (Publication(f"sub-0{k}", Entities({"task": "x"}), {}) for k in (1, 2))


def write(root: Path, time: str, command: str = "") -> None:
    write_run_record(root / "logs" / f"{time}-1.log", RunRecord(command or f"twolevel {time}"))


def test_without_a_record_there_is_nothing_to_tell(tmp_path):
    assert read_history(tmp_path) == History([], {})


def test_a_failure_is_told_until_a_later_attempt_succeeds(tmp_path):
    record_failure(tmp_path, FIRST, "no voxel")
    record_failure(tmp_path, SECOND, "no volume")
    assert read_history(tmp_path).failed == {"01": "no voxel", "02": "no volume"}
    write_publication(tmp_path, SECOND)
    record_failure(tmp_path, FIRST, "still none")
    assert read_history(tmp_path).failed == {"01": "still none"}


def test_a_group_that_could_not_even_begin_is_told(tmp_path):
    record_failure(
        tmp_path, Publication(GROUP, Entities({"task": "x"}), {}), "fewer than two subjects"
    )
    assert read_history(tmp_path).failed == {GROUP: "fewer than two subjects"}


def test_a_repeated_command_is_told_once_the_latest_last(tmp_path):
    for time, command in (("1", "a"), ("2", "b"), ("3", "a")):
        write(tmp_path, time, command=command)
    assert read_history(tmp_path).commands == ["b", "a"]


def test_the_picture_of_the_model_is_that_of_the_latest_call_that_drew_one(tmp_path):
    for number, graph in enumerate(("<svg>1</svg>", "<svg>2</svg>", "")):
        write_run_record(tmp_path / "logs" / f"{number}-1.log", RunRecord("twolevel", graph=graph))
    assert read_history(tmp_path).graph == "<svg>2</svg>"


def test_a_clock_that_was_set_back_does_not_change_the_order(tmp_path):
    write(tmp_path, "20271125T000000", "with the clock a year ahead")
    write(tmp_path, "20261125T000000", "with the clock set right")
    commands = ["with the clock a year ahead", "with the clock set right"]
    assert read_history(tmp_path).commands == commands


def test_records_without_a_number_or_a_command_are_read(tmp_path):
    write(tmp_path, "2", "new")
    (tmp_path / "logs/1-1.json").write_text(json.dumps({"Command": "old", "Attempted": ["01"]}))
    (tmp_path / "logs/0-1.json").write_text("{}")
    assert read_history(tmp_path).commands == ["", "old", "new"]
