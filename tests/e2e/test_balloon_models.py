"""The models that others use for the balloon task, on the simulated one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from command import analyse
from nilearn.glm.first_level import compute_regressor

from twolevel.simulate.dataset import simulate_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

N_VOLUMES, REPETITION_TIME = 100, 2.0
RUN = "sub-01/func/sub-01_task-balloonanalogrisktask_run-{}"
MODULATORS = ("pumps_demean", "control_pumps_demean", "cash_demean", "explode_demean")


@pytest.fixture(scope="module")
def balloons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that are long enough for several balloons of each kind."""
    folder = tmp_path_factory.mktemp("balloons") / "data"
    return simulate_dataset(folder, n_subjects=2, n_runs=2, n_volumes=N_VOLUMES, voxel_size_mm=6)


def regressor(
    events: pd.DataFrame, durations: pd.Series, amplitudes: pd.Series, hrf: str
) -> NDArray[np.float64]:
    """Convolve by hand, with nilearn."""
    there = (
        durations.notna() & amplitudes.notna() & (events["onset"] < N_VOLUMES * REPETITION_TIME)
    )
    condition = np.stack(
        [x[there].to_numpy(float) for x in (events["onset"], durations, amplitudes)]
    )
    frame_times = np.arange(N_VOLUMES) * REPETITION_TIME
    computed: NDArray[np.float64] = compute_regressor(condition, hrf, frame_times)[0][:, 0]
    return computed


def tables(data: Path, results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the events and the design of a run; the first volumes may not be in it."""
    events = pd.read_csv(data / f"{RUN.format('01')}_events.tsv", sep="\t", na_values="n/a")
    (design,) = results.glob(f"{RUN.format(1)}_*_design.tsv")
    return events, pd.read_csv(design, sep="\t")


def test_the_parametric_preset_takes_the_columns_as_amplitudes(balloons: Path, tmp_path: Path):
    results = tmp_path / "results"
    text = analyse(balloons, results, "all", "--n-perm", "4", model="balloon-parametric")
    for contrast in ("pumps", "control", "pumpsMinusControl", "cash", "explode"):
        assert f"{contrast}Parametric" in text
    events, design = tables(balloons, results)
    for name in MODULATORS:
        expected = regressor(events, events["duration"], events[name], "glover")
        np.testing.assert_allclose(design[name], expected[-len(design) :], atol=1e-6)
        assert f"trial_type.{name}" in design


@pytest.mark.parametrize("name", ["0f7b99efe4", "f6ba931984"])
def test_the_public_models_of_ds000001(name: str, shared: Path, balloons: Path, tmp_path: Path):
    results = tmp_path / "results"
    model = shared / "models" / f"{name}_smdl.json"
    text = analyse(balloons, results, "all", "--n-perm", "4", model=model)
    assert "parapumpsvcontrol" in text
    events, design = tables(balloons, results)
    ones = pd.Series(1.0, events.index)
    expected = regressor(events, events["response_time"], ones, "spm")
    np.testing.assert_allclose(design["rt_reg.rt"], expected, atol=1e-6)
    for modulator in MODULATORS:
        expected = regressor(events, events["duration"], events[modulator], "spm")
        np.testing.assert_allclose(design[modulator], expected, atol=1e-6)
