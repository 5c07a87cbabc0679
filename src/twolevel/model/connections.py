"""That the nodes of a model and what joins them make sense together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from twolevel.errors import Problem, did_you_mean
from twolevel.model.graph import arriving, edges_of, edges_to, estimates, in_order
from twolevel.model.nodes import CONTRAST, INTERCEPT, entity_level, is_wild, matches
from twolevel.model.supported import ENTITIES, needs_table
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twolevel.model.nodes import ContrastName, Node, StatsModel

ORDER = ("run", "session", "subject", "dataset")


def graph_problems(model: StatsModel) -> Iterator[Problem]:
    """Name nodes and edges that make no graph from one Run node upwards."""
    names = Counter(node.name for node in model.nodes)
    if twice := sorted(name for name, n in names.items() if n > 1):
        expected = "names of their own"
        yield Problem("Nodes", f"several nodes of the name {twice}", expected, "rename them")
        return
    runs = [node.name for node in model.nodes if node.level == "run"]
    if len(runs) != 1:
        yield Problem(
            "Nodes",
            f"the Run nodes {', '.join(runs)}" if runs else "no Run node",
            "one Run node, over the runs",
            "write one; for each task a model of its own" if runs else "write one",
        )
    unknown = [
        (f"Edges[{n}]", name)
        for n, edge in enumerate(edges_of(model))
        for name in (edge.source, edge.destination)
        if name not in names
    ]
    for where, name in unknown:
        expected = f"one of {', '.join(names)}"
        remedy = did_you_mean(name, names) or "correct the name"
        yield Problem(where, f'no node "{name}"', expected, remedy)
    if not unknown:
        yield from _cycles(model)
    if len(runs) == 1 and not unknown:
        yield from _order(model)
        yield from _unreachable(model, runs[0])


def _reachable(model: StatsModel, name: str) -> set[str]:
    """Return the nodes that edges lead to from a node."""
    found: set[str] = set()
    fresh = {name}
    while fresh:
        fresh = {e.destination for e in edges_of(model) if e.source in fresh} - found
        found |= fresh
    return found


def _cycles(model: StatsModel) -> Iterator[Problem]:
    if circle := [n.name for n in model.nodes if n.name in _reachable(model, n.name)]:
        found = f"the edges of {', '.join(circle)} lead back to where they begin"
        yield Problem("Edges", found, "edges from the runs upwards", "remove one of them")


def _order(model: StatsModel) -> Iterator[Problem]:
    levels = {node.name: node.level for node in model.nodes}
    for edge in edges_of(model):
        lower, upper = levels[edge.source], levels[edge.destination]
        if upper == "run" or ORDER.index(lower) > ORDER.index(upper):
            yield Problem(
                f'Edges: "{edge.source}" to "{edge.destination}"',
                f"from the {lower} level to the {upper} level",
                "edges from the runs upwards",
                "turn it round, or correct the Level of the nodes",
            )


def _unreachable(model: StatsModel, run: str) -> Iterator[Problem]:
    reached = _reachable(model, run)
    for node in model.nodes:
        if node.name != run and node.name not in reached:
            expected = "a way along Edges from the Run node"
            yield Problem(
                f'node "{node.name}"', "no maps come to it", expected, "join it to another node"
            )


def label_problems(model: StatsModel) -> Iterator[Problem]:
    """Name contrasts without a label of their own."""
    for node in model.nodes:
        seen: dict[str, str] = {}
        for contrast in node.contrasts:
            if not contrast.label or contrast.label in seen:
                yield Problem(
                    f'node "{node.name}": contrast "{contrast.name}"',
                    f'the label "{contrast.label}", as of "{seen.get(contrast.label, "")}"',
                    "a label of letters and digits that no other contrast has",
                    "rename the contrast",
                )
            seen[contrast.label] = contrast.name


def above_problems(model: StatsModel) -> Iterator[Problem]:
    """Name variables of nodes above the runs that neither maps nor file names have."""
    run = next(node for node in model.nodes if node.level == "run")
    for node in in_order(model):
        if node.level == "run":
            continue
        place, there = f'node "{node.name}"', arriving(model, node)
        if columns := [x for x in node.x if not is_wild(x) and not _is_known(x, there, run)]:
            yield needs_table(f"{place}: Model.X", f"X names {', '.join(columns)}")
        elif not node.formula:
            yield from _strange_variables(place, node, there)
        for edge in edges_to(model, node):
            for key, _ in edge.filters:
                if key not in {*ENTITIES, CONTRAST}:
                    yield needs_table(f"Edges: Filter.{key}", f'Filter by "{key}"')


def _is_known(name: str, there: tuple[ContrastName, ...], run: Node) -> bool:
    """Tell whether a variable above the runs is the mean, a contrast or an entity."""
    if name == INTERCEPT or entity_level(name) is not None:
        return True
    found = run.dummy_contrasts and any(is_wild(x) and matches(name, x) for x in run.x)
    return found or any(name in (c.name, c.label) for c in there)


def _strange_variables(
    place: str, node: Node, there: tuple[ContrastName, ...]
) -> Iterator[Problem]:
    """Name variables of contrasts that X does not name; those of an entity may be its labels."""
    same = {other for c in there if {c.name, c.label} & {*node.x} for other in (c.name, c.label)}
    if any((entity_level(x) or ("", "-"))[1] == "" or is_wild(x) for x in node.x):
        return
    levels = {level for x in node.x if (level := entity_level(x)) is not None}
    labels = {label for _, label in levels if label}
    for contrast in node.contrasts:
        strange = [
            v
            for v in contrast.variables
            if v not in {*node.x, *same, *labels} and entity_level(v) not in levels
        ]
        if strange:
            yield Problem(
                f'{place}: contrast "{contrast.name}"',
                f"variables {strange}",
                f"variables of X: {sorted(node.x)}",
                "correct the names, or add them to X",
            )


def lost_names(model: StatsModel) -> Iterator[Note]:
    """Say which contrasts a node or a filter names that do not come to it."""
    run = next(node for node in model.nodes if node.level == "run")
    if run.dummy_contrasts and any(is_wild(x) for x in run.x):
        return  # the data tell what comes
    for node in in_order(model):
        if node.level == "run":
            continue
        for edge in edges_to(model, node):
            source = next(n for n in model.nodes if n.name == edge.source)
            made = {name for c in estimates(model, source) for name in (c.name, c.label)}
            wanted = dict(edge.filters).get(CONTRAST, ())
            if absent := [name for name in wanted if name not in made]:
                yield Note(
                    "a Filter names contrasts that do not come to it",
                    f'the edge from "{edge.source}" to "{edge.destination}"',
                    ", ".join(absent),
                )
        there = {name for c in arriving(model, node) for name in (c.name, c.label)}
        if absent := [name for name in node.dummies if name not in {*there, *node.x}]:
            yield Note(
                "DummyContrasts names contrasts that do not come to it",
                f'node "{node.name}"',
                ", ".join(absent),
            )
