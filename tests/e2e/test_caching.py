"""What is computed again, and what is not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from command import NOTHING_DRAWN, PLAIN, SMALL, Analysis, analyse, call, call_process, contents
from filelock import FileLock

import twolevel


def jobs(text: str, status: str) -> set[str]:
    """Return the jobs that a call reported with a status, as ``run sub-01 run-1``."""
    return set(re.findall(rf"^\w+ level \d+/\d+  (.+): {status}", text, flags=re.MULTILINE))


def test_second_run_computes_nothing(copied: tuple[Path, Analysis]):
    data, analysis = copied
    before = contents(analysis.output_dir)
    text = analyse(data, analysis.output_dir, "all")
    assert jobs(text, "done") == set()
    assert "6 runs (6 cached), 3 subjects (3 cached)" in text
    assert "2 contrasts (2 cached), 6 tests (6 cached) in" in text
    assert contents(analysis.output_dir) == before


def test_deleted_outputs_come_back(copied: tuple[Path, Analysis]):
    data, analysis = copied
    before = contents(analysis.output_dir)
    shutil.rmtree(analysis.output_dir / "sub-02")
    shutil.rmtree(analysis.output_dir / "group")
    text = analyse(data, analysis.output_dir, "all")
    assert jobs(text, "done") == set()
    assert contents(analysis.output_dir) == before


def test_a_work_folder_that_lost_files_computes_those_results_again(
    copied: tuple[Path, Analysis],
):
    data, analysis = copied
    before = contents(analysis.output_dir)
    lost = [
        path
        for path in analysis.work_dir.rglob("sub-02*_run-1_*_contrast-cash_stat-t_statmap.nii.gz")
        if not path.is_symlink()
    ]
    assert lost
    for path in lost:
        path.unlink()
    shutil.rmtree(analysis.output_dir / "sub-02")
    text = analyse(data, analysis.output_dir, "all")
    assert {job for job in jobs(text, "done") if job.startswith("run ")} == {"run sub-02 run-1"}
    # Its maps are the same bytes, so that nothing that is made of them is computed again.
    assert not {job for job in jobs(text, "done") if job.startswith(("contrast ", "test "))}
    assert contents(analysis.output_dir) == before


def test_a_dataset_that_was_moved_is_read_where_it_is(dataset: Path, tmp_path: Path):
    """Two calls of one process, in which the engine remembers what it built."""
    first, second = tmp_path / "first", tmp_path / "second"
    shutil.copytree(dataset, first / "data")
    words = ["--participant-label", "01", "--run-label", "1"]
    analyse(first / "data", first / "out", "participant", *words)
    (first / "data").rename(tmp_path / "moved")
    analyse(tmp_path / "moved", second / "out", "participant", *words)
    assert (second / "out" / "sub-01").is_dir()


def test_edited_events_recompute_that_run_its_subject_and_the_group(copied: tuple[Path, Analysis]):
    data, analysis = copied
    (events,) = data.glob("sub-02/func/*run-01_events.tsv")
    lines = events.read_text(encoding="utf-8").splitlines(keepends=True)
    del lines[3]
    events.write_text("".join(lines), encoding="utf-8")
    done = jobs(analyse(data, analysis.output_dir, "all"), "done")
    assert {job for job in done if job.startswith("run ")} == {"run sub-02 run-1"}
    assert {job for job in done if job.startswith("subject ")} == {"subject sub-02"}
    assert {job for job in done if job.startswith("contrast ")} == {
        "contrast pumps",
        "contrast cash",
    }


def test_options_of_the_group_leave_subjects_alone(copied: tuple[Path, Analysis]):
    data, analysis = copied
    words = ["--sides", "1", "--alpha", "0.1", "--group-input", "z"]
    text = analyse(data, analysis.output_dir, "all", *words)
    assert "6 runs (6 cached), 3 subjects (3 cached)" in text
    assert "2 contrasts (2 done), 6 tests (6 done) in" in text


def test_figures_and_report_come_and_go_by_themselves(
    copied: tuple[Path, Analysis], small: Analysis, analysed: Analysis
):
    data, analysis = copied
    results = analysis.output_dir
    words: list[str | Path] = ["run", data, results, "all", "-m", SMALL]
    words += ["-w", analysis.work_dir]
    words += ["--worker", "debug"]
    assert "2 contrasts (2 done), 6 tests (6 done) in" in analysis.text
    assert (
        f"report        not made: `twolevel report {small.output_dir}` makes it" in analysis.text
    )
    assert "figures       none drawn\n" in analysis.text
    assert not (results / "figures").exists()
    assert not (results / "report.html").exists()
    numbers = contents(results)
    text = call(*words)
    assert "2 contrasts (2 cached), 6 tests (6 cached), 9 drawings (9 done)" in text
    assert {job for job in jobs(text, "done") if not job.startswith("drawing ")} == set()
    pictures = {path.name: path.read_bytes() for path in (results / "figures").iterdir()}
    drawn = {p.name: p.read_bytes() for p in (analysed.output_dir / "figures").iterdir()}
    # Through the brain is drawn what the first test finds, which is another one in each model.
    own = {name for name in pictures if "glassbrain" in name}
    assert {name for name, held in pictures.items() if drawn[name] != held} <= own
    assert contents(results) == numbers
    assert "No figures are shown" not in (results / "report.html").read_text(encoding="utf-8")
    assert "9 drawings (9 cached)" in call(*words)
    text = call(*words, *NOTHING_DRAWN)
    assert f"figures       none drawn; {len(pictures)} of an earlier call removed\n" in text
    assert "note: report.html there is of an earlier call, and shows nothing of this one" in text
    assert list((results / "figures").iterdir()) == []
    assert contents(results) == numbers


def test_edited_code_recomputes(dataset: Path, tmp_path: Path):
    package = tmp_path / "code" / "twolevel"
    # With the compiled kernels, which are not edited, but not with what is being written.
    unfinished = shutil.ignore_patterns("*.tmp.*", "*.pyc.*")
    shutil.copytree(Path(twolevel.__file__).parent, package, ignore=unfinished)
    words: list[str | Path] = ["run", dataset, tmp_path / "results", "participant", "-m", SMALL]
    words += ["-w", tmp_path / "work", "--participant-label", "01", "--run-label", "1", *PLAIN]
    environment = {"PYTHONPATH": str(package.parent)}
    first = call_process(*words, environment=environment)
    assert "run sub-01 run-1" in jobs(first, "done")
    assert jobs(call_process(*words, environment=environment), "done") == set()
    helper = package / "stats" / "run" / "unit.py"
    source = helper.read_text(encoding="utf-8")
    helper.write_text(
        source.replace("variance = scale *", "variance = 2 * scale *"), encoding="utf-8"
    )
    assert helper.read_text(encoding="utf-8") != source
    assert "run sub-01 run-1" in jobs(call_process(*words, environment=environment), "done")


def test_a_work_directory_serves_one_run_at_a_time(dataset: Path, tmp_path: Path):
    (tmp_path / "work").mkdir()
    with FileLock(tmp_path / "work" / "lock"):
        text = analyse(dataset, tmp_path / "results", "participant", status=3)
    assert "in use by another run of twolevel" in text
