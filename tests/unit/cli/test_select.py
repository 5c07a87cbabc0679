from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from twolevel.bids.entities import Entities
from twolevel.cli.option_groups import LabelOptions
from twolevel.cli.select import make_selection, of_those_there, space_of, subject_labels
from twolevel.errors import InputError
from twolevel.files.sidecars import write_json
from twolevel.model.read import presets, read_model
from twolevel.notes import merged

if TYPE_CHECKING:
    from twolevel.model.nodes import StatsModel


def given(option: str, *labels: str) -> LabelOptions:
    options: Any = {option: labels}
    return LabelOptions(**options)


def model(**inputs: tuple[str, ...]) -> StatsModel:
    return replace(read_model(presets()["balloon"]), inputs=tuple(inputs.items()))


def test_input_filter_file_and_options_are_put_together(tmp_path):
    path = write_json(tmp_path / "filter.json", {"bold": {"acquisition": [None, "mb"]}})
    selection, notes = make_selection(
        LabelOptions(run_label=("run-02", "1"), bids_filter_file=path),
        model(task=("balloon",), session=("ses-pre",)),
        ("01",),
        Entities({"space": "T1w"}),
    )
    assert notes == []
    assert selection.asked() == {
        "session": ["pre"],
        "task": ["balloon"],
        "acquisition": [None, "mb"],
        "run": ["1", "2"],
    }
    assert (selection.subjects, selection.space) == (("01",), {"space": "T1w"})


def test_nothing_asked_for_is_nothing():
    selection, notes = make_selection(LabelOptions(), None, (), None)
    assert (selection.asked(), notes) == ({}, [])


def test_what_replaces_what_is_noted(tmp_path):
    path = write_json(tmp_path / "filter.json", {"bold": {"session": "b", "run": 3}})
    selection, notes = make_selection(
        LabelOptions(task_id="task-stop", session_label=("c",), bids_filter_file=path),
        model(task=("balloon",), session=("a",), run=("03",)),
        (),
        None,
    )
    assert selection.asked() == {"session": ["c"], "task": ["stop"], "run": ["3"]}
    assert sorted(merged(notes)) == [
        "session: --bids-filter-file replaces what the model's Input selects: b instead of a",
        "session: --session-label replaces what --bids-filter-file selects: c instead of b",
        "task: --task-id replaces what the model's Input selects: stop instead of balloon",
    ]


def test_options_that_say_what_the_model_says_are_no_news():
    _, notes = make_selection(
        LabelOptions(task_id="balloon", run_label=("1", "02")),
        model(task=("balloon",), run=("2", "1")),
        (),
        None,
    )
    assert notes == []
    same = subject_labels(
        LabelOptions(participant_label=("sub-2", "1")), model(subject=("1", "2"))
    )
    assert same.notes == ()


def test_subjects_of_an_option_come_before_those_of_the_model():
    named = subject_labels(
        LabelOptions(participant_label=("sub-02",), exclude_participant_label=("sub-01",)),
        model(subject=("01", "02")),
    )
    assert (named.wanted, named.excluded, named.source) == (
        ("02",),
        ("01",),
        "--participant-label",
    )
    (line,) = merged(named.notes)
    assert line.endswith(" replaces what the model's Input selects: 02 instead of 01, 02")
    of_model = subject_labels(LabelOptions(), model(subject=("sub-01",)))
    assert (of_model.wanted, of_model.source) == (("01",), "the model's Input: subject")


def test_subjects_of_the_model_whom_the_data_lack_are_a_note_with_their_number():
    named = subject_labels(LabelOptions(), model(subject=("01", "02", "07")))
    found = of_those_there(named, ["02", "03"])
    assert found.wanted == ("02",)
    assert merged(found.notes) == [
        "the model's Input names subjects whom the data lack: 2 of 3: 01, 07"
    ]


def test_subjects_of_an_option_and_a_model_without_any_left_stay_as_they_are():
    by_option = subject_labels(LabelOptions(participant_label=("09", "02")), None)
    assert of_those_there(by_option, ["02"]) == by_option
    of_model = subject_labels(LabelOptions(), model(subject=("01",)))
    assert of_those_there(of_model, ["02"]) == of_model


def test_the_model_selects_a_space_with_its_resolution():
    found = space_of(model(space=("space-MNI152NLin2009cAsym",), res=("2",)))
    assert dict(found or {}) == {"space": "MNI152NLin2009cAsym", "res": "2"}
    assert space_of(model(res=("2",))) is None
    assert space_of(None) is None


def test_several_spaces_in_a_model_are_refused():
    with pytest.raises(InputError) as caught:
        space_of(model(space=("T1w", "MNI152NLin6Asym")))
    (problem,) = caught.value.problems
    assert (problem.where, problem.found) == ("the model's Input: space", "T1w, MNI152NLin6Asym")
    assert problem.remedy == "choose one with --space"


@pytest.mark.parametrize(
    ("given", "where", "remedy"),
    [
        ({"run_label": ("1,2",)}, "--run-label 1,2", "write --run-label 1 2"),
        ({"session_label": ("pre,", "post")}, "--session-label pre,", "write --session-label pre"),
        ({"task_id": "a,b"}, "--task-id a,b", "write --task-id a b"),
    ],
)
def test_labels_are_separated_by_blanks(given, where, remedy):
    with pytest.raises(InputError) as caught:
        make_selection(LabelOptions(**given), None, (), None)
    (problem,) = caught.value.problems
    assert (problem.where, problem.remedy) == (where, remedy)
    assert problem.expected == "labels separated by blanks"


@pytest.mark.parametrize("option", ["participant_label", "exclude_participant_label"])
def test_labels_of_subjects_are_separated_by_blanks(option):
    with pytest.raises(InputError) as caught:
        subject_labels(given(option, "01,sub-02", "03", "4,5"), None)
    flag = f"--{option.replace('_', '-')}"
    assert [p.remedy for p in caught.value.problems] == [
        f"write {flag} 01 sub-02",
        f"write {flag} 4 5",
    ]
