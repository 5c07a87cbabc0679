"""A picture of a model: its nodes, what flows between them, and how much of it there is."""

from __future__ import annotations

from dataclasses import dataclass
from html import unescape
from textwrap import wrap
from typing import TYPE_CHECKING

from twolevel.model.graph import edges_of, in_order
from twolevel.report.rendering import make_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twolevel.model.nodes import Edge, Node, StatsModel

WIDTH, BEND = 300, 24  # of a box; of the place where an edge passes
GAP, BETWEEN = 36, 84  # between boxes, between rows of them
LINE, PADDING, MARGIN = 17, 18, 24
CHARACTERS, LABEL_CHARACTERS = 40, 34  # of a line in a box, beside an edge
SHOWN = 6
DEPTH_OF_LABEL = 34


@dataclass(frozen=True)
class NodeCounts:
    """How much a node has to do.

    Attributes
    ----------
    n_units : int
        Designs: one for each combination of what the node is grouped by.
    n_inputs : int
        Rows of all these designs: maps; none at the run level, whose rows are volumes.
    fewest, most : int
        Rows of one design.
    """

    n_units: int
    n_inputs: int
    fewest: int
    most: int

    def __str__(self) -> str:
        """Write it as people say it: ``4 units of 2 to 3 inputs, 11 in all``; ``6 runs``."""
        several = "s" * (self.n_units != 1)
        if not self.most:
            return f"{self.n_units:,} run{several}"
        units = f"{self.n_units:,} unit{several}"
        fewest = f"{self.fewest:,} to " * (self.fewest != self.most)
        inputs = f"{units} of {fewest}{self.most:,} input{'s' * (self.most != 1)}"
        return inputs if self.n_units == 1 else f"{inputs}, {self.n_inputs:,} in all"


@dataclass
class _Box:
    """A node in the picture, or, without lines, the place where an edge passes a row of nodes."""

    row: int
    lines: Sequence[str] = ()
    height: int = 0
    x: int = 0
    y: int = 0

    @property
    def width(self) -> int:
        return WIDTH if self.lines else BEND

    @property
    def middle(self) -> int:
        return self.x + self.width // 2


@dataclass(frozen=True)
class _Line:
    """An edge in the picture, with what it lets pass."""

    path: str
    lines: Sequence[str]
    x: int
    y: int


def draw_graph(model: StatsModel, counts: Mapping[str, NodeCounts] | None = None) -> str:
    """Draw a model.

    Parameters
    ----------
    model : StatsModel
    counts : mapping of str to NodeCounts, optional
        Of each node, by its name; without them, what data it is applied to is left open.

    Returns
    -------
    str
        An SVG image, which follows the reader's choice of light or dark. The same arguments give
        the same text.
    """
    counts = counts or {}
    nodes = in_order(model)
    rows = _rows(model, nodes)
    boxes = {n.name: _Box(rows[n.name], _lines_of(n, counts.get(n.name))) for n in nodes}
    ways = [(edge, _way(edge, boxes)) for edge in edges_of(model)]
    passing = [box for _, way in ways for box in way[1:-1]]
    width, height = _place([*boxes.values(), *passing], ways)
    return make_environment().get_template("graph.svg").render(
        title=f"The model {model.name}",
        description=" ".join(_in_words(model, nodes, counts)),
        width=width,
        height=height,
        boxes=boxes.values(),
        edges=[_drawn(edge, way) for edge, way in ways],
    )  # fmt: skip


def description_of(picture: str) -> str:
    """Return what a picture says of itself, in words."""
    return unescape(picture.partition('<desc id="graph-desc">')[2].partition("</desc>")[0])


def _rows(model: StatsModel, nodes: Sequence[Node]) -> dict[str, int]:
    """Put each node below all that it gets maps from."""
    rows: dict[str, int] = {}
    for node in nodes:
        sources = [e.source for e in edges_of(model) if e.destination == node.name]
        rows[node.name] = 1 + max((rows[name] for name in sources), default=-1)
    return rows


def _way(edge: Edge, boxes: Mapping[str, _Box]) -> list[_Box]:
    """List what an edge goes through: it passes rows that it skips at a place of its own."""
    source, destination = boxes[edge.source], boxes[edge.destination]
    return [source, *(_Box(row) for row in range(source.row + 1, destination.row)), destination]


def _place(boxes: Sequence[_Box], ways: Sequence[tuple[Edge, Sequence[_Box]]]) -> tuple[int, int]:
    """Place all boxes, each below the middle of those that lead to it; return width and height."""
    by_row = [[b for b in boxes if b.row == row] for row in range(1 + max(b.row for b in boxes))]
    total = max(_length(row) for row in by_row)
    y = MARGIN
    for row in by_row:
        row.sort(key=lambda box: _middle_above(box, ways))
        x = MARGIN + (total - _length(row)) // 2
        tallest = PADDING + LINE * max(len(box.lines) for box in row)
        for box in row:
            box.height = PADDING + LINE * len(box.lines) if box.lines else tallest
            box.x, box.y = x, y
            x += box.width + GAP
        y += tallest + BETWEEN
    return total + 2 * MARGIN, y - BETWEEN + MARGIN


def _length(row: Sequence[_Box]) -> int:
    return sum(box.width + GAP for box in row) - GAP


def _middle_above(box: _Box, ways: Sequence[tuple[Edge, Sequence[_Box]]]) -> float:
    above = [way[i].middle for _, way in ways for i in range(len(way) - 1) if way[i + 1] is box]
    return sum(above) / len(above) if above else 0.0


def _drawn(edge: Edge, way: Sequence[_Box]) -> _Line:
    first = way[0]
    x, y = first.middle, first.y + first.height
    path = f"M{x} {y}"
    for box in way[1:]:
        half = (box.y - y) // 2
        path += f" C{x} {y + half} {box.middle} {box.y - half} {box.middle} {box.y}"
        x, y = box.middle, box.y
        if not box.lines:
            y += box.height
            path += f" L{x} {y}"
    return _Line(
        path,
        _filter_lines(edge),
        (first.middle + way[1].middle) // 2,
        first.y + first.height + DEPTH_OF_LABEL,
    )


def _filter_lines(edge: Edge) -> list[str]:
    return wrap(_filter_of(edge), LABEL_CHARACTERS)


def _filter_of(edge: Edge) -> str:
    return "; ".join(f"{entity}: {', '.join(values)}" for entity, values in edge.filters)


def _lines_of(node: Node, counts: NodeCounts | None) -> list[str]:
    said = [
        f"{node.level.capitalize()}: {node.name}",
        f"for each {', '.join(node.group_by)}" if node.group_by else "all together",
        *([str(counts)] if counts is not None else []),
        f"{node.estimator}, X: {_listed(node.x)}",
        f"contrasts: {_contrasts_of(node)}",
    ]
    return [line for text in said for line in wrap(text, CHARACTERS)]


def _contrasts_of(node: Node) -> str:
    names = list(dict.fromkeys(contrast.name for contrast in node.contrasts))
    names += [name for name in node.dummies if name not in names]
    if node.dummy_contrasts and not node.dummies and node.level != "run":
        names.append("every one from below")
    return _listed(names) if names else "none"


def _listed(names: Sequence[str]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _in_words(
    model: StatsModel, nodes: Sequence[Node], counts: Mapping[str, NodeCounts]
) -> list[str]:
    """Say what the picture shows."""
    said = []
    for node in nodes:
        of_node = f", {counts[node.name]}" if node.name in counts else ""
        said.append(f"{node.level.capitalize()} node {node.name}{of_node}.")
    for edge in edges_of(model):
        passing = f" ({_filter_of(edge)})" if edge.filters else ""
        said.append(f"{edge.source} leads to {edge.destination}{passing}.")
    return said
