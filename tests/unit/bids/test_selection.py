from __future__ import annotations

from pathlib import Path

import pytest

from twolevel.bids.entities import Entities
from twolevel.bids.runs import RunFiles
from twolevel.bids.selection import runs_with_images, select_runs
from twolevel.bids.wanted import Selection
from twolevel.errors import InputError, Problem
from twolevel.notes import merged

MNI = "space-MNI152NLin2009cAsym_res-2"
EXPECTED = (
    "*_desc-preproc_bold.nii.gz and *_desc-brain_mask.nii.gz in the derivatives; "
    "subjects in the derivatives: "
)


class Dataset:
    """Empty files in the layout of a raw dataset and its derivatives."""

    def __init__(self, root: Path) -> None:
        self.raw, self.prepared = root / "raw", root / "raw" / "derivatives" / "fmriprep"

    def add(self, stem: str, space: str = MNI, session: str = "") -> None:
        func = Path(stem.split("_", maxsplit=1)[0]) / session / "func"
        for folder, names in (
            (self.raw, ["events.tsv"]),
            (self.prepared, [f"{space}_desc-preproc_bold.nii.gz"]),
        ):
            (folder / func).mkdir(parents=True, exist_ok=True)
            for name in names:
                (folder / func / f"{stem}_{name}").touch()

    def select(self, **selection) -> list[str]:
        runs = select_runs(self.raw, [self.prepared], Selection(**selection))
        return [run.name for run in runs]

    def refusal(self, **selection) -> Problem:
        with pytest.raises(InputError) as caught:
            self.select(**selection)
        (problem,) = caught.value.problems
        return problem


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    dataset = Dataset(tmp_path)
    for subject in ("01", "02"):
        for session in ("pre", "post"):
            for task in ("x", "y"):
                for run in ("1", "2"):
                    stem = f"sub-{subject}_ses-{session}_task-{task}_run-{run}"
                    dataset.add(stem, session=f"ses-{session}")
    return dataset


def test_the_runs_of_a_selection_are_found(dataset):
    selected = dataset.select(
        subjects=("02",),
        labels={"ses": ("pre",), "task": ("y",), "run": ("02",)},
        space={"res": "2"},
    )
    assert selected == ["sub-02 ses-pre task-y run-2"]
    assert len(dataset.select(labels={"task": ("x",)})) == 8


def test_a_choice_that_is_left_open_is_refused(dataset):
    problem = dataset.refusal(subjects=("01",))
    assert (problem.where, problem.found) == ("--task-id", "tasks ['x', 'y']")


def test_a_space_that_does_not_fit_is_refused_with_those_that_are_there(dataset):
    dataset.add("sub-01_ses-pre_task-x_run-1", "space-T1w", "ses-pre")
    problem = dataset.refusal(labels={"task": ("x",)}, space={"space": "T2w"})
    assert problem.where == "--space"
    assert problem.found == "none that fit among: MNI152NLin2009cAsym:res-2, T1w"


def test_a_space_that_does_not_fit_is_the_only_problem_where_there_are_no_events(dataset):
    for path in dataset.raw.rglob("*_events.tsv"):
        path.unlink()
    assert dataset.refusal(labels={"task": ("x",)}, space={"space": "T2w"}).where == "--space"


@pytest.mark.parametrize(
    "labels",
    [
        {"task": ("z",)},
        {"task": ("x",), "ses": ("during",)},
        {"task": ("x",), "run": ("3",)},
        {"task": ("x",), "acq": ("mb",)},
        {"task": ("x",), "run": ("",)},
    ],
)
def test_a_selection_that_fits_nothing_is_refused_with_what_there_is(dataset, labels):
    assert dataset.refusal(labels=labels) == Problem(
        str(dataset.raw),
        "no run for this selection; there are ses: post, pre; task: x, y; run: 1, 2",
        "sub-*/func/*_events.tsv and, in the derivatives, *_desc-preproc_bold.nii.gz",
        "check the labels that you selected: in the model's Input, in the filter file, by options",
    )


def test_what_there_is_means_of_the_subjects_selected(tmp_path):
    dataset = Dataset(tmp_path)
    dataset.add("sub-01_task-x")
    dataset.add("sub-02_task-y_run-1")
    problem = dataset.refusal(subjects=("01",), labels={"task": ("y",)})
    assert problem.found == "no run for this selection; there are task: x"


def test_a_dataset_without_runs_says_so(tmp_path):
    problem = Dataset(tmp_path).refusal()
    assert problem.found == "no run for this selection; there are no runs at all"


def run(subject: str, number: str, *lacking: str) -> RunFiles:
    entities = {"sub": subject, "task": "x", "run": number}
    there = {kind: Path(kind) for kind in ("bold", "mask", "events") if kind not in lacking}
    return RunFiles(Entities(entities), **there)  # type: ignore[arg-type]


def refusal_of_images(runs: list[RunFiles], *named: str) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        runs_with_images(runs, named=named)
    for problem in caught.value.problems:
        assert problem.found == "no preprocessed image with its mask in this space"
        assert problem.remedy == "choose among these, or another --space"
    return [(problem.where, problem.expected) for problem in caught.value.problems]


def test_runs_with_image_and_mask_are_kept_and_the_others_noted():
    runs = [
        run("01", "1"),
        run("01", "2", "bold"),
        run("02", "1", "mask"),
        run("02", "2", "events"),
        run("03", "1", "bold", "mask"),
    ]
    complete, notes = runs_with_images(runs)
    assert complete == [runs[0], runs[3]]
    assert [note.loses_data for note in notes] == [True] * 3
    assert merged(notes) == [
        "no preprocessed image in this space: sub-01 task-x run-2; sub-03 task-x run-1",
        "sub-02 task-x run-1: no mask in this space",
    ]


def test_a_subject_that_was_named_must_have_an_image():
    runs = [run("01", "1"), run("01", "2", "mask"), run("02", "1", "bold"), run("03", "1")]
    assert refusal_of_images(runs, "01", "02", "04") == [
        ("sub-02", f"{EXPECTED}01, 03"),
        ("sub-04", f"{EXPECTED}01, 03"),
    ]
    complete, notes = runs_with_images(runs, named=("01", "03"))
    assert complete == [runs[0], runs[3]]
    assert merged(notes) == [
        "sub-01 task-x run-2: no mask in this space",
        "sub-02 task-x run-1: no preprocessed image in this space",
    ]


def test_every_subject_is_named_where_none_has_an_image():
    runs = [run("01", "1", "bold"), run("01", "2", "bold"), run("02", "1", "mask")]
    assert refusal_of_images(runs) == [
        ("sub-01", f"{EXPECTED}(none)"),
        ("sub-02", f"{EXPECTED}(none)"),
    ]
