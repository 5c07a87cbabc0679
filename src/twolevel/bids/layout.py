"""Finding the files of each run by their entities."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from twolevel.bids.entities import RUN_ENTITIES, BidsName, describe, normalised, parse_name
from twolevel.bids.wanted import ANY, PYBIDS_NAMES
from twolevel.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.wanted import Selection

SPATIAL = frozenset({"space", "res", "den", "cohort", "desc"})
DEFAULT_SPACE = "MNI152NLin2009cAsym"
BOLD_EXTENSIONS = (".nii.gz", ".nii")
# Files that agree in these show one scan, whatever else tells them apart.
OF_A_SCAN = ("sub", "ses", "task", "run", "dir")


@dataclass
class RunFiles:
    """The files of one run; None where there is none.

    Attributes
    ----------
    entities : dict of str to str
        Those of the BOLD image (or of the events, where there is no image), without ``desc``.
    bold, mask, confounds, confounds_json : Path or None
        Of the derivatives.
    events : Path or None
        Of the raw dataset, the closest by inheritance.
    raw_sidecars, derivative_sidecars : list of Path
        JSON files that apply to the BOLD image, from the root down; later ones win.
    """

    entities: dict[str, str]
    bold: Path | None = None
    mask: Path | None = None
    confounds: Path | None = None
    confounds_json: Path | None = None
    events: Path | None = None
    raw_sidecars: list[Path] = field(default_factory=list)
    derivative_sidecars: list[Path] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The run in words: ``sub-01 run-1``."""
        return describe(self.entities, ("sub", *RUN_ENTITIES))


def averaged_sessions(sessions: Iterable[Iterable[str]]) -> str:
    """Say that sessions are averaged as if they were runs, where they are.

    Parameters
    ----------
    sessions : iterable of iterable of str
        Labels of the sessions of each subject's runs.

    Returns
    -------
    str
        Empty where no subject has several.
    """
    numbers = sorted({len(set(labels)) for labels in sessions})
    if not numbers or numbers[-1] < 2:
        return ""
    number = f"{numbers[-1]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    return f"{number} sessions per subject are averaged; a Session node keeps them apart"


def list_subjects(*folders: Path) -> list[str]:
    """List the labels of the subjects that have a folder in a dataset.

    Parameters
    ----------
    *folders : Path
        Roots of datasets.

    Returns
    -------
    list of str
        Sorted, without ``sub-``.
    """
    return sorted({p.name[4:] for f in folders for p in f.glob("sub-*") if p.is_dir()})


def find_runs(
    bids_dir: Path, derivatives: Sequence[Path], selection: Selection
) -> tuple[list[RunFiles], list[Problem]]:
    """Find every run that has events or a preprocessed BOLD image.

    Raw and derivative files belong together when all entities that do not describe the space are
    equal. Raw BOLD images are never looked for.

    Parameters
    ----------
    bids_dir : Path
        The raw dataset.
    derivatives : sequence of Path
        Roots of derivative datasets in fMRIPrep layout.

    Returns
    -------
    runs : list of RunFiles
        In order of their entities.
    problems : list of Problem
        A choice of task or space that the selection leaves open.
    """
    raw = _files(bids_dir, selection.subjects)
    prepared = [item for root in derivatives for item in _files(root, selection.subjects)]
    boldish = [
        (path, name) for path, name in prepared if _is_preprocessed_bold(name) and _is_volume(name)
    ]
    problems: list[Problem] = []
    tasks, task_problems = _choose_task(raw, boldish, selection)
    problems.extend(task_problems)
    selection = replace(selection, labels={**selection.labels, "task": tasks})
    admitted = [(p, n) for p, n in boldish if selection.admits(n.entities)]
    space, space_problems = _choose_space(admitted, selection.space)
    problems.extend(space_problems)
    runs: dict[tuple[tuple[str, str], ...], RunFiles] = {}
    for path, name in admitted:
        if _spatial(name) != space:
            continue
        files = runs.setdefault(
            _key(name.entities), RunFiles({k: v for k, v in name.entities.items() if k != "desc"})
        )
        if _claim(files, "bold", path, problems):
            root = next(r for r in derivatives if r in path.parents)
            files.derivative_sidecars = find_sidecars(root, path)
    problems.extend(_repeated_scans(list(runs.values())))
    images = _by_folder(name for _, name in boldish if _spatial(name) == space)
    for path, name in raw:
        is_events = name.suffix == "events" and name.extension == ".tsv"
        # Events that apply to images belong to these; others tell of a run without an image.
        if is_events and selection.admits(name.entities) and not _applies(path, name, images):
            files = runs.setdefault(_key(name.entities), RunFiles({**name.entities, **space}))
            _claim(files, "events", path, problems)
    _attach(runs, prepared, space, problems)
    for files in runs.values():
        _attach_raw(files, bids_dir, problems)
    return [runs[key] for key in sorted(runs, key=_natural)], problems


def _files(root: Path, subjects: Sequence[str]) -> list[tuple[Path, BidsName]]:
    """List the files under sub-*/[ses-*/]func; dangling links count."""
    found = []
    folders = [root / f"sub-{s}" for s in subjects] if subjects else sorted(root.glob("sub-*"))
    for folder in folders:
        for func in [folder / "func", *sorted(folder.glob("ses-*/func"))]:
            if func.is_dir():
                for path in sorted(func.iterdir()):
                    name = parse_name(path)
                    if name is not None and name.entities.get("sub") == folder.name[4:]:
                        found.append((path, name))
    return found


def _is_preprocessed_bold(name: BidsName) -> bool:
    return name.suffix == "bold" and name.entities.get("desc") == "preproc"


def _is_volume(name: BidsName) -> bool:
    return name.extension in BOLD_EXTENSIONS


def _spatial(name: BidsName) -> dict[str, str]:
    return {k: v for k, v in name.entities.items() if k in SPATIAL and k != "desc"}


def _key(entities: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, v) for k, v in normalised(entities).items() if k not in SPATIAL))


def _natural(key: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    pairs = dict(key)
    # Numbers sort as numbers, so that run-10 comes after run-9.
    values = {k: v.zfill(12) if v.isdigit() else v for k, v in pairs.items()}
    return tuple((k, values.get(k, "")) for k in ("sub", *RUN_ENTITIES))


def _folder(entities: Mapping[str, str]) -> tuple[str, str]:
    return entities["sub"], entities.get("ses", "")


def _by_folder(names: Iterable[BidsName]) -> dict[tuple[str, str], list[dict[str, str]]]:
    """Return the entities of images by subject and session, whose folder they lie in."""
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for name in names:
        found.setdefault(_folder(name.entities), []).append(normalised(name.entities))
    return found


def _applies(
    path: Path, name: BidsName, images: Mapping[tuple[str, str], Sequence[Mapping[str, str]]]
) -> bool:
    """Tell whether a file applies to an image of its folder by the inheritance principle."""
    folder = path.parent.parent.name
    here = name.entities["sub"], folder[4:] if folder.startswith("ses-") else ""
    entities = normalised(name.entities).items()
    return any(entities <= image.items() for image in images.get(here, ()))


def _repeated_scans(runs: Sequence[RunFiles]) -> list[Problem]:
    """Refuse images of one scan that differ in how it was acquired, reconstructed or split."""
    scans: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for files in runs:
        entities = dict(_key(files.entities))
        scans.setdefault(tuple(entities.get(k, "") for k in OF_A_SCAN), []).append(entities)
    return [_repeated_scan(images) for images in scans.values() if len(images) > 1]


def _repeated_scan(images: Sequence[Mapping[str, str]]) -> Problem:
    first = images[0]
    keys = [k for k in {k: None for e in images for k in e} if k not in OF_A_SCAN]
    keys = [k for k in keys if len({e.get(k) for e in images}) > 1]
    there = [" ".join(f"{k}-{e[k]}" if k in e else f"no {k}" for k in keys) for e in images]
    chosen = {PYBIDS_NAMES[k]: images[-1].get(k) for k in keys if k in PYBIDS_NAMES}
    one = "; ".join(f'"{name}": {json.dumps([label])}' for name, label in chosen.items())
    remedy = "remove the others"
    if chosen:
        remedy = f"choose, for example with --bids-filter-file and {json.dumps({'bold': chosen})}"
        if None not in chosen.values():
            remedy += f", or with {one} in the model's Input"
    return Problem(
        f"{describe(first, OF_A_SCAN)}: the same scan {len(images)} times",
        "; ".join(there),
        "one of these; another run or direction would be another scan",
        remedy,
    )


def _choose_task(
    raw: Iterable[tuple[Path, BidsName]],
    bold: Iterable[tuple[Path, BidsName]],
    selection: Selection,
) -> tuple[tuple[str, ...], list[Problem]]:
    there = {n.entities.get("task", "") for _, n in raw if n.suffix == "events"}
    there |= {n.entities.get("task", "") for _, n in bold}
    named = tuple(task for task in selection.labels.get("task", ()) if task != ANY)
    if len(named) == 1 or (not named and len(there) <= 1):
        return named or tuple(there), []
    return named, [
        Problem(
            "--task-id",
            f"tasks {sorted(there)}",
            "one task",
            "name one with --task-id, or in the model's Input",
        )
    ]


def _choose_space(
    bold: Iterable[tuple[Path, BidsName]], wanted: Mapping[str, str] | None
) -> tuple[dict[str, str], list[Problem]]:
    there = {tuple(sorted(_spatial(name).items())) for _, name in bold}
    spaces = [dict(items) for items in sorted(there)]
    matching = spaces
    if wanted is not None:
        matching = [s for s in spaces if _fits(s, wanted)]
        if not matching and not spaces:
            return dict(wanted), []  # no image at all: that is reported run by run
    elif len(spaces) > 1:
        matching = [s for s in spaces if s.get("space") == DEFAULT_SPACE]
    if len(matching) == 1:
        return matching[0], []
    if not spaces:
        return {}, []
    listed = [
        ":".join([s.get("space", "none"), *(f"{k}-{v}" for k, v in s.items() if k != "space")])
        for s in spaces
    ]
    fitting = "several" if wanted is None or matching else "none"
    return dict(wanted or {}), [
        Problem(
            "--space",
            f"{fitting} that fit among: {', '.join(listed)}",
            "exactly one space and resolution",
            f"give one, for example --space {max(listed, key=lambda s: s != 'none')}",
        )
    ]


def _fits(space: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
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
    runs: Mapping[tuple[tuple[str, str], ...], RunFiles],
    prepared: Iterable[tuple[Path, BidsName]],
    space: Mapping[str, str],
    problems: list[Problem],
) -> None:
    for path, name in prepared:
        files = runs.get(_key(name.entities))
        if files is None:
            continue
        desc = name.entities.get("desc")
        if name.suffix == "mask" and desc == "brain" and _spatial(name) == space:
            if _is_volume(name):
                _claim(files, "mask", path, problems)
        elif desc == "confounds" and name.suffix in {"timeseries", "regressors"}:
            if name.extension == ".tsv":
                _claim(files, "confounds", path, problems)
            elif name.extension == ".json":
                _claim(files, "confounds_json", path, problems)


def _attach_raw(files: RunFiles, bids_dir: Path, problems: list[Problem]) -> None:
    """Find what applies to a run by inheritance in the raw dataset."""
    raw_entities = {k: v for k, v in files.entities.items() if k not in SPATIAL}
    name = BidsName(raw_entities, "bold", ".nii.gz")
    folder = bids_dir / f"sub-{raw_entities['sub']}"
    folder = folder / f"ses-{raw_entities['ses']}" if "ses" in raw_entities else folder
    here = folder / "func" / "any"
    files.raw_sidecars = _inherited(bids_dir, here, name, "bold", ".json")
    if files.events is None:
        for events in _closest(_inherited(bids_dir, here, name, "events", ".tsv")):
            _claim(files, "events", events, problems)


def _closest(inherited: Sequence[Path]) -> list[Path]:
    """Return the last of the files that apply, and those that apply just as closely."""

    def rank(path: Path) -> tuple[Path, int]:
        return path.parent, path.name.count("_")

    return [path for path in inherited if rank(path) == rank(inherited[-1])]


def find_sidecars(root: Path, path: Path) -> list[Path]:
    """List the JSON files that apply to a file by the inheritance principle.

    Parameters
    ----------
    root : Path
        Of the dataset.
    path : Path
        The file, by a name of the standard.

    Returns
    -------
    list of Path
        From the root down; later ones win.
    """
    name = parse_name(path)
    return _inherited(root, path, name, name.suffix, ".json") if name is not None else []


def _inherited(root: Path, path: Path, name: BidsName, suffix: str, extension: str) -> list[Path]:
    """List the files that apply to another by the inheritance principle, from the root down."""
    entities = normalised(name.entities)
    folders = [
        folder for folder in reversed(path.parents) if folder == root or root in folder.parents
    ]
    found: list[Path] = []
    for folder in folders:
        here = []
        for candidate in folder.glob(f"*{suffix}{extension}"):
            parsed = parse_name(candidate)
            if parsed is None or parsed.suffix != suffix or parsed.extension != extension:
                continue
            if normalised(parsed.entities).items() <= entities.items():
                here.append((len(parsed.entities), candidate))
        found.extend(candidate for _, candidate in sorted(here))
    return found


def iter_subjects(runs: Iterable[RunFiles]) -> Iterator[tuple[str, list[RunFiles]]]:
    """Group runs by subject, in order."""
    grouped: dict[str, list[RunFiles]] = {}
    for files in runs:
        grouped.setdefault(files.entities["sub"], []).append(files)
    yield from grouped.items()
