"""What `run` says of results that are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twolevel.cli.console import ReportConsole
from twolevel.cli.maps_of_subjects import without_maps
from twolevel.cli.shown_tests import show_tests
from twolevel.model.read import presets, read_model
from twolevel.notes import merged

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {"pumpsMinusControl", "controlMinusPumps", "pumps", "cash", "explode"}
HEADER = (
    "contrast\ttest\talpha\tn_voxels\tn_clusters\tn_permutations\tall_permutations"
    "\tsmallest_attainable_p\n"
)


@pytest.mark.parametrize(
    ("there", "lines"),
    [
        (LABELS, []),
        (LABELS | {None, "other"}, []),
        (LABELS - {"cash"}, ["contrast cash: no subject has it; excluded.tsv says why"]),
        (
            LABELS - {"cash", "pumps"},
            ["no subject has it; excluded.tsv says why: contrast pumps; contrast cash"],
        ),
    ],
)
def test_contrasts_that_no_subject_has_are_named_first(there, lines):
    notes = without_maps(read_model(presets()["balloon"]), there)
    assert merged(notes) == lines
    assert all(note.loses_data for note in notes)


def shown(path: Path, capsys: pytest.CaptureFixture[str], rows: str) -> str:
    path.write_text(HEADER + rows)
    show_tests(ReportConsole(), path)
    return capsys.readouterr().out


def test_a_table_without_any_test_is_said_in_words(tmp_path, capsys):
    text = shown(tmp_path / "tests.tsv", capsys, "")
    assert text == "No test was carried out: the model's Dataset node asks for none.\n"


def test_tests_without_survivors_are_shown_with_what_could_not_survive(tmp_path, capsys):
    rows = (
        "a\tpermutationFWE\t0.05\t0\t0\t8\tTrue\t0.25\n"
        "a\tfpr\t0.001\t12\t3\tn/a\tn/a\tn/a\n"
        "b\tpermutationFWE\t0.05\t0\t0\t8\tTrue\t0.25\n"
        "b\tfpr\t0.001\t0\t0\tn/a\tn/a\tn/a\n"
    )
    text = shown(tmp_path / "tests.tsv", capsys, rows)
    lines = [line.split() for line in text.splitlines()]
    assert ["permutationFWE", "0", "(0)", "0", "(0)"] in lines
    assert ["fpr", "12", "(3)", "0", "(0)"] in lines
    assert "fpr: not corrected for the number of voxels" in text
    assert text.count("nothing can survive permutationFWE at 0.05") == 1
