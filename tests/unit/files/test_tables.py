from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from twolevel.errors import InputError
from twolevel.files.tables import in_lines, line_of, read_tsv

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def write(tmp_path: Path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "x.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def found_in(path: Path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_tsv(path, **options)
    (problem,) = caught.value.problems
    assert problem.where == str(path)
    return problem.found


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('"Hello', '"Hello'),
        ('she"', 'she"'),
        ('"', '"'),
        ('""', ""),
        ('"face"', "face"),
        (' "face" ', "face"),
        ('"a ""b"" c"', 'a "b" c'),
        ('"one" and "two"', '"one" and "two"'),
        ("'face'", "'face'"),
        ('5" disk', '5" disk'),
    ],
)
def test_quotation_marks_go_where_they_wrap_a_cell_and_stay_elsewhere(write, cell, value):
    table = read_tsv(write(f"onset\tword\n1\tx\n2\t{cell}\n3\t{cell}\n4\ty\n"))
    assert table["word"].tolist() == ["x", value, value, "y"]
    assert table["onset"].tolist() == [1, 2, 3, 4]


def test_quoted_numbers_and_quoted_n_a_are_read(write):
    table = read_tsv(write('"onset"\t"rt"\n"1.5"\t"n/a"\n" 2 "\t"0.5"\n'))
    assert table["onset"].tolist() == [1.5, 2.0]
    np.testing.assert_array_equal(table["rt"], [np.nan, 0.5])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_lines_end_in_three_ways(write, end, last):
    table = read_tsv(write(end.join(["a\tb", "1\tx", "2\ty"]) + end * last))
    assert table.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize(
    "inside", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]
)
def test_other_separators_of_lines_are_characters_of_a_cell(write, inside):
    table = read_tsv(write(f"onset\tword\n1\ta{inside}b\n2\tc\n"), dtype={"word": str})
    assert table["word"].tolist() == [f"a{inside}b", "c"]


def test_blanks_around_cells_and_names_are_no_part_of_them(write):
    table = read_tsv(write(" onset\trt \n  1.5\tn/a   \n 2 \t  0.809\n\u00a03\t1\n"))
    assert table["onset"].tolist() == [1.5, 2.0, 3.0]
    np.testing.assert_array_equal(table["rt"], [np.nan, 0.809, 1.0])


def test_text_keeps_its_blanks_so_that_it_can_be_told_what_is_wrong_with_them(write):
    table = read_tsv(write("kind\tx\nface \t1\n n/a \t2\n"), dtype={"kind": str})
    assert table["kind"].fillna("missing").tolist() == ["face ", "missing"]


def test_lines_without_text_are_no_rows_and_do_not_shift_the_others(write):
    table = read_tsv(write("a\tb\n\n1\t2\n\t\n3\t4\n\n"))
    assert table["a"].tolist() == [1, 3]
    assert [line_of(row) for row in table.index] == [3, 5]


def test_a_short_line_is_named_by_its_line_in_the_file(write):
    path = write("a\tb\n\n1\t2\n3\n")
    assert found_in(path) == "other numbers of fields in lines 4 (1)"


@pytest.mark.parametrize("cell", [b"K\xf6ln", b"\xff", b"na\xefve caf\xe9", b"\xe4\xb8"], ids=repr)
def test_text_that_is_not_utf_8_matters_only_in_columns_that_are_used(write, cell):
    path = write(b"onset\tnotes\n1\tok\n2\t" + cell + b"\n")
    table = read_tsv(path, used=lambda name: name == "onset")
    assert table["onset"].tolist() == [1, 2]
    assert "\ufffd" in table["notes"][1]
    found = found_in(path, used=lambda name: name == "notes")
    assert found.startswith("no readable table (not in UTF-8: line 3, column notes (")
    assert found_in(path) == found


def test_utf_8_is_read_everywhere(write):
    table = read_tsv(write("\ufeffstadt\tÄ\nKöln\t\ufffd\n"))
    assert list(table) == ["stadt", "Ä"]
    assert table.iloc[0].tolist() == ["Köln", "\ufffd"]


def test_a_name_that_two_columns_have_is_refused_where_it_is_used(write):
    path = write("onset\trt\trt\n1\t2\t3\n")
    assert found_in(path) == "several columns of the name rt"
    assert read_tsv(path, used=lambda name: name == "onset")["onset"].tolist() == [1]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "nothing"),
        (b"\n \n", "nothing"),
        (b"\t\n1\t2\n", "no header"),
        ("a\tb\n1\t2\n".encode("utf-16"), "text in UTF-16, or no text"),
        (b"a\tb\n1\t\0\n", "text in UTF-16, or no text"),
    ],
)
def test_what_is_no_table_is_refused(write, content, found):
    assert found_in(write(content)) == f"no readable table ({found})"


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: path.symlink_to("/dev/zero"), "no file that can be read to its end"),
    ],
)
def test_what_is_no_file_is_refused_and_not_read(tmp_path, make, found):
    make(tmp_path / "x.tsv")
    assert found_in(tmp_path / "x.tsv") == found


def test_many_lines_are_shown_as_the_first_ones_and_their_number():
    assert in_lines([0, 3]) == "2, 5"
    assert in_lines(range(12)) == "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13"
    assert in_lines(range(100)).endswith("12, 13 ... 101 (100 lines)")


def test_every_table_of_the_real_datasets_has_a_row_for_each_line(shared):
    paths = sorted((shared / "ds000001").rglob("*.tsv"))
    assert len(paths) > 48
    for path in paths:
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
        assert len(read_tsv(path)) == len(lines) - 1, path.name
