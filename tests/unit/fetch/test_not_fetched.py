from __future__ import annotations

from pathlib import Path

import pytest
from annexed import git

from twolevel.errors import AbsentContent, Problem
from twolevel.fetch.not_fetched import absent_together, not_fetched

FMRIPREP = "derivatives/fmriprep"
MNI = "space-MNI152NLin2009cAsym_res-2"
OTHER = Problem("events.tsv", "an onset of -1", "0 or more", "correct it")

pytestmark = pytest.mark.usefixtures("newcomer")


def make_clone(root: Path, name: str = "") -> Path:
    root.mkdir(parents=True)
    git(root, "init", "--quiet")
    if name:
        git(root, "config", "twolevel.dataset", name)
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A raw clone made by `twolevel fetch`, with derivatives that are a clone of their own."""
    raw = make_clone(tmp_path / "data", "ds000001")
    make_clone(raw / FMRIPREP, "ds000001")
    return raw


def bold(data: Path, subject: str = "01", task: str = "x", space: str = MNI) -> Path:
    func = data / FMRIPREP / f"sub-{subject}" / "func"
    return func / f"sub-{subject}_task-{task}_run-1_{space}_desc-preproc_bold.nii.gz"


def command(*paths: Path) -> str:
    words = not_fetched(paths).remedy
    assert words.startswith("get it with: ")
    return words.removeprefix("get it with: ")


def test_a_file_is_described_with_the_command_that_gets_it(data):
    path = bold(data)
    assert not_fetched([path]) == AbsentContent(
        str(path),
        "not fetched yet: a git-annex file without its content",
        "the content",
        f"get it with: twolevel fetch ds000001 {data} --participant-label 01 --task-id x "
        "--space MNI152NLin2009cAsym:res-2",
        (path,),
    )


def test_files_of_several_subjects_are_got_by_one_command(data):
    paths = [bold(data, "02"), bold(data, "01"), bold(data, "02")]
    problem = not_fetched(paths)
    assert problem.where == f"{paths[0]} and 1 more"
    assert problem.found == "not fetched yet: 2 git-annex files without their content"
    assert problem.paths == (paths[0], paths[1])
    assert command(*paths) == (
        f"twolevel fetch ds000001 {data} --participant-label 01 02 --task-id x "
        "--space MNI152NLin2009cAsym:res-2"
    )


def test_raw_tables_and_derivatives_are_got_by_one_command(data):
    events = data / "sub-02" / "func" / "sub-02_task-x_run-01_events.tsv"
    confounds = bold(data).with_name("sub-01_task-x_run-1_desc-confounds_timeseries.tsv")
    assert command(events, confounds) == (
        f"twolevel fetch ds000001 {data} --participant-label 01 02 --task-id x"
    )


def test_each_task_has_a_command(data):
    assert command(bold(data, "01", "x"), bold(data, "02", "y", "space-T1w")) == (
        f"twolevel fetch ds000001 {data} --participant-label 01 --task-id x "
        "--space MNI152NLin2009cAsym:res-2"
        f" && twolevel fetch ds000001 {data} --participant-label 02 --task-id y --space T1w"
    )


def test_each_dataset_has_a_command(data, tmp_path):
    other = make_clone(tmp_path / "other", "ds000002")
    events = other / "sub-01" / "func" / "sub-01_task-x_events.tsv"
    assert command(bold(data), events) == (
        f"twolevel fetch ds000001 {data} --participant-label 01 --task-id x "
        "--space MNI152NLin2009cAsym:res-2"
        f" && twolevel fetch ds000002 {other} --participant-label 01 --task-id x"
    )


def test_what_belongs_to_no_task_comes_with_any(data):
    alone = command(data / "participants.tsv")
    assert alone == f"datalad get {data}/participants.tsv"  # not the images of all subjects
    assert command(data / "participants.tsv", bold(data)) == command(bold(data))


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("space-T1w", "T1w"),
        ("space-MNI152NLin6Asym_res-2", "MNI152NLin6Asym:res-2"),
        ("space-MNIInfant_cohort-3_res-1", "MNIInfant:cohort-3:res-1"),
    ],
)
def test_the_space_is_written_as_the_option_takes_it(data, name, space):
    assert command(bold(data, space=name)).split(" --space ")[1] == space


def test_a_path_is_quoted_for_the_shell(tmp_path):
    root = make_clone(tmp_path / "my data", "my name")
    events = root / "sub-01" / "func" / "sub-01_task-x_events.tsv"
    assert command(events) == (
        f"twolevel fetch 'my name' '{root}' --participant-label 01 --task-id x"
    )


def test_derivatives_that_are_part_of_the_raw_clone_are_got_with_it(tmp_path):
    root = make_clone(tmp_path / "ds000003")
    assert command(bold(root)) == (
        f"twolevel fetch ds000003 {root} --participant-label 01 --task-id x "
        "--space MNI152NLin2009cAsym:res-2"
    )


@pytest.mark.parametrize("described", ["", FMRIPREP])
def test_a_dataset_without_repository_is_known_by_its_description(tmp_path, described):
    root = tmp_path / "ds000004"
    (root / described).mkdir(parents=True)
    (root / described / "dataset_description.json").touch()
    assert command(bold(root)) == (
        f"twolevel fetch ds000004 {root} --participant-label 01 --task-id x "
        "--space MNI152NLin2009cAsym:res-2"
    )


def test_derivatives_elsewhere_are_got_by_datalad(data, tmp_path):
    root = make_clone(tmp_path / "fmriprep")
    folder = root / "sub-01" / "func"
    paths = [
        folder / f"sub-01_task-x_{MNI}_desc-preproc_bold.nii.gz",
        folder / "sub-01_task-x_desc-confounds_timeseries.tsv",
    ]
    assert command(*paths) == f"datalad get {paths[0]} {paths[1]}"
    events = data / "sub-01" / "func" / "sub-01_task-x_events.tsv"
    assert command(paths[0], events) == (
        f"twolevel fetch ds000001 {data} --participant-label 01 --task-id x"
        f" && datalad get {paths[0]}"
    )


def test_a_file_of_no_dataset_is_got_by_datalad(tmp_path):
    path = tmp_path / "sub-01_task-x_events.tsv"
    assert command(path) == f"datalad get {path}"


def test_absent_files_become_one_problem_before_the_others(data):
    paths = [bold(data, subject) for subject in ("01", "02", "01")]
    problems = [not_fetched(paths[:1]), OTHER, not_fetched(paths[1:])]
    assert absent_together(problems) == [not_fetched(paths[:2]), OTHER]


def test_problems_without_absent_files_stay_as_they_are():
    assert absent_together(iter([OTHER, OTHER])) == [OTHER, OTHER]
