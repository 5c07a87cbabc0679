from __future__ import annotations

import os
from pathlib import Path

import pytest

from twolevel.bids.entities import Entities
from twolevel.checks.longest_name import check_name_lengths, longest_path
from twolevel.errors import InputError
from twolevel.model.nodes import ContrastName

RUN = Entities({"sub": "01", "task": "t", "run": "1"})
GROUP = Entities({"task": "t", "space": "MNI152NLin2009cAsym"})
TESTS = ("fdr", "permutationUncorrected", "clusterMassFWE")


def contrast(label: str) -> ContrastName:
    return ContrastName(f"name of {label}", label, "1*face")


@pytest.mark.parametrize(
    ("entities", "expected"),
    [
        (RUN, "sub-01_task-t_run-1_contrast-a_stat-variance_statmap.nii.gz"),
        (
            GROUP,
            (
                "task-t_space-MNI152NLin2009cAsym_contrast-a_stat-logp_desc-permutationUncorrected_"
                "statmap.nii.gz"
            ),
        ),
        (Entities({"sub": "é" * 3}), "sub-ééé_contrast-a_stat-variance_statmap.nii.gz"),
    ],
)
def test_the_longest_name_of_each_level(entities, expected):
    assert longest_path(entities, "a", TESTS) == entities.folder / expected


@pytest.mark.parametrize("entities", [RUN, GROUP, Entities({"sub": "ö" * 20, "task": "t"})])
def test_the_limit_is_that_of_the_file_system_to_the_byte(tmp_path, entities):
    room = 255 - len(longest_path(entities, "", TESTS).name.encode())
    check_name_lengths([entities], [contrast("x" * room)], TESTS, [tmp_path / "not" / "there"])
    (tmp_path / longest_path(entities, "x" * room, TESTS).name).touch()
    with pytest.raises(InputError) as caught:
        check_name_lengths([entities], [contrast("x" * (room + 3))], TESTS, [tmp_path])
    (problem,) = caught.value.problems
    assert problem.where == f'contrast "name of {"x" * (room + 3)}"'
    assert problem.found.startswith("a file of it would have a name of 258 bytes: ")
    assert problem.expected.startswith("at most 255 bytes, the limit of the file system")
    assert "a Name that is 3 letters shorter" in problem.remedy
    with pytest.raises(OSError, match="too long"):
        (tmp_path / longest_path(entities, "x" * (room + 3), TESTS).name).touch()


def test_all_contrasts_that_are_too_long_are_named(tmp_path):
    contrasts = [contrast("x" * 250), contrast("short"), contrast("y" * 300)]
    with pytest.raises(InputError) as caught:
        check_name_lengths([RUN, GROUP], contrasts, TESTS, [tmp_path])
    assert [p.where for p in caught.value.problems] == [
        f'contrast "{contrasts[n].name}"' for n in (0, 2)
    ]


def test_the_smallest_limit_of_all_folders_counts(tmp_path, monkeypatch):
    there = os.pathconf

    def pathconf(path: Path, name: str) -> int:
        return 60 if name == "PC_NAME_MAX" and "small" in str(path) else there(path, name)

    monkeypatch.setattr(os, "pathconf", pathconf)
    (tmp_path / "small").mkdir()
    check_name_lengths([RUN], [contrast("aa")], TESTS, [tmp_path])
    with pytest.raises(InputError, match="at most 60 bytes"):
        check_name_lengths([RUN], [contrast("aaa")], TESTS, [tmp_path, tmp_path / "small"])


def test_a_path_that_is_too_long_is_told_from_a_name(tmp_path):
    deep = tmp_path
    while (missing := 4000 - len(str(deep))) > 0:  # of 4095 that are possible
        deep /= "d" * min(missing, 200)
    with pytest.raises(InputError) as caught:
        check_name_lengths([RUN], [contrast("a")], TESTS, [deep])
    (problem,) = caught.value.problems
    assert "a path of 4" in problem.found
    assert "shorter paths" in problem.remedy


def test_nothing_written_is_nothing_too_long(tmp_path):
    check_name_lengths([], [contrast("x" * 300)], TESTS, [tmp_path])
