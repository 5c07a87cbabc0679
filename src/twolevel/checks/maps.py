"""Finding the subjects' maps that the group level reads, and refusing those that do not match."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twolevel.bids.entities import Entities, entities_of
from twolevel.bids.units import StatMap, Unit, units_of
from twolevel.checks.group_mask import check_group_mask
from twolevel.checks.made_of import check_maps, check_space, is_same_selection, made_of
from twolevel.derivatives.records import read_publications
from twolevel.errors import InputError, Problem, Problems
from twolevel.model.graph import arriving
from twolevel.model.nodes import Scope
from twolevel.model.stages import stage_of
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from twolevel.model.nodes import ContrastName, Node, StatsModel

MASK = "_desc-analysis_mask.nii.gz"
FEWEST = 2
SHOWN = 300  # letters of an error


@dataclass(frozen=True)
class MapTable:
    """The maps that come to a node, whoever made them.

    Attributes
    ----------
    rows : tuple of StatMap
        In the order of the contrasts, and of the subjects within each.
    lacks : dict of str to tuple of str
        By the label of each contrast: the subjects without a map of it.
    """

    rows: tuple[StatMap, ...]
    lacks: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class GroupInputs:
    """What the group level reads.

    Attributes
    ----------
    entities : Entities
        Of the names of its outputs: task, space, resolution.
    masks : dict of str to Path
        Analysis mask of each subject.
    units : tuple of Unit
        One for each contrast that a subject has a map of.
    lacks : mapping of str to tuple of str
        By the label of each contrast: the subjects without it.
    scope : Scope
        Of the data that the maps were made of.
    left_out : dict of str to str
        Subjects that were asked for and are not analysed, and why.
    """

    entities: Entities
    subjects: tuple[str, ...]
    masks: dict[str, Path]
    units: tuple[Unit, ...]
    lacks: Mapping[str, tuple[str, ...]]
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
    dataset = _dataset_node(model)
    masks, left_out = _subjects_with_maps(
        output_dir, model.scope, subjects, wanted or {}, allow_missing=allow_missing
    )
    table = _find_maps(masks, arriving(model, dataset), dataset.group_settings.group_input)
    names = [entities_of(path) for path in masks.values()]
    first = next(iter(masks.values()))
    problems = Problems(check_space(names, without_space=without_space))
    problems.found.extend(_no_maps(table, output_dir))
    problems.found.extend(check_maps(_by_subject(table, masks), first, model))
    problems.attempt(lambda: check_group_mask(group_mask, first))
    problems.stop_if_any()
    return GroupInputs(
        Entities.shared(names).without("sub", "desc"),
        tuple(masks),
        masks,
        units_of(stage_of(model, "dataset"), table.rows),
        table.lacks,
        _scope_of(first),
        left_out,
        _notes_on_runs(masks),
    )


def _scope_of(path: Path) -> Scope:
    """Return what a map was made of, as its sidecar says."""
    selection = made_of(path)["selection"]
    return Scope(json.dumps(selection["Asked"], sort_keys=True), tuple(selection["Derivatives"]))


def _dataset_node(model: StatsModel) -> Node:
    """Return the node of the group; refuse a model without."""
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
    return dataset


def _subjects_with_maps(
    output_dir: Path,
    scope: Scope,
    subjects: Sequence[str] | None,
    wanted: Mapping[str, str],
    *,
    allow_missing: bool,
) -> tuple[dict[str, Path], dict[str, str]]:
    """Find each subject's mask, and say why others are left out; refuse what may not be."""
    masks = _find_masks(output_dir, wanted)
    problems, left_out = [], {}
    failed = _failures(output_dir, scope, wanted)
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
    return masks, left_out


def _no_maps(table: MapTable, output_dir: Path) -> list[Problem]:
    """Refuse subjects of which none has a map of any contrast."""
    if table.rows:
        return []
    return [
        Problem(
            "group",
            f"no subject in {output_dir} has a map of any contrast of the model",
            "at least one contrast that the subjects' runs determine",
            "see sub-*/excluded.tsv for the reason, and mend events or model",
        )
    ]


def _by_subject(table: MapTable, masks: Mapping[str, Path]) -> dict[str, list[Path]]:
    """List every image that goes up, subject by subject."""
    paths: dict[str, list[Path]] = {}
    for found in table.rows:
        paths.setdefault(found.entities["sub"], []).append(found.path)
    for subject, mask in masks.items():
        paths.setdefault(subject, []).append(mask)
    return paths


def _failures(output_dir: Path, scope: Scope, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the subjects whose latest attempt at what is asked for failed, with its error."""
    return {
        record.who.removeprefix("sub-"): record.failed
        for record in read_publications(output_dir, "sub-*")
        if record.failed
        and all(record.kind.get(key) == value for key, value in wanted.items())
        and is_same_selection(record.selection, scope.record)
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


def _notes_on_runs(masks: Mapping[str, Path]) -> tuple[Note, ...]:
    """Tell subjects with another number of runs than the others."""
    by_number: dict[int, list[str]] = {}
    for subject, path in masks.items():
        n_runs = made_of(path)["n_runs"]
        by_number.setdefault(n_runs, []).append(f"sub-{subject}")
    if len(by_number) < 2:
        return ()
    parts = [f"{n}: {', '.join(subjects)}" for n, subjects in sorted(by_number.items())]
    return (Note("the subjects' maps combine different numbers of runs", detail="; ".join(parts)),)


def _find_masks(output_dir: Path, wanted: Mapping[str, str]) -> dict[str, Path]:
    found: dict[str, list[Path]] = {}
    for path in sorted(output_dir.glob(f"sub-*/func/*{MASK}")):
        entities = entities_of(path)
        level = made_of(path).get("level", "subject")
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


def _find_maps(
    masks: Mapping[str, Path], contrasts: Sequence[ContrastName], stat: str
) -> MapTable:
    """Find each subject's map of each contrast, and the mask that belongs to it."""
    rows, lacks = [], {}
    for contrast in contrasts:
        there = set()
        for subject, mask in masks.items():
            entities = entities_of(mask).without("desc")
            names = entities.with_(contrast=contrast.label)
            path = mask.with_name(names.with_(stat=stat).path("statmap", ".nii.gz").name)
            own = mask.with_name(names.with_(desc="analysis").path("mask", ".nii.gz").name)
            if path.is_file():
                there.add(subject)
                rows.append(StatMap(entities, contrast, path, own if own.is_file() else mask))
        lacks[contrast.label] = tuple(subject for subject in masks if subject not in there)
    return MapTable(tuple(rows), lacks)
