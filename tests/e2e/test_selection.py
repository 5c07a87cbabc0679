"""Selections that meet in one output directory, and subjects that are left out of a group."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from command import SMALL, Analysis, analyse
from numpy.typing import NDArray

from twolevel.derivatives.exclusions import read_exclusions


def maps(out: Path) -> set[str]:
    return {
        path.name.partition("_space-")[0].rpartition("task-balloonanalogrisktask")[2]
        for path in out.glob("sub-*/func/*_stat-effect_statmap.nii.gz")
    }


def test_results_of_another_selection_are_replaced_only_where_that_is_asked(
    dataset: Path, tmp_path: Path
):
    out, first = tmp_path / "out", ["--participant-label", "01"]
    analyse(dataset, out, "participant", *first, "--run-label", "1")
    assert maps(out) == {"_run-1", ""}
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    for other in (["--run-label", "2"], []):
        text = analyse(dataset, out, "participant", *first, *other, status=3)
        assert "maps of sub-01, made of task balloonanalogrisktask, run 1, all sessions" in text
        assert "--overwrite" in text
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    analyse(dataset, out, "participant", "--participant-label", "02")
    text = analyse(dataset, out, "group", status=3)
    assert "made of task balloonanalogrisktask, run 1, all sessions (twolevel simulate" in text

    text = analyse(dataset, out, "participant", *first, "--overwrite")
    assert "note: --overwrite replaces the maps made of task balloonanalogrisktask, run 1" in text
    text = analyse(dataset, out, "group")
    assert "group level: 2 contrasts (2 done), 6 tests (6 done)" in text


def test_who_is_left_out_of_the_group_is_recorded(dataset: Path, tmp_path: Path):
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(dataset, data)
    shutil.copytree(data / "sub-01", data / "sub-04")  # events without any image
    for path in (data / "sub-04").rglob("sub-01*"):
        path.rename(path.with_name(path.name.replace("sub-01", "sub-04")))
    (lost,) = data.glob("derivatives/fmriprep/sub-02/func/*_run-2_*_bold.nii.gz")
    lost.unlink()
    analyse(data, out, "all", "--allow-missing")
    reason = "--exclude-participant-label"
    text = analyse(data, out, "all", "--allow-missing", reason, "03")
    assert "2 subjects (2 cached)" in text
    rows = read_exclusions(out / "excluded.tsv")
    subjects = {row.subject: row.reason for row in rows if row.kind == "subject"}
    assert subjects.keys() == {"03", "04"}
    assert reason in subjects["03"]
    assert "BOLD image" in subjects["04"] or "no run" in subjects["04"]
    (run,) = (row for row in rows if (row.kind, row.subject) == ("run", "02"))
    assert (run.run, run.contrast) == ("2", "")
    assert "BOLD image: missing" in run.reason
    (design,) = out.glob("group/*_design.tsv")
    assert design.read_text().split() == ["subject", "intercept", "sub-01", "1.0", "sub-02", "1.0"]


def renamed(dataset: Path, folder: Path, new: Callable[[str], str]) -> Path:
    """Copy a dataset under other names: each file goes where its name says."""
    for path in dataset.rglob("*"):
        relative = path.relative_to(dataset)
        if path.is_file() and "truth" not in relative.parts:
            name = new(path.name)
            session = re.search(r"_(ses-[a-z]+)_", name)
            parts = list(relative.parts[:-1])
            if session and "func" in parts:
                parts.insert(parts.index("func"), session[1])
            place = folder.joinpath(*parts, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    return folder


def array_of(out: Path, pattern: str) -> NDArray[np.float64]:
    (path,) = out.glob(f"{pattern}_contrast-cash_stat-effect_statmap.nii.gz")
    values: NDArray[np.float64] = nib.load(path).get_fdata()
    return values


def test_one_session_is_analysed_or_all_are_averaged(
    dataset: Path, small: Analysis, tmp_path: Path
):
    """Each run of the dataset is one of two sessions."""
    sessions = {"1": "before", "2": "after"}
    data = renamed(
        dataset,
        tmp_path / "data",
        lambda name: re.sub(
            r"^(sub-\d+)(_.*_run-0?(\d))", lambda m: f"{m[1]}_ses-{sessions[m[3]]}{m[2]}", name
        ),
    )
    out, words = tmp_path / "one" / "out", ["--participant-label", "01"]
    analyse(data, out, "participant", *words, "--session-label", "after")
    mean = "sub-01/func/sub-01_task-balloonanalogrisktask"
    folder = "sub-01/ses-after/func"
    assert {path.name for path in out.glob("sub-01/ses-*")} == {"ses-after"}
    ours = array_of(out, f"{folder}/sub-01_ses-after_task-*_run-2_space-*")
    np.testing.assert_array_equal(ours, array_of(small.output_dir, f"{mean}_run-2_space-*"))
    np.testing.assert_allclose(array_of(out, f"{mean}_space-*"), ours, rtol=1e-5)

    out = tmp_path / "all" / "out"
    text = analyse(data, out, "participant", *words)
    assert "2 sessions per subject are averaged" in text
    assert {path.name for path in out.glob("sub-01/ses-*")} == {"ses-before", "ses-after"}
    whole = array_of(out, f"{mean}_space-*")
    np.testing.assert_array_equal(whole, array_of(small.output_dir, f"{mean}_space-*"))

    text = analyse(data, out, "participant", *words, "--session-label", "later", status=3)
    assert "ses: after, before" in text


def test_one_task_of_two_is_analysed(dataset: Path, small: Analysis, tmp_path: Path):
    """The second run of each subject is of another task."""
    task, other = "task-balloonanalogrisktask", "task-other"
    data = renamed(
        dataset,
        tmp_path / "data",
        lambda name: name.replace(task, other) if re.search("_run-0?2_", name) else name,
    )
    for path in data.glob(f"**/{task}_bold.json"):
        shutil.copy(path, path.with_name(path.name.replace(task, other)))
    model = json.loads(SMALL.read_text(encoding="utf-8"))
    del model["Input"]
    path = tmp_path / "model.json"
    path.write_text(json.dumps(model), encoding="utf-8")
    out = tmp_path / "out"
    text = analyse(data, out, "all", model=path, status=3)
    assert "--task-id\n  found:    tasks ['balloonanalogrisktask', 'other']" in text
    text = analyse(data, out, "all", "--task-id", "other", model=path)
    assert "2 contrasts (2 done), 6 tests (6 done)" in text
    assert {re.findall("task-[a-z]+", p.name)[0] for p in out.rglob("*_statmap.nii.gz")} == {other}
    run = "sub-02/func/sub-02_{}_run-2_space-*"
    np.testing.assert_array_equal(
        array_of(out, run.format(other)), array_of(small.output_dir, run.format(task))
    )
    # The other task lies beside it then, with a group of its own.
    analyse(data, out, "all", "--task-id", task.removeprefix("task-"), model=path)
    groups = {re.findall("task-[a-z]+", p.name)[0] for p in out.glob("group/*_tests.tsv")}
    assert groups == {task, other}
