from __future__ import annotations

import numpy as np
import pytest

from twolevel.simulate.anatomy import build_anatomy
from twolevel.simulate.bold import simulate_baseline, simulate_bold
from twolevel.simulate.confounds import build_confounds
from twolevel.simulate.motion import AXES, framewise_displacement, simulate_motion
from twolevel.simulate.truth import REGIONS

N_VOLUMES, REPETITION_TIME = 80, 2.0


@pytest.fixture(scope="module")
def run():
    anatomy = build_anatomy(6.0)
    rng = np.random.default_rng(5)
    motion = simulate_motion(rng, N_VOLUMES)
    motion[40:, 0] += 0.7  # one certain jerk
    task = np.zeros((N_VOLUMES, len(REGIONS)))
    bold = simulate_bold(
        anatomy, simulate_baseline(anatomy, rng), task, motion, REPETITION_TIME, rng
    )
    mask = anatomy.brain[anatomy.support]
    table, sidecar = build_confounds(bold, mask, anatomy, motion, REPETITION_TIME)
    return bold, mask, motion, table, sidecar


def test_expansions_are_differences_and_squares(run):
    *_, table, _ = run
    for name in ("csf", "white_matter", "global_signal", *AXES):
        series = table[name].to_numpy()
        np.testing.assert_array_equal(table[f"{name}_power2"], series**2)
        derivative = table[f"{name}_derivative1"]
        assert np.isnan(derivative[0])
        np.testing.assert_array_equal(derivative[1:], series[1:] - series[:-1])
        np.testing.assert_array_equal(table[f"{name}_derivative1_power2"][1:], derivative[1:] ** 2)


def test_values_belong_to_the_data(run):
    bold, mask, motion, table, _ = run
    np.testing.assert_allclose(table["global_signal"], bold[:, mask].mean(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(table[list(AXES)], motion)
    np.testing.assert_array_equal(table["framewise_displacement"], framewise_displacement(motion))
    data = bold[:, mask] * (1000 / np.median(bold[:, mask]))
    dvars = np.sqrt((np.diff(data, axis=0) ** 2).mean(axis=1))
    np.testing.assert_allclose(table["dvars"][1:], dvars, rtol=1e-4)
    assert table.loc[0, ["dvars", "std_dvars", "framewise_displacement", "rmsd"]].isna().all()
    assert table["std_dvars"][2:].median() == pytest.approx(1, abs=0.25)
    assert table.notna().iloc[1:].all(axis=None)
    # CSF is brightest, white matter darkest
    means = table[["white_matter", "global_signal", "csf"]].iloc[1:].mean()
    assert means.is_monotonic_increasing


def test_cosines_and_components_are_orthonormal_over_the_steady_volumes(run):
    *_, table, _ = run
    cosines = table.filter(like="cosine").to_numpy()
    assert cosines.shape[1] == 2  # 79 volumes of 2 s: floor(2 x 158 / 128)
    assert (cosines[0] == 0).all()
    np.testing.assert_allclose(cosines.T @ cosines, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(cosines.sum(axis=0), 0, atol=1e-12)
    for prefix in ("t_comp_cor", "a_comp_cor"):
        columns = table.filter(like=prefix).iloc[:, :5].to_numpy()
        assert (columns[0] == 0).all()
        np.testing.assert_allclose(columns.T @ columns, np.eye(5), atol=1e-8)
        np.testing.assert_allclose(cosines.T @ columns, 0, atol=1e-8)


def test_one_column_per_outlying_volume(run):
    *_, motion, table, _ = run
    steady = table.filter(like="non_steady_state_outlier")
    assert list(steady) == ["non_steady_state_outlier00"]
    assert np.flatnonzero(steady.to_numpy()[:, 0]).tolist() == [0]
    jerks = np.flatnonzero(framewise_displacement(motion) > 0.5)
    assert 40 in jerks
    flagged = table.filter(like="motion_outlier").to_numpy()
    np.testing.assert_array_equal(np.argwhere(flagged.T)[:, 1], jerks)


def test_sidecar_describes_every_component(run):
    *_, table, sidecar = run
    assert set(sidecar) == {name for name in table if "comp_cor" in name}
    masks = [sidecar[f"a_comp_cor_{k:02d}"]["Mask"] for k in range(15)]
    assert masks == ["combined"] * 5 + ["CSF"] * 5 + ["WM"] * 5
    for first in ("t_comp_cor_00", "a_comp_cor_00", "a_comp_cor_05", "a_comp_cor_10"):
        entry = sidecar[first]
        assert entry["VarianceExplained"] == entry["CumulativeVarianceExplained"]
        following = sidecar[f"{first[:-2]}{int(first[-2:]) + 1:02d}"]
        assert 0 < following["VarianceExplained"] <= entry["VarianceExplained"] < 1
        assert following["CumulativeVarianceExplained"] == pytest.approx(
            entry["VarianceExplained"] + following["VarianceExplained"], abs=1e-9
        )
