"""A node of the strict form as a frozen dataclass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from twolevel.errors import Problem
from twolevel.model.confound_options import unfit_confounds
from twolevel.model.declared import checker, declared
from twolevel.model.labels import contrast_label
from twolevel.model.nodes import ENTITY_KEYS, INTERCEPT, Contrast, Hrf, Node, is_wild
from twolevel.model.schema_messages import schema_problems, shown
from twolevel.model.settings import SETTINGS
from twolevel.model.supported import delays_of, node_problems
from twolevel.model.transformations.reading import read_instructions
from twolevel.model.weights import rows_of
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    import bsmschema.models as bsm

    from twolevel.model.settings import Settings


def read_node(place: str, node: bsm.Node) -> tuple[Node | None, list[Problem], list[Note]]:
    """Read a node.

    Parameters
    ----------
    place : str
        The node, for the messages.
    node : bsmschema.models.Node
        As the schema allows it.

    Returns
    -------
    Node or None
        None where something is wrong with it.
    list of Problem
        All that is wrong.
    list of Note
        What was read otherwise than it is written.
    """
    problems = list(node_problems(place, node))
    settings, found = _settings(f"{place}: Model.Software.twolevel", node)
    problems += found
    notes = list(_remarks(place, node))
    steps = node.Transformations.Instructions if node.Transformations else []
    of_run = node.Level == "Run"
    here = f"{place}: Transformations"
    instructions, found, more = read_instructions(here, list(steps)) if of_run else ((), [], [])
    problems += found
    if problems or settings is None:
        return None, problems, [*notes, *more]
    hrf, options = node.Model.HRF, node.Model.Options
    dummies = node.DummyContrasts
    read = Node(
        name=node.Name,
        level=node.Level.lower(),
        group_by=tuple(node.GroupBy),
        x=tuple(str(x) for x in node.Model.X),
        settings=settings,
        instructions=instructions,
        hrf=Hrf(tuple(hrf.Variables), hrf.Model, delays_of(hrf) or ()) if hrf else None,
        contrasts=tuple(_contrasts(node)),
        dummy_contrasts=dummies is not None,
        dummies=tuple(str(name) for name in (dummies and dummies.Contrasts) or ()),
        dummy_test="F" if dummies is not None and dummies.Test == "F" else "t",
        estimator=node.Model.Type,
        formula=node.Model.Formula,
        high_pass_hz=options.HighPassFilterCutoffHz if options else None,
        low_pass_hz=options.LowPassFilterCutoffHz if options else None,
    )
    return read, [], [*notes, *more]


def _settings(place: str, node: bsm.Node) -> tuple[Settings | None, list[Problem]]:
    """Read what the node says to this program."""
    software = (node.Model.Software or {}).get("twolevel", {})
    of_level = SETTINGS[node.Level.lower()]
    truths = [one.key for one in declared(of_level) if one.kind is bool and one.key in software]
    if texts := [key for key in truths if not isinstance(software[key], bool)]:
        remedy = "write it without quotation marks"
        return None, [
            Problem(f"{place}.{key}", shown(software[key]), "true or false", remedy)
            for key in texts
        ]
    try:
        settings = checker(of_level).validate_python(software)
    except ValidationError as error:
        known = [one.key for one in declared(of_level)]
        return None, list(schema_problems(f"{place}.", software, error, known))
    return settings, list(unfit_confounds(settings, f"{place}."))


def _contrasts(node: bsm.Node) -> Iterator[Contrast]:
    """Make the contrasts that a node names; at the run level, dummy contrasts are like others."""
    named = set()
    for contrast in node.Contrasts or ():
        weights = zip(*rows_of(contrast.Weights), strict=True)
        pairs = zip(map(str, contrast.ConditionList), weights, strict=True)
        named.add(contrast.Name)
        yield Contrast(
            contrast.Name,
            contrast_label(contrast.Name),
            tuple((name, tuple(column)) for name, column in pairs),
            contrast.Test,
        )
    if node.Level == "Run":
        for name in _dummies(node):
            if name not in named:
                test = node.DummyContrasts.Test
                yield Contrast(name, contrast_label(name), ((name, (1.0,)),), test)


def _dummies(node: bsm.Node) -> list[str]:
    """Name the variables of a Run node that are contrasts of their own, wildcards left out."""
    if node.DummyContrasts is None:
        return []
    stated = [str(name) for name in node.DummyContrasts.Contrasts or ()]
    names = stated or [x for x in map(str, node.Model.X) if x != INTERCEPT]
    return [name for name in names if not is_wild(name)]


def _remarks(place: str, node: bsm.Node) -> Iterator[Note]:
    """Say what was understood although the standard has no word for it."""
    both = {c.Name for c in node.Contrasts or ()} & {*_dummies(node)}
    if both:
        yield Note(
            "DummyContrasts and Contrasts of one name: those of Contrasts are taken",
            place,
            ", ".join(sorted(both)),
        )
    if node.Level != "Run":
        return
    if not {"run", "sub"} <= {ENTITY_KEYS.get(key, key) for key in node.GroupBy}:
        yield Note(
            "a Run node is fitted to each run by itself, whatever else it is grouped by",
            place,
            'the strict form: "GroupBy": ["run", "subject"]',
        )
    if not node.Contrasts and node.DummyContrasts is None:
        yield Note("a Run node without contrasts gives no maps", place, "designs and masks only")
    x = [str(name) for name in node.Model.X]
    convolved = node.Model.HRF.Variables if node.Model.HRF else []
    outside = [v for v in convolved if v not in x and not is_wild(v)]
    if outside and not any(is_wild(name) for name in x):
        yield Note("an HRF names variables that X does not", place, ", ".join(outside))
