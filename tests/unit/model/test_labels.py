from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twolevel.model.labels import contrast_label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("pumps_vs_control", "pumpsVsControl"),
        ("pumpsMinusControl", "pumpsMinusControl"),
        ("pumps-control", "pumpsControl"),
        ("trial_type.pumps_demean", "trialTypePumpsDemean"),
        ("face > house", "faceHouse"),
        ("2back - 0back", "2back0back"),
        ("Faces", "Faces"),
        ("face_vsHouse", "faceVsHouse"),
        ("a__b--c", "aBC"),
        (" face ", "face"),
        ("face_", "face"),
        ("été", "t"),
        ("***", ""),
        ("", ""),
    ],
)
def test_other_characters_are_dropped_and_the_next_letter_is_capitalised(name, label):
    assert contrast_label(name) == label


@given(st.text(max_size=30))
def test_a_label_holds_letters_and_digits_only(name):
    assert set(contrast_label(name)) <= set(string.ascii_letters + string.digits)


@given(st.text(max_size=30))
def test_a_label_is_its_own_label(name):
    assert contrast_label(contrast_label(name)) == contrast_label(name)


@given(st.text(max_size=30))
def test_no_letter_or_digit_gets_lost(name):
    kept = [c for c in name if c in string.ascii_letters + string.digits]
    assert contrast_label(name).lower() == "".join(kept).lower()
