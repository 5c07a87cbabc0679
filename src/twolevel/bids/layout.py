"""Finding the files of each run by their entities."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from twolevel.bids.entities import RUN_ENTITIES, BidsName, Entities
from twolevel.bids.index import closest, files_of_runs, find_sidecars, inherited_files
from twolevel.bids.runs import RunFiles
from twolevel.bids.wanted import ANY, PYBIDS_NAMES
from twolevel.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.wanted import Selection

    Found = Sequence[tuple[Path, BidsName]]

SPACE = ("space", "res", "den", "cohort")
DEFAULT_SPACE = "MNI152NLin2009cAsym"
BOLD_EXTENSIONS = (".nii.gz", ".nii")
# Files that agree in these show one scan, whatever else tells them apart.
OF_A_SCAN = ("sub", "ses", "task", "run", "dir")


def find_runs(
    bids_dir: Path, derivatives: Sequence[Path], selection: Selection
) -> tuple[list[RunFiles], list[Problem]]:
    """Find every run that has events or a preprocessed BOLD image, in order of their entities.

    Raw and derivative files belong together when all entities that do not describe the space are
    equal. Raw BOLD images are never looked for. The problems say which choice of task or space the
    selection leaves open.
    """
    raw = files_of_runs(bids_dir, selection.subjects)
    prepared = [item for root in derivatives for item in files_of_runs(root, selection.subjects)]
    images = [
        (path, name)
        for path, name in prepared
        if _is_bold(name, selection.image) and _is_volume(name)
    ]
    tasks, problems = _choose_task(raw, images, selection)
    selection = replace(selection, labels={**selection.labels, "task": tasks})
    admitted = [(path, name) for path, name in images if selection.admits(name.entities)]
    space, space_problems = _choose_space(admitted, selection.space)
    problems.extend(space_problems)
    runs: dict[Entities, RunFiles] = {}
    for path, name in admitted:
        if _space_of(name) != space:
            continue
        files = runs.setdefault(_key(name.entities), RunFiles(name.entities.without("desc")))
        if _claim(files, "bold", path, problems):
            root = next(r for r in derivatives if r in path.parents)
            files.derivative_sidecars = find_sidecars(root, path)
    problems.extend(_repeated_scans(list(runs.values())))
    in_space = _by_folder(name for _, name in images if _space_of(name) == space)
    for path, name in raw:
        is_events = name.suffix == "events" and name.extension == ".tsv"
        # Events that apply to images belong to these; others tell of a run without an image.
        if is_events and selection.admits(name.entities) and not _applies(path, name, in_space):
            own = RunFiles(name.entities.with_(**space))
            _claim(runs.setdefault(_key(name.entities), own), "events", path, problems)
    _attach(runs, prepared, space, problems)
    for files in runs.values():
        _attach_raw(files, bids_dir, problems)
    return [runs[key] for key in sorted(runs, key=_natural)], problems


def _is_bold(name: BidsName, desc: str) -> bool:
    return name.suffix == "bold" and name.entities.get("desc") == desc


def _is_volume(name: BidsName) -> bool:
    return name.extension in BOLD_EXTENSIONS


def _space_of(name: BidsName) -> Entities:
    return name.entities.only(*SPACE)


def _key(entities: Entities) -> Entities:
    """Return what raw files and derivatives of a run have in common."""
    return entities.normalised().without(*SPACE, "desc")


def _natural(key: Entities) -> tuple[str, ...]:
    """Sort numbers as numbers, so that run-10 comes after run-9."""
    labels = [key.get(k, "") for k in ("sub", *RUN_ENTITIES)]
    return tuple(label.zfill(12) if label.isdigit() else label for label in labels)


def _by_folder(names: Iterable[BidsName]) -> dict[Path, list[Entities]]:
    """Return the entities of images by the folder of their subject and session."""
    found: dict[Path, list[Entities]] = {}
    for name in names:
        found.setdefault(name.entities.folder, []).append(name.entities.normalised())
    return found


def _applies(path: Path, name: BidsName, images: Mapping[Path, Sequence[Entities]]) -> bool:
    """Tell whether a file applies to an image of its folder by the inheritance principle."""
    session = path.parent.parent.name
    here = name.entities.only("sub")
    if session.startswith("ses-"):
        here = here.with_(ses=session[4:])
    entities = name.entities.normalised().items()
    return any(entities <= image.items() for image in images.get(here.folder, ()))


def _repeated_scans(runs: Sequence[RunFiles]) -> list[Problem]:
    """Refuse images of one scan that differ in how it was acquired, reconstructed or split."""
    scans: dict[Entities, list[Entities]] = {}
    for files in runs:
        entities = _key(files.entities)
        scans.setdefault(entities.only(*OF_A_SCAN), []).append(entities)
    return [_repeated_scan(images) for images in scans.values() if len(images) > 1]


def _repeated_scan(images: Sequence[Entities]) -> Problem:
    there_are = sorted({key for entities in images for key in entities} - set(OF_A_SCAN))
    keys = [key for key in there_are if len({entities.get(key) for entities in images}) > 1]
    there = [" ".join(f"{k}-{e[k]}" if k in e else f"no {k}" for k in keys) for e in images]
    chosen = {PYBIDS_NAMES[k]: images[-1].get(k) for k in keys if k in PYBIDS_NAMES}
    one = "; ".join(f'"{name}": {json.dumps([label])}' for name, label in chosen.items())
    remedy = "remove the others"
    if chosen:
        remedy = f"choose, for example with --bids-filter-file and {json.dumps({'bold': chosen})}"
        if None not in chosen.values():
            remedy += f", or with {one} in the model's Input"
    return Problem(
        f"{images[0].in_words(OF_A_SCAN)}: the same scan {len(images)} times",
        "; ".join(there),
        "one of these; another run or direction would be another scan",
        remedy,
    )


def _choose_task(
    raw: Found, bold: Found, selection: Selection
) -> tuple[tuple[str, ...], list[Problem]]:
    there = {n.entities.get("task", "") for _, n in raw if n.suffix == "events"}
    there |= {n.entities.get("task", "") for _, n in bold}
    named = tuple(task for task in selection.labels.get("task", ()) if task != ANY)
    if named or len(there) <= 1:
        return named or tuple(there), []
    return named, [
        Problem(
            "--task-id",
            f"tasks {sorted(there)}",
            "one task, or several that the model's Input names",
            "name one with --task-id, or those of the model in its Input",
        )
    ]


def _choose_space(bold: Found, wanted: Mapping[str, str] | None) -> tuple[Entities, list[Problem]]:
    spaces = sorted({_space_of(name) for _, name in bold}, key=lambda s: sorted(s.items()))
    matching = spaces
    if wanted is not None:
        matching = [s for s in spaces if _fits(s, wanted)]
        if not matching and not spaces:
            return Entities(wanted), []  # no image at all: that is reported run by run
    elif len(spaces) > 1:
        matching = [s for s in spaces if s.get("space") == DEFAULT_SPACE]
    if len(matching) == 1:
        return matching[0], []
    if not spaces:
        return Entities(), []
    listed = [
        ":".join([s.get("space", "none"), *(f"{k}-{v}" for k, v in s.without("space").items())])
        for s in spaces
    ]
    fitting = "several" if wanted is None or matching else "none"
    return Entities(wanted or {}), [
        Problem(
            "--space",
            f"{fitting} that fit among: {', '.join(listed)}",
            "exactly one space and resolution",
            f"give one, for example --space {max(listed, key=lambda s: s != 'none')}",
        )
    ]


def _fits(space: Entities, wanted: Mapping[str, str]) -> bool:
    """Tell whether a space is the one wanted; an empty one asks for images without an entity."""
    if not wanted:
        return "space" not in space
    return all(space.get(key) == value for key, value in wanted.items())


def _claim(files: RunFiles, kind: str, path: Path, problems: list[Problem]) -> bool:
    """Take a file as the run's own; a second one is a problem, because either could be meant."""
    other = getattr(files, kind)
    if other is None:
        setattr(files, kind, path)
        return True
    problems.append(
        Problem(
            f"{files.name}: {kind}",
            f"two files: {other} and {path}",
            "one file (run-1 and run-01 are the same run)",
            "remove one, or give only one of the derivative datasets",
        )
    )
    return False


def _attach(
    runs: Mapping[Entities, RunFiles],
    prepared: Found,
    space: Entities,
    problems: list[Problem],
) -> None:
    for path, name in prepared:
        files = runs.get(_key(name.entities))
        if files is None:
            continue
        desc = name.entities.get("desc")
        if name.suffix == "mask" and desc == "brain" and _space_of(name) == space:
            if _is_volume(name):
                _claim(files, "mask", path, problems)
        elif desc == "confounds" and name.suffix in {"timeseries", "regressors"}:
            if name.extension == ".tsv":
                _claim(files, "confounds", path, problems)
            elif name.extension == ".json":
                _claim(files, "confounds_json", path, problems)


def _attach_raw(files: RunFiles, bids_dir: Path, problems: list[Problem]) -> None:
    """Find what applies to a run by inheritance in the raw dataset."""
    entities = files.entities.without(*SPACE)
    folder = bids_dir / entities.folder
    files.raw_sidecars = inherited_files(bids_dir, folder, entities, "bold", ".json")
    if files.events is None:
        events = inherited_files(bids_dir, folder, entities, "events", ".tsv")
        for path in closest(events):
            _claim(files, "events", path, problems)
