"""Finding the subjects' maps that the group level reads, and refusing those that do not match."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twolevel.bids.entities import Entities
from twolevel.checks.group_mask import check_group_mask
from twolevel.checks.made_of import check_maps, check_space, is_same_selection, made_of
from twolevel.checks.map_table import (
    MASK,
    GroupPart,
    MapTable,
    find_maps,
    find_masks,
    parts_of,
    repeated_subjects,
    several_kinds,
    sources,
    wildcard_contrasts,
)
from twolevel.derivatives.records import read_publications
from twolevel.errors import InputError, Problem, Problems
from twolevel.model.graph import nodes_of_group, nodes_of_participants, with_found
from twolevel.model.nodes import Scope
from twolevel.model.stages import stage_of
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from twolevel.model.nodes import Node, StatsModel

FEWEST = 2
SHOWN = 300  # letters of an error


@dataclass(frozen=True)
class GroupInputs:
    """What the group level reads.

    Attributes
    ----------
    entities : Entities
        That all its outputs share: task, space, resolution.
    subjects : tuple of str
        Those with maps.
    parts : tuple of GroupPart
        What is analysed together: a part for each node of the group, and for each session that it
        keeps apart.
    scope : Scope
        Of the data that the maps were made of.
    left_out : dict of str to str
        Subjects that were asked for and are not analysed, and why.
    """

    entities: Entities
    subjects: tuple[str, ...]
    parts: tuple[GroupPart, ...]
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
    model = with_found(model, wildcard_contrasts(output_dir, model))
    groups = _group_nodes(model)
    of_several_tasks = len(model.scope.record["Asked"].get("task", [])) > 1
    tables: list[tuple[Node, MapTable]] = []
    problems = Problems()
    left_out: dict[str, str] = {}
    for node in groups:
        masks: dict[str, dict[Entities, Path]] = {}
        for source in sources(model, node):
            for subject, found in find_masks(output_dir, source, wanted or {}).items():
                masks.setdefault(subject, {}).update(found)
        if kinds := several_kinds(masks, of_several_tasks=of_several_tasks):
            raise InputError(kinds)
        masks, without = _subjects_with_maps(
            output_dir, model.scope, subjects, wanted or {}, masks, allow_missing=allow_missing
        )
        left_out |= without
        tables.append((node, find_maps(masks, model, node, node.group_settings.group_input)))
    parts = tuple(part for node, table in tables for part in parts_of(model, node, table))
    every = {e: path for _, table in tables for e, path in table.masks.items()}
    first = next(iter(every.values()))
    problems.found.extend(check_space(list(every), without_space=without_space))
    problems.found.extend(p for _, table in tables for p in _no_maps(table, output_dir))
    digests = [stage_of(model, node).digest for node in nodes_of_participants(model)]
    by_subject = _by_subject([table for _, table in tables])
    problems.found.extend(check_maps(by_subject, first, model, digests))
    problems.found.extend(repeated_subjects(parts))
    problems.attempt(lambda: check_group_mask(group_mask, first))
    problems.stop_if_any()
    return GroupInputs(
        Entities.shared([part.entities for part in parts]),
        tuple(dict.fromkeys(entities["sub"] for entities in every)),
        parts,
        _scope_of(first),
        left_out,
        _notes_on_runs(every),
    )


def _scope_of(path: Path) -> Scope:
    """Return what a map was made of, as its sidecar says."""
    selection = made_of(path)["selection"]
    return Scope(json.dumps(selection["Asked"], sort_keys=True), tuple(selection["Derivatives"]))


def _group_nodes(model: StatsModel) -> tuple[Node, ...]:
    """Return the nodes of the group; refuse a model without."""
    if groups := nodes_of_group(model):
        return groups
    raise InputError(
        Problem(
            f'model "{model.name}"',
            "no Dataset node",
            "a Dataset node: the group model",
            "add one to the model, or run the participant level only",
        )
    )


def _subjects_with_maps(
    output_dir: Path,
    scope: Scope,
    subjects: Sequence[str] | None,
    wanted: Mapping[str, str],
    masks: Mapping[str, dict[Entities, Path]],
    *,
    allow_missing: bool,
) -> tuple[dict[str, dict[Entities, Path]], dict[str, str]]:
    """Choose the subjects' masks, and say why others are left out; refuse what may not be."""
    problems, left_out = [], {}
    failed = _failures(output_dir, scope, wanted)
    for problem, subject, why in _unusable(output_dir, masks, subjects, failed):
        if allow_missing:
            left_out[subject] = why
        else:
            problems.append(problem)
    chosen = set(masks if subjects is None else subjects) - set(left_out)
    there = {s: found for s, found in masks.items() if s in chosen}
    if len(there) < FEWEST and not problems:
        problems.append(
            Problem(
                "group",
                f"{len(there)} subject{'s' * (len(there) != 1)} in {output_dir}",
                f"at least {FEWEST}",
                "run the participant level for more subjects",
            )
        )
    if problems:
        raise InputError(problems)
    return there, left_out


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


def _by_subject(tables: Sequence[MapTable]) -> dict[str, list[Path]]:
    """List every image that goes up, subject by subject."""
    paths: dict[str, dict[Path, None]] = {}
    for table in tables:
        for name, files in table.rows.items():
            paths.setdefault(name.entities["sub"], {})[files["map"]] = None
        for entities, mask in table.masks.items():
            paths.setdefault(entities["sub"], {})[mask] = None
    return {subject: list(found) for subject, found in paths.items()}


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
    masks: Mapping[str, object],
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


def _notes_on_runs(masks: Mapping[Entities, Path]) -> tuple[Note, ...]:
    """Tell subjects with another number of runs than the others."""
    by_number: dict[int, list[str]] = {}
    for entities, path in masks.items():
        n_runs = made_of(path)["n_runs"]
        by_number.setdefault(n_runs, []).append(entities.in_words(("sub", "ses")))
    if len(by_number) < 2:
        return ()
    parts = [f"{n}: {', '.join(subjects)}" for n, subjects in sorted(by_number.items())]
    return (Note("the subjects' maps combine different numbers of runs", detail="; ".join(parts)),)
