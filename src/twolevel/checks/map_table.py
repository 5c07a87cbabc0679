"""The table of maps that come to a node of the group, and the parts that it is analysed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twolevel.bids.entities import NODE, Entities, entities_of
from twolevel.bids.units import MapName, Unit, arriving_maps, map_name, units_of
from twolevel.checks.made_of import made_of
from twolevel.errors import Problem
from twolevel.files.sidecars import read_json
from twolevel.model.graph import (
    arriving,
    edges_to,
    estimates,
    nodes_of_group,
    nodes_of_participants,
    passes,
    run_node,
)
from twolevel.model.labels import contrast_label
from twolevel.model.nodes import Contrast, is_wild
from twolevel.model.stages import stage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from twolevel.model.nodes import Node, StatsModel
    from twolevel.model.stages import Stage

MASK = "_desc-analysis_mask.nii.gz"


@dataclass(frozen=True)
class MapTable:
    """The maps that come to a node, whoever made them.

    Attributes
    ----------
    rows : mapping of MapName to dict
        Paths of ``map`` and ``mask`` of each, in the order of the contrasts, and of the
        participants within each.
    made : mapping of str to list of MapName
        The rows by the node that made them.
    masks : mapping of Entities to Path
        Analysis masks of what the maps are of, subject by subject.
    """

    rows: Mapping[MapName, dict[str, Path]]
    made: Mapping[str, list[MapName]]
    masks: Mapping[Entities, Path]


@dataclass(frozen=True)
class GroupPart:
    """What is analysed together: the units of a node of the group whose outputs share names.

    Attributes
    ----------
    entities : Entities
        Of the names of its outputs: task, space, resolution.
    masks : dict of str to Path
        Analysis mask of each subject.
    units : tuple of Unit
        One for each contrast that a subject has a map of.
    files : mapping of MapName to dict of str to Path
        ``map`` and ``mask`` of the rows of the units.
    lacks : mapping of str to tuple of str
        By the label of each contrast: the subjects without it.
    """

    stage: Stage
    entities: Entities
    masks: dict[str, Path]
    units: tuple[Unit, ...]
    files: Mapping[MapName, dict[str, Path]]
    lacks: Mapping[str, tuple[str, ...]]

    @property
    def rows(self) -> tuple[MapName, ...]:
        """A map of each subject, in the order of the masks."""
        first: dict[str, MapName] = {}
        for unit in self.units:
            for name in unit.inputs:
                first.setdefault(name.entities["sub"], name)
        return tuple(first[subject] for subject in self.masks)


def find_masks(
    output_dir: Path, node: Node, wanted: Mapping[str, str]
) -> dict[str, dict[Entities, Path]]:
    """Find the analysis masks that a node over the maps of participants made, by subject."""
    found: dict[str, dict[Entities, Path]] = {}
    keeps_sessions = "ses" in node.keys
    folders = "sub-*/func", "sub-*/ses-*/func"
    for path in sorted(p for folder in folders for p in output_dir.glob(f"{folder}/*{MASK}")):
        entities = entities_of(path).without("desc")
        level = made_of(path).get("level", node.level)
        is_own = level == node.level and not {"run", "contrast"} & entities.keys()
        is_wanted = all(entities.get(k) == v for k, v in wanted.items())
        if is_own and is_wanted and (keeps_sessions or "ses" not in entities):
            found.setdefault(entities["sub"], {})[entities] = path
    return found


def several_kinds(
    masks: Mapping[str, Mapping[Entities, Path]], *, of_several_tasks: bool
) -> list[Problem]:
    """Refuse subjects with maps of more than one task, space or resolution.

    Maps `of_several_tasks` hold those in their names that they are of.
    """
    apart = ("ses", "task") if of_several_tasks else ("ses",)
    return [
        Problem(
            f"sub-{subject}",
            f"maps of several kinds: {', '.join(path.name for path in found.values())}",
            "one task, space and resolution",
            "choose with --task-id, --space, --downsample",
        )
        for subject, found in masks.items()
        if len({entities.without(*apart) for entities in found}) > 1
    ]


def find_maps(
    masks: Mapping[str, Mapping[Entities, Path]], model: StatsModel, node: Node, stat: str
) -> MapTable:
    """Find the maps of the contrasts that come to a node, and the mask that belongs to each.

    Maps of another node of the model, whose names may be alike, do not come to it.
    """
    there = {e: path for of_subject in masks.values() for e, path in of_subject.items()}
    digests = {n.name: stage_of(model, n).digest for n in nodes_of_participants(model)}
    rows: dict[MapName, dict[str, Path]] = {}
    made: dict[str, list[MapName]] = {}
    for source in sources(model, node):
        others = {digest for name, digest in digests.items() if name != source.name}
        edges = [edge for edge in edges_to(model, node) if edge.source == source.name]
        come = [c for c in estimates(model, source) if any(passes(edge, c) for edge in edges)]
        for contrast in come:
            for entities, mask in there.items():
                names = entities.with_(contrast=contrast.label)
                path = mask.with_name(names.with_(stat=stat).path("statmap", ".nii.gz").name)
                own = mask.with_name(names.with_(desc="analysis").path("mask", ".nii.gz").name)
                if path.is_file() and made_of(path).get("digest") not in others:
                    files = {"map": path, "mask": own if own.is_file() else mask}
                    rows[map_name(entities, contrast)] = files
                    made.setdefault(source.name, []).append(map_name(entities, contrast))
    return MapTable(rows, made, there)


def parts_of(model: StatsModel, node: Node, table: MapTable) -> tuple[GroupPart, ...]:
    """Cut the maps that come to a node into what is analysed together."""
    stage = stage_of(model, node)
    together: dict[Entities, list[Unit]] = {}
    for unit in units_of(stage, arriving_maps(stage, table.made)):
        together.setdefault(unit.entities, []).append(unit)
    has = {
        row.contrast.label for of_part in together.values() for u in of_part for row in u.inputs
    }
    nowhere = [c.label for c in arriving(model, node) if c.label not in has]
    parts: list[GroupPart] = []
    for entities, units in together.items():
        parts.append(_part(stage, entities, units, table, [] if parts else nowhere))
    if len(nodes_of_group(model)) == 1:
        return tuple(parts)
    name = contrast_label(node.name)
    return tuple(replace(part, entities=part.entities.with_(**{NODE: name})) for part in parts)


def _part(
    stage: Stage,
    entities: Entities,
    units: Sequence[Unit],
    table: MapTable,
    nowhere: Sequence[str],
) -> GroupPart:
    """Make a part of its units; contrasts that are `nowhere` are lacked by all."""
    rows = [name for unit in units for name in unit.inputs]
    masks = {name.entities["sub"]: table.masks[name.entities] for name in rows}
    # A session that all rows share is theirs where the node keeps sessions apart.
    session = entities.only("ses")
    candidates = dict.fromkeys(e["sub"] for e in table.masks if session.items() <= e.items())
    lacks = dict.fromkeys(nowhere, tuple(candidates))
    for unit in units:
        there = {name.entities["sub"] for name in unit.inputs}
        for label in {name.contrast.label for name in unit.inputs}:
            lacks[label] = tuple(s for s in candidates if s not in there)
    return GroupPart(
        stage,
        entities,
        {subject: masks[subject] for subject in candidates if subject in masks},
        tuple(units),
        {name: table.rows[name] for name in rows},
        lacks,
    )


def repeated_subjects(parts: Iterable[GroupPart]) -> list[Problem]:
    """Refuse designs with several maps of one subject: they are not independent."""
    problems = []
    for part in parts:
        for unit in part.units:
            subjects = [name.entities["sub"] for name in unit.inputs]
            if len(set(subjects)) == len(subjects):
                continue
            what = f', contrast "{unit.contrast.name}"' if unit.contrast else ""
            several = next(s for s in subjects if subjects.count(s) > 1)
            problems.append(
                Problem(
                    f'node "{unit.node.name}"{what}',
                    f"{subjects.count(several)} maps of sub-{several} in one design",
                    "one map of each subject: several of one are not independent",
                    "average or contrast them in a Subject node, or group by what tells them "
                    "apart (GroupBy)",
                )
            )
    return problems


def sources(model: StatsModel, node: Node) -> list[Node]:
    """Return the nodes that a node gets maps from."""
    names = [edge.source for edge in edges_to(model, node)]
    return [other for other in model.nodes if other.name in names]


def wildcard_contrasts(output_dir: Path, model: StatsModel) -> tuple[Contrast, ...]:
    """Find the contrasts that wildcards of X gave, in the designs of the runs."""
    node = run_node(model)
    if not node.dummy_contrasts or not any(map(is_wild, node.x)):
        return ()
    digest, known = stage_of(model, node).digest, {c.label for c in node.contrasts}
    found: dict[str, Contrast] = {}
    for path in sorted(output_dir.glob("sub-*/**/*_design.json")):
        content = read_json(path)
        if content.get("Model", {}).get("Digest") != digest:
            continue
        for label, weights in content.get("Contrasts", {}).items():
            if label not in known and len(weights) == 1:
                (name,) = weights
                found.setdefault(label, Contrast(name, label, ((name, (1.0,)),), found=True))
    return tuple(found.values())
