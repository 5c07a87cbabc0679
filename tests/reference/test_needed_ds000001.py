"""What is downloaded of OpenNeuro's ds000001, whose files and their sizes are listed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from twolevel.bids.selection import choose_subjects, runs_with_images, select_runs
from twolevel.bids.wanted import Selection, parse_space
from twolevel.errors import InputError
from twolevel.fetch.needed import content_of, images_of, tables_of, to_download

SPACE = "MNI152NLin2009cAsym:res-2"
FMRIPREP = "derivatives/fmriprep"
OF_DATASETS = {
    "dataset_description.json",
    "participants.tsv",
    "task-balloonanalogrisktask_bold.json",
    f"{FMRIPREP}/dataset_description.json",
}
RAW = "sub-01/func/sub-01_task-balloonanalogrisktask"
DERIVED = f"{FMRIPREP}/{RAW}"
EVENTS = {f"{RAW}_run-0{run}_events.tsv" for run in (1, 2, 3)}
ANNEXED = {
    f"{DERIVED}_run-{run}_{name}"
    for run in (1, 2, 3)
    for name in (
        "space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz",
        "space-MNI152NLin2009cAsym_res-2_desc-brain_mask.nii.gz",
        "desc-confounds_timeseries.tsv",
        "desc-confounds_timeseries.json",
    )
}
SIDECARS = {
    f"{DERIVED}_run-{run}_{name}"
    for run in (1, 2, 3)
    for name in (
        "space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.json",
        "space-MNI152NLin2009cAsym_res-2_desc-brain_mask.json",
        # Without a space in their names they apply to all spaces, by the inheritance principle.
        "desc-preproc_bold.json",
        "desc-brain_mask.json",
    )
}


@dataclass(frozen=True)
class Dataset:
    """The raw dataset and its derivatives as two clones without the content of their images."""

    raw: Path
    derivatives: Path
    listed: pd.DataFrame

    def choose(self, *labels: str, space: str = SPACE) -> list[Path]:
        """List what `twolevel fetch --participant-label LABELS --space SPACE` is about."""
        derivatives = [self.derivatives]
        subjects = choose_subjects(self.raw, derivatives, labels)
        selection = Selection(subjects=subjects, space=parse_space(space))
        runs = select_runs(self.raw, derivatives, selection)
        complete, notes = runs_with_images(runs, named=subjects if labels else ())
        assert notes == []
        return [*tables_of(complete, self.raw, derivatives), *images_of(complete)]

    def listed_bytes(self, label: str) -> int:
        """Add what the list says of the annexed images and confounds of subjects."""
        chosen = self.listed["path"].str.fullmatch(
            rf"sub-{label}/func/\S+_run-\d_(?:"
            r"space-MNI152NLin2009cAsym_res-2_desc-(?:preproc_bold|brain_mask)\.nii\.gz|"
            r"desc-confounds_timeseries\.(?:tsv|json))"
        )
        return int(self.listed.loc[chosen & (self.listed["stored_in"] == "annex"), "bytes"].sum())


@pytest.fixture(scope="module")
def dataset(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    raw = tmp_path_factory.mktemp("openneuro") / "ds000001"
    derivatives = raw / FMRIPREP
    for path in (shared / "ds000001").rglob("*"):
        if path.is_file():
            place = raw / path.relative_to(shared / "ds000001")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    described = shared / "ds000001-fmriprep"
    listed = pd.read_csv(described / "func-files.tsv", sep="\t")
    for name, n_bytes, stored_in in listed.itertuples(index=False):
        path = derivatives / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if stored_in == "git":
            path.touch()
            os.truncate(path, n_bytes)
        else:
            digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
            key = f"MD5E-s{n_bytes}--{digest}.{path.name.partition('.')[2]}"
            path.symlink_to(f"../../.git/annex/objects/aa/bb/{key}/{key}")
    description = "dataset_description.json"
    (derivatives / description).write_bytes((described / description).read_bytes())
    return Dataset(raw, derivatives, listed)


def test_the_files_of_a_subject_are_those_that_an_analysis_needs(dataset):
    chosen = [path.relative_to(dataset.raw).as_posix() for path in dataset.choose("01")]
    assert len(chosen) == 31
    assert set(chosen) == OF_DATASETS | EVENTS | ANNEXED | SIDECARS


def test_images_and_confounds_of_a_subject_are_downloaded_and_nothing_else(dataset):
    absent = {path for path in dataset.choose("01") if content_of(path).key is not None}
    assert {path.relative_to(dataset.raw).as_posix() for path in absent} == ANNEXED


def test_the_bytes_of_a_subject_are_those_of_the_list(dataset):
    wanted = to_download(dataset.choose("01"))
    assert len(wanted) == 12
    assert sum(wanted.values()) == dataset.listed_bytes("01") == 1_365_766_881


def test_the_bytes_of_all_subjects_are_those_of_the_list(dataset):
    wanted = to_download(dataset.choose())
    assert len(wanted) == 16 * 12 - 1  # the confounds JSON of a run lies in git
    assert sum(wanted.values()) == dataset.listed_bytes(r"\d\d") == 21_175_209_281


@pytest.mark.parametrize("space", ["MNI152NLin6Asym:res-2", "MNI152NLin2009cAsym:res-1", "fsLR"])
def test_a_space_without_images_is_refused_with_those_that_have_some(dataset, space):
    with pytest.raises(InputError) as caught:
        dataset.choose("01", space=space)
    (problem,) = caught.value.problems
    assert problem.where == "--space"
    assert problem.found == "none that fit among: none, MNI152NLin2009cAsym:res-2, T1w"
    assert problem.expected == "exactly one space and resolution"
