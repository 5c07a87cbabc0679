"""Selections that meet in one output directory, and subjects that are left out of a group."""

from __future__ import annotations

import shutil
from pathlib import Path

from command import analyse

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
