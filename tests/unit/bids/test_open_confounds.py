"""Several tables of confounds as one: names, lengths, volumes over thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from twolevel.bids.confound_columns import OpenConfounds, open_confounds
from twolevel.bids.confounds import censored_volumes, framewise_displacement, take_confounds
from twolevel.checks.confounds import notes_on_confounds
from twolevel.errors import InputError
from twolevel.files.tables import write_tsv
from twolevel.model.settings import RunSettings
from twolevel.notes import merged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

N = 12
DISPLACEMENT = [np.nan, 0.1, 0.6, 0.1, 0.2, 0.95, 0.1, 0.1, 0.1, 0.1, 0.1, 0.5]
DVARS = [np.nan, 1.0, 1.0, 1.6, 1.0, 1.7, 1.0, 1.0, 1.0, 1.0, 1.0, 1.5]


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    columns = pd.DataFrame(rng.standard_normal((N, 3)), columns=["csf", "trans_x", "cosine00"])
    return columns.assign(framewise_displacement=DISPLACEMENT, std_dvars=DVARS)


@pytest.fixture
def old(table: pd.DataFrame) -> pd.DataFrame:
    """The same, as fMRIPrep 1.1 wrote it."""
    names = ["CSF", "X", "Cosine00", "FramewiseDisplacement", "stdDVARS"]
    return table.set_axis(names, axis=1).assign(**{"vx-wisestdDVARS": DVARS})


def opened(
    tmp_path: Path, *tables: pd.DataFrame, asked: Sequence[str] = (), **settings: Any
) -> OpenConfounds:
    kinds = ["confounds", *(f"confounds_{n}" for n in range(1, len(tables)))]
    files = {
        kind: write_tsv(tmp_path / f"{kind}.tsv", table)
        for kind, table in zip(kinds, tables, strict=True)
    }
    return open_confounds(files, RunSettings(**settings), asked)


def problem(tmp_path: Path, *tables: pd.DataFrame, **more: Any) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        opened(tmp_path, *tables, **more)
    (found,) = caught.value.problems
    return {k: str(v).replace(f"{tmp_path}/", "") for k, v in vars(found).items()}


def test_tables_are_joined_by_volume(tmp_path, table):
    mixing = pd.DataFrame({"ICA_00": np.arange(N), "ICA_01": np.arange(N) ** 2.0})
    both = opened(tmp_path, table, mixing)
    assert both.names == [*table, "ICA_00", "ICA_01"]
    confounds = take_confounds(both, ["ICA_01", "csf", "ICA_00"])
    expected = pd.concat([mixing["ICA_01"], table["csf"], mixing["ICA_00"]], axis=1)
    pd.testing.assert_frame_equal(confounds.regressors, expected.astype(float))


def test_a_table_of_ones_own_is_enough(tmp_path, table):
    path = write_tsv(tmp_path / "own.tsv", table)
    alone = open_confounds({"confounds_1": path}, RunSettings())
    pd.testing.assert_frame_equal(
        take_confounds(alone, ["csf"]).regressors, table[["csf"]], check_exact=True
    )


def test_a_table_of_another_length_is_refused(tmp_path, table):
    assert problem(tmp_path, table, pd.DataFrame({"ICA_00": np.arange(N - 1)})) == {
        "where": "confounds: confounds_1.tsv",
        "found": "11 rows",
        "expected": "12, as confounds.tsv has: one per volume",
        "remedy": "take both from one run of the preprocessing, volumes at the start included",
    }


def test_an_empty_table_is_refused(tmp_path, table):
    found = problem(tmp_path, table, pd.DataFrame({"ICA_00": []}))
    assert (found["where"], found["found"]) == ("confounds: confounds_1.tsv", "0 rows")


def test_a_column_of_two_tables_is_refused(tmp_path, table):
    assert problem(tmp_path, table, table[["trans_x"]]) == {
        "where": "confounds: confounds_1.tsv",
        "found": "column trans_x, which confounds.tsv has too",
        "expected": "a name of its own for each column of all tables",
        "remedy": "rename or remove it in one of them, or leave the table out of Confounds",
    }


def test_a_value_that_is_missing_is_told_with_its_own_table(tmp_path, table):
    mixing = pd.DataFrame({"ICA_00": np.where(np.arange(N) == 4, np.nan, 1.0)})
    with pytest.raises(InputError) as caught:
        take_confounds(opened(tmp_path, table, mixing), ["csf", "ICA_00"])
    (found,) = caught.value.problems
    assert found.where == f"confounds: {tmp_path / 'confounds_1.tsv'}"
    assert found.found == "no number in column ICA_00: line 6"


def test_a_name_that_no_table_has_is_refused_with_all_tables(tmp_path, table):
    with pytest.raises(InputError) as caught:
        take_confounds(opened(tmp_path, table, pd.DataFrame({"ICA_00": np.ones(N)})), ["ICA_01"])
    (found,) = caught.value.problems
    assert found.where.count(".tsv") == 2
    assert found.expected.endswith("std_dvars, ICA_00")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (["trans_x", "csf", "cosine*"], ["trans_x", "csf", "cosine00"]),
        (["X", "CSF", "Cosine*"], ["X", "CSF", "Cosine00"]),
    ],
)
def test_old_names_and_new_ones_find_the_same_columns(tmp_path, table, old, asked, names):
    for number, columns in enumerate((table, old)):
        (folder := tmp_path / str(number)).mkdir()
        there = opened(folder, columns, asked=asked)
        confounds = take_confounds(there, names)
        np.testing.assert_array_equal(
            confounds.regressors, table[["trans_x", "csf", "cosine00"]].to_numpy()
        )
        assert list(confounds.regressors) == names
        assert confounds.high_pass
        notes = merged(notes_on_confounds("sub-1", there, names))
        is_other = names[0] not in columns
        assert len(notes) == 3 * is_other
        if is_other:
            assert (
                f"the confound {names[0]} is called {columns.columns[1]} in this version"
                in (notes[0])
            )


def test_a_pattern_for_everything_renames_nothing(tmp_path, old):
    assert opened(tmp_path, old, asked=["*"]).names == list(old)


def test_a_strategy_finds_old_names_too(tmp_path, table):
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    rng = np.random.default_rng(0)
    new = table.assign(white_matter=rng.normal(size=N), **{n: rng.normal(size=N) for n in names})
    olds = dict(zip(names, ["X", "Y", "Z", "RotX", "RotY", "RotZ"], strict=True))
    olds |= {"csf": "CSF", "white_matter": "WhiteMatter", "cosine00": "Cosine00"}
    settings: Any = {"confound_strategy": "simple", "motion": "basic"}
    expected = take_confounds(opened(tmp_path, new, **settings))
    before = new.rename(columns=olds).assign(**{"vx-wisestdDVARS": DVARS})
    actual = take_confounds(opened(tmp_path, before, asked=["X"], **settings), ["X"])
    pd.testing.assert_frame_equal(actual.regressors, expected.regressors, check_exact=True)
    assert "trans_x" in actual.regressors
    assert actual.high_pass


def test_displacement_is_found_under_its_old_name(tmp_path, old):
    path = write_tsv(tmp_path / "t.tsv", old)
    np.testing.assert_array_equal(framewise_displacement(path), DISPLACEMENT)


@pytest.mark.parametrize(
    ("limits", "volumes"),
    [
        ({"fd_threshold": 0.5}, [2, 5]),  # 0.5 is not over 0.5, and n/a is over nothing
        ({"dvars_threshold": 1.5}, [3, 5]),
        ({"fd_threshold": 0.5, "dvars_threshold": 1.5}, [2, 3, 5]),
        ({"fd_threshold": 3.0}, []),
    ],
)
def test_a_volume_over_a_threshold_has_a_column(tmp_path, table, limits, volumes):
    there = opened(tmp_path, table, asked=["motion_outlier*"], **limits)
    names = [name for name in there.names if name.startswith("motion_outlier")]
    assert names == [f"motion_outlier{n:02d}" for n in range(len(volumes))]
    columns = take_confounds(there, names).regressors
    np.testing.assert_array_equal(columns, np.eye(N)[:, volumes])


def test_columns_of_thresholds_take_the_place_of_others_and_that_is_said(tmp_path, table):
    table["motion_outlier00"] = np.eye(N)[2]
    table["motion_outlier01"] = np.eye(N)[5]
    asked = ["motion_outlier*"]
    same = opened(tmp_path, table, asked=asked, fd_threshold=0.5)
    assert merged(notes_on_confounds("sub-1", same, ["motion_outlier00"])) == []
    other = opened(tmp_path, table, asked=asked, fd_threshold=0.9)
    np.testing.assert_array_equal(
        take_confounds(other, ["motion_outlier00"]).regressors["motion_outlier00"], np.eye(N)[5]
    )
    (note,) = merged(notes_on_confounds("sub-1", other, ["motion_outlier00"]))
    assert note == (
        "sub-1: motion_outlier columns of FdThreshold 0.9 take the place of those of the "
        "preprocessing: 1 for 2"
    )


def test_thresholds_that_nothing_uses_are_said_and_change_nothing(tmp_path, table):
    table["motion_outlier00"] = np.eye(N)[4]
    there = opened(tmp_path, table, asked=["csf"], dvars_threshold=9)
    assert there.names == list(table)
    (note,) = merged(notes_on_confounds("sub-1", there, ["csf"]))
    assert note.startswith("sub-1: DvarsThreshold 9: neither motion_outlier* in X nor")


def test_thresholds_without_their_column_are_refused(tmp_path, table):
    del table["std_dvars"]
    more: Any = {"fd_threshold": 0.5, "dvars_threshold": 1.5}
    found = problem(tmp_path, table, asked=["motion_outlier00"], **more)
    assert found["found"] == "no column std_dvars"
    assert found["expected"].endswith("framewise_displacement, std_dvars")
    assert "DvarsThreshold" in found["remedy"]


def test_text_where_motion_is_measured_is_refused(tmp_path, table):
    table = table.astype(object)
    table.loc[3, "framewise_displacement"] = "much"
    found = problem(tmp_path, table, asked=["motion_outlier*"], fd_threshold=0.5)
    assert found["found"] == 'no finite number in column framewise_displacement, line 5 ("much")'


@pytest.mark.parametrize(
    ("settings", "volumes"),
    [
        ({}, [2, 3, 5]),  # fMRIPrep's thresholds
        ({"fd_threshold": 0.9}, [5]),
        ({"dvars_threshold": 1.65}, [5]),
        ({"fd_threshold": 0.15}, [2, 4, 5, 11]),
    ],
)
def test_volumes_over_the_thresholds_are_censored(tmp_path, table, settings, volumes):
    censored = censored_volumes(opened(tmp_path, table, **settings))
    np.testing.assert_array_equal(np.flatnonzero(censored), volumes)


def test_volumes_outside_the_sample_mask_are_censored(tmp_path, table):
    motion = {f"{kind}_{a}": np.arange(N) for kind in ("trans", "rot") for a in "xyz"}
    table = table.assign(white_matter=1.0, non_steady_state_outlier00=np.eye(N)[0], **motion)
    settings: Any = {"confound_strategy": "simple", "motion": "basic", "fd_threshold": 0.9}
    censored = censored_volumes(opened(tmp_path, table, **settings))
    np.testing.assert_array_equal(np.flatnonzero(censored), [0, 5])
