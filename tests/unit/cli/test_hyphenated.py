from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twolevel.cli.parser import hyphenated


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("--n_perm", "--n-perm"),
        ("--n-perm", "--n-perm"),
        ("--n_perm=1_000", "--n-perm=1_000"),
        ("--group_mask=/data/my_mask.nii=x_y", "--group-mask=/data/my_mask.nii=x_y"),
        ("my_folder", "my_folder"),
        ("a_b=c_d", "a_b=c_d"),
        ("-w", "-w"),
        ("-m_x", "-m_x"),
        ("--", "--"),
        ("", ""),
    ],
)
def test_only_names_of_long_options_are_written_with_hyphens(word, expected):
    assert hyphenated([word]) == [expected]


@settings(deadline=None)
@given(st.lists(st.text("-_=ab /", max_size=8)))
def test_values_and_their_number_are_kept(words):
    result = hyphenated(words)
    assert len(result) == len(words)
    for before, after in zip(words, result, strict=True):
        assert after.replace("_", "-") == before.replace("_", "-")
        if not before.startswith("--"):
            assert after == before


@settings(deadline=None)
@given(st.lists(st.text("-_=ab /", max_size=8)))
def test_doing_it_twice_changes_nothing_more(words):
    assert hyphenated(hyphenated(words)) == hyphenated(words)
