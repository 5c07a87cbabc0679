from __future__ import annotations

import pytest

from twolevel.errors import InputError
from twolevel.simulate.dataset import simulate_dataset


@pytest.mark.parametrize(
    ("arguments", "found", "expected"),
    [
        ({"n_subjects": 0}, "0", "a whole number from 1 to 99"),
        ({"n_runs": 1.5}, "1.5", "a whole number from 1 to 99"),
        ({"n_runs": True}, "True", "a whole number from 1 to 99"),
        ({"n_volumes": 29}, "29", "a whole number from 30 to 5000"),
        ({"voxel_size_mm": 1.0}, "1.0", "a number from 2.0 to 6.0"),
        ({"repetition_time": float("nan")}, "nan", "a number from 0.2 to 5.0"),
        ({"repetition_time": "2"}, "'2'", "a number from 0.2 to 5.0"),
        ({"seed": -1}, "-1", "a whole number from 0 to 4294967295"),
    ],
)
def test_number_out_of_range_is_refused(tmp_path, arguments, found, expected):
    with pytest.raises(InputError) as refusal:
        simulate_dataset(tmp_path / "out", **arguments)
    (name,) = arguments
    assert str(refusal.value) == (
        f"{name}\n  found:    {found}\n  expected: {expected}\n  do:       give one in that range"
    )
    assert not (tmp_path / "out").exists()


def test_scan_too_short_for_every_trial_type_is_refused(tmp_path):
    with pytest.raises(InputError, match="a scan of 45 s") as refusal:
        simulate_dataset(tmp_path / "out", n_volumes=30, repetition_time=1.5)
    assert "at least 60 s, so that every trial type occurs in each run" in str(refusal.value)


def test_directory_with_content_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="a directory that is not empty") as refusal:
        simulate_dataset(tmp_path)
    assert str(tmp_path) in str(refusal.value)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_file_in_place_of_the_directory_is_refused_with_every_other_problem(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(InputError) as refusal:
        simulate_dataset(path, n_subjects=0, n_runs=0)
    assert [problem.where for problem in refusal.value.problems] == [
        "n_subjects",
        "n_runs",
        str(path),
    ]
    assert refusal.value.problems[2].found == "a file"
