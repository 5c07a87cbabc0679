"""Selections that meet in one output directory, and subjects that are left out of a group."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command import call

from twolevel.derivatives.exclusions import read_exclusions
from twolevel.model.read import presets

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The balloon model with one contrast and one test, which take little time."""
    content = json.loads(presets()["balloon"].read_text(encoding="utf-8"))
    run, _, group = content["Nodes"]
    run["Contrasts"] = run["Contrasts"][:1]
    group["Model"]["Software"]["twolevel"]["Tests"] = [{"Test": "fdr"}]
    path = tmp_path_factory.mktemp("model") / "small.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def maps(out: Path) -> set[str]:
    return {
        path.name.partition("_space-")[0].rpartition("task-balloonanalogrisktask")[2]
        for path in out.glob("sub-*/func/*_stat-effect_statmap.nii.gz")
    }


def test_results_of_another_selection_are_replaced_only_where_that_is_asked(
    dataset: Path, model: Path, tmp_path: Path
):
    out = tmp_path / "out"
    where: list[str | Path] = ["-m", model, "-w", tmp_path / "work"]
    words: list[str | Path] = [
        "run",
        dataset,
        out,
        "participant",
        *where,
        "--participant-label",
        "01",
    ]
    call(*words, "--run-label", "1")
    assert maps(out) == {"_run-1", ""}
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    for other in (["--run-label", "2"], []):
        text = call(*words, *other, status=3)
        assert "maps of sub-01, made of task balloonanalogrisktask, run 1, all sessions" in text
        assert "--overwrite" in text
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    call("run", dataset, out, "participant", *where, "--participant-label", "02")
    text = call("run", dataset, out, "group", *where, status=3)
    assert "made of task balloonanalogrisktask, run 1, all sessions (twolevel simulate" in text

    text = call(*words, "--overwrite")
    assert "note: --overwrite replaces the maps made of task balloonanalogrisktask, run 1" in text
    text = call("run", dataset, out, "group", *where)
    assert "group level: 1 contrast (1 done), 1 test (1 done)" in text


def test_who_is_left_out_of_the_group_is_recorded(dataset: Path, model: Path, tmp_path: Path):
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(dataset, data)
    shutil.copytree(data / "sub-01", data / "sub-04")  # events without any image
    for path in (data / "sub-04").rglob("sub-01*"):
        path.rename(path.with_name(path.name.replace("sub-01", "sub-04")))
    (lost,) = data.glob("derivatives/fmriprep/sub-02/func/*_run-2_*_bold.nii.gz")
    lost.unlink()
    words: list[str | Path] = ["run", data, out, "all", "-m", model, "-w", tmp_path / "work"]
    words.append("--allow-missing")
    call(*words)
    reason = "--exclude-participant-label"
    text = call(*words, reason, "03")
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
