from __future__ import annotations

import pytest

from twolevel.files.maps import read_map
from twolevel.files.sidecars import read_json
from twolevel.files.tables import read_tsv
from twolevel.report.incomplete import Incomplete


@pytest.mark.parametrize(
    ("read", "name"), [(read_tsv, "a.tsv"), (read_json, "a.json"), (read_map, "a.nii.gz")]
)
def test_what_is_missing_or_damaged_is_named_and_left_out(tmp_path, read, name):
    incomplete = Incomplete()
    path = tmp_path / name
    assert incomplete.attempt("gone", lambda: read(path)) is None
    path.touch()
    assert incomplete.attempt("empty", lambda: read(path)) is None
    assert str(path) in incomplete.found["gone"]
    assert incomplete.found["gone"].startswith("missing: ")
    assert incomplete.found["empty"].startswith(f"{path}: no ")


def test_what_is_whole_is_returned_and_other_errors_are_not_hidden():
    incomplete = Incomplete()
    assert incomplete.attempt("whole", lambda: 3) == 3
    assert incomplete.found == {}
    nothing: dict[str, str] = {}
    with pytest.raises(KeyError):
        incomplete.attempt("ours", lambda: nothing["key"])
