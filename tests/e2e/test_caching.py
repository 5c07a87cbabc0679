"""What is computed again, and what is not."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import Analysis, call, contents

import twolevel

pytestmark = pytest.mark.slow


def jobs(text: str, status: str) -> set[str]:
    """Return the jobs that a call reported with a status, as ``run sub-01 run-1``."""
    return set(re.findall(rf"^\w+ level \d+/\d+  (.+): {status}", text, flags=re.MULTILINE))


def test_second_run_computes_nothing(dataset: Path, analysed: Analysis):
    before = contents(analysed.output_dir)
    text = call(
        "run", dataset, analysed.output_dir, "all", "-m", "balloon", "-w", analysed.work_dir
    )
    assert jobs(text, "done") == set()
    assert "6 runs (6 cached), 3 subjects (3 cached)" in text
    assert "5 contrasts (5 cached), 45 tests (45 cached), 51 drawings (51 cached)" in text
    assert contents(analysed.output_dir) == before


def test_deleted_outputs_come_back(copied: tuple[Path, Analysis]):
    data, analysis = copied
    before = contents(analysis.output_dir)
    shutil.rmtree(analysis.output_dir / "sub-02")
    shutil.rmtree(analysis.output_dir / "group")
    text = call("run", data, analysis.output_dir, "all", "-m", "balloon", "-w", analysis.work_dir)
    assert jobs(text, "done") == set()
    assert contents(analysis.output_dir) == before


def test_edited_events_recompute_that_run_its_subject_and_the_group(copied: tuple[Path, Analysis]):
    data, analysis = copied
    (events,) = data.glob("sub-02/func/*run-01_events.tsv")
    lines = events.read_text(encoding="utf-8").splitlines(keepends=True)
    del lines[3]
    events.write_text("".join(lines), encoding="utf-8")
    text = call("run", data, analysis.output_dir, "all", "-m", "balloon", "-w", analysis.work_dir)
    done = jobs(text, "done")
    assert {job for job in done if job.startswith("run ")} == {"run sub-02 run-1"}
    assert {job for job in done if job.startswith("subject ")} == {"subject sub-02"}
    assert {job for job in done if job.startswith("contrast ")} == {
        "contrast pumpsMinusControl",
        "contrast controlMinusPumps",
        "contrast pumps",
        "contrast cash",
        "contrast explode",
    }


def test_options_of_the_group_leave_subjects_alone(copied: tuple[Path, Analysis]):
    data, analysis = copied
    text = call(
        "run",
        data,
        analysis.output_dir,
        "all",
        "-m",
        "balloon",
        "-w",
        analysis.work_dir,
        "--sides",
        "1",
        "--alpha",
        "0.1",
        "--group-input",
        "z",
    )
    assert "6 runs (6 cached), 3 subjects (3 cached)" in text
    assert "5 contrasts (5 done), 45 tests (45 done), 51 drawings (51 done)" in text


def test_figures_and_report_come_and_go_by_themselves(
    dataset: Path, analysed: Analysis, tmp_path: Path
):
    results = tmp_path / "results"
    words = ["run", dataset, results, "all", "-m", "balloon", "-w", tmp_path / "work"]
    pictures = {p.name: p.read_bytes() for p in (analysed.output_dir / "figures").iterdir()}
    text = call(*words, "--no-figures", "--no-report")
    assert "5 contrasts (5 done), 45 tests (45 done) in" in text
    assert f"report        not made: `twolevel report {results}` makes it" in text
    assert "figures       none drawn\n" in text
    assert not (results / "figures").exists()
    assert not (results / "report.html").exists()
    numbers = contents(results)
    assert without_records(numbers) == without_records(contents(analysed.output_dir))
    text = call(*words)
    assert "5 contrasts (5 cached), 45 tests (45 cached), 51 drawings (51 done)" in text
    assert {job for job in jobs(text, "done") if not job.startswith("drawing ")} == set()
    assert {p.name: p.read_bytes() for p in (results / "figures").iterdir()} == pictures
    assert without_records(contents(results)) == without_records(numbers)
    assert "No figures are shown" not in (results / "report.html").read_text(encoding="utf-8")
    text = call(*words, "--no-figures", "--no-report")
    assert f"figures       none drawn; {len(pictures)} of an earlier call removed\n" in text
    assert "note: report.html there is of an earlier call, and shows nothing of this one" in text
    assert list((results / "figures").iterdir()) == []
    assert contents(results) == numbers


def without_records(files: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out the records of what was published, which list the figures too."""
    return {name: held for name, held in files.items() if not name.startswith(".twolevel/group_")}


def test_edited_code_recomputes(dataset: Path, tmp_path: Path):
    package = tmp_path / "code" / "twolevel"
    shutil.copytree(
        Path(twolevel.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    words: list[str | Path] = [
        "run",
        dataset,
        tmp_path / "results",
        "participant",
        "-m",
        "balloon",
        "-w",
        tmp_path / "work",
        "--participant-label",
        "01",
        "--run-label",
        "1",
    ]
    environment = {"PYTHONPATH": str(package.parent)}
    first = call(*words, environment=environment)
    assert "run sub-01 run-1" in jobs(first, "done")
    assert jobs(call(*words, environment=environment), "done") == set()
    helper = package / "stats" / "unit_fit.py"
    source = helper.read_text(encoding="utf-8")
    helper.write_text(
        source.replace("variance = scale *", "variance = 2 * scale *"), encoding="utf-8"
    )
    assert helper.read_text(encoding="utf-8") != source
    assert "run sub-01 run-1" in jobs(call(*words, environment=environment), "done")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_goes_on_with_the_same_command(
    dataset: Path, analysed: Analysis, tmp_path: Path, how: signal.Signals
):
    output_dir = analysed.output_dir.with_name(f"results-{how.name}")
    words = [
        "run",
        str(dataset),
        str(output_dir),
        "participant",
        "-m",
        "balloon",
        "-w",
        str(tmp_path / "work"),
        "--nprocs",
        "2",
    ]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "twolevel", *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "run sub-" in line and "done" in line:
            break
    process.send_signal(how)
    process.stdout.close()
    status = process.wait(timeout=60)
    assert status == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    deadline = time.monotonic() + 20
    while (left := children_of_work(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
    text = call(*words)
    assert jobs(text, "failed") == set()
    subjects = {k: v for k, v in contents(output_dir).items() if k.startswith("sub-")}
    expected = {k: v for k, v in contents(analysed.output_dir).items() if k.startswith("sub-")}
    assert subjects == expected


def children_of_work(folder: Path) -> list[str]:
    """Return the processes that still work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in os.readlink(entry / "cwd"):  # noqa: PTH115  # of another process
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_a_work_directory_serves_one_run_at_a_time(dataset: Path, tmp_path: Path):
    from filelock import FileLock  # noqa: PLC0415  # only here

    work = tmp_path / "work"
    work.mkdir()
    with FileLock(work / "lock"):
        text = call(
            "run",
            dataset,
            tmp_path / "results",
            "participant",
            "-m",
            "balloon",
            "-w",
            work,
            status=3,
        )
    assert "in use by another run of twolevel" in text
