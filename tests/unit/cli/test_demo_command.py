from __future__ import annotations

from pathlib import Path

import pytest

from twolevel.cli import demo_command
from twolevel.cli.options import RunOptions
from twolevel.cli.parser import parse


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ([], {}),
        (
            [
                "--nprocs",
                "2",
                "--worker",
                "debug",
                "--no-figures",
                "--no-report",
                "--verbose",
                "--debug",
            ],
            {
                "nprocs": 2,
                "worker": "debug",
                "no_figures": True,
                "no_report": True,
                "verbose": True,
                "debug": True,
            },
        ),
        (["--open", "--atlas", __file__], {"open": True, "atlas": Path(__file__)}),
    ],
    ids=["nothing", "running", "report"],
)
def test_a_demo_is_a_run_of_the_preset(monkeypatch, tmp_path, words, more):
    simulated: list[Path] = []
    analysed: list[RunOptions] = []
    monkeypatch.setattr(
        demo_command, "simulate", lambda _options, folder, _console: simulated.append(folder)
    )
    monkeypatch.setattr("twolevel.cli.run_command.execute", analysed.append)
    folder = tmp_path / "demo"
    folder.mkdir()
    demo_command.execute(parse(["demo", str(folder), *words]))  # type: ignore[arg-type]
    assert simulated == [folder / "data"]
    assert analysed == [
        RunOptions(
            folder / "data",
            folder / "results",
            "all",
            model="balloon",
            work_dir=folder / "work",
            **more,
        )
    ]
    assert "n_subjects" in (folder / "demo.json").read_text()
