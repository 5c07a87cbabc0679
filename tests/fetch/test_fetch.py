"""``twolevel fetch``: exactly the files that an analysis needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from annexed import git, make_unlocked, static_server
from command import call

from twolevel.files.annex import is_absent

TASK = "task-balloonanalogrisktask"
SPACE = "space-MNI152NLin2009cAsym_res-2"


def annexed_here(root: Path, content: dict[str, bytes]) -> set[str]:
    """List the annexed files that have their content, and see that it is theirs."""
    here = {relative for relative in content if not is_absent(root / relative)}
    for relative in here:
        assert (root / relative).read_bytes() == content[relative]
    return here


def needed_of(subject: str, run: str) -> set[str]:
    """List the annexed files that one run needs."""
    stem = f"sub-{subject}/func/sub-{subject}_{TASK}_run-{run}"
    return {
        f"{stem}_{SPACE}_desc-preproc_bold.nii.gz",
        f"{stem}_{SPACE}_desc-brain_mask.nii.gz",
        f"{stem}_desc-confounds_timeseries.tsv",
        f"{stem}_desc-confounds_timeseries.json",
    }


def listed(text: str) -> dict[str, tuple[int, str]]:
    """Read the table of a dry run: bytes and state by file."""
    _, table = text.split(" file\n", 1)
    rows = [line.split(maxsplit=1) for line in table.partition("free disk space")[0].splitlines()]
    return {
        rest.rsplit(maxsplit=1)[1]: (int(size), rest.rsplit(maxsplit=1)[0].strip())
        for size, rest in rows
    }


def test_only_what_the_selected_subjects_need_is_downloaded(fetch, from_paths, sources, tmp_path):
    text = fetch(*from_paths, "--participant-label", "01", "sub-02")
    target = tmp_path / "target"
    wanted = {f for s in ("01", "02") for r in ("1", "2") for f in needed_of(s, r)}
    assert annexed_here(target / "derivatives/fmriprep", sources.derivatives_content) == wanted
    assert annexed_here(target, sources.raw_content) == set()
    events = sorted(target.glob("sub-*/func/*_events.tsv"))
    assert len(events) == 6
    assert (target / "participants.tsv").read_text().startswith("participant_id")
    assert f"next: twolevel run {target} " in text


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (["--run-label", "1"], {("01", "1"), ("02", "1"), ("03", "1")}),
        (["--run-label", "02", "--participant-label", "03"], {("03", "2")}),
        (["-m", "MODEL"], {("02", "1")}),
        (["--task-id", "balloonanalogrisktask", "--run_label", "run-1", "--participant_label",
          "1", "03"], None),
    ],
)  # fmt: skip
def test_the_selection_is_that_of_run(fetch, from_paths, sources, tmp_path, words, runs):
    model = json.loads(
        (Path(__file__).parents[2] / "src/twolevel/model/presets/balloon_smdl.json").read_text()
    )
    model["Input"] = {"task": ["balloonanalogrisktask"], "subject": ["02"], "run": ["1"]}
    (tmp_path / "model.json").write_text(json.dumps(model))
    words = [str(tmp_path / "model.json") if word == "MODEL" else word for word in words]
    if runs is None:
        text = fetch(*from_paths, "--dry-run", *words, status=3)
        assert "--participant-label 1\n  found:    no such subject" in text
        assert "expected: one of: 01, 02, 03" in text
        return
    fetch(*from_paths, *words)
    here = annexed_here(tmp_path / "target/derivatives/fmriprep", sources.derivatives_content)
    assert here == {file for subject, run in runs for file in needed_of(subject, run)}


def test_a_dry_run_lists_files_and_bytes_and_downloads_nothing(
    fetch, from_paths, sources, tmp_path
):
    text = fetch(*from_paths, "--participant-label", "02", "--dry-run")
    content = sources.derivatives_content
    wanted = needed_of("02", "1") | needed_of("02", "2")
    assert annexed_here(tmp_path / "target/derivatives/fmriprep", content) == set()
    files = listed(text)
    to_download = {name: size for name, (size, state) in files.items() if state != "here"}
    assert to_download == {f"derivatives/fmriprep/{name}": len(content[name]) for name in wanted}
    assert {name for name, (_, state) in files.items() if state == "here"} >= {
        "participants.tsv",
        f"{TASK}_bold.json",
        f"sub-02/func/sub-02_{TASK}_run-01_events.tsv",
    }
    assert all((tmp_path / "target" / n).stat().st_size == size
               for n, (size, state) in files.items() if state == "here")  # fmt: skip
    unique = {content[name] for name in wanted}
    assert text.splitlines()[-1] == str(sum(map(len, unique)))


def test_a_second_call_downloads_only_what_is_missing(fetch, sources, tmp_path):
    with static_server(sources.raw.parent) as server:
        where = ["--raw", f"{server.url}/raw.git", "--derivatives", f"{server.url}/fmriprep.git"]
        fetch(*where, "--participant-label", "01")
        first = [path for path in server.requests if "/annex/objects/" in path]
        server.requests.clear()
        text = fetch("--participant-label", "01", "02")
        second = [path for path in server.requests if "/annex/objects/" in path]
        server.requests.clear()
        again = fetch("--participant-label", "01", "02")
        assert [path for path in server.requests if "/annex/objects/" in path] == []
    assert len(first) == 8
    assert len(second) == 8
    assert not set(first) & set(second)
    n_bytes = sum((sources.raw.parent / path.lstrip("/")).stat().st_size for path in second)
    assert f"downloaded {n_bytes / 1e6:.1f} MB" in text
    assert "downloaded 0 B" in again
    here = annexed_here(tmp_path / "target/derivatives/fmriprep", sources.derivatives_content)
    assert len(here) == 16


def test_a_version_is_pinned_and_recorded(fetch, from_paths, sources, tmp_path):
    target = tmp_path / "target"
    raw_first = git(sources.raw, "rev-parse", "1.0.0").strip()
    text = fetch(
        *from_paths, "--raw-version", "1.0.0", "--derivatives-version",
        git(sources.derivatives, "rev-parse", "1.0.0").strip(), "--dry-run",
    )  # fmt: skip
    assert git(target, "rev-parse", "HEAD").strip() == raw_first
    assert f"{target} at commit {raw_first[:10]} (1.0.0) of {sources.raw}" in text
    assert "1.0.1" not in (target / "CHANGES").read_text()
    assert "1.0.1" not in (target / "derivatives/fmriprep/CHANGES").read_text()
    fetch("--raw-version", "1.0.1", "--dry-run")
    assert "1.0.1" in (target / "CHANGES").read_text()
    assert "1.0.1" not in (target / "derivatives/fmriprep/CHANGES").read_text()


def test_a_version_that_is_not_there_is_refused_with_those_that_are(fetch, from_paths, tmp_path):
    text = fetch(*from_paths, "--raw-version", "9.9", status=3)
    assert "--raw-version 9.9\n  found:    no such version" in text
    assert "tags: 1.0.1, 1.0.0" in text
    assert not (tmp_path / "target").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name != "home"] == []


def test_derivatives_that_are_part_of_the_raw_dataset_are_taken(fetch, dataset, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(dataset, whole)
    (whole / ".gitattributes").write_text(
        "* annex.largefiles=nothing\n*.gz annex.largefiles=anything\n"
    )
    for words in (["init", "-q"], ["annex", "init", "-q"], ["annex", "add", "-q", "."],
                  ["commit", "-qm", "all"]):  # fmt: skip
        git(whole, *words)
    text = fetch("--raw", whole, "--participant-label", "03")
    target = tmp_path / "target"
    assert f"derivatives  {target}/derivatives/fmriprep, part of the raw dataset" in text
    images = sorted(target.glob("derivatives/fmriprep/sub-*/func/*_desc-preproc_bold.nii.gz"))
    assert [is_absent(path) for path in images] == [True] * 4 + [False] * 2


@pytest.mark.parametrize("adjusted", [False, True])
def test_unlocked_pointers_are_told_from_content(
    fetch, from_paths, sources, tmp_path, adjusted, environment
):
    fetch(*from_paths, "--dry-run")
    target = tmp_path / "target"
    prepared = target / "derivatives/fmriprep"
    make_unlocked(prepared, adjusted=adjusted)
    bold = prepared / f"sub-01/func/sub-01_{TASK}_run-1_{SPACE}_desc-preproc_bold.nii.gz"
    assert not bold.is_symlink()
    refused = call(
        "validate", target, "-m", "balloon", "--participant-label", "01", status=3,
        environment=environment,
    )  # fmt: skip
    assert "not fetched yet: 6 git-annex files without their content" in refused
    line = next(x for x in refused.splitlines() if "get it with: " in x).partition("with: ")[2]
    assert line == (
        f"twolevel fetch ds000001 {target} --participant-label 01 --task-id "
        "balloonanalogrisktask --space MNI152NLin2009cAsym:res-2"
    )
    call(*line.split()[1:], environment=environment)
    assert bold.read_bytes() == sources.derivatives_content[str(bold.relative_to(prepared))]
    text = call("validate", target, "-m", "balloon", "--participant-label", "01",
                environment=environment)  # fmt: skip
    assert "All checks passed: 1 subjects, 2 runs" in text


def test_a_clone_made_with_datalad_is_gone_on_with(fetch, sources, tmp_path):
    target = tmp_path / "target"
    git(tmp_path, "clone", "--quiet", str(sources.raw), "target")
    git(tmp_path, "clone", "--quiet", str(sources.derivatives), "target/derivatives/fmriprep")
    text = fetch("--participant-label", "01", "--run-label", "1")
    assert "cloning" not in text
    here = annexed_here(target / "derivatives/fmriprep", sources.derivatives_content)
    assert here == needed_of("01", "1")
