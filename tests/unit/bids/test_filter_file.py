from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from twolevel.bids.filter_file import read_filter_file
from twolevel.bids.wanted import ABSENT, ANY
from twolevel.errors import InputError
from twolevel.files.sidecars import write_json
from twolevel.notes import merged

if TYPE_CHECKING:
    from pathlib import Path


def labels(tmp_path: Path, content: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    found, notes = read_filter_file(write_json(tmp_path / "filter.json", content))
    assert notes == []
    return found


@pytest.mark.parametrize(
    ("of_bold", "expected"),
    [
        ({"session": "02", "task": "x"}, {"ses": ("02",), "task": ("x",)}),
        ({"acquisition": ["mb", "seq"], "run": [1, 2]}, {"acq": ("mb", "seq"), "run": ("1", "2")}),
        ({"acquisition": None, "echo": [None, "1"]}, {"acq": (ABSENT,), "echo": (ABSENT, "1")}),
        ({"direction": "*", "ceagent": "Query.NONE"}, {"dir": (ANY,), "ce": (ABSENT,)}),
        ({"reconstruction": "Query.OPTIONAL", "part": ["mag", None]}, {"part": ("mag", ABSENT)}),
        ({"datatype": "func", "suffix": "bold", "extension": [".nii", ".nii.gz"]}, {}),
        ({}, {}),
    ],
)
def test_labels_are_read_as_fmriprep_reads_them(tmp_path, of_bold, expected):
    assert labels(tmp_path, {"bold": of_bold}) == expected


@pytest.mark.parametrize(
    ("content", "unused"),
    [
        ({"bold": {"session": "1"}, "t1w": {"session": "2"}}, "t1w"),
        ({"t1w": {"acquisition": None}, "fmap": {}}, "t1w, fmap"),
        ({"sbref": {"datatype": "func"}, "bold": {}}, "sbref"),
    ],
)
def test_parts_for_other_images_are_noted(tmp_path, content, unused):
    _, notes = read_filter_file(write_json(tmp_path / "filter.json", content))
    assert merged(notes) == [
        f'--bids-filter-file: only its part "bold" selects something here; not used: {unused}'
    ]


@pytest.mark.parametrize(
    ("content", "where", "found", "remedy"),
    [
        (
            {"bold": {"acquistion": "mb"}},
            "bold.acquistion",
            "an entity that nothing is selected by here",
            'Did you mean "acquisition"?',
        ),
        (
            {"bold": {"space": "T1w"}},
            "bold.space",
            "an entity that nothing is selected by here",
            "give --space instead",
        ),
        (
            {"bold": {"subject": "01"}},
            "bold.subject",
            "an entity that nothing is selected by here",
            "give --participant-label instead",
        ),
        ({"bold": {"run": [1.5]}}, "bold.run", "[1.5]", "correct the entry"),
        ({"bold": {"run": True}}, "bold.run", "True", "correct the entry"),
        ({"bold": {"session": []}}, "bold.session", "[]", "correct the entry"),
        ({"bold": {"suffix": "cbv"}}, "bold.suffix", "'cbv'", "remove it"),
        ({"bold": ["x"]}, "bold", "['x']", "correct the file"),
        (
            {"blod": {"run": 1}},
            "blod",
            "a part that fMRIPrep does not know",
            'Did you mean "bold"?',
        ),
    ],
)
def test_what_cannot_be_selected_by_is_refused(tmp_path, content, where, found, remedy):
    path = write_json(tmp_path / "filter.json", content)
    with pytest.raises(InputError) as caught:
        read_filter_file(path)
    (problem,) = caught.value.problems
    assert problem.where == f"--bids-filter-file {path}: {where}"
    assert (problem.found, problem.remedy) == (found, remedy)


def test_all_that_is_wrong_is_named_at_once(tmp_path):
    content = {"func": {}, "bold": {"foo": 1, "run": {}, "suffix": "T1w"}}
    with pytest.raises(InputError) as caught:
        read_filter_file(write_json(tmp_path / "filter.json", content))
    assert len(caught.value.problems) == 4
