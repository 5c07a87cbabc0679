from __future__ import annotations

from pathlib import Path

import pytest

from twolevel.cli import report_command
from twolevel.cli.console import ReportConsole
from twolevel.cli.option_groups import AtlasOptions


@pytest.mark.parametrize("wanted", [True, False])
def test_the_browser_is_opened_only_if_asked_for(monkeypatch, capsys, tmp_path, wanted):
    opened: list[str] = []
    page = tmp_path / "report.html"
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(report_command, "write_report", lambda *_: page)
    arguments = AtlasOptions(open=wanted)
    report_command.make_report(arguments, Path("out"), None, ReportConsole())
    assert opened == [page.as_uri()] * wanted
    assert str(page) in capsys.readouterr().out.replace("\n", "")
