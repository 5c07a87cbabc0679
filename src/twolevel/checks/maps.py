"""Finding the subjects' maps that the group level reads, and refusing those that do not match."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twolevel.bids.entities import Entities, entities_of, is_common_space
from twolevel.checks.output import selection_in_words
from twolevel.derivatives.records import read_publications
from twolevel.errors import InputError, Problem, Problems
from twolevel.files.images import read_header, read_mask
from twolevel.files.run_data import downsampled_affine
from twolevel.files.sidecars import read_json, sidecar_of
from twolevel.model.spec import Scope, stage_of
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twolevel.model.spec import StatsModel

MASK = "_desc-analysis_mask.nii.gz"
FEWEST = 2
SHOWN = 300  # letters of an error


@dataclass(frozen=True)
class SubjectMap:
    """One subject's map of one contrast.

    Attributes
    ----------
    path, mask : Path
        The map that goes up, and the mask that belongs to it.
    """

    subject: str
    path: Path
    mask: Path


@dataclass(frozen=True)
class GroupInputs:
    """What the group level reads.

    Attributes
    ----------
    entities : Entities
        Of the names of its outputs: task, space, resolution.
    masks : dict of str to Path
        Analysis mask of each subject.
    maps : dict of str to tuple of SubjectMap
        By label of the contrast; subjects without the contrast are missing there.
    scope : Scope
        Of the data that the maps were made of.
    left_out : dict of str to str
        Subjects that were asked for and are not analysed, and why.
    """

    entities: Entities
    subjects: tuple[str, ...]
    masks: dict[str, Path]
    maps: dict[str, tuple[SubjectMap, ...]]
    scope: Scope
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


def find_subject_maps(
    output_dir: Path,
    model: StatsModel,
    *,
    subjects: Sequence[str] | None = None,
    wanted: Mapping[str, str] | None = None,
    group_mask: Path | None = None,
    allow_missing: bool = False,
    without_space: bool = False,
) -> GroupInputs:
    """Find the subjects' maps under an output directory.

    They must have been made by the run and subject nodes of the model, of the selection that it is
    applied to, by this version; what an earlier call made of a subject whose latest attempt failed
    does not count.

    Parameters
    ----------
    subjects : sequence of str, optional
        Labels that must be there; default all that are.
    wanted : mapping of str to str, optional
        Entities that choose among several tasks or spaces.
    group_mask : Path, optional
        Must be on the grid of the maps.
    allow_missing : bool
        Leave out subjects without maps, and those that failed.
    without_space : bool
        Images without a ``space`` entity are in a common space.

    Raises
    ------
    InputError
        Subjects are missing or fewer than two, or maps do not match; all offenders.
    """
    dataset = model.node("dataset")
    if dataset is None:
        raise InputError(
            Problem(
                f'model "{model.name}"',
                "no Dataset node",
                "a Dataset node: the group model",
                "add one to the model, or run the participant level only",
            )
        )
    masks = _find_masks(output_dir, dict(wanted or {}))
    problems, left_out = [], {}
    failed = _failures(output_dir, model.scope, wanted or {})
    for problem, subject, why in _unusable(output_dir, masks, subjects, failed):
        if allow_missing:
            left_out[subject] = why
        else:
            problems.append(problem)
    chosen = set(masks if subjects is None else subjects) - set(left_out)
    masks = {s: path for s, path in masks.items() if s in chosen}
    if len(masks) < FEWEST and not problems:
        problems.append(
            Problem(
                "group",
                f"{len(masks)} subject{'s' * (len(masks) != 1)} in {output_dir}",
                f"at least {FEWEST}",
                "run the participant level for more subjects",
            )
        )
    if problems:
        raise InputError(problems)
    names = {s: entities_of(path) for s, path in masks.items()}
    maps = {
        contrast.label: tuple(
            _maps_of(masks, names, contrast.label, dataset.group_settings.group_input)
        )
        for contrast in model.nodes[0].contrasts
    }
    problems = _check_space(list(names.values()), without_space=without_space)
    if not any(maps.values()):
        problems.append(
            Problem(
                "group",
                f"no subject in {output_dir} has a map of any contrast of the model",
                "at least one contrast that the subjects' runs determine",
                "see sub-*/excluded.tsv for the reason, and mend events or model",
            )
        )
    problems.extend(_one_per_subject(_check_maps(masks, maps, model)))
    mask_is_right = Problems()
    mask_is_right.attempt(lambda: check_group_mask(group_mask, next(iter(masks.values()))))
    problems.extend(mask_is_right.found)
    if problems:
        raise InputError(problems)
    entities = Entities.shared(list(names.values())).without("sub", "desc")
    made_of = _stated(_sidecar(next(iter(masks.values()))))["selection"]
    scope = Scope(json.dumps(made_of["Asked"], sort_keys=True), tuple(made_of["Derivatives"]))
    notes = _notes_on_runs(masks)
    return GroupInputs(entities, tuple(masks), masks, maps, scope, left_out, notes)


def _failures(output_dir: Path, scope: Scope, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the subjects whose latest attempt at what is asked for failed, with its error."""
    return {
        record.who.removeprefix("sub-"): record.failed
        for record in read_publications(output_dir, "sub-*")
        if record.failed
        and all(record.kind.get(key) == value for key, value in wanted.items())
        and _same_selection(record.selection, scope.record)
    }


def _unusable(
    output_dir: Path,
    masks: Mapping[str, Path],
    subjects: Sequence[str] | None,
    failed: Mapping[str, str],
) -> Iterator[tuple[Problem, str, str]]:
    """Name the subjects that are wanted and without maps of a latest attempt."""
    for subject in sorted({*masks, *failed}) if subjects is None else subjects:
        if subject in failed:
            why = " ".join(failed[subject].split())
            why = why if len(why) <= SHOWN else f"{why[:SHOWN]} ..."
            yield (
                Problem(
                    f"sub-{subject}",
                    f"its latest attempt at the participant level failed ({why})"
                    + ("; its maps are of an earlier one" if subject in masks else ""),
                    "maps of the same analysis for every subject",
                    "run the participant level again for it, or give --allow-missing to leave it "
                    "out",
                ),
                subject,
                "failed at the participant level; the log says why",
            )
        elif subject not in masks:
            yield (
                Problem(
                    f"sub-{subject}",
                    f"no maps of this subject in {output_dir}",
                    f"sub-{subject}/func/*{MASK}",
                    "run the participant level for it, or give --allow-missing to leave it out",
                ),
                subject,
                "no maps of this subject",
            )


def _check_space(names: Sequence[Entities], *, without_space: bool) -> list[Problem]:
    """Refuse maps that lie in the space of single heads."""
    spaces = {
        entities.get("space", "")
        for entities in names
        if not is_common_space(entities) and not (without_space and "space" not in entities)
    }
    return [
        Problem(
            "group",
            f"maps in the space {space} of single heads" if space else "maps without a space",
            "maps in a common space, as MNI152NLin2009cAsym",
            "analyse images in a template's space (--space)"
            + ("" if space else ", or give --space none if all heads are in one space"),
        )
        for space in sorted(spaces)
    ]


def _notes_on_runs(masks: Mapping[str, Path]) -> tuple[Note, ...]:
    """Tell subjects with another number of runs than the others."""
    by_number: dict[int, list[str]] = {}
    for subject, path in masks.items():
        n_runs = _stated(_sidecar(path))["n_runs"]
        by_number.setdefault(n_runs, []).append(f"sub-{subject}")
    if len(by_number) < 2:
        return ()
    parts = [f"{n}: {', '.join(subjects)}" for n, subjects in sorted(by_number.items())]
    return (Note("the subjects' maps combine different numbers of runs", detail="; ".join(parts)),)


def _find_masks(output_dir: Path, wanted: dict[str, str]) -> dict[str, Path]:
    found: dict[str, list[Path]] = {}
    for path in sorted(output_dir.glob(f"sub-*/func/*{MASK}")):
        entities = entities_of(path)
        level = _stated(_sidecar(path)).get("level", "subject")
        of_subject = level == "subject" and not {"run", "contrast"} & entities.keys()
        if of_subject and all(entities.get(k) == v for k, v in wanted.items()):
            found.setdefault(entities["sub"], []).append(path)
    problems = [
        Problem(
            f"sub-{s}",
            f"maps of several kinds: {', '.join(p.name for p in paths)}",
            "one task, space and resolution",
            "choose with --task-id, --space, --downsample",
        )
        for s, paths in found.items()
        if len(paths) > 1
    ]
    if problems:
        raise InputError(problems)
    return {s: paths[0] for s, paths in found.items()}


def _maps_of(
    masks: Mapping[str, Path], names: Mapping[str, Entities], label: str, stat: str
) -> list[SubjectMap]:
    found = []
    for subject, mask in masks.items():
        entities = names[subject].with_(contrast=label)
        of_map = entities.without("desc").with_(stat=stat).path("statmap", ".nii.gz")
        path = mask.with_name(of_map.name)
        own = mask.with_name(entities.path("mask", ".nii.gz").name)
        if path.is_file():
            found.append(SubjectMap(subject, path, own if own.is_file() else mask))
    return found


def _sidecar(path: Path) -> dict[str, Any]:
    sidecar = sidecar_of(path)
    return read_json(sidecar) if sidecar.is_file() else {}


def _check_maps(
    masks: Mapping[str, Path], maps: Mapping[str, Sequence[SubjectMap]], model: StatsModel
) -> list[Problem]:
    stage = stage_of(model, "subject")
    first = next(iter(masks.values()))
    reference = read_header(first)
    asked = model.scope.record
    if not asked["Derivatives"]:  # then those of the first subject are those of all
        asked["Derivatives"] = _stated(_sidecar(first)).get("derivatives", [])
    problems = []
    for path in [*(m.path for group in maps.values() for m in group), *masks.values()]:
        found, expected = [], []
        stated = _stated(_sidecar(path))
        if not stated:
            problems.append(
                Problem(
                    str(path),
                    "no sidecar, or one without Software, Model and Selection",
                    "the JSON file that twolevel wrote beside it",
                    "run the participant level again for this subject",
                )
            )
            continue
        if stated["version"] != version("twolevel"):
            found.append(f"made by twolevel {stated['version']}")
            expected.append(f"twolevel {version('twolevel')}")
        if stated["digest"] != stage.digest:
            found.append(
                f'made with other settings of model "{stated["model"]}" '
                f"(digest {stated['digest']}{stated['smoothing']})"
            )
            expected.append(f'those of model "{model.name}" now (digest {stage.digest})')
        if not _same_selection(stated["selection"], asked):
            found.append(f"made of {selection_in_words(stated['selection'])}")
            expected.append(f"maps of {selection_in_words(asked)}")
        header = read_header(path)
        if header.shape != reference.shape or not np.allclose(
            header.affine, reference.affine, atol=1e-3
        ):
            found.append(f"grid {header.shape}, origin {header.affine[:3, 3].round(3).tolist()}")
            expected.append(f"that of {first.name}: {reference.shape}")
        if found:
            problems.append(
                Problem(
                    str(path),
                    "; ".join(found),
                    "; ".join(expected),
                    "run the participant level again for this subject with these options",
                )
            )
    return problems


def _stated(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the sidecar of a map says of its making; nothing where it is not one of ours."""
    try:
        selection = {
            "Asked": dict(sidecar["Selection"]["Asked"]),
            "Derivatives": list(sidecar["Selection"]["Derivatives"]),
        }
        smoothing = sidecar.get("SmoothingFWHM")
        return {
            "version": str(sidecar["Software"]["Version"]),
            "model": str(sidecar["Model"]["Name"]),
            "level": str(sidecar["Model"]["Level"]),
            "n_runs": int(sidecar.get("NumberOfRuns", 1)),
            "digest": str(sidecar["Model"]["Digest"]),
            "smoothing": "" if smoothing is None else f", smoothing {float(smoothing):g} mm",
            "selection": selection,
            "derivatives": selection["Derivatives"],
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _same_selection(made_of: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Tell whether something was made of what is asked for.

    A task that is not asked for is chosen by the names; derivatives that are not known may be any.
    """
    there, wanted = dict(made_of.get("Asked", {})), dict(asked["Asked"])
    if "task" not in wanted:
        there.pop("task", None)
    same = not asked["Derivatives"] or made_of.get("Derivatives") == asked["Derivatives"]
    return same and there == wanted


def _one_per_subject(problems: list[Problem]) -> list[Problem]:
    """Keep the first problem of each subject, and count the others."""
    by_subject: dict[str, list[Problem]] = {}
    for problem in problems:
        by_subject.setdefault(entities_of(Path(problem.where))["sub"], []).append(problem)
    return [
        replace(first, where=f"{first.where} (and {len(others)} more)" if others else first.where)
        for first, *others in by_subject.values()
    ]


def check_group_mask(group_mask: Path | None, like: Path | None, downsample: int = 1) -> None:
    """Check a mask that a user gives for the group.

    Parameters
    ----------
    group_mask : Path or None
        None is right.
    like : Path or None
        An image on the grid of the maps before down-sampling; None where it is not here yet.

    Raises
    ------
    InputError
        The mask cannot be read, is on another grid, holds no voxel, or is not of 0 and one number.
    """
    if group_mask is None:
        return
    where = f"--group-mask {group_mask}"
    if not group_mask.is_file():
        raise InputError(Problem(where, "no such file", "a 3-D image", "check the path"))
    if like is not None:
        header, reference = read_header(group_mask), read_header(like)
        shape = tuple(-(-n // downsample) for n in reference.shape[:3])
        affine = downsampled_affine(reference.affine, downsample)
        if header.shape[:3] != shape or not np.allclose(header.affine, affine, atol=1e-3):
            raise InputError(
                Problem(
                    where,
                    f"shape {header.shape}, affine {header.affine.tolist()}",
                    f"the grid of the maps: {shape}, {affine.tolist()}",
                    "resample the mask to the grid of the maps",
                )
            )
    if not read_mask(group_mask)[0].any():
        raise InputError(Problem(where, "no voxel", "a mask", "give another mask"))
