"""``twolevel run --fetch [--drop]``: downloads as the first step of each subject."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from annexed import annexed_object, can_mount, git, static_server, tmpfs
from command import PLAIN, SMALL, call, contents

from twolevel.files.annex import is_absent
from twolevel.model.read import presets

TWO = ("--worker", "cf", "--nprocs", "2")
DESCRIPTION = "dataset_description.json"


def images(target: Path) -> dict[str, bool]:
    """Tell of each preprocessed image and mask whether its content is here."""
    found = sorted(target.glob("derivatives/fmriprep/sub-*/func/*_res-2_desc-*.nii.gz"))
    assert len(found) == 12
    return {path.name: not is_absent(path) for path in found}


def subjects_of(output_dir: Path) -> dict[str, bytes]:
    return {name: held for name, held in contents(output_dir).items() if name[:4] == "sub-"}


def same_results(one: Path, other: Path) -> None:
    """Compare everything but the place of the sources."""
    a, b = contents(one), contents(other)
    a.pop(DESCRIPTION)
    b.pop(DESCRIPTION)
    assert a == b


@pytest.fixture
def run(environment, tmp_path):
    """Run into `tmp_path/out` with `tmp_path/work`."""

    def run(target, level, *words, status=0, model=SMALL, **more):
        return call(
            "run", target, tmp_path / "out", level, "-m", model, "-w", tmp_path / "work",
            *PLAIN, *words, status=status, environment={**environment, **more},
        )  # fmt: skip

    return run


def test_what_was_fetched_can_be_run(fetch, from_paths, run, small, sources, tmp_path):
    fetch(*from_paths, "--raw-version", "1.0.0", "-m", SMALL)
    run(tmp_path / "target", "all")
    same_results(tmp_path / "out", small.output_dir)
    description = json.loads((tmp_path / "out" / DESCRIPTION).read_text())
    assert description["SourceDatasets"] == [
        {"URL": "../target", "Version": git(sources.raw, "rev-parse", "1.0.0").strip()},
        {
            "URL": "../target/derivatives/fmriprep",
            "Version": git(sources.derivatives, "rev-parse", "1.0.1").strip(),
            "GeneratedBy": [{"Name": "twolevel simulate"}],
        },
    ]


@pytest.mark.skipif(not can_mount(), reason="a small disk can be mounted by root only")
def test_a_dataset_larger_than_the_disk_is_analysed(
    fetch, from_paths, run, small, tmp_path, dataset
):
    small_reserve = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "annex.diskreserve",
        "GIT_CONFIG_VALUE_0": "100 kB",
    }
    of_images = [
        p.stat().st_size for p in dataset.glob("derivatives/fmriprep/sub-*/func/*.nii.gz")
    ]
    assert sum(of_images) > 5_500_000
    with tmpfs(5_000_000) as disk:
        target = disk / "target"
        text = fetch(*from_paths, "--dry-run", target=target, **small_reserve)
        assert int(text.splitlines()[-1]) > 5_500_000
        refused = run(target, "all", "--fetch", status=3, **small_reserve)
        assert "or give --drop" in refused
        text = run(target, "all", "--fetch", "--drop", *TWO, **small_reserve)
        same_results(tmp_path / "out", small.output_dir)
        assert not any(images(target).values())
        left = shutil.disk_usage(disk).free
        # A second time nothing is downloaded: the results are found by what the files hold.
        again = run(target, "participant", "--fetch", "--drop", **small_reserve)
        assert shutil.disk_usage(disk).free == left
        assert "3 downloads (3 cached), 6 runs (6 cached), 3 subjects (3 cached)" in again
        # What another model needs is downloaded again.
        run(
            target,
            "participant",
            "--fetch",
            "--drop",
            "--fixed-effects",
            "precision",
            **small_reserve,
        )
        assert not any(images(target).values())
    assert "3 downloads (3 done), 6 runs (6 done), 3 subjects (3 done)" in text


def log_of(output_dir: Path) -> str:
    """Return the log of the participant level: when each job began and ended."""
    (log,) = (output_dir / "logs").glob("*.log")
    return log.read_text()


def test_computing_starts_while_others_download_and_one_git_annex_works_at_a_time(
    fetch, run, sources, small, tmp_path
):
    with static_server(sources.raw.parent) as server:
        where = ["--raw", f"{server.url}/raw.git", "--derivatives", f"{server.url}/fmriprep.git"]
        fetch(*where, "--dry-run")
        server.bytes_per_second = 700_000
        run(tmp_path / "target", "participant", "--fetch", "--jobs", "1", *TWO)
    assert all(images(tmp_path / "target").values())
    log = log_of(tmp_path / "out")
    assert log.index("FitRun of sub-01 run-1: done") < log.index("FetchRuns of sub-03: done")
    states = re.findall(r"FetchRuns of (sub-\d+): (running|done)", log)
    assert states == [(f"sub-0{n}", s) for n in (1, 2, 3) for s in ("running", "done")]
    description = json.loads((tmp_path / "out" / DESCRIPTION).read_text())
    assert [d["URL"] for d in description["SourceDatasets"]] == [where[1], where[3]]
    assert subjects_of(tmp_path / "out") == subjects_of(small.output_dir)


def test_one_process_alone_fetches_and_drops_too(fetch, from_paths, run, small, tmp_path):
    fetch(*from_paths, "--dry-run")
    run(tmp_path / "target", "participant", "--fetch", "--drop")
    assert not any(images(tmp_path / "target").values())
    assert subjects_of(tmp_path / "out") == subjects_of(small.output_dir)


def test_images_that_nothing_else_holds_are_kept(fetch, sources, run, tmp_path):
    copies = tmp_path / "copies"
    shutil.copytree(sources.raw.parent, copies)
    fetch("--raw", copies / "raw.git", "--derivatives", copies / "fmriprep.git",
          "--participant-label", "01")  # fmt: skip
    (copies / "fmriprep.git").rename(copies / "away.git")
    text = run(
        tmp_path / "target", "participant", "--fetch", "--drop", "--participant-label", "01"
    )
    assert text.count("images not dropped: ") == 1
    assert ": 4: sub-01_task-" in text
    assert "Could not verify the existence of the 1 necessary copy" in text
    assert sum(images(tmp_path / "target").values()) == 4


def test_a_subject_that_cannot_be_downloaded_leaves_the_others_alone(
    fetch, sources, run, tmp_path
):
    copies = tmp_path / "copies"
    shutil.copytree(sources.raw.parent, copies)
    (bold,) = [
        name
        for name in sources.derivatives_content
        if "sub-02" in name and "run-1" in name and name.endswith("desc-preproc_bold.nii.gz")
    ]
    damaged = annexed_object(copies / "fmriprep.git", bold)
    good = damaged.read_bytes()
    damaged.write_bytes(good[:-4] + b"xxxx")
    fetch("--raw", copies / "raw.git", "--derivatives", copies / "fmriprep.git", "--dry-run")
    text = run(tmp_path / "target", "participant", "--fetch", *TWO, status=1)
    assert "FetchRuns of sub-02: 1 of 4 images could not be downloaded" in text
    assert f"{tmp_path}/target/derivatives/fmriprep/{bold}: " in text
    assert "does not fit its checksum" in text
    assert sorted(p.name for p in (tmp_path / "out").glob("sub-*")) == ["sub-01", "sub-03"]
    damaged.write_bytes(good)
    run(tmp_path / "target", "participant", "--fetch")
    assert sorted(p.name for p in (tmp_path / "out").glob("sub-*")) == [
        "sub-01", "sub-02", "sub-03",
    ]  # fmt: skip


def test_a_bad_model_is_refused_before_any_image_is_downloaded(fetch, from_paths, run, tmp_path):
    fetch(*from_paths, "--dry-run")
    text = run(tmp_path / "target", "all", "--fetch", "--space", "T1w", status=3)
    assert "--space\n  found:    none that fit among: MNI152NLin2009cAsym:res-2" in text
    model = presets()["balloon"].read_text().replace("e.pumps_demean", "e.pump_demean")
    (tmp_path / "model.json").write_text(model)
    text = run(tmp_path / "target", "all", "--fetch", model=tmp_path / "model.json", status=3)
    assert 'no regressor "trial_type.pump_demean"' in text
    assert not any(images(tmp_path / "target").values())
    assert not (tmp_path / "out").exists()


def test_images_of_runs_beyond_a_limit_of_motion_are_not_fetched(fetch, from_paths, run, tmp_path):
    fetch(*from_paths, "--dry-run")
    text = run(tmp_path / "target", "participant", "--fetch", "--max-mean-fd", "0.1345")
    assert text.count("note: left out, because the head moved too much: sub-02") == 1
    here = {name for name, is_here in images(tmp_path / "target").items() if is_here}
    runs = {f"{name[:6]} {re.findall('run-[0-9]', name)[0]}" for name in here}
    assert runs == {"sub-01 run-1", "sub-01 run-2", "sub-03 run-1"}
