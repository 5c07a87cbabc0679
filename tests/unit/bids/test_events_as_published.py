"""Events in the forms that published datasets have them, generated; not copies of their files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from twolevel.bids.events import events_of_run
from twolevel.model.nodes import Node
from twolevel.model.settings import RunSettings
from twolevel.model.transformations.levels import Factor
from twolevel.model.variables import condition_events, resolve_variables

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Form:
    """A way to write events: header, rows, and what a model takes of them."""

    name: str
    header: str
    rows: list[str]
    x: list[str]
    onsets: list[float]
    factors: tuple[str, ...] = ("trial_type",)
    end: str = "\n"
    encoding: str = "utf-8"
    incomplete: list[int] = field(default_factory=list)
    outside: list[int] = field(default_factory=list)
    modulation: list[float] | None = None


FORMS = [
    Form(  # ds000001
        "modulators that are n/a where they do not apply, onsets after the scan",
        "onset duration trial_type cash_demean pumps_demean response_time",
        ["0.061 0.772 pumps_demean n/a -1.5 2.420", "4.958 0.772 pumps_demean n/a 0.5 0.578",
         "7.179 0.772 cash_demean 0.25 n/a 1.2", "621.6 0.772 cash_demean 1 n/a 0.7"],
        ["pumps_demean"], [0.061, 4.958], outside=[5], modulation=[-1.5, 0.5],
    ),
    Form(  # ds000030
        "trials that were never shown have neither onset nor duration",
        "onset duration trial_type action balloon_id",
        ["3.1 1.2 BALOON ACCEPT 1", "n/a n/a BALOON n/a 2", "9.9 0.8 BALOON CASHOUT 3"],
        ["trial_type.BALOON"], [3.1, 9.9], incomplete=[3],
    ),
    Form(  # ds001486
        "a pause without a type at the end, CR LF",
        "onset duration trial_type response_time accuracy",
        ["0 2.5 low 0.712 1", "12.5 2.5 high n/a 0", "290 22 n/a n/a n/a"],
        ["trial_type.high"], [12.5], end="\r\n", incomplete=[4],
    ),
    Form(  # ds003452
        "rows of no interest without a type",
        "onset duration trial_type", ["1 1 n/a", "3 1 go", "5 1 n/a", "7 1 stop"],
        ["trial_type.stop"], [7.0], incomplete=[2, 4],
    ),
    Form(  # ds000117
        "text of stimuli, empty cells in other columns, types with hyphens",
        "onset duration circle_duration stim_type trigger button_pushed stim_file",
        ["1.5 0.9 0.5 Famous 5  meg/f032.bmp", "4.2 0.8 0.5 Scrambled 17 4 meg/s015.bmp",
         "7.7 0.9 0.5 Famous 6 n/a meg/f011.bmp"],
        ["stim_type.Famous"], [1.5, 7.7], factors=("stim_type",),
    ),
    Form(  # ds000114
        "weights and types in several columns",
        "onset duration weight trial_type",
        ["10 15.0 1 Finger", "40 15.0 1 Foot", "70 15.0 1 Lips", "100 15.0 1 Finger"],
        ["trial_type.Finger"], [10.0, 100.0],
    ),
    Form(  # ds001734
        "no type at all, only numbers and answers",
        "onset duration gain loss RT participant_response",
        ["4.071 4 14 6 2.388 weakly_accept", "11.834 4 34 14 2.289 strongly_accept",
         "19.535 4 38 19 0.0 NoResp"],
        ["gain"], [4.071, 11.834, 19.535], factors=(), modulation=[14.0, 34.0, 38.0],
    ),
    Form(  # stories and naming tasks
        "words with quotation marks, some of them open, and separators of lines in them",
        "onset duration trial_type word",
        ['1.0 0.2 word "Hello', "1.4 0.3 word there", '2.0 0.2 word she"',
         "2.5 0.3 word a\u2028b", '3.1 0.2 pause ""', '3.5 0.2 word "I"'],
        ["trial_type.word"], [1.0, 1.4, 2.0, 2.5, 3.5],
    ),
    Form(  # numeric codes
        "numbers as types, with leading zeros",
        "onset duration trial_type value",
        ["2 1 01 5", "4 1 02 n/a", "6 1 10 3", "8 1 01 2"],
        ["trial_type.01"], [2.0, 8.0],
    ),
    Form(  # scans that began after the task
        "negative onsets, blocks, rest as a type of its own",
        "onset duration trial_type", ["-30 12 rest", "-6 12 task", "6 12 rest", "18 12 task"],
        ["trial_type.task"], [-6.0, 18.0], outside=[2],
    ),
    Form(  # spreadsheets
        "everything quoted, a byte-order mark, trailing empty columns and lines",
        '"onset" "duration" "trial_type"  ',
        ['"1.5" "2" "left hand"  ', '"n/a" "2" "right"  ', '"9.5" "2" "left hand"  ', "    "],
        ["trial_type.left_hand"], [1.5, 9.5], end="\r\n", encoding="utf-8-sig", incomplete=[3],
    ),
    Form(  # comments of the experimenter
        "remarks in Latin-1 in a column that nobody uses, CR",
        "onset duration trial_type comment",
        ["1 2 faces K\u00f6rperbewegung", "5 2 houses n/a", "9 2 faces m\u00fcde"],
        ["trial_type.faces"], [1.0, 9.0], end="\r", encoding="latin-1",
    ),
    Form(  # padded with blanks for the eye
        "numbers in columns of equal width",
        "onset duration trial_type rt",
        ["~~1.500 ~2.0 a ~~0.809", "~17.851 ~2.0 a n/a~~~", "~24.432 ~2.0 b ~~1.160"],
        ["rt"], [1.5, 24.432], modulation=[0.809, 1.160],
    ),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=[form.name for form in FORMS])
def test_events_are_read_as_their_authors_mean_them(form: Form, tmp_path: Path):
    lines = [line.replace(" ", "\t").replace("~", " ") for line in (form.header, *form.rows)]
    text = form.end.join(lines).replace("left\thand", "left_hand") + form.end
    path = tmp_path / "sub-01_task-t_events.tsv"
    path.write_bytes(text.encode(form.encoding))
    x = (*form.x, "1")
    steps = (Factor(input=form.factors),) if form.factors else ()
    node = Node("run", "run", ("run", "subject"), x, RunSettings(), steps)
    run = events_of_run(path, form.factors, x, timing=(2.0, 0.0), n_volumes=300)
    variables = resolve_variables(node, run.events, ())
    table = condition_events(variables)
    assert variables.missing == ()
    assert table["onset"].tolist() == form.onsets
    expected = form.modulation or [1.0] * len(form.onsets)
    np.testing.assert_array_equal(table["modulation"], expected)
    assert run.lines_incomplete == form.incomplete
    assert run.lines_outside == form.outside
    n_rows = len([line for line in lines[1:] if line.strip()])
    assert len(run.events) + len(run.outside) + len(run.incomplete) == n_rows
