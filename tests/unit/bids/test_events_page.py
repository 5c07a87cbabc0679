"""What docs/events.md shows is read, and can be carried out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from twolevel.bids.edited_events import apply_edits
from twolevel.model.declared import checker, key_of
from twolevel.model.event_edits import ACTIONS
from twolevel.model.expression_tree import FUNCTIONS
from twolevel.model.settings import RunSettings

PAGE = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
TABLE = pd.DataFrame(
    {
        "onset": ["3", "9000", "12000", "15000"],
        "duration": ["1", "n/a", "2", "2"],
        "trial_type": ["Face ", "face", "house", "house"],
        "emotion": ["happy", "sad", "sad", "sad"],
        "gender": ["f", "m", "f", "m"],
        "block": ["main", "practice", "practice", "main"],
        "correct": ["1", "0", "1", "1"],
        "rt": ["7", "0.5", "999", "n/a"],
        "response_time": ["7", "0.5", "999", "n/a"],
        "response": ["left", "left", "too late", "timeout"],
    }
).replace("n/a", None)


@pytest.mark.parametrize("example", EXAMPLES, ids=json.dumps)
def test_every_edit_of_the_page_touches_some_row(example):
    edits = checker(RunSettings).validate_python({"Events": example}).events
    assert all(apply_edits(TABLE, edits, "events: FILE").counts)


def test_the_page_names_every_edit_and_every_function():
    assert len(EXAMPLES) >= 15
    for name in map(key_of, ACTIONS):
        assert f'"{name}":' in PAGE
    for name in FUNCTIONS:
        assert f"`{name}(x" in PAGE
