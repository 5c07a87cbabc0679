"""What to say of files whose content has not been fetched, and which command gets it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from twolevel.bids.entities import entities_of
from twolevel.errors import AbsentContent
from twolevel.fetch.git import dataset_name, repository_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from twolevel.bids.entities import Entities
    from twolevel.errors import Problem

# Where `twolevel fetch` lays the derivatives in the raw clone.
DERIVATIVES = "derivatives/fmriprep"
SHOWN = 1


def not_fetched(paths: Sequence[Path]) -> AbsentContent:
    """Describe files whose content is not fetched, and the ``twolevel fetch`` line to get it."""
    paths = list(dict.fromkeys(paths))
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return AbsentContent(
        ", ".join(map(str, paths[:SHOWN])) + more,
        "not fetched yet: "
        + (
            "a git-annex file without its content"
            if len(paths) == 1
            else f"{len(paths)} git-annex files without their content"
        ),
        "the content",
        f"get it with: {' && '.join(_commands(paths))}",
        tuple(paths),
    )


def absent_together(problems: Iterable[Problem]) -> list[Problem]:
    """Bring all files that have not been fetched into one problem, which comes first."""
    problems = list(problems)
    absent = [path for p in problems if isinstance(p, AbsentContent) for path in p.paths]
    others = [p for p in problems if not isinstance(p, AbsentContent)]
    return [not_fetched(absent), *others] if absent else others


def _commands(paths: Sequence[Path]) -> list[str]:
    """Write the commands that get files: one for each dataset and task."""
    groups: dict[tuple[Path, str], list[Path]] = {}
    elsewhere = []
    for path in paths:
        target = _target(path)
        if target is None:
            elsewhere.append(path)
        else:
            groups.setdefault((target, entities_of(path).get("task", "")), []).append(path)
    commands = []
    with_subjects = {
        target
        for (target, _), group in groups.items()
        if any("sub" in entities_of(path) for path in group)
    }
    for (target, task), group in groups.items():
        if target not in with_subjects:
            elsewhere += group  # `fetch` would get all subjects with it
        elif task:  # what belongs to no task comes with any
            spaces = sorted({_space(entities_of(path)) for path in group} - {""}) or [""]
            commands += [_fetch(target, task, space, group) for space in spaces]
    if elsewhere:
        commands.append(shlex.join(["datalad", "get", *map(str, elsewhere)]))
    return commands


def _target(path: Path) -> Path | None:
    """Return the raw clone whose `fetch` gets a file; None where no `fetch` does."""
    root = repository_of(path) or _described(path)
    if root is None:
        return None
    if root.as_posix().endswith(f"/{DERIVATIVES}"):
        return root.parents[1]
    derived = not {"desc", "space"}.isdisjoint(entities_of(path))
    return None if derived and root / DERIVATIVES not in path.parents else root


def _described(path: Path) -> Path | None:
    """Find the dataset of a file that is in no repository any more."""
    return next((p for p in path.parents if (p / "dataset_description.json").is_file()), None)


def _fetch(target: Path, task: str, space: str, paths: Sequence[Path]) -> str:
    entities = [entities_of(path) for path in paths]
    subjects = sorted({e["sub"] for e in entities if "sub" in e and _space(e) in {"", space}})
    words = ["twolevel", "fetch", dataset_name(target), str(target)]
    if subjects:
        words += ["--participant-label", *subjects]
    if task:
        words += ["--task-id", task]
    if space:
        words += ["--space", space]
    return shlex.join(words)


def _space(entities: Entities) -> str:
    modifiers = [f"{key}-{entities[key]}" for key in ("cohort", "res") if key in entities]
    return ":".join([entities["space"], *modifiers]) if "space" in entities else ""
