"""Runs and subjects that are left out: said, recorded, and never in silence."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from twolevel.derivatives.exclusions import read_exclusions

if TYPE_CHECKING:
    from pathlib import Path

NAME = "sub-02 task-balloonanalogrisktask run-"
LEFT_OUT = "left out, because it lacks a file or fails its checks"


def spoil(data, own_copy, how: str, run: int) -> None:
    if how == "short confounds":
        confounds = own_copy(data.confounds(2, run))
        confounds.write_text("".join(confounds.read_text().splitlines(keepends=True)[:-3]))
    elif how == "another repetition time":
        sidecar = own_copy(data.sidecar(2, run))
        sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "RepetitionTime": 3}))
    else:
        getattr(data, how)(2, run).unlink()


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("bold", "BOLD image: missing"),
        ("mask", "mask: missing"),
        ("events", "events: missing"),
        ("short confounds", "confounds: derivatives/fmriprep/sub-02/func/.*: 57 rows"),
        ("another repetition time", "repetition time: 2 s in .*; 3 s in derivatives/fmriprep/.*"),
    ],
)
def test_a_run_that_cannot_be_analysed_is_left_out_when_that_is_allowed(
    data, own_copy, refused, command, how, reason
):
    spoil(data, own_copy, how, 1)
    refused()
    answer = command("validate", data.root, "-m", "balloon", "--allow-missing", "-v")
    assert answer.status == 0
    assert answer.err == ""
    first, *_ = answer.out.splitlines()
    assert re.match(f"note: {NAME}0?1: {LEFT_OUT}: {reason}", first)
    assert str(data.root) not in first
    assert "All checks passed: 2 subjects, 3 runs" in answer.out


def test_a_subject_without_any_run_left_is_left_out(data, own_copy, command):
    spoil(data, own_copy, "mask", 1)
    spoil(data, own_copy, "events", 2)
    answer = command(
        "validate",
        data.root,
        "-m",
        "balloon",
        "--allow-missing",
        "--participant-label",
        "01",
        "02",
    )
    assert answer.status == 0
    assert "sub-02: left out, because none of its runs can be analysed" in answer.out
    assert "All checks passed: 1 subjects, 2 runs" in answer.out


def test_nothing_is_left_out_where_nothing_would_be_left(data, own_copy, refused):
    for run in (1, 2):
        spoil(data, own_copy, "mask", run)
        data.mask(1, run).unlink()
    message = refused("--allow-missing")
    assert message.startswith("Refused: 4 problems.")


def test_content_that_is_not_fetched_is_not_missing(data, refused):
    mask = data.mask(2, 1)
    mask.unlink()
    mask.symlink_to(data.root / ".git" / "annex" / "objects" / "gone")
    assert "twolevel fetch" in refused("--allow-missing")


def test_what_is_wrong_with_the_model_is_refused_all_the_same(data, own_copy, refused):
    spoil(data, own_copy, "mask", 1)
    message = refused("--allow-missing", "--space", "MNI152NLin2009cAsym:res-1")
    assert "--space" in message


@pytest.mark.parametrize("first_level", ["per-run", "multi-run"])
def test_a_run_that_was_left_out_is_recorded_with_its_subject(
    data, own_copy, analyse, tmp_path, first_level
):
    spoil(data, own_copy, "events", 2)
    out: Path = tmp_path / "out"
    words = ("--participant-label", "02", "--first-level", first_level)
    answer = analyse(data, "--no-report", "--allow-missing", *words)
    assert answer.status == 0, answer
    table = read_exclusions(out / "sub-02" / "excluded.tsv")
    (run,) = [e for e in table if e.kind == "run"]
    assert (run.subject, run.run, run.contrast) == ("02", "2", "")
    assert run.reason == "events: missing"
    (sidecar,) = out.glob("sub-02/func/*task_space-*_contrast-pumps_stat-effect_statmap.json")
    assert json.loads(sidecar.read_text())["NumberOfRuns"] == 1


def test_subjects_that_are_excluded_are_said(data, command):
    answer = command(
        "validate", data.root, "-m", "balloon", "--exclude-participant-label", "sub-02"
    )
    assert answer.status == 3  # a group needs two
    assert "1 subject" in answer.err
    answer = command(
        "validate", data.root, "-m", "balloon", "--exclude-participant-label", "02",
        "--participant-label", "01", "02",
    )  # fmt: skip
    assert answer.status == 0
    assert "note: sub-02: excluded by --exclude-participant-label" in answer.out
    assert "All checks passed: 1 subjects, 2 runs" in answer.out
