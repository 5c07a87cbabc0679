"""Columns of a small run, as cells of its tables; nothing is imported here."""

from __future__ import annotations

from typing import Any

EVENTS: dict[str, list[Any]] = {
    "onset": [1.0, 3.5, 6.0, 10.0, 12.0, 20.0],
    "duration": [1.0, 0.5, 2.0, 0.0, 1.0, 1.5],
    "trial_type": ["go", "stop", "go", None, "miss", "go"],
    "rt": ["0.5", "0.75", None, "1", "0.25", "2.0"],
    "gain": ["10", "20", "-30", "10", None, "40"],
    "code": ["1", "01", "1.0", "2", None, "2"],
    "empty": [None] * 6,
    "same": ["3"] * 6,
    "side": ["left", "right", "left", "right", "left", "left"],
    "correct": ["true", "false", "True", None, "TRUE", "false"],
}
CONFOUNDS = {"trans_x": [0.5, 1.5, -1.0, 2.0, 0.0], "rot_x": [1.0, 2.0, 3.0, 4.0, 6.0]}
