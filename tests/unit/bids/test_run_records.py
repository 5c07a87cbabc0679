from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.bids.run_records import GROUP, History, RunRecord, read_history, write_run_record

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, time: str, *attempted: str, command: str = "", **failed: str) -> None:
    record = RunRecord(command or f"twolevel {time}", list(attempted))
    record.failed.update({who.removeprefix("sub"): why for who, why in failed.items()})
    write_run_record(root / "logs" / f"{time}-1.log", record)


def test_without_a_record_there_is_nothing_to_tell(tmp_path):
    assert read_history(tmp_path) == History([], {})


def test_a_failure_is_told_until_a_later_attempt_succeeds(tmp_path):
    write(tmp_path, "1", "01", "02", sub01="no voxel", sub02="no volume")
    write(tmp_path, "2", "02", "03")
    assert read_history(tmp_path).failed == {"01": "no voxel"}
    write(tmp_path, "3", "01", sub01="still none")
    assert read_history(tmp_path).failed == {"01": "still none"}
    write(tmp_path, "4", "01", GROUP)
    assert read_history(tmp_path).failed == {}


def test_a_group_that_could_not_even_begin_is_told(tmp_path):
    write(tmp_path, "1", "01", group="fewer than two subjects")
    assert read_history(tmp_path).failed == {GROUP: "fewer than two subjects"}
    write(tmp_path, "2", GROUP)
    assert read_history(tmp_path).failed == {}


def test_a_repeated_command_is_told_once_the_latest_last(tmp_path):
    for time, command in (("1", "a"), ("2", "b"), ("3", "a")):
        write(tmp_path, time, command=command)
    assert read_history(tmp_path).commands == ["b", "a"]
