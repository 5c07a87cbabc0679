"""Threads and memory change no bit of what is read and fitted."""

from __future__ import annotations

import dataclasses
import weakref
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from twolevel.files.nifti import write_image
from twolevel.files.run_data import read_run, run_blocks
from twolevel.files.series import RunBlocks
from twolevel.numerics.resources import Resources
from twolevel.stats.run import noise, unit
from twolevel.stats.run.fit import fit_blocks, fit_run
from twolevel.stats.run.unit import unit_width

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.stats.run.result import RunFit

SHAPE, N_ROWS = (14, 15, 13), 40
AFFINE = np.diag([3.0, 3.0, 3.5, 1.0])
CONTRASTS = {"a": "a", "difference": "a - b", "mean": "constant"}
FWHM = 5.0
WIDTH = 64
SOURCES = ["one thread", "two threads", "four threads", "little memory", "both"]
RESOURCES = {
    "one thread": Resources(1),
    "two threads": Resources(2),
    "four threads": Resources(4),
    "little memory": Resources(1, memory_bytes=1),
    "both": Resources(3, memory_bytes=3 * WIDTH * N_ROWS * 4 + 1),
}
noise_models = pytest.mark.parametrize("noise_model", ["ols", "ar1", "ar2"])


@pytest.fixture(autouse=True)
def many_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "UNIT_SIZE", WIDTH * N_ROWS)
    monkeypatch.setattr(noise, "STEPS", 20)  # groups of the k-means: enough to share voxels


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run with holes, with a region in which nothing changes, and with an uneven mask."""
    rng = np.random.default_rng(8)
    values = rng.normal(900, 40, (*SHAPE, N_ROWS))
    values[..., 1:] += 0.5 * (values[..., :-1] - 900)
    # Wider than the kernel, so that its middle stays constant when it is smoothed.
    values[:10, :10, :11] = 500
    holes = [(2, 3, 4), (3, 12, 5), (12, 9, 9)]
    for i, hole in enumerate(holes):
        values[hole][10 * i : 10 * i + 3] = [np.nan, np.inf, -np.inf][i]
    mask = rng.random(SHAPE) < 0.6
    mask[tuple(np.transpose(holes))] = mask[6, 6, 7] = True
    folder = tmp_path_factory.mktemp("run")
    return {
        "bold": write_image(folder / "bold.nii", values.astype(np.float32), AFFINE),
        "mask": write_image(folder / "mask.nii", mask, AFFINE),
    }


@pytest.fixture(scope="module")
def design() -> pd.DataFrame:
    matrix = pd.DataFrame(np.random.default_rng(9).normal(size=(N_ROWS, 3)), columns=list("abc"))
    return matrix.assign(constant=1.0)


@pytest.fixture
def fit_from(files, design) -> Any:
    def fit(noise_model: str, resources: Resources) -> tuple[RunFit, Any]:
        blocks = run_blocks(
            files["bold"], files["mask"], smoothing_fwhm_mm=FWHM, resources=resources
        )
        fit = fit_blocks(
            blocks, design, CONTRASTS,
            noise_model=noise_model, percent=True, n_threads=resources.n_threads,
        )  # fmt: skip
        return fit, blocks

    return fit


def assert_same_bits(one: RunFit, other: RunFit) -> None:
    assert list(one.estimates) == list(other.estimates) == list(CONTRASTS)
    for name, estimate in one.estimates.items():
        np.testing.assert_array_equal(estimate.effect, other.estimates[name].effect)
        np.testing.assert_array_equal(estimate.variance, other.estimates[name].variance)
        assert estimate.dof == other.estimates[name].dof
    for field in dataclasses.fields(one.diagnostics):
        np.testing.assert_array_equal(
            getattr(one.diagnostics, field.name),
            getattr(other.diagnostics, field.name),
            err_msg=field.name,
        )


def test_the_run_is_worth_the_comparison(files):
    blocks = run_blocks(files["bold"], files["mask"], smoothing_fwhm_mm=FWHM)
    (block,) = blocks
    assert unit_width(N_ROWS) == WIDTH
    assert block.data.shape[1] > 20 * WIDTH
    assert block.data.shape[1] % WIDTH != 0
    assert blocks.n_not_finite == 3
    assert blocks.n_constant >= 5
    with_little = run_blocks(files["bold"], files["mask"], resources=RESOURCES["little memory"])
    assert len(with_little) > 20
    assert 5 < len(run_blocks(files["bold"], files["mask"], resources=RESOURCES["both"])) < 20


@pytest.mark.parametrize("n_threads", [2, 4])
@pytest.mark.parametrize("fwhm", [0.0, FWHM])
def test_threads_change_no_bit_of_what_is_read(files, fwhm, n_threads):
    one = read_run(files["bold"], files["mask"], smoothing_fwhm_mm=fwhm)
    many = read_run(files["bold"], files["mask"], smoothing_fwhm_mm=fwhm, n_threads=n_threads)
    np.testing.assert_array_equal(one.data, many.data)
    assert one.mask == many.mask
    assert (one.n_not_finite, one.n_constant) == (many.n_not_finite, many.n_constant)


@pytest.mark.parametrize("source", SOURCES[1:])
def test_blocks_hold_the_bits_of_the_whole_run(files, source):
    (whole,) = run_blocks(files["bold"], files["mask"], smoothing_fwhm_mm=FWHM)
    parts = run_blocks(
        files["bold"], files["mask"], smoothing_fwhm_mm=FWHM, resources=RESOURCES[source]
    )
    blocks = list(parts)
    assert len(blocks) == len(parts)
    np.testing.assert_array_equal(np.concatenate([b.data for b in blocks], axis=1), whole.data)
    np.testing.assert_array_equal(np.concatenate([b.usable for b in blocks]), whole.usable)
    np.testing.assert_array_equal(parts.usable, whole.usable)


@noise_models
def test_threads_and_memory_change_no_bit_of_the_fit(fit_from, noise_model):
    expected, whole = fit_from(noise_model, RESOURCES["one thread"])
    for source in SOURCES[1:]:
        fit, blocks = fit_from(noise_model, RESOURCES[source])
        assert_same_bits(fit, expected)
        np.testing.assert_array_equal(blocks.usable, whole.usable)
        assert (blocks.n_not_finite, blocks.n_constant) == (whole.n_not_finite, whole.n_constant)


@noise_models
def test_threads_change_no_bit_of_the_fit_of_an_array(files, design, noise_model):
    data = read_run(files["bold"], files["mask"], smoothing_fwhm_mm=FWHM).data
    expected, *others = [
        fit_run(
            data, design, CONTRASTS, noise_model=noise_model, percent=True, n_threads=n_threads
        )
        for n_threads in (1, 2, 4)
    ]
    for fit in others:
        assert_same_bits(fit, expected)


@pytest.mark.parametrize("noise_model", ["ols", "ar1"])
def test_a_voxel_has_the_same_bits_whatever_the_others_of_its_unit_hold(design, noise_model):
    data = np.random.default_rng(10).normal(900, 40, (N_ROWS, 3 * WIDTH)).astype(np.float32)
    others = data[:, ::-1].copy()
    others[:, WIDTH : WIDTH + 5] = data[:, WIDTH : WIDTH + 5]
    same = np.zeros(3 * WIDTH, bool)
    same[WIDTH : WIDTH + 5] = True
    one, other = (
        fit_run(values, design, CONTRASTS, noise_model=noise_model).within(same).diagnostics
        for values in (data, others)
    )
    for name in ("mean", "tsnr", "r_squared", "noise_coefficients"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("unsteady", [[], [0], [0, 1, 25]])
@pytest.mark.parametrize("source", ["little memory", "both"])
def test_the_means_of_all_blocks_come_with_the_first(files, unsteady, source):
    (whole,) = run_blocks(files["bold"], files["mask"], smoothing_fwhm_mm=FWHM)
    counted = ~np.isin(np.arange(N_ROWS), unsteady)
    data = whole.data[counted][:, whole.usable]
    expected = np.add.reduce(data.astype(np.float64), axis=0) / counted.sum()
    parts = run_blocks(
        files["bold"], files["mask"], smoothing_fwhm_mm=FWHM, resources=RESOURCES[source]
    )
    means = parts.means(counted)
    np.testing.assert_array_equal(means, expected)
    blocks = list(parts)
    np.testing.assert_array_equal(np.concatenate([b.data for b in blocks], axis=1), whole.data)


def test_voxels_below_the_floor_have_the_same_bits_in_every_block(files, design, tmp_path):
    image = nib.load(files["bold"])
    values = image.get_fdata(dtype=np.float32)
    values[::5] -= 900  # some are below 0, some just above
    bold = write_image(tmp_path / "bold.nii", values, AFFINE)
    marked = design.assign(non_steady_state_outlier00=np.eye(N_ROWS)[0])
    fits = [
        fit_blocks(
            run_blocks(bold, files["mask"], resources=resources),
            marked, CONTRASTS, percent=True, n_threads=resources.n_threads,
        )
        for resources in RESOURCES.values()
    ]  # fmt: skip
    found = fits[0].diagnostics
    assert found.floor is not None
    assert 20 < (found.mean < found.floor).sum() < len(found.mean) / 2
    for fit in fits[1:]:
        assert_same_bits(fit, fits[0])


@noise_models
def test_one_block_is_held_at_a_time(files, design, monkeypatch, noise_model):
    read = RunBlocks._read
    held: list[weakref.ref[Any]] = []

    def read_alone(self: RunBlocks, *where: Any) -> Any:
        assert all(data() is None for data in held)
        found = read(self, *where)
        held.append(weakref.ref(found.data))
        return found

    monkeypatch.setattr(RunBlocks, "_read", read_alone)
    blocks = run_blocks(files["bold"], files["mask"], resources=RESOURCES["both"])
    fit_blocks(blocks, design, CONTRASTS, noise_model=noise_model, percent=True, n_threads=3)
    assert len(held) == len(blocks) * (2 if noise_model == "ar2" else 1) > 3
