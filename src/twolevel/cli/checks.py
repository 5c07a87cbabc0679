"""Pre-flight: every check that a command makes before it computes, all problems together."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twolevel.bids.entities import Entities
from twolevel.bids.index import list_subjects
from twolevel.bids.run_inputs import dataset_links, output_entities
from twolevel.bids.selection import choose_subjects
from twolevel.bids.units import expand, same_names
from twolevel.bids.wanted import Selection, parse_space
from twolevel.checks.dataset import Checks, Plan, check_inputs
from twolevel.checks.longest_name import check_name_lengths
from twolevel.checks.output import find_in_the_way, selection_in_words
from twolevel.cli.select import (
    make_selection,
    of_those_there,
    space_of,
    subject_labels,
)
from twolevel.derivatives.publish import derivative_versions, linked_datasets
from twolevel.derivatives.records import GROUP, Publication, kind_of
from twolevel.errors import InputError, OutputError, Problem, Problems
from twolevel.model.complete import complete
from twolevel.model.graph import (
    estimates,
    nodes_of_group,
    nodes_of_participants,
    run_node,
    unlike,
    with_found,
)
from twolevel.model.nodes import Scope
from twolevel.model.override import override
from twolevel.model.read import find_model, read_model
from twolevel.stats.run.noise import noise_order
from twolevel.tasks.describe_permutations import UNCORRECTED
from twolevel.tasks.permute_group import BY_PERMUTATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.units import Unit
    from twolevel.cli.console import ReportConsole
    from twolevel.cli.options import AnalysisOptions
    from twolevel.cli.select import SubjectLabels
    from twolevel.model.nodes import StatsModel
    from twolevel.notes import Note

FEWEST = 2


@dataclass(frozen=True)
class Request:
    """What a user asked for, with every path absolute.

    Attributes
    ----------
    selection : Selection
        Its subjects are chosen.
    links : dict of str to Path
        The datasets by the names that BIDS URIs use.
    allow_missing : bool
        Runs that lack a file or fail their checks are left out.
    notes : tuple of Note
        On what replaces what.
    """

    bids_dir: Path
    derivatives: tuple[Path, ...]
    model: StatsModel
    selection: Selection
    links: dict[str, Path]
    allow_missing: bool = False
    notes: tuple[Note, ...] = ()

    def about(self, tasks: Iterable[str]) -> Request:
        """Take note of what part of which data the analysis is about, the task as it was found."""
        asked = self.selection.asked()
        if found := sorted(set(tasks)):
            asked["task"] = list(found)
        scope = Scope(json.dumps(asked, sort_keys=True), derivative_versions(self.derivatives))
        return replace(self, model=replace(self.model, scope=scope))


@dataclass(frozen=True)
class PlannedOutputs:
    """What a call is going to write.

    Attributes
    ----------
    records : dict of str to Publication
        Of each subject (by its label) and of the group, without files.
    names : dict of str to list of Entities
        Those of the runs, of the subject or of the group, by `Publication.who`.
    """

    records: dict[str, Publication]
    names: dict[str, list[Entities]]


def load_request(
    options: AnalysisOptions, problems: Problems, *, from_data: bool = True
) -> Request | None:
    """Read the model and choose the subjects; None, and `problems`, where something is wrong.

    Unless subjects are chosen `from_data`, only those that are named or drawn are taken.
    """
    bids_dir = options.bids_dir.resolve()
    if not bids_dir.is_dir():
        problems.found.append(
            Problem(str(bids_dir), "no such folder", "the raw BIDS dataset", "check the path")
        )
        return None
    given = options.derivatives or [bids_dir / "derivatives" / "fmriprep"]
    derivatives = tuple(path.resolve() for path in given)
    model = problems.attempt(lambda: _load_model(options, bids_dir))
    space = problems.attempt(
        lambda: parse_space(options.space) if options.space else space_of(model)
    )
    named = problems.attempt(lambda: subject_labels(options, model))
    if named is None:
        return None
    subjects: tuple[str, ...] | None
    if from_data or options.n_subjects is not None:
        named = of_those_there(named, list_subjects(bids_dir, *derivatives))
        subjects = _choose(options, bids_dir, derivatives, named, problems)
    else:
        subjects = tuple(s for s in named.wanted if s not in named.excluded)
    if model is None or subjects is None:
        return None
    chosen = problems.attempt(lambda: make_selection(options, model, subjects, space))
    if chosen is None:
        return None
    selection, notes = chosen
    selection = replace(
        selection, max_mean_fd=options.max_mean_fd, max_censored=options.max_censored
    )
    links = _name_datasets(options, bids_dir, derivatives, problems)
    request = Request(
        bids_dir,
        derivatives,
        model,
        selection,
        links,
        options.allow_missing,
        (*model.notes, *named.notes, *notes),
    )
    return request.about(selection.labels.get("task", ()))


def _choose(
    options: AnalysisOptions,
    bids_dir: Path,
    derivatives: tuple[Path, ...],
    named: SubjectLabels,
    problems: Problems,
) -> tuple[str, ...] | None:
    """Choose subjects of the dataset; None where nobody of those that are wanted is there."""
    chosen = problems.attempt(
        lambda: choose_subjects(
            bids_dir,
            derivatives,
            named.wanted,
            excluded=named.excluded,
            source=named.source,
            n_subjects=options.n_subjects,
            seed=options.random_seed,
        )
    )
    if chosen is not None:
        return chosen
    # Go on with those that are there, so that all problems are listed.
    there = {*list_subjects(bids_dir, *derivatives)} - {*named.excluded}
    return tuple(s for s in named.wanted if s in there) or None


def _name_datasets(
    options: AnalysisOptions,
    bids_dir: Path,
    derivatives: tuple[Path, ...],
    problems: Problems,
) -> dict[str, Path]:
    """Name the datasets; with respect to what is in the outputs, where there are any."""
    links = dataset_links(bids_dir, derivatives)
    if (output_dir := getattr(options, "output_dir", None)) is None:
        return links
    named = problems.attempt(lambda: linked_datasets(output_dir.resolve(), bids_dir, derivatives))
    return links if named is None else named


def _load_model(options: AnalysisOptions, bids_dir: Path) -> StatsModel:
    model = complete(read_model(find_model(options.model, bids_dir)))
    # Where nothing is random in the runs, another seed leaves their results valid.
    seed = options.random_seed if _has_random_runs(model) else None
    return override(model, options.settings, seed=seed)


def _has_random_runs(model: StatsModel) -> bool:
    return noise_order(run_node(model).run_settings.noise_model) > 1


def make_plan(
    request: Request,
    problems: Problems,
    console: ReportConsole,
    *,
    with_group: bool,
    images: bool = True,
) -> Plan | None:
    """Check all inputs of the participant level, with or without the images.

    Where the group level follows, it needs a Dataset node, and subjects on one grid.
    """
    with console.status("checking inputs") as status:
        plan = problems.attempt(
            lambda: check_inputs(
                request.bids_dir,
                request.derivatives,
                request.selection,
                request.model,
                links=request.links,
                progress=lambda n, total: status.update(f"checking inputs: run {n} of {total}"),
                which=Checks(with_group, images, request.allow_missing),
            )
        )
    if with_group and request.model.node("dataset") is None:
        problems.found.append(
            Problem(
                f'model "{request.model.name}"',
                "no Dataset node",
                "a Dataset node: the group model",
                "add one to the model, or run the participant level only",
            )
        )
    return plan


def units_of_plan(model: StatsModel, plan: Plan) -> dict[str, tuple[Unit, ...]]:
    """Turn a model into units over the runs that are going to be analysed, by node."""
    model = with_found(model, plan.found)
    downsample = run_node(model).run_settings.downsample
    every = [files for runs in plan.runs.values() for files in runs]
    return expand(
        model,
        {output_entities(f, downsample): plan.contrasts.get(f.entities, ()) for f in every},
    )


def _refuse_same_names(units: Mapping[str, Sequence[Unit]]) -> None:
    """Refuse maps of two nodes that could not be told apart in these data."""
    pairs = {(one.node.name, other.node.name): name for one, other, name in same_names(units)}
    if problems := [
        Problem(
            f'nodes "{one}" and "{other}"',
            f'maps of one name, as of "{name}": these data lack what the nodes are grouped by',
            "names of their own",
            "leave one of the nodes out, or select data with what tells them apart (sessions)",
        )
        for (one, other), name in pairs.items()
    ]:
        raise InputError(problems)


def plan_outputs(request: Request, plan: Plan, *, with_group: bool) -> PlannedOutputs:
    """List what a call is going to write; refuse maps of one name."""
    model = request.model
    downsample, selection = run_node(model).run_settings.downsample, model.scope.record
    units = units_of_plan(model, plan)
    _refuse_same_names(units)
    participants = [u for node in nodes_of_participants(model) for u in units[node.name]]
    group = [u.entities for node in nodes_of_group(model) for u in units[node.name]]
    records, names, of_subjects = {}, {}, []
    for subject, runs in plan.runs.items():
        of_runs = [output_entities(files, downsample) for files in runs]
        own = Entities.shared(of_runs).without("ses", "run")
        of_subjects.append(own)
        records[subject] = Publication(f"sub-{subject}", kind_of(own), selection)
        above = [u.entities for u in participants if u.entities.get("sub") == subject]
        names[f"sub-{subject}"] = list(dict.fromkeys([*of_runs, own, *above]))
    if with_group:
        shared = Entities.shared(of_subjects).without("sub")
        records[GROUP] = Publication(GROUP, kind_of(shared), selection)
        names[GROUP] = list(dict.fromkeys([shared, *group]))
    return PlannedOutputs(records, names)


def check_names(planned: PlannedOutputs, model: StatsModel, folders: Sequence[Path]) -> None:
    """Refuse contrasts whose files would have names that are too long for these folders."""
    tests = [t.test for node in nodes_of_group(model) for t in node.group_settings.tests]
    descs: list[str] = list(dict.fromkeys(tests))
    if BY_PERMUTATION & set(descs):
        descs.append(UNCORRECTED)
    written = [entities for names in planned.names.values() for entities in names]
    contrasts = unlike(c for node in model.nodes for c in estimates(model, node))
    check_name_lengths(written, contrasts, descs, folders)


def check_way(
    output_dir: Path, planned: PlannedOutputs, request: Request, *, overwrite: bool
) -> list[Note]:
    """Refuse to write over results of another selection, or note what is replaced if asked for."""
    found = find_in_the_way(output_dir, planned.records.values(), planned.names)
    if overwrite:
        return [*found.notes(), *found.of_old_labels()]
    now = selection_in_words(request.model.scope.record)
    if problems := found.refusals(output_dir, now):
        raise OutputError(problems)
    return found.of_old_labels()


def check_enough(n_subjects: int) -> None:
    """Refuse too few subjects for a group."""
    if n_subjects < FEWEST:
        raise InputError(
            Problem(
                "group",
                f"{n_subjects} subject{'s' * (n_subjects != 1)}",
                f"at least {FEWEST}",
                "select more subjects, or run the participant level only",
            )
        )
