from __future__ import annotations

import re
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
        ("face > house", "faceGtHouse"),
        ("face < house", "faceLtHouse"),
        ("face>house", "faceGtHouse"),
        ("> house", "GtHouse"),
        ("2back - 0back", "2backMinus0back"),
        ("face + house", "facePlusHouse"),
        ("face-house", "faceHouse"),
        ("-face", "face"),
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
def test_signs_become_words_and_other_characters_are_dropped(name, label):
    assert contrast_label(name) == label


@given(st.text(max_size=30))
def test_a_label_holds_letters_and_digits_only(name):
    assert set(contrast_label(name)) <= set(string.ascii_letters + string.digits)


@given(st.text(max_size=30))
def test_a_label_is_its_own_label(name):
    assert contrast_label(contrast_label(name)) == contrast_label(name)


@given(st.text("aQ7é_.*+-<> ", max_size=30))
def test_no_letter_or_digit_gets_lost(name):
    kept = [c for c in name if c in string.ascii_letters + string.digits]
    words = re.sub("gt|lt|plus|minus", "", contrast_label(name).lower())
    assert words == re.sub("gt|lt|plus|minus", "", "".join(kept).lower())
