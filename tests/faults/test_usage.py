"""The command line itself: usage, help, and what it costs to start."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from twolevel.cli.main import main
from twolevel.cli.parser import build_parser, hyphenated

COMMANDS = ("run", "validate", "simulate", "demo")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "COMMAND"),
        (["analyse"], "invalid choice"),
        (["run"], "BIDS_DIR"),
        (["run", "data", "out"], "analysis_level"),
        (["run", "data", "out", "everybody"], "invalid choice: 'everybody'"),
        (["run", "data", "out", "all", "--nonsense"], "no such option: --nonsense"),
        (["run", "data", "out", "all", "--particip", "01"], "no such option: --particip"),
        (["run", "data", "out", "all", "--n-perm", "1"], "1 is not between 2 and 1,000,000"),
        (["run", "data", "out", "all", "--n-perm", "many"], "invalid whole number value: 'many'"),
        (["run", "data", "out", "all", "--alpha", "0"], "0 is not between 0 and 1"),
        (["run", "data", "out", "all", "--alpha", "1"], "1 is not between 0 and 1"),
        (["run", "data", "out", "all", "--smoothing-fwhm", "nan"], "nan is not between"),
        (["run", "data", "out", "all", "--smoothing-fwhm", "-1"], "-1 is not between 0 and 100"),
        (["run", "data", "out", "all", "--downsample", "0"], "0 is not 1 or more"),
        (["run", "data", "out", "all", "--sides", "3"], "invalid choice: 3"),
        (["run", "data", "out", "all", "--nprocs", "0"], "0 is not 1 or more"),
        (["run", "data", "out", "all", "--group-mask", "nowhere.nii"], "no such file"),
        (["run", "data", "out", "all", "--worker", "slurm"], "invalid choice: 'slurm'"),
        (["validate"], "BIDS_DIR"),
        (["simulate"], "OUTPUT_DIR"),
        (["simulate", "x", "--n-volumes", "10"], "10 is not 30 or more"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(capsys, words, complaint):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.startswith("usage: twolevel")


@pytest.mark.parametrize("words", [[], *([c] for c in COMMANDS)], ids=" ".join)
def test_help_exits_with_0(capsys, words):
    with pytest.raises(SystemExit) as caught:
        main([*words, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: {' '.join(['twolevel', *words])}")
    if not words:
        assert all(command in out for command in COMMANDS)
        assert "exit status" in out


def test_the_version_exits_with_0(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("twolevel ")


@pytest.mark.parametrize("spelling", ["--n_perm 50", "--n-perm 50", "--n_perm=50", "--n-perm=50"])
def test_both_spellings_of_an_option_are_understood(spelling):
    words = ["run", "data_dir", "out_dir", "all", *spelling.split()]
    arguments = build_parser().parse_args(hyphenated(words))
    assert arguments.n_perm == 50
    assert (str(arguments.bids_dir), str(arguments.output_dir)) == ("data_dir", "out_dir")


def test_every_long_option_of_run_has_a_spelling_with_underscores():
    spelled = (
        "run data out all --participant_label sub-01 02 --session_label 1 --task_id x "
        "--run_label 01 --n_subjects 2 --smoothing_fwhm 5 --first_level multi-run "
        "--fixed_effects precision --group_input t --n_perm 10 --random_seed 3 --work_dir w "
        "--clean_work_dir --allow_missing"
    )
    arguments = build_parser().parse_args(hyphenated(spelled.split()))
    assert arguments.participant_label == ["sub-01", "02"]
    assert (arguments.first_level, arguments.fixed_effects) == ("multi-run", "precision")
    assert arguments.clean_work_dir
    assert arguments.allow_missing


def test_starting_imports_nothing_heavy():
    code = (
        "import sys, twolevel, twolevel.cli.main, twolevel.cli.parser; "
        "twolevel.cli.parser.build_parser(); "
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "twolevel" in loaded
    heavy = {
        "numpy", "scipy", "pandas", "nibabel", "nilearn", "pydra", "matplotlib", "rich", "sklearn",
        "pydantic", "fileformats", "numba",
    }  # fmt: skip
    assert loaded & heavy == set()


def test_what_nohup_ignores_stays_ignored(command):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        command("validate", "no such folder")
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "twolevel", "validate"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "BIDS_DIR" in done.stderr
