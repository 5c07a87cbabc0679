"""Runs that are left out by motion, and tables of confounds of one's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from command import SMALL, Analysis, analyse

from twolevel.derivatives.exclusions import read_exclusions
from twolevel.files.tables import read_tsv, write_tsv

LIMIT = "0.1345"  # beyond it: both runs of sub-02, run-2 of sub-03


def test_runs_beyond_a_limit_of_motion_are_left_out_at_every_level(
    copied: tuple[Path, Analysis],
):
    data, analysis = copied
    out = analysis.output_dir
    words = ["--max-mean-fd", LIMIT]
    text = analyse(data, out, "all", *words, status=3)
    assert "made of task balloonanalogrisktask, all sessions, all runs" in text
    assert f"task balloonanalogrisktask, max-mean-fd {LIMIT}, all sessions, all runs" in text

    out = out.with_name("still")
    text = analyse(data, out, "all", *words)
    assert text.count("note: left out, because the head moved too much: sub-02") == 1
    assert len(re.findall("mean framewise displacement [0-9.]+ mm", text)) == 3
    assert "3 runs (3 done), 2 subjects (2 done)" in text
    rows = read_exclusions(out / "excluded.tsv")
    (run,) = (row for row in rows if row.kind == "run")
    expected = rf"mean framewise displacement 0\.136\d mm, more than --max-mean-fd {LIMIT}"
    assert (run.subject, run.run) == ("03", "2")
    assert re.fullmatch(expected, run.reason)
    (subject,) = (row for row in rows if row.kind == "subject")
    assert subject.subject == "02"
    assert subject.reason.startswith("none of its runs can be analysed (sub-02 ")
    assert subject.reason.count("mean framewise displacement 0.13") == 2
    (design,) = out.glob("group/*_design.tsv")
    assert list(read_tsv(design)["subject"]) == ["sub-01", "sub-03"]
    for path in out.rglob("*_statmap.json"):
        selection = json.loads(path.read_text(encoding="utf-8"))["Selection"]
        assert selection["Asked"]["max-mean-fd"] == [float(LIMIT)]

    text = analyse(data, out, "group", *words)
    assert "2 contrasts (2 cached)" in text
    for other in ([], ["--max-mean-fd", "0.2"], [*words, "--max-censored", "0.5"]):
        text = analyse(data, out, "group", *other, status=3)
        assert f"made of task balloonanalogrisktask, max-mean-fd {LIMIT}, all sessions" in text


def test_a_limit_that_no_run_keeps_is_refused(dataset: Path, tmp_path: Path):
    text = analyse(dataset, tmp_path / "out", "all", "--max-censored", "0", status=3)
    assert "--max-censored 0\n  found:    no run within that, of 6" in text
    assert not (tmp_path / "out").exists()


def own_table(run: Path, seed: int) -> Path:
    """Write components for a run, beside its confounds."""
    values = np.random.default_rng(seed).normal(size=(60, 2))
    name = run.name.replace("desc-confounds_timeseries", "desc-ICA_mixing")
    return write_tsv(run.with_name(name), pd.DataFrame(values, columns=["ICA_00", "ICA_01"]))


def test_a_table_of_ones_own_enters_the_design_and_its_change_is_seen(
    copied: tuple[Path, Analysis],
):
    data, analysis = copied
    model = json.loads(SMALL.read_text(encoding="utf-8"))
    run = model["Nodes"][0]["Model"]
    run["X"] += ["ICA_*", "motion_outlier*"]
    run["Software"]["twolevel"] |= {
        "Confounds": ["sub-{subject}/func/*_run-{run}_desc-ICA_mixing.tsv"],
        "FdThreshold": 0.4,
    }
    path = data / "model.json"
    path.write_text(json.dumps(model), encoding="utf-8")
    confounds = sorted(data.glob("derivatives/fmriprep/sub-01/func/*_timeseries.tsv"))
    tables = [own_table(of_run, seed) for seed, of_run in enumerate(confounds)]
    out, words = analysis.output_dir.with_name("own"), ["--participant-label", "01"]
    text = analyse(data, out, "participant", *words, model=path)
    assert "2 runs (2 done)" in text
    for of_run, own in zip(confounds, tables, strict=True):
        number = re.findall("run-[0-9]", own.name)[0]
        (found,) = out.glob(f"sub-01/func/*_{number}_*_design.tsv")
        design, mixing, whole = read_tsv(found), read_tsv(own), read_tsv(of_run)
        kept = np.arange(1, 60)  # the first volume is in a non-steady state
        np.testing.assert_array_equal(design[list(mixing)], mixing.to_numpy()[kept])
        over = np.flatnonzero(whole["framewise_displacement"] > 0.4)
        names = [f"motion_outlier{n:02d}" for n in range(len(over))]
        assert [c for c in design if str(c).startswith("motion_outlier")] == names
        np.testing.assert_array_equal(design[names], np.eye(60)[:, over][kept])
        sources = json.loads(found.with_suffix(".json").read_text(encoding="utf-8"))["Sources"]
        assert f"bids:fmriprep:sub-01/func/{own.name}" in sources

    assert "2 runs (2 cached)" in analyse(data, out, "participant", *words, model=path)
    own_table(confounds[1], 7)
    text = analyse(data, out, "participant", *words, model=path)
    assert "2 runs (1 cached, 1 done)" in text or "2 runs (1 done, 1 cached)" in text
