"""``twolevel model``: a model to start with, a preset, or a model in the strict form."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from twolevel.bids.folders import missing_folders
from twolevel.bids.survey import survey
from twolevel.cli.console import ReportConsole
from twolevel.cli.plan import picture_of
from twolevel.errors import InputError, Problem, did_you_mean
from twolevel.files.atomic import write_bytes
from twolevel.model.read import presets, read_model
from twolevel.model.starter.make import starter_model
from twolevel.model.write import as_text, model_content
from twolevel.notes import merged

if TYPE_CHECKING:
    from twolevel.cli.options import ModelCommandOptions
    from twolevel.model.nodes import StatsModel


def execute(options: ModelCommandOptions) -> int:
    """Write a model and say what was chosen."""
    console = ReportConsole(stderr=options.output is None)
    choices: tuple[str, ...] = ()
    if options.preset is not None:
        text = _preset(options.preset)
    elif options.strict is not None:
        model = read_model(options.strict)
        text = as_text(model_content(model))
        choices = tuple(merged(model.notes))
    else:
        text, choices = _starter(options, console)
    if options.write_graph is not None:
        picture_of(_read(text), {}, options.write_graph)
    _put(text, options.output)
    for choice in choices:
        console.print(choice)
    if options.bids_dir is not None and options.output is not None:
        console.print(
            f"\nmodel  {options.output}\n"
            f"Check it:  twolevel validate {options.bids_dir} --model {options.output}"
        )
    return 0


def _preset(name: str) -> str:
    there = presets()
    if name not in there:
        raise InputError(
            Problem(
                f"--preset {name}",
                "no such preset",
                f"one of: {', '.join(there)}",
                did_you_mean(name, there) or "choose one of these",
            )
        )
    return there[name].read_text(encoding="utf-8")


def _starter(options: ModelCommandOptions, console: ReportConsole) -> tuple[str, tuple[str, ...]]:
    if options.bids_dir is None:
        raise TypeError("the options refuse it")
    bids_dir = options.bids_dir.resolve()
    given = options.derivatives or (bids_dir / "derivatives" / "fmriprep",)
    derivatives = tuple(path.resolve() for path in given)
    if problems := missing_folders(bids_dir, derivatives if options.derivatives else ()):
        raise InputError(problems)
    with console.status("reading tables") as status:
        found = survey(
            bids_dir,
            derivatives,
            options.task_id,
            lambda n, total: status.update(f"reading tables: run {n} of {total}"),
        )
    starter = starter_model(found, with_response_time=options.with_response_time)
    return as_text(starter.content), starter.choices


def _read(text: str) -> StatsModel:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_text(text, encoding="utf-8")
        return read_model(path)


def _put(text: str, path: Path | None) -> None:
    """Write a file that is not there yet, or print."""
    if path is None:
        sys.stdout.write(text)
        return
    if path.exists():
        raise InputError(
            Problem(f"--output {path}", "a file that is there", "a new file", "name another file")
        )
    write_bytes(path, text.encode())
