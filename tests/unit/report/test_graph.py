from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from twolevel.model.nodes import Edge, StatsModel
from twolevel.model.read import presets, read_model
from twolevel.report.graph import NodeCounts, draw_graph

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def model() -> StatsModel:
    return read_model(presets()["balloon"])


@pytest.fixture
def branched(model: StatsModel) -> StatsModel:
    """Sessions between runs and subjects, two nodes of the group, an edge that skips two rows."""
    run, subject, group = model.nodes
    grouped = ("subject", "session", "contrast")
    session = replace(subject, name="session", level="session", group_by=grouped)
    other = replace(group, name="other <b> & more")
    only = (("contrast", ("pumps", "cash")), ("session", ("pre",)))
    edges = (
        Edge("run", "session"), Edge("session", "subject"), Edge("subject", "group"),
        Edge("session", other.name, only), Edge("run", "group"),
    )  # fmt: skip
    return replace(model, nodes=(run, session, subject, group, other), edges=edges)


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  # our own


def texts(picture: ET.Element) -> list[str]:
    return [str(element.text) for element in picture.iter(f"{SVG}text")]


def test_each_node_says_what_it_is_and_how_much_it_has_to_do(model: StatsModel):
    counts = {
        "run": NodeCounts(48, 0, 0, 0),
        "subject": NodeCounts(80, 239, 2, 3),
        "group": NodeCounts(5, 80, 16, 16),
    }
    shown = texts(parsed(draw_graph(model, counts)))
    assert {"Run: run", "for each run, subject", "48 runs"} <= {*shown}
    assert {"Subject: subject", "80 units of 2 to 3 inputs, 239 in all", "meta, X: 1"} <= {*shown}
    assert "contrasts: every one from below" in shown
    assert "5 units of 16 inputs, 80 in all" in shown


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (NodeCounts(1, 0, 0, 0), "1 run"),
        (NodeCounts(1, 1, 1, 1), "1 unit of 1 input"),
        (NodeCounts(1, 3, 3, 3), "1 unit of 3 inputs"),
        (NodeCounts(1200, 2400, 2, 2), "1,200 units of 2 inputs, 2,400 in all"),
    ],
)
def test_counts_in_words(counts, words):
    assert str(counts) == words


def test_there_is_a_line_for_each_edge_with_its_filter(branched: StatsModel):
    picture = parsed(draw_graph(branched))
    assert len(picture.findall(f"{SVG}path")) == len(branched.edges)
    shown = [t.text for t in picture.iter(f"{SVG}text") if t.get("class") == "filter"]
    assert shown == ["contrast: pumps, cash; session:", "pre"]


def test_boxes_do_not_overlap_and_lie_in_the_picture(branched: StatsModel):
    picture = parsed(draw_graph(branched))
    keys = ("x", "y", "width", "height")
    boxes = [
        tuple(float(str(box.get(key))) for key in keys)
        for box in picture.iter(f"{SVG}rect")
        if box.get("class") == "box"
    ]
    width, height = float(str(picture.get("width"))), float(str(picture.get("height")))
    assert len(boxes) == len(branched.nodes)
    for (x, y, w, h), (x2, y2, w2, h2) in combinations(boxes, 2):
        assert x + w < x2 or x2 + w2 < x or y + h < y2 or y2 + h2 < y
    assert all(x > 0 and y > 0 and x + w < width and y + h < height for x, y, w, h in boxes)


def test_names_cannot_become_markup_and_the_picture_is_described(branched: StatsModel):
    text = draw_graph(branched)
    picture = parsed(text)
    assert "<b>" not in text
    assert picture.get("role") == "img"
    ids = str(picture.get("aria-labelledby")).split()
    assert [e.get("id") for e in (picture[0], picture[1])] == ids
    assert picture[0].text == "The model balloon"
    assert str(picture[1].text).endswith(
        "session leads to other <b> & more (contrast: pumps, cash; session: pre). "
        "run leads to group."
    )


def test_the_same_model_gives_the_same_text(branched: StatsModel):
    assert draw_graph(branched) == draw_graph(branched)
