from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.fmriprep import load_confounds_strategy

from twolevel.bids.confound_columns import open_confounds
from twolevel.bids.confounds import read_confounds
from twolevel.errors import InputError
from twolevel.files.tables import write_tsv
from twolevel.model.settings import RunSettings

if TYPE_CHECKING:
    from pathlib import Path

MOTION = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
SIMPLE = [
    *(name + more for name in MOTION for more in ("", "_derivative1", "_power2")),
    *(f"{name}_derivative1_power2" for name in MOTION),
    "csf",
    "white_matter",
    "cosine00",
]


def real_tables(shared: Path) -> list[Path]:
    folder = shared / "ds002790-confounds" / "derivatives" / "fmriprep"
    return sorted(folder.glob("sub-*/func/*_desc-confounds_regressors.tsv"))


def json_of(table: Path) -> Path | None:
    sidecar = table.with_suffix(".json")
    return sidecar if sidecar.is_file() else None


def nilearn_on_a_layout(table: Path, folder: Path, strategy: str, **options):
    """Call nilearn as it wants to be called: on an image with the confounds beside it."""
    stem = table.name.split("_desc-")[0]
    for path in (table, json_of(table)):
        if path is not None:
            shutil.copy(path, folder / f"{stem}_desc-confounds_regressors{path.suffix}")
    image = folder / f"{stem}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    image.touch()
    return load_confounds_strategy(str(image), denoise_strategy=strategy, **options)


@pytest.fixture
def simulated() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((50, len(SIMPLE))), columns=SIMPLE)
    for name in SIMPLE:
        if "derivative1" in name:
            table.loc[0, name] = np.nan
    return table


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("strategy", ["simple", "scrubbing"])
def test_real_confounds_are_those_that_nilearn_loads(shared, tmp_path, index, strategy):
    table = real_tables(shared)[index]
    expected, sample_mask = nilearn_on_a_layout(table, tmp_path, strategy)
    confounds = read_confounds(table, json_of(table), strategy=strategy)
    n_volumes = len(table.read_text().splitlines()) - 1
    pd.testing.assert_frame_equal(confounds.regressors, expected, check_exact=True)
    kept = np.arange(n_volumes) if sample_mask is None else sample_mask
    np.testing.assert_array_equal(confounds.kept, kept)
    assert confounds.high_pass
    assert len(confounds.regressors) == n_volumes


def test_there_are_three_real_tables(shared):
    assert [path.name[:8] for path in real_tables(shared)] == ["sub-0003", "sub-0006", "sub-0010"]


def test_real_confounds_by_compcor_need_their_metadata(shared, tmp_path):
    table = real_tables(shared)[1]
    expected, sample_mask = nilearn_on_a_layout(table, tmp_path, "compcor")
    confounds = read_confounds(table, json_of(table), strategy="compcor")
    pd.testing.assert_frame_equal(confounds.regressors, expected, check_exact=True)
    kept = np.arange(len(expected)) if sample_mask is None else sample_mask
    np.testing.assert_array_equal(confounds.kept, kept)
    with pytest.raises(InputError) as caught:
        read_confounds(table, None, strategy="compcor")
    assert "compcor" in caught.value.problems[0].expected


def test_the_name_of_the_table_does_not_matter(simulated, tmp_path):
    plain = write_tsv(tmp_path / "table.tsv", simulated)
    named = write_tsv(tmp_path / "sub-1_task-x_desc-confounds_timeseries.tsv", simulated)
    a, b = (read_confounds(path, strategy="simple") for path in (plain, named))
    pd.testing.assert_frame_equal(a.regressors, b.regressors, check_exact=True)
    assert set(a.regressors) == set(SIMPLE)


def test_non_steady_states_are_left_out_by_the_strategy(simulated, tmp_path):
    for index in (0, 1):
        simulated[f"non_steady_state_outlier{index:02d}"] = np.eye(50)[index]
    confounds = read_confounds(write_tsv(tmp_path / "t.tsv", simulated), strategy="simple")
    np.testing.assert_array_equal(confounds.kept, np.arange(2, 50))
    assert len(confounds.regressors) == 50


def test_volumes_with_motion_are_scrubbed_by_the_strategy(simulated, tmp_path):
    for name in ("csf", "white_matter"):
        for more in ("derivative1", "power2", "derivative1_power2"):
            simulated[f"{name}_{more}"] = np.linspace(0, 1, 50) ** (2 + len(name + more))
    simulated["framewise_displacement"] = 0.1
    simulated["std_dvars"] = 1.0
    simulated.loc[20, "framewise_displacement"] = 5.0
    simulated.loc[30, "std_dvars"] = 9.0
    table = write_tsv(tmp_path / "sub-1_task-x_desc-confounds_regressors.tsv", simulated)
    (folder := tmp_path / "beside").mkdir()
    _, sample_mask = nilearn_on_a_layout(table, folder, "scrubbing")
    kept = read_confounds(table, strategy="scrubbing").kept
    np.testing.assert_array_equal(kept, sample_mask)
    assert not {20, 30} & set(kept.tolist())
    assert {0, 10, 40, 49} <= set(kept.tolist())


def test_columns_by_name_are_taken_as_they_are_in_the_order_given(simulated, tmp_path):
    table = write_tsv(tmp_path / "t.tsv", simulated)
    confounds = read_confounds(table, names=["rot_z", "csf"])
    pd.testing.assert_frame_equal(confounds.regressors, simulated[["rot_z", "csf"]])
    np.testing.assert_array_equal(confounds.kept, np.arange(50))
    assert not confounds.high_pass


def test_columns_by_name_come_after_the_strategy_and_only_once(simulated, tmp_path):
    simulated["extra"] = np.arange(50.0)
    table = write_tsv(tmp_path / "t.tsv", simulated)
    alone = read_confounds(table, strategy="simple").regressors
    both = read_confounds(table, strategy="simple", names=["extra", "csf"]).regressors
    assert list(both) == [*alone, "extra"]
    pd.testing.assert_frame_equal(both[list(alone)], alone)
    np.testing.assert_array_equal(both["extra"], np.arange(50.0))


def test_cosines_among_the_columns_are_a_high_pass(simulated, tmp_path):
    table = write_tsv(tmp_path / "t.tsv", simulated)
    assert read_confounds(table, names=["cosine00"]).high_pass
    assert not read_confounds(table, names=["csf"]).high_pass


def test_nothing_asked_for_gives_no_columns_and_every_volume(simulated, tmp_path):
    confounds = read_confounds(write_tsv(tmp_path / "t.tsv", simulated))
    assert confounds.regressors.shape == (50, 0)
    np.testing.assert_array_equal(confounds.kept, np.arange(50))


def test_n_a_in_the_first_row_takes_the_value_of_the_second(simulated, tmp_path):
    table = write_tsv(tmp_path / "t.tsv", simulated)
    column = read_confounds(table, names=["rot_x_derivative1"]).regressors["rot_x_derivative1"]
    assert table.read_text().splitlines()[1].count("n/a") == 12
    assert column[0] == column[1] == simulated["rot_x_derivative1"][1]
    np.testing.assert_array_equal(column[1:], simulated["rot_x_derivative1"][1:])


def test_n_a_in_the_first_row_under_a_strategy_is_what_nilearn_makes_of_it(simulated, tmp_path):
    table = write_tsv(tmp_path / "sub-1_task-x_desc-confounds_regressors.tsv", simulated)
    (folder := tmp_path / "beside").mkdir()
    expected, _ = nilearn_on_a_layout(table, folder, "simple")
    actual = read_confounds(table, strategy="simple").regressors
    pd.testing.assert_frame_equal(actual, expected, check_exact=True)
    assert actual["rot_x_derivative1"][0] == actual["rot_x_derivative1"][1]


@pytest.mark.parametrize("row", [1, 25, 49])
def test_n_a_in_a_later_row_is_an_error_that_names_the_column(simulated, tmp_path, row):
    simulated.loc[row, "csf"] = np.nan
    table = write_tsv(tmp_path / "t.tsv", simulated)
    with pytest.raises(InputError) as caught:
        read_confounds(table, names=["csf", "rot_x"])
    (problem,) = caught.value.problems
    assert problem.where == f"confounds: {table}"
    assert problem.found == f"no number in column csf: line {row + 2}"
    assert problem.expected == "a number in every row but the first"


def test_n_a_in_a_volume_that_is_left_out_is_no_error(simulated, tmp_path):
    for index in (0, 1):
        simulated[f"non_steady_state_outlier{index:02d}"] = np.eye(50)[index]
    simulated["extra"] = np.arange(50.0)
    simulated.loc[:1, "extra"] = np.nan
    confounds = read_confounds(
        write_tsv(tmp_path / "t.tsv", simulated), strategy="simple", names=["extra"]
    )
    np.testing.assert_array_equal(confounds.regressors["extra"][2:], np.arange(2.0, 50.0))
    assert not confounds.regressors.isna().any(axis=None)


@pytest.mark.parametrize("missing", ["trans_x", "rot_y", "rot_y_power2"])
def test_missing_columns_are_an_error_that_names_strategy_and_file(simulated, tmp_path, missing):
    table = write_tsv(tmp_path / "t.tsv", simulated.drop(columns=missing))
    with pytest.raises(InputError) as caught:
        read_confounds(table, strategy="simple")
    (problem,) = caught.value.problems
    assert problem.where == f"confounds: {table}"
    assert problem.expected == 'the columns that the strategy "simple" takes, as numbers'
    assert str(tmp_path.parent) not in problem.found
    assert "name the confounds in the model's X" in problem.remedy


def test_columns_are_listed_as_they_are_named(simulated, tmp_path):
    table = write_tsv(tmp_path / "t.tsv", simulated)
    assert open_confounds({"confounds": table}, RunSettings()).names == SIMPLE


def test_nothing_is_left_beside_the_table(simulated, tmp_path):
    table = write_tsv(tmp_path / "t.tsv", simulated)
    read_confounds(table, strategy="simple")
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.parametrize(
    ("row", "cell"), [(7, "inf"), (7, "-inf"), (3, "err"), (0, "err"), (0, ""), (9, "NaN")]
)
def test_a_named_confound_that_holds_no_finite_number_is_named_with_line_and_cell(
    tmp_path, simulated, row, cell
):
    table = simulated.astype(object)
    table.loc[row, "csf"] = cell
    path = write_tsv(tmp_path / "x.tsv", table)
    with pytest.raises(InputError) as caught:
        read_confounds(path, names=["trans_x", "csf"])
    (problem,) = caught.value.problems
    assert problem.found == f'no finite number in column csf, line {row + 2} ("{cell}")'
    assert problem.expected == "numbers, and n/a where there is none"


@pytest.mark.parametrize("row", [2, 10, 49])
def test_an_infinite_confound_of_a_strategy_is_refused(tmp_path, simulated, row):
    simulated.loc[row, "rot_x"] = np.inf
    path = write_tsv(tmp_path / "x.tsv", simulated)
    with pytest.raises(InputError, match=r"confounds: .*x\.tsv"):
        read_confounds(path, strategy="simple")


@pytest.mark.parametrize("n_rows", [0, 1])
def test_a_table_of_less_than_two_volumes_is_refused(tmp_path, simulated, n_rows):
    path = write_tsv(tmp_path / "x.tsv", simulated.iloc[:n_rows])
    with pytest.raises(InputError, match=f"{n_rows} rows"):
        read_confounds(path, strategy="simple")


def test_options_of_the_strategy_and_further_tables_are_taken(simulated, tmp_path):
    table = write_tsv(tmp_path / "t.tsv", simulated)
    own = write_tsv(tmp_path / "own.tsv", pd.DataFrame({"ICA_00": np.arange(50)}))
    confounds = read_confounds(
        str(table), strategy="simple", names=["ICA_00"], further=[own], motion="basic"
    )
    assert set(confounds.regressors) == {*MOTION, "csf", "white_matter", "cosine00", "ICA_00"}
    np.testing.assert_array_equal(confounds.regressors["ICA_00"], np.arange(50))


@pytest.mark.parametrize(
    ("options", "where", "remedy"),
    [
        ({"strategy": "simpel"}, "confounds: confound_strategy", 'Did you mean "simple"?'),
        ({"strategy": "simple", "motoin": "full"}, "confounds: motoin", "correct the spelling"),
        ({"strategy": "simple", "scrub": 5}, "confounds: Scrub", "remove it, or choose"),
        ({"fd_threshold": -1}, "confounds: fd_threshold", "correct the value"),
    ],
)
def test_options_that_there_are_not_are_refused(simulated, tmp_path, options, where, remedy):
    with pytest.raises(InputError) as caught:
        read_confounds(write_tsv(tmp_path / "t.tsv", simulated), **options)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert problem.remedy.startswith(remedy)
