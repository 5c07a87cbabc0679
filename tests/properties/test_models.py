"""Models of any kind: what is written is read as the same."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from twolevel.model.labels import contrast_label
from twolevel.model.nodes import Contrast, Edge, Hrf, Node, StatsModel
from twolevel.model.read import read_model
from twolevel.model.settings import GroupSettings, RunSettings, SubjectSettings, TestSettings
from twolevel.model.write import as_text, model_content

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = st.text("abcXYZ019_é", min_size=1, max_size=6).filter(contrast_label)
VARIABLES = st.lists(
    WORDS.map(lambda word: f"trial_type.{word}"), min_size=1, max_size=5, unique_by=contrast_label
)
# Numbers of any size, but no zero: a contrast has to ask for something.
WEIGHTS = st.floats(-1e6, 1e6).filter(bool)


@st.composite
def contrasts(draw: st.DrawFn, x: Sequence[str]) -> tuple[Contrast, ...]:
    names = draw(st.lists(WORDS, max_size=3, unique_by=contrast_label))
    found = []
    for name in names:
        of = draw(st.lists(st.sampled_from(x), min_size=1, max_size=4, unique=True))
        weights = tuple((variable, (draw(WEIGHTS),)) for variable in of)
        found.append(Contrast(f"c{name}", contrast_label(f"c{name}"), weights))
    return tuple(found)


@st.composite
def run_nodes(draw: st.DrawFn) -> Node:
    x = draw(VARIABLES)
    own = draw(contrasts(x))
    has_dummies = draw(st.booleans()) or not own
    dummies = draw(st.lists(st.sampled_from(x), unique=True)) if has_dummies else []
    of_dummies = [
        Contrast(name, contrast_label(name), ((name, (1.0,)),)) for name in dummies or x
    ] * has_dummies
    hrf = Hrf(tuple(x), draw(st.sampled_from(["spm", "glover", "spm + derivative"])))
    return Node(
        "run",
        "run",
        draw(st.sampled_from([("run", "subject"), ("run", "session", "subject")])),
        (*x, *draw(st.sampled_from([(), ("1",), ("csf", "cosine*", "1")]))),
        draw(
            st.builds(
                RunSettings,
                smoothing_fwhm_mm=st.floats(0, 100),
                confound_strategy=st.sampled_from([None, "simple", "compcor"]),
                downsample=st.integers(1, 9),
            )
        ),
        hrf=hrf if draw(st.booleans()) else None,
        contrasts=(*own, *of_dummies),
        dummy_contrasts=has_dummies,
        dummies=tuple(dummies),
        high_pass_hz=draw(st.none() | st.floats(1e-6, 0.5)),
    )


def above(name: str, level: Any, settings_of: Any, *group_by: str) -> Node:
    estimator: Any = "glm" if level == "dataset" else "meta"
    return Node(
        name, level, group_by, ("1",), settings_of, dummy_contrasts=True, estimator=estimator
    )


@st.composite
def models(draw: st.DrawFn) -> StatsModel:
    subject = st.builds(SubjectSettings, fixed_effects=st.sampled_from(["mean", "precision"]))
    group = st.builds(
        GroupSettings,
        alpha=st.floats(1e-6, 0.5),
        n_perm=st.integers(2, 1_000_000),
        tests=st.sampled_from([(TestSettings("fpr"),), (TestSettings("fdr", 0.1),)]),
    )
    nodes = [draw(run_nodes()), above("subject", "subject", draw(subject), "subject", "contrast")]
    if draw(st.booleans()):
        nodes.append(above("group", "dataset", draw(group), "contrast"))
    pairs = pairwise(nodes)
    return StatsModel(
        draw(WORDS),
        tuple(nodes),
        tuple(Edge(a.name, b.name) for a, b in pairs) if draw(st.booleans()) else (),
        draw(st.sampled_from([(), (("task", ("a", "b")),), (("subject", ("01",)),)])),
        draw(st.text(max_size=30)),
    )


@given(models())
@settings(max_examples=150, deadline=None)
def test_reading_what_was_written_gives_the_same_model(model: StatsModel):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_text(as_text(model_content(model)), encoding="utf-8")
        again = read_model(path)
    # Dummy contrasts whose label a named one has are the reader's to tell apart.
    assert model_content(again) == model_content(model)
    assert again.nodes == model.nodes
    assert again.edges == model.edges
    assert again.inputs == model.inputs
    assert again.description == model.description
