"""``twolevel fetch``."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from twolevel.bids.confound_tables import attach_confounds
from twolevel.bids.index import list_subjects
from twolevel.bids.selection import choose_subjects, runs_with_images, select_runs
from twolevel.bids.wanted import parse_space
from twolevel.cli.arguments import command_of
from twolevel.cli.console import ReportConsole
from twolevel.cli.option_groups import LabelOptions
from twolevel.cli.options import RunOptions
from twolevel.cli.progress import format_seconds, show_notes
from twolevel.cli.select import (
    make_selection,
    of_those_there,
    space_of,
    subject_labels,
)
from twolevel.cli.transfer import download_all
from twolevel.fetch.clones import Clones, Source, clone_datasets
from twolevel.fetch.disk import check_space, free_bytes, readable_bytes
from twolevel.fetch.git import commit_of, git, origin_of
from twolevel.fetch.needed import content_of, images_of, tables_of, to_download
from twolevel.fetch.programs import DATALAD, GIT_ANNEX, require_programs
from twolevel.model.read import find_model, read_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twolevel.bids.entities import Entities
    from twolevel.cli.options import FetchOptions
    from twolevel.model.nodes import StatsModel
    from twolevel.notes import Note


def execute(options: FetchOptions) -> int:
    """Clone a dataset and its derivatives, and download what an analysis needs.

    Raises
    ------
    InputError
        Refused before anything was downloaded.
    TransferError
        A clone or a download failed.
    """
    console = ReportConsole()
    started = time.monotonic()
    require_programs(DATALAD, GIT_ANNEX)
    target = options.target.resolve()
    asked = parse_space(options.space) if options.space else None
    model = None
    if options.model:
        model = read_model(find_model(options.model, target))
    space = asked if asked is not None else space_of(model)

    def tell(text: str) -> None:
        console.print(text)

    clones = clone_datasets(
        options.dataset,
        target,
        Source(_absolute(options.raw), options.raw_version),
        Source(_absolute(options.derivatives), options.derivatives_version),
        tell=tell,
    )
    for kind, root in (("raw", clones.raw), ("derivatives", clones.derivatives)):
        tell(f"{kind:<12} {_describe(root)}")
    paths, notes = _choose(options, clones, model, space)
    show_notes(console, notes, verbose=options.verbose)
    needed = sum(to_download(paths).values())
    if options.dry_run:
        _list(paths, target)
        tell(f"free disk space: {readable_bytes(free_bytes(target))}")
        tell("bytes still to be downloaded:")
        tell(str(needed))
        return 0
    check_space(clones.derivatives, needed, "make room, or select fewer subjects or runs")
    got = download_all(paths, target, console, jobs=options.jobs)
    tell(
        f"{len(paths)} files are here; downloaded {readable_bytes(got)} in "
        f"{format_seconds(time.monotonic() - started)}"
    )
    tell(f"next: {_next(options, target)}")
    return 0


def _absolute(url: str | None) -> str | None:
    """Make a local path absolute; leave other addresses as they are."""
    return str(Path(url).resolve()) if url and Path(url).exists() else url


def _next(options: FetchOptions, target: Path) -> str:
    """Write the command that analyses what was fetched."""
    labels = {f.name: getattr(options, f.name) for f in fields(LabelOptions)}
    model = options.model or "MODEL"
    return command_of(RunOptions(target, Path("OUTPUT_DIR"), "all", model=model, **labels))


def _describe(root: Path) -> str:
    commit = commit_of(root)
    if not commit:
        return f"{root}, part of the raw dataset"
    tag = git(root, "describe", "--tags", "--exact-match")
    return f"{root} at commit {commit[:10]}{f' ({tag})' if tag else ''} of {origin_of(root)}"


def _choose(
    options: FetchOptions,
    clones: Clones,
    model: StatsModel | None,
    space: Entities | None,
) -> tuple[list[Path], tuple[Note, ...]]:
    """List the files that the selected runs need, and what is missing of others."""
    derivatives = [clones.derivatives]
    there = list_subjects(clones.raw, *derivatives)
    named = of_those_there(subject_labels(options, model), there)
    subjects = choose_subjects(
        clones.raw, derivatives, named.wanted, excluded=named.excluded, source=named.source
    )
    selection, replaced = make_selection(options, model, subjects, space)
    runs = select_runs(clones.raw, derivatives, selection)
    if model is not None:
        attach_confounds(runs, model, (*derivatives, clones.raw))
    complete, notes = runs_with_images(
        runs, named=subjects if named.wanted else (), there=list_subjects(clones.derivatives)
    )
    paths = [*tables_of(complete, clones.raw, derivatives), *images_of(complete)]
    of_model = model.notes if model is not None else ()
    return paths, (*of_model, *named.notes, *replaced, *notes)


def _list(paths: Sequence[Path], root: Path) -> None:
    """Print the files with their bytes, and whether they are here."""
    lines = [f"{'bytes':>13}  {'':<11}  file"]
    seen: set[str] = set()
    for path in sorted(paths):
        content = content_of(path)
        state = "here" if content.key is None else "to download"
        if content.key in seen:
            state = "as above"  # the same content in another file
        if content.key is not None:
            seen.add(content.key)
        size = "?" if content.n_bytes is None else str(content.n_bytes)
        lines.append(f"{size:>13}  {state:<11}  {path.relative_to(root).as_posix()}")
    print("\n".join(lines))  # noqa: T201  # a table for people and programs, never wrapped
