from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from twolevel.bids.entities import entities_of
from twolevel.bids.index import list_subjects
from twolevel.bids.layout import find_runs
from twolevel.bids.runs import averaged_sessions, iter_subjects
from twolevel.bids.wanted import ABSENT, ANY, Selection, parse_space
from twolevel.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

MNI = "space-MNI152NLin2009cAsym_res-2"


class Dataset:
    """Empty files in the layout of a raw dataset and its derivatives."""

    def __init__(self, root: Path) -> None:
        self.raw = root / "raw"
        self.prepared = root / "fmriprep"
        for folder in (self.raw, self.prepared):
            folder.mkdir()

    def touch(self, path: Path, content: object = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if content is None else json.dumps(content))
        return path

    def events(self, stem: str, session: str = "") -> Path:
        subject = stem.split("_", maxsplit=1)[0]
        return self.touch(self.raw / subject / session / "func" / f"{stem}_events.tsv")

    def run(self, stem: str, space: str = MNI, session: str = "") -> Path:
        folder = self.prepared / stem.split("_", maxsplit=1)[0] / session / "func"
        self.touch(folder / f"{stem}_desc-confounds_timeseries.tsv")
        self.touch(folder / f"{stem}_desc-confounds_timeseries.json")
        self.touch(folder / f"{stem}_{space}_desc-brain_mask.nii.gz")
        self.touch(folder / f"{stem}_{space}_desc-preproc_bold.json")
        return self.touch(folder / f"{stem}_{space}_desc-preproc_bold.nii.gz")

    def find(self, **selection):
        return find_runs(self.raw, [self.prepared], Selection(**selection))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset(tmp_path)


def test_raw_run_01_belongs_to_derivative_run_1(dataset):
    events = dataset.events("sub-01_task-x_run-01")
    bold = dataset.run("sub-01_task-x_run-1")
    (files,), problems = dataset.find()
    assert problems == []
    assert files.events == events
    assert files.bold == bold
    assert files.mask == bold.with_name(f"sub-01_task-x_run-1_{MNI}_desc-brain_mask.nii.gz")
    assert files.confounds == bold.with_name("sub-01_task-x_run-1_desc-confounds_timeseries.tsv")
    assert files.confounds_json == files.confounds.with_suffix(".json")
    assert files.entities == {
        "sub": "01",
        "task": "x",
        "run": "1",
        "space": "MNI152NLin2009cAsym",
        "res": "2",
    }
    assert files.name == "sub-01 task-x run-1"


def test_derivative_run_01_belongs_to_raw_run_1_just_as_well(dataset):
    events = dataset.events("sub-01_task-x_run-1")
    dataset.run("sub-01_task-x_run-01")
    (files,), _ = dataset.find()
    assert files.events == events


def test_a_run_pairs_only_with_its_own_subject_and_entities(dataset):
    for stem in (
        "sub-01_task-x_dir-AP_run-1",
        "sub-01_task-x_dir-PA_run-1",
        "sub-02_task-x_run-1",
    ):
        dataset.events(stem)
        dataset.run(stem)
    runs, problems = dataset.find()
    assert problems == []
    assert len(runs) == 3
    for files in runs:
        assert files.events.name.removesuffix("_events.tsv") == files.bold.name.split(f"_{MNI}")[0]


def test_run_10_comes_after_run_9(dataset):
    for run in ("10", "9", "1", "2"):
        dataset.run(f"sub-01_task-x_run-{run}")
    runs, _ = dataset.find()
    assert [files.entities["run"] for files in runs] == ["1", "2", "9", "10"]


def test_no_raw_image_is_needed_and_none_is_taken(dataset):
    dataset.events("sub-01_task-x_run-1")
    bold = dataset.run("sub-01_task-x_run-1")
    without, _ = dataset.find()
    dataset.touch(dataset.raw / "sub-01" / "func" / "sub-01_task-x_run-1_bold.nii.gz")
    dataset.touch(dataset.raw / "sub-01" / "func" / "sub-01_task-x_run-2_bold.nii.gz")
    with_raw, _ = dataset.find()
    assert [files.bold for files in without] == [bold]
    assert with_raw == without


def test_a_run_with_events_alone_is_listed_without_image(dataset):
    dataset.run("sub-01_task-x_run-1")
    dataset.events("sub-01_task-x_run-01")
    events = dataset.events("sub-01_task-x_run-02")
    (_, second), problems = dataset.find()
    assert problems == []
    assert second.events == events
    assert (second.bold, second.mask, second.confounds) == (None, None, None)


def test_a_run_with_an_image_alone_is_listed_without_events(dataset):
    dataset.run("sub-01_task-x_run-1")
    (files,), _ = dataset.find()
    assert files.events is None


def test_surfaces_and_other_descriptions_are_not_taken_for_images(dataset):
    folder = dataset.prepared / "sub-01" / "func"
    dataset.touch(folder / "sub-01_task-x_space-fsaverage5_hemi-L_bold.func.gii")
    dataset.touch(folder / f"sub-01_task-x_{MNI}_desc-smoothed_bold.nii.gz")
    dataset.touch(folder / f"sub-01_task-x_{MNI}_boldref.nii.gz")
    bold = dataset.run("sub-01_task-x")
    (files,), problems = dataset.find()
    assert problems == []
    assert files.bold == bold


def test_sidecars_are_inherited_from_the_root_down(dataset):
    root = dataset.touch(dataset.raw / "task-x_bold.json")
    subject = dataset.touch(dataset.raw / "sub-01" / "sub-01_task-x_bold.json")
    own = dataset.touch(dataset.raw / "sub-01" / "func" / "sub-01_task-x_run-01_bold.json")
    dataset.touch(dataset.raw / "task-y_bold.json")
    dataset.touch(dataset.raw / "sub-01" / "func" / "sub-01_task-x_run-02_bold.json")
    dataset.touch(dataset.raw / "sub-02" / "sub-02_task-x_bold.json")
    prepared_root = dataset.touch(dataset.prepared / "task-x_bold.json")
    dataset.events("sub-01_task-x_run-01")
    bold = dataset.run("sub-01_task-x_run-1")
    runs, _ = dataset.find()
    (files,) = [f for f in runs if f.bold == bold]
    assert files.raw_sidecars == [root, subject, own]
    assert files.derivative_sidecars == [
        prepared_root,
        bold.with_name(bold.name.replace(".nii.gz", ".json")),
    ]


def test_events_are_inherited_from_the_root_unless_a_run_has_its_own(dataset):
    shared_events = dataset.touch(dataset.raw / "task-x_events.tsv")
    own = dataset.events("sub-01_task-x_run-02")
    dataset.run("sub-01_task-x_run-1")
    dataset.run("sub-01_task-x_run-2")
    runs, problems = dataset.find()
    assert problems == []
    assert [files.events for files in runs] == [shared_events, own]


def test_events_of_another_task_are_not_inherited(dataset):
    dataset.touch(dataset.raw / "task-y_events.tsv")
    dataset.run("sub-01_task-x_run-1")
    (files,), _ = dataset.find()
    assert files.events is None


def test_the_default_space_is_taken_among_several(dataset):
    bold = dataset.run("sub-01_task-x")
    dataset.run("sub-01_task-x", "space-T1w")
    (files,), problems = dataset.find()
    assert problems == []
    assert files.bold == bold
    assert MNI in files.mask.name


def test_the_only_space_is_taken_whatever_it_is(dataset):
    bold = dataset.run("sub-01_task-x", "space-T1w")
    (files,), problems = dataset.find()
    assert problems == []
    assert files.bold == bold


def test_the_space_asked_for_is_taken_with_its_own_mask(dataset):
    dataset.run("sub-01_task-x")
    bold = dataset.run("sub-01_task-x", "space-T1w")
    (files,), problems = dataset.find(space={"space": "T1w"})
    assert problems == []
    assert files.bold == bold
    assert files.mask == bold.with_name("sub-01_task-x_space-T1w_desc-brain_mask.nii.gz")


def test_several_spaces_without_the_default_are_listed(dataset):
    for space in ("space-T1w", "space-MNI152NLin6Asym_res-2"):
        dataset.run("sub-01_task-x", space)
    _, (problem,) = dataset.find()
    assert problem.where == "--space"
    assert problem.found == "several that fit among: MNI152NLin6Asym:res-2, T1w"
    assert problem.expected == "exactly one space and resolution"
    assert problem.remedy == "give one, for example --space MNI152NLin6Asym:res-2"


def test_two_resolutions_of_the_default_space_are_not_chosen_between(dataset):
    for resolution in ("1", "2"):
        dataset.run("sub-01_task-x", f"space-MNI152NLin2009cAsym_res-{resolution}")
    _, (problem,) = dataset.find()
    assert problem.found == (
        "several that fit among: MNI152NLin2009cAsym:res-1, MNI152NLin2009cAsym:res-2"
    )
    (files,), problems = dataset.find(space=parse_space("MNI152NLin2009cAsym:res-1"))
    assert problems == []
    assert files.entities["res"] == "1"


def test_a_space_that_is_not_there_is_a_problem_that_lists_those_that_are(dataset):
    dataset.run("sub-01_task-x")
    _, (problem,) = dataset.find(space={"space": "T1w"})
    assert "MNI152NLin2009cAsym:res-2" in problem.found


def test_several_tasks_are_listed_and_one_can_be_chosen(dataset):
    dataset.run("sub-01_task-x")
    dataset.run("sub-01_task-y")
    dataset.events("sub-01_task-z")
    _, problems = dataset.find()
    assert [(p.where, p.found) for p in problems] == [("--task-id", "tasks ['x', 'y', 'z']")]
    (files,), problems = dataset.find(labels={"task": ("y",)})
    assert problems == []
    assert files.entities["task"] == "y"


def test_sessions_are_kept_apart_and_can_be_chosen(dataset):
    for session in ("1", "2"):
        stem = f"sub-01_ses-{session}_task-x_run-1"
        dataset.run(stem, session=f"ses-{session}")
        dataset.events(stem, session=f"ses-{session}")
        dataset.touch(
            dataset.raw / "sub-01" / f"ses-{session}" / f"sub-01_ses-{session}_task-x_bold.json"
        )
    runs, problems = dataset.find()
    assert problems == []
    assert [files.name for files in runs] == [
        "sub-01 ses-1 task-x run-1",
        "sub-01 ses-2 task-x run-1",
    ]
    for files in runs:
        folder = f"ses-{files.entities['ses']}"
        assert folder in files.events.parts
        assert [path.parent.name for path in files.raw_sidecars] == [folder]
    (files,), _ = dataset.find(labels={"ses": ("2",)})
    assert files.entities["ses"] == "2"


@pytest.mark.parametrize("label", ["2", "02", "002"])
def test_a_run_is_selected_by_its_number_however_it_is_padded(dataset, label):
    for run in ("1", "2", "3"):
        dataset.run(f"sub-01_task-x_run-{run}")
        dataset.events(f"sub-01_task-x_run-0{run}")
    (files,), _ = dataset.find(labels={"run": (label,)})
    assert files.entities["run"] == "2"
    assert files.events.name == "sub-01_task-x_run-02_events.tsv"


def test_subjects_are_selected_by_their_exact_label(dataset):
    for subject in ("1", "01", "11"):
        dataset.run(f"sub-{subject}_task-x")
    (files,), _ = dataset.find(subjects=("01",))
    assert files.entities["sub"] == "01"


def test_derivatives_may_lie_in_several_datasets(dataset, tmp_path):
    dataset.run("sub-01_task-x")
    other = tmp_path / "other" / "sub-02" / "func" / f"sub-02_task-x_{MNI}_desc-preproc_bold.nii"
    dataset.touch(other)
    sidecar = dataset.touch(other.with_suffix(".json"))
    runs, problems = find_runs(dataset.raw, [dataset.prepared, tmp_path / "other"], Selection())
    assert problems == []
    assert [files.name for files in runs] == ["sub-01 task-x", "sub-02 task-x"]
    assert runs[1].bold == other
    assert runs[1].derivative_sidecars == [sidecar]


def test_a_dangling_link_counts_as_a_file(dataset):
    bold = dataset.run("sub-01_task-x")
    bold.unlink()
    bold.symlink_to(dataset.prepared / ".git" / "annex" / "objects" / "gone")
    (files,), _ = dataset.find()
    assert files.bold == bold


def test_runs_are_grouped_by_subject_in_order(dataset):
    for stem in ("sub-02_task-x_run-1", "sub-01_task-x_run-2", "sub-01_task-x_run-1"):
        dataset.run(stem)
    runs, _ = dataset.find()
    grouped = {
        subject: [f.entities["run"] for f in files] for subject, files in iter_subjects(runs)
    }
    assert grouped == {"01": ["1", "2"], "02": ["1"]}
    assert list(grouped) == ["01", "02"]


def test_subjects_of_all_datasets_are_listed_once_and_sorted(dataset):
    dataset.events("sub-03_task-x")
    dataset.events("sub-01_task-x")
    dataset.run("sub-01_task-x")
    dataset.run("sub-02_task-x")
    dataset.touch(dataset.prepared / "sub-04.html")
    assert list_subjects(dataset.raw, dataset.prepared) == ["01", "02", "03"]


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("MNI152NLin2009cAsym", {"space": "MNI152NLin2009cAsym"}),
        ("space-T1w", {"space": "T1w"}),
        ("MNI152NLin2009cAsym:res-2", {"space": "MNI152NLin2009cAsym", "res": "2"}),
        ("MNIInfant:cohort-3:res-1", {"space": "MNIInfant", "cohort": "3", "res": "1"}),
        ("none", {}),
    ],
)
def test_a_space_is_read_as_fmriprep_writes_it(text, entities):
    assert parse_space(text) == entities


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("MNI:2", "2"), ("MNI:res-", "res-"), ("MNI:res", "res"), ("MNI:den-10k", "den-10k")],
)
def test_a_space_of_another_form_is_refused_with_what_is_wrong(text, wrong):
    with pytest.raises(InputError) as caught:
        parse_space(text)
    (problem,) = caught.value.problems
    assert problem.where == f"--space {text}"
    assert problem.found == f'"{wrong}"'
    assert problem.expected == "res-LABEL or cohort-LABEL"
    assert problem.remedy == "write it as MNI152NLin2009cAsym:res-2"


def test_an_existing_space_is_suggested(tmp_path):
    func = tmp_path / "sub-01" / "func"
    func.mkdir(parents=True)
    for space in ("", "space-T1w_"):
        (func / f"sub-01_task-x_{space}desc-preproc_bold.nii.gz").touch()
    _, (problem,) = find_runs(tmp_path, [tmp_path], Selection(space={"space": "MNI"}))
    assert problem.remedy == "give one, for example --space T1w"


def test_space_none_takes_the_images_without_a_space_entity(tmp_path):
    func = tmp_path / "sub-01" / "func"
    func.mkdir(parents=True)
    for space in ("", "space-T1w_"):
        (func / f"sub-01_task-x_{space}desc-preproc_bold.nii.gz").touch()
    (files,), problems = find_runs(tmp_path, [tmp_path], Selection(space=parse_space("none")))
    assert problems == []
    assert files.bold == func / "sub-01_task-x_desc-preproc_bold.nii.gz"
    (func / "sub-01_task-x_desc-preproc_bold.nii.gz").unlink()
    _, (problem,) = find_runs(tmp_path, [tmp_path], Selection(space=parse_space("none")))
    assert problem.found == "none that fit among: T1w"


def prepared(subject: str, *labels: str) -> list[str]:
    return [f"sub-{subject}_task-x_{label}" for label in labels]


@pytest.mark.parametrize(
    ("stems", "found", "filter_file", "of_model"),
    [
        (
            prepared("01", "acq-a_run-2", "acq-b_run-02"),
            "acq-a; acq-b",
            '{"bold": {"acquisition": "b"}}',
            '"acquisition": ["b"]',
        ),
        (
            prepared("01", "rec-magn", "rec-dico"),
            "rec-dico; rec-magn",
            '{"bold": {"reconstruction": "magn"}}',
            '"reconstruction": ["magn"]',
        ),
        (
            prepared("01", "acq-x_ce-none_dir-AP", "acq-y_ce-gad_dir-AP", "acq-z_dir-PA"),
            "acq-x ce-none; acq-y ce-gad",
            '{"bold": {"acquisition": "y", "ceagent": "gad"}}',
            '"acquisition": ["y"]; "ceagent": ["gad"]',
        ),
        (
            prepared("01", "echo-1", "echo-2"),
            "echo-1; echo-2",
            '{"bold": {"echo": "2"}}',
            '"echo": ["2"]',
        ),
        (prepared("01", "part-phase", "run-1"), None, "", ""),
    ],
)
def test_images_of_one_scan_are_refused_with_the_choice(
    dataset, stems, found, filter_file, of_model
):
    for stem in [*stems, "sub-02_task-x_run-2"]:
        dataset.run(stem)
    _, problems = dataset.find()
    if found is None:
        assert problems == []
        return
    (problem,) = problems
    assert problem.where.endswith(": the same scan 2 times")
    assert problem.found == found
    assert problem.remedy == (
        f"choose, for example with --bids-filter-file and {filter_file}, or with {of_model} in "
        "the model's Input"
    )


def test_an_image_without_the_entity_that_others_of_the_scan_have_can_be_chosen(dataset):
    for label in ("run-1", "acq-mb_run-1", "run-2"):
        dataset.run(f"sub-01_task-x_{label}")
    _, (problem,) = dataset.find()
    assert problem.where == "sub-01 task-x run-1: the same scan 2 times"
    assert problem.found == "acq-mb; no acq"
    assert problem.remedy.endswith('{"bold": {"acquisition": null}}')
    runs, problems = dataset.find(labels={"acq": (ABSENT,)})
    assert problems == []
    assert [files.name for files in runs] == ["sub-01 task-x run-1", "sub-01 task-x run-2"]
    runs, problems = dataset.find(labels={"acq": ("mb",)})
    assert [files.name for files in runs] == ["sub-01 task-x acq-mb run-1"]


@pytest.mark.parametrize(
    "stems",
    [
        prepared("01", "acq-mb_run-1", "acq-seq_run-2"),
        prepared("01", "acq-mb_dir-AP", "acq-mb_dir-PA"),
        [*prepared("01", "acq-mb"), *prepared("02", "acq-seq")],
    ],
)
def test_another_run_direction_or_subject_is_another_scan(dataset, stems):
    for stem in stems:
        dataset.run(stem)
    runs, problems = dataset.find()
    assert problems == []
    assert len(runs) == len(stems)


def test_every_scan_that_is_there_twice_is_named(dataset):
    for subject in ("01", "02", "03"):
        for stem in prepared(subject, "acq-a_run-1", "acq-b_run-1", "run-2"):
            dataset.run(stem)
    _, problems = dataset.find()
    assert [problem.where for problem in problems] == [
        f"sub-{subject} task-x run-1: the same scan 2 times" for subject in ("01", "02", "03")
    ]


@pytest.mark.parametrize(
    ("labels", "taken"),
    [
        ({"acq": ("mb",)}, ["acq-mb"]),
        ({"acq": (ANY,)}, ["acq-mb", "acq-seq"]),
        ({"acq": (ABSENT, "seq")}, ["acq-seq", "part-mag", "run-01"]),
        ({"run": ("1",)}, ["run-01"]),
        ({"part": ("mag",)}, ["acq-mb", "acq-seq", "part-mag", "run-01"]),
        ({"part": ("phase",)}, []),
    ],
)
def test_a_selection_admits_by_any_entity(labels, taken):
    selection = Selection(labels=labels)
    there = ["acq-mb", "acq-seq", "part-mag", "run-01"]
    admitted = [t for t in there if selection.admits(entities_of(f"{t}_bold.nii"))]
    assert admitted == taken


def test_what_was_asked_is_written_in_one_way():
    given = Selection(("01",), {"run": ("02", "1"), "acq": ("b", ABSENT), "ses": ()}, {})
    same = Selection(("02",), {"acq": (ABSENT, "b"), "run": ("1", "2", "01")}, {"space": "T1w"})
    asked = {"acquisition": [None, "b"], "run": ["1", "2"]}
    assert given.asked() == same.asked() == asked
    assert list(given.asked()) == list(same.asked())
    assert Selection(("01",)).asked() == {}
    assert hash(given) == hash(Selection(("01",), given.labels))


def shared_events(dataset, *parts: str):
    return dataset.touch(dataset.raw.joinpath(*parts))


@pytest.mark.parametrize(
    ("stem", "session", "events"),
    [
        ("sub-01_task-x", "", ("sub-01", "func", "sub-01_task-x_events.tsv")),
        ("sub-01_task-x", "", ("sub-01", "sub-01_task-x_events.tsv")),
        ("sub-01_ses-a_task-x", "ses-a", ("sub-01", "ses-a", "sub-01_ses-a_task-x_events.tsv")),
        (
            "sub-01_ses-a_task-x",
            "ses-a",
            ("sub-01", "ses-a", "func", "sub-01_ses-a_task-x_events.tsv"),
        ),
    ],
)
def test_events_that_runs_share_belong_to_each_and_are_no_run(dataset, stem, session, events):
    path = shared_events(dataset, *events)
    own = dataset.events(f"{stem}_run-03", session)
    for run in ("1", "2", "3"):
        dataset.run(f"{stem}_run-{run}", session=session)
    runs, problems = dataset.find()
    assert problems == []
    assert [(files.entities["run"], files.events) for files in runs] == [
        ("1", path),
        ("2", path),
        ("3", own),
    ]


def test_shared_events_do_not_hide_a_run_without_an_image(dataset):
    shared_events(dataset, "sub-01", "func", "sub-01_task-x_events.tsv")
    own = dataset.events("sub-01_task-x_run-3")
    dataset.run("sub-01_task-x_run-1")
    dataset.run("sub-01_task-x_run-3", "space-T1w")  # not in the space that is analysed
    runs, problems = dataset.find()
    assert problems == []
    assert [(files.name, files.bold is None) for files in runs] == [
        ("sub-01 task-x run-1", False),
        ("sub-01 task-x run-3", True),
    ]
    assert runs[1].events == own


def test_shared_events_of_a_subject_without_images_tell_of_a_run(dataset):
    for subject in ("01", "02"):
        shared_events(dataset, f"sub-{subject}", "func", f"sub-{subject}_task-x_events.tsv")
    dataset.run("sub-01_task-x_run-1")
    runs, _ = dataset.find()
    assert [(files.name, files.bold is None) for files in runs] == [
        ("sub-01 task-x run-1", False),
        ("sub-02 task-x", True),
    ]


def test_shared_events_are_those_of_the_runs_that_were_selected(dataset):
    path = shared_events(dataset, "sub-01", "func", "sub-01_task-x_events.tsv")
    for label in ("acq-a_run-1", "acq-b_run-2"):
        dataset.run(f"sub-01_task-x_{label}")
    for labels in ({"run": ("1",)}, {"acq": ("a",)}):
        (files,), problems = dataset.find(labels=labels)
        assert problems == []
        assert (files.entities["run"], files.events) == ("1", path)


def test_two_files_of_events_that_apply_just_as_closely_are_refused(dataset):
    for entity in ("acq-a", "run-1"):
        dataset.events(f"sub-01_task-x_{entity}")
    dataset.run("sub-01_task-x_acq-a_run-1")
    _, (problem,) = dataset.find()
    assert problem.where == "sub-01 task-x acq-a run-1: events"
    assert problem.found.startswith("two files: ")


@pytest.mark.parametrize(
    ("sessions", "number"),
    [
        ([["a", "b"], ["a", "b", "b"]], "2"),
        ([["a"], ["a", "b", "c"]], "1 to 3"),
        ([["pre", "post"]], "2"),
        ([["a"], ["b"]], ""),
        ([["", ""], [""]], ""),
        ([], ""),
    ],
)
def test_sessions_that_are_averaged_are_said_in_one_sentence(sessions, number):
    sentence = f"{number} sessions per subject are averaged; a Session node keeps them apart"
    assert averaged_sessions(sessions) == (sentence if number else "")
