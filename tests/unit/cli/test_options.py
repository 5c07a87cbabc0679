"""Options as objects: what the command line makes of words, Python makes of fields."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import twolevel
from twolevel.cli.arguments import command_of
from twolevel.cli.options import CommandOptions, FetchOptions, RunOptions, ValidateOptions
from twolevel.cli.parser import TEXTS, parse
from twolevel.errors import InputError
from twolevel.model.declared import declared
from twolevel.workflow.workers.fork_server import ONE_THREAD

HERE = RunOptions(Path("data"), Path("results"), "all")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ONE_THREAD:
        monkeypatch.setenv(name, os.environ.get(name, "1"))


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("run data results all", HERE),
        (
            "run data results all --alpha 0.01 --n-perm 50 --sides 1 --smoothing-fwhm 5",
            replace(
                HERE,
                settings={"alpha": 0.01, "n_perm": 50, "sides": 1, "smoothing_fwhm_mm": 5.0},
            ),
        ),
        (
            (
                "run data results all --participant-label 01 02 --task-id a --derivatives x "
                "--derivatives y --model balloon --nprocs 2 --worker debug --mem-gb 2.5 "
                "--work-dir w --fetch --drop --jobs 3 --no-figures --verbose"
            ),
            replace(
                HERE,
                participant_label=("01", "02"),
                task_id="a",
                derivatives=(Path("x"), Path("y")),
                model="balloon",
                nprocs=2,
                worker="debug",
                mem_gb=2.5,
                work_dir=Path("w"),
                fetch=True,
                drop=True,
                jobs=3,
                no_figures=True,
                verbose=True,
            ),
        ),
        (
            "validate data --downsample 2 --allow-missing",
            ValidateOptions(Path("data"), settings={"downsample": 2}, allow_missing=True),
        ),
        (
            "fetch ds000001 data --raw-version 'a b' --dry-run",
            FetchOptions("ds000001", Path("data"), raw_version="a b", dry_run=True),
        ),
    ],
    ids=["nothing", "settings", "options", "validate", "fetch"],
)
def test_words_and_objects_mean_the_same(words, options):
    assert parse(shlex.split(words)) == options
    program, *again = shlex.split(command_of(options))
    assert program == "twolevel"
    assert parse(again) == options


@pytest.mark.parametrize("cls", TEXTS, ids=lambda cls: cls.COMMAND)
def test_defaults_are_those_of_the_fields(cls):
    places = {"fetch": ["ds1", "t"], "run": ["data", "out", "all"], "demo": []}.get(
        cls.COMMAND, ["folder"]
    )
    options: Any = parse([cls.COMMAND, *places])
    assert type(options) is cls
    for one in declared(cls):
        if one.option and not one.option.is_positional:
            assert getattr(options, one.name) == one.default


def test_what_no_option_can_set_is_told_behind_the_command():
    options = replace(HERE, settings={"noise_model": "ar2", "alpha": 0.1})
    assert command_of(options) == (
        "twolevel run data results all --alpha 0.1  # and {'noise_model': 'ar2'}"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"drop": True}, "--drop goes with --fetch"),
        ({"jobs": 2}, "--jobs goes with --fetch"),
        (
            {"level": "group", "fetch": True},
            "--fetch is for the levels participant and all; group reads no images",
        ),
        (
            {"open": True, "no_report": True},
            "--open is about the report, which --no-report leaves out",
        ),
        (
            {"atlas": Path("a.nii"), "no_report": True},
            "--atlas is about the report, which --no-report leaves out",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_python_too(given, said):
    with pytest.raises(ValueError, match=f"^{said}$"):
        replace(HERE, **given)


def test_values_that_the_command_line_refuses_are_refused_all_at_once(tmp_path):
    wrong: Any = {"nprocs": 0, "random_seed": -1, "worker": "slurm", "participant_label": "01"}
    options = replace(HERE, bids_dir=tmp_path, **wrong)
    with pytest.raises(InputError) as caught:
        twolevel.run(options)
    assert {(p.where, p.found, p.expected) for p in caught.value.problems} == {
        ("RunOptions: nprocs", "0", "a number, at least 1"),
        ("RunOptions: random_seed", "-1", "a number, at least 0"),
        ("RunOptions: worker", '"slurm"', "one of 'cf', 'debug'"),
        ("RunOptions: participant_label", '"01"', "a list: [...]"),
    }


def test_problems_are_raised_together_and_nothing_is_printed(tmp_path, capsys):
    folder = tmp_path / "data"
    folder.mkdir()
    options: Any = RunOptions(
        str(folder),  # type: ignore[arg-type]  # a notebook's texts are as good as paths
        tmp_path / "out",
        "all",
        model="balloon",
        work_dir=folder / "work",
        settings={"alhpa": 0.01, "n_perm": 1},
    )
    with pytest.raises(InputError) as caught:
        twolevel.run(options)
    problems = {p.where: p for p in caught.value.problems}
    assert problems["settings: alhpa"].remedy == 'Did you mean "alpha"?'
    assert problems["settings: n_perm"].expected == "a number, at least 2"
    assert any("work" in where for where in problems)
    assert capsys.readouterr() == ("", "")
    assert not (tmp_path / "out").exists()


def test_a_dataset_that_is_not_there_is_a_problem(tmp_path):
    with pytest.raises(InputError) as caught:
        twolevel.run(replace(HERE, bids_dir=tmp_path / "nowhere", output_dir=tmp_path / "out"))
    assert "no such folder" in [p.found for p in caught.value.problems]


def test_every_command_has_options():
    assert {cls.COMMAND for cls in TEXTS} == {
        "run", "fetch", "validate", "model", "report", "simulate", "demo",
    }  # fmt: skip
    assert set(TEXTS) == set(CommandOptions.__args__)
