"""What must hold of transformations whatever the events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformed import carried_out, variables_of

from twolevel.model.transformations.reading import read_instructions, written

few = settings(max_examples=30, deadline=None)
LEVELS = ["a", "b", "b.c", "1", "01", "2.0"]
numbers = st.one_of(
    st.none(), st.integers(-50, 50), st.floats(-1e3, 1e3).map(lambda x: round(x, 3))
)
rows = st.fixed_dictionaries(
    {
        "onset": st.floats(0, 500),
        "duration": st.floats(0, 10),
        "kind": st.one_of(st.none(), st.sampled_from(LEVELS)),
        "side": st.one_of(st.none(), st.sampled_from(["left", "right"])),
        "rt": numbers.map(lambda x: None if x is None else str(x)),
        "gain": numbers.map(lambda x: None if x is None else str(x)),
    }
)


@st.composite
def runs(draw: st.DrawFn) -> Any:
    """Draw the variables of a run: cells are text, lines are left out here and there."""
    table = pd.DataFrame(draw(st.lists(rows, min_size=1, max_size=12)), dtype=object)
    labels = draw(
        st.lists(st.integers(0, 40), min_size=len(table), max_size=len(table), unique=True)
    )
    table.index = pd.Index(sorted(labels))
    return variables_of(table.astype({"onset": float, "duration": float}))


def after(there: Any, *steps: dict[str, Any]) -> Any:
    return carried_out(*steps, there=there).variables


def same(one: Any, other: Any, *, rtol: float = 0) -> None:
    pd.testing.assert_frame_equal(
        one.table.reset_index(),
        other.table.reset_index(),
        check_dtype=False,
        rtol=rtol or 1e-15,
        atol=1e-9 if rtol else 0,
    )


def all_same(one: Any, other: Any) -> None:
    assert set(one) == set(other)
    for name, variable in one.items():
        same(variable, other[name])


def step(name: str, inputs: list[str], **keys: Any) -> dict[str, Any]:
    return {"Name": name, "Input": inputs, **keys}


@few
@given(runs())
def test_copy_and_then_delete_is_rename(run):
    renamed = after(run, step("Rename", ["rt"], Output=["x"]))
    all_same(after(run, step("Copy", ["rt"], Output=["x"]), step("Delete", ["rt"])), renamed)
    all_same(after(renamed, step("Rename", ["x"], Output=["rt"])), run)


@pytest.mark.parametrize("within", [[], ["kind"], ["kind", "side"]])
@few
@given(run=runs())
def test_demeaning_twice_is_demeaning_once_and_the_mean_is_0(run, within):
    demean = step("Demean", ["rt"], Within=within)
    once = after(run, demean)["rt"]
    same(after(run, demean, demean)["rt"], once, rtol=1e-9)
    groups = [run[name].cells.fillna("none") for name in within] or [
        pd.Series(0, once.cells.index)
    ]
    np.testing.assert_allclose(once.cells.groupby(groups).mean().dropna(), 0, atol=1e-9)


@few
@given(
    run=runs(),
    factor=st.floats(0.1, 50).map(lambda x: round(x, 2)),
    shift=st.integers(-100, 100),
)
def test_scale_does_not_see_units_nor_the_zero(run, factor, shift):
    values = pd.to_numeric(run["rt"].cells).dropna()
    assume(len(values) > 1 and values.std() > 1e-3)
    scale = step("Scale", ["rt"])
    other_units = after(
        run, step("Multiply", ["rt"], Value=factor), step("Add", ["rt"], Value=shift), scale
    )
    same(other_units["rt"], after(run, scale)["rt"], rtol=1e-6)


@few
@given(runs())
def test_what_was_split_sums_to_what_it_was(run):
    there = after(run, step("Split", ["rt"], By=["kind"]))
    parts = [name for name in there if name.startswith("rt.")]
    assume(parts)
    found = after(there, step("Sum", parts, Output=["x"]))["x"]
    kept = run["kind"].cells.notna()
    expected = run["rt"].with_values(pd.to_numeric(run["rt"].cells[kept]))
    same(type(found)(found.table.sort_index()), expected)


@few
@given(runs())
def test_the_levels_of_a_factor_sum_to_1_where_there_is_a_value(run):
    there = after(run, step("Factor", ["kind"]))
    parts = [name for name in there if name.startswith("kind.")]
    assume(parts)
    found = after(there, step("Sum", parts, Output=["x"]))["x"].cells
    assert (found == run["kind"].cells.notna()).all()
    for name in parts:
        rows_of_level = run["kind"].cells == name.removeprefix("kind.")
        assert (there[name].cells == rows_of_level).all()


@few
@given(runs())
def test_not_not_is_the_truth_of_a_value(run):
    truth = after(run, step("Or", ["rt", "rt"], Output=["rt"]))["rt"]
    same(after(run, step("Not", ["rt"]), step("Not", ["rt"]))["rt"], truth)


@few
@given(runs(), st.sampled_from([("And", "Or"), ("Or", "And")]))
def test_and_and_or_follow_de_morgan(run, names):
    one, other = names
    both = ["rt", "kind", "side"]
    left = after(run, step(one, both, Output=["x"]), step("Not", ["x"]))["x"]
    denied = step("Not", both)
    same(after(run, denied, step(other, both, Output=["x"]))["x"], left)


UNRELATED = [
    step("Factor", ["kind"]),
    step("Demean", ["rt"]),
    step("Threshold", ["gain"], Binarize=True, Output=["trials"]),
    step("Replace", ["side"], Replace={"left": "l"}),
]


@few
@given(runs(), st.permutations(UNRELATED))
def test_the_order_of_instructions_that_share_nothing_does_not_matter(run, steps):
    all_same(after(run, *steps), after(run, *UNRELATED))


@few
@given(runs(), st.randoms())
def test_the_order_of_rows_does_not_matter(run, random):
    labels = list(run["rt"].cells.index)
    random.shuffle(labels)
    mixed = {name: type(v)(v.table.loc[labels]) for name, v in run.items()}
    steps = [*UNRELATED, step("Product", ["rt", "gain"], Output=["x"])]
    ordered, found = after(run, *steps), after(mixed, *steps)
    for name, variable in found.items():
        same(type(variable)(variable.table.sort_index()), ordered[name], rtol=1e-12)


names = st.text("abcxyz_.", min_size=1, max_size=6)
inputs = st.lists(names, min_size=1, max_size=3, unique=True)
finite = st.floats(-1e6, 1e6)
of_each = st.fixed_dictionaries({"Input": inputs})
instructions = st.one_of(
    st.fixed_dictionaries(
        {"Name": st.sampled_from(["Delete", "Select", "Not", "DropNA"]), "Input": inputs}
    ),
    st.fixed_dictionaries(
        {"Name": st.just("Scale"), "Input": inputs},
        optional={
            "Demean": st.booleans(),
            "Rescale": st.booleans(),
            "ReplaceNa": st.sampled_from(["off", "before", "after"]),
        },
    ),
    st.fixed_dictionaries(
        {"Name": st.just("Threshold"), "Input": inputs},
        optional={"Threshold": finite, "Above": st.booleans(), "Signed": st.booleans()},
    ),
    st.fixed_dictionaries(
        {"Name": st.sampled_from(["Add", "Multiply", "Power"]), "Input": inputs, "Value": finite}
    ),
    st.fixed_dictionaries(
        {
            "Name": st.just("Replace"),
            "Input": inputs,
            "Replace": st.dictionaries(names, st.one_of(names, finite, st.none()), min_size=1),
        }
    ),
    st.fixed_dictionaries({"Name": st.just("Demean"), "Input": inputs, "Within": inputs}),
    st.fixed_dictionaries(
        {
            "Name": st.just("Convolve"),
            "Input": inputs,
            "Model": st.just("fir"),
            "FirDelays": st.lists(st.integers(0, 20), min_size=1, max_size=4, unique=True),
        }
    ),
)


@settings(deadline=None)
@given(st.lists(instructions, max_size=5))
def test_what_is_written_is_read_as_the_same(steps):
    first, problems, notes = read_instructions("", steps)
    assert not problems
    assert not notes
    again, problems, notes = read_instructions("", [written(one) for one in first])
    assert again == first
    assert hash(again) == hash(first)
    assert not problems
    assert not notes


cells_of_json = st.recursive(
    st.one_of(st.none(), st.booleans(), finite, st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = [
    "Input",
    "Output",
    "Value",
    "Query",
    "Replace",
    "Target",
    "Model",
    "By",
    "Weights",
    "input",
]


@settings(deadline=None)
@given(
    st.sampled_from(
        ["Factor", "Replace", "Filter", "And", "Sum", "Add", "Convolve", "Assign", "x"]
    ),
    st.dictionaries(st.sampled_from(KEYS), cells_of_json, max_size=5),
)
def test_nonsense_gives_problems_and_no_other_error(name, keys):
    found, problems, _ = read_instructions("m.json", [{"Name": name, **keys}])
    assert len(found) == (not problems)
    for problem in problems:
        assert str(problem).startswith("m.json: instruction 1")
