"""The engine, from file to estimate, against nilearn's FirstLevelModel reading the same file."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import FirstLevelModel, compute_regressor, mean_scaling
from nilearn.glm.regression import ARModel
from nilearn.maskers import NiftiMasker
from numpy.linalg import LinAlgError
from scipy.ndimage import gaussian_filter
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from twolevel.files.nifti import write_image
from twolevel.files.run_data import run_blocks
from twolevel.numerics.resources import UNLIMITED, Resources
from twolevel.stats.run.fit import fit_blocks
from twolevel.stats.run.noise import truncated, yule_walker
from twolevel.stats.run.percent import percent_signal_change
from twolevel.stats.run.result import RunFit

if TYPE_CHECKING:
    from pathlib import Path

# nilearn warns that it will change a default which does not matter where a mask is given.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*standardize.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*standardize.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Generation of a mask.*"),
    pytest.mark.filterwarnings("ignore:.*Non-finite values.*:UserWarning"),
]
SHAPE, N_ROWS, REPETITION_TIME = (16, 17, 14), 120, 2.0
CONTRASTS = {"difference": "face - house", "face": "face", "drift": "cosine_1"}
MAPS = {"effect": "effect_size", "variance": "effect_variance"}
EDGE = 1e-5  # of a bin: a coefficient as close as this may fall on either side of it
FEW = 0.01  # of the voxels may lie that close to an edge; 0.002 are expected
SINGLE = 2.0**-24  # largest relative error of one rounding to float32


@pytest.fixture(autouse=True)
def one_thread():
    """Sums of k-means change with the number of threads, and clusters with them."""
    with threadpool_limits(1):
        yield


def affine_of(*, oblique: bool = False, sizes: tuple[float, ...] = (3.0, 3.0, 3.0)) -> Any:
    affine = np.diag([*sizes, 1.0])
    if oblique:
        a, b = np.deg2rad([20, -35])
        about_x = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
        about_z = [[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]]
        affine[:3, :3] = np.array(about_x) @ about_z @ affine[:3, :3]
    affine[:3, 3] = -20, 31, 7
    return affine


def make_design() -> pd.DataFrame:
    """Two conditions, six of motion, four cosines, and the constant: 13 columns."""
    rng = np.random.default_rng(10)
    times = np.arange(N_ROWS) * REPETITION_TIME
    columns = {}
    for first, name in ((8, "face"), (20, "house")):
        onsets = np.arange(first, times[-1] - 20, 28.0)
        events = np.array([onsets, np.full(len(onsets), 8.0), np.ones(len(onsets))])
        columns[name] = compute_regressor(events, "spm", times)[0][:, 0]
    for axis in range(6):
        columns[f"motion_{axis}"] = 0.05 * np.cumsum(rng.normal(size=N_ROWS))
    for k in range(1, 5):
        columns[f"cosine_{k}"] = np.cos(np.pi * k * (np.arange(N_ROWS) + 0.5) / N_ROWS)
    columns["constant"] = np.ones(N_ROWS)
    return pd.DataFrame(columns)


def make_values(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Means from 1000 to 10000, temporal SNR from 50 to 100, AR(1) noise from -0.2 to 0.7."""
    rng = np.random.default_rng(seed)
    regressors = make_design().to_numpy()[:, :-1]
    smooth = gaussian_filter(rng.random(shape), 2)
    mean = np.interp(smooth, (smooth.min(), smooth.max()), (1000, 10_000))
    coefficient = rng.uniform(-0.2, 0.7, shape)
    noise = rng.normal(size=(N_ROWS, *shape))
    for row in range(1, N_ROWS):
        noise[row] *= np.sqrt(1 - coefficient**2)
        noise[row] += coefficient * noise[row - 1]
    size = np.full(regressors.shape[1], 0.005)
    size[:2] = 0.01
    signal = np.tensordot(regressors * size, rng.normal(size=(len(size), *shape)), 1)
    values: np.ndarray = mean * (1 + signal + noise / rng.uniform(50, 100, shape))
    return np.moveaxis(values, 0, -1)


@pytest.fixture(scope="module")
def values():
    return make_values(SHAPE, seed=11)


@pytest.fixture(scope="module")
def design():
    return make_design()


@pytest.fixture(scope="module")
def brain():
    """About half a ball, with holes; it touches no border."""
    place = (np.indices(SHAPE).T - (np.array(SHAPE) - 1) / 2) / (np.array(SHAPE) / 2 - 1)
    ball = (place**2).sum(axis=-1).T < 1.2
    ball[[0, -1]], ball[:, [0, -1]], ball[:, :, [0, -1]] = False, False, False
    brain = ball & (np.random.default_rng(12).random(SHAPE) > 0.1)
    for x, y, z in (*HOLES, CONSTANT):
        brain[x - 1 : x + 2, y, z] = True
    return brain


@dataclass
class Case:
    """How the data are stored, and what is done with them."""

    dtype: str = "float32"
    fwhm: float = 0.0
    affine: Any = field(default_factory=affine_of)
    whole_mask: bool = False
    nan: bool = False
    kept: Any = None
    minimize_memory: bool = True


HOLES = [(5, 6, 7), (8, 8, 6), (10, 9, 4), (6, 10, 9)]
CONSTANT = (6, 7, 8)
KEPT = np.r_[4:60, 63:117]
CASES = {
    "float32": Case(),
    "float32, 5 mm": Case(fwhm=5.0),
    "int16": Case("int16", minimize_memory=False),
    "int16, 5 mm": Case("int16", fwhm=5.0),
    "oblique": Case(fwhm=5.0, affine=affine_of(oblique=True)),
    "anisotropic": Case(fwhm=5.0, affine=affine_of(sizes=(2.0, 3.0, 4.5))),
    "oblique and anisotropic": Case(
        "int16", fwhm=6.0, affine=affine_of(oblique=True, sizes=(3.5, 2.5, 4.0))
    ),
    "mask to the borders": Case(whole_mask=True),
    "mask to the borders, 5 mm": Case(fwhm=5.0, whole_mask=True),
    "NaN": Case(nan=True),
    "NaN, 5 mm": Case(fwhm=5.0, nan=True),
    "sample mask": Case(kept=KEPT),
    "sample mask, 5 mm": Case("int16", fwhm=5.0, kept=KEPT),
}


def spoiled(values: np.ndarray) -> np.ndarray:
    """Put what is not finite into some volumes of some voxels within the mask and without."""
    values = values.copy()
    for number, place in enumerate(HOLES):
        values[place][20 * number : 20 * number + 3] = [np.nan, np.inf, -np.inf][number % 3]
    values[0, 0, 0] = np.nan
    return values


def save(folder: Path, values: np.ndarray, dtype: str, affine: np.ndarray) -> Path:
    path = folder / "bold.nii"
    image = nib.Nifti1Image(values.astype(np.float32) if dtype == "float32" else values, affine)
    image.set_data_dtype(dtype)
    image.to_filename(path)
    assert nib.load(path).get_data_dtype() == np.dtype(dtype)
    assert (nib.load(path).dataobj.slope != 1) == (dtype == "int16")
    return path


def doubled(bold: Path) -> Any:
    """Return the same numbers in double precision; nilearn scales and fits them in double, too."""
    image = nib.load(bold)
    return nib.Nifti1Image(image.get_fdata(dtype=np.float64), image.affine)


def nilearn_model(
    bold: Any, mask: Path, design: pd.DataFrame, noise_model: str, case: Case
) -> FirstLevelModel:
    model = FirstLevelModel(
        mask_img=str(mask),
        smoothing_fwhm=case.fwhm or None,
        noise_model=noise_model,
        signal_scaling=0,
        minimize_memory=case.minimize_memory,
        standardize=False,
        random_state=0,
    )
    sample_masks = None if case.kept is None else [case.kept]
    return model.fit(bold, design_matrices=[design], sample_masks=sample_masks)


def nilearn_maps(model: FirstLevelModel, contrast: str, mask: np.ndarray) -> dict[str, Any]:
    maps = model.compute_contrast(contrast, stat_type="t", output_type="all")
    return {ours: maps[theirs].get_fdata()[mask] for ours, theirs in MAPS.items()}


def engine_fit(
    bold: Path,
    mask: Path,
    design: pd.DataFrame,
    noise_model: str,
    case: Case,
    contrasts: dict[str, str] = CONTRASTS,
    resources: Resources = UNLIMITED,
) -> tuple[RunFit, np.ndarray]:
    """Return the fit of the usable voxels, and where they are."""
    blocks = run_blocks(
        bold, mask, smoothing_fwhm_mm=case.fwhm, kept=case.kept, resources=resources
    )
    rows = design if case.kept is None else design.iloc[case.kept]
    fit = fit_blocks(
        blocks,
        rows,
        contrasts,
        noise_model=noise_model,
        percent=True,
        n_threads=resources.n_threads,
        seed=0,
    )
    return fit.within(blocks.usable), blocks.brain.keep(blocks.usable).inside


def differences(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    size = np.abs(theirs)
    found: np.ndarray = np.abs(ours - theirs) / np.maximum(size, np.median(size))
    return found


def near_an_edge(fit: RunFit, noise_model: str) -> np.ndarray:
    """Tell which coefficients may be cut off to either of two multiples of 1 / 100."""
    coefficients = fit.diagnostics.noise_coefficients
    if noise_model != "ar1":
        return np.zeros(len(fit.diagnostics.mean), bool)
    distance = np.abs(coefficients[0] - np.round(coefficients[0], 2))
    near: np.ndarray = distance < EDGE
    return near


def assert_equals_nilearn(
    fit: RunFit, model: FirstLevelModel, mask: np.ndarray, excluded: np.ndarray
) -> None:
    """Compare to the rounding of nilearn's percent signal change, which is in float32."""
    counted = f"{excluded.sum()} of {len(excluded)} voxels are excluded"
    assert excluded.sum() <= FEW * len(excluded), counted
    assert set(fit.estimates) <= set(CONTRASTS)
    for contrast, estimate in fit.estimates.items():
        theirs = nilearn_maps(model, CONTRASTS[contrast], mask)
        for name, expected in theirs.items():
            found = differences(getattr(estimate, name), expected)
            where = f"{name} of {contrast}: {found.max():.1e} at most; {counted}"
            assert (found < 1e-4).mean() >= 0.999, where
            assert found[~excluded].max() < 1e-3, where


def check(
    folder: Path,
    values: np.ndarray,
    brain: np.ndarray,
    design: pd.DataFrame,
    noise_model: str,
    case: Case,
    *,
    in_double: bool = False,
) -> None:
    brain = np.ones(SHAPE, bool) if case.whole_mask else brain
    values = spoiled(values) if case.nan else values
    bold = save(folder, values, case.dtype, case.affine)
    mask = write_image(folder / "mask.nii", brain, case.affine)
    fit, usable = engine_fit(bold, mask, design, noise_model, case)
    expected = brain.copy()
    if case.nan:
        expected[tuple(np.transpose(HOLES))] = False
    np.testing.assert_array_equal(usable, expected)
    assert tuple(fit.estimates) == tuple(CONTRASTS)
    given: Any = str(bold)
    where = mask
    if in_double:
        given, where = doubled(bold), write_image(folder / "usable.nii", usable, case.affine)
    model = nilearn_model(given, where, design, noise_model, case)
    assert_equals_nilearn(fit, model, usable, near_an_edge(fit, noise_model))


@pytest.mark.parametrize("noise_model", ["ols", "ar1"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_effects_and_variances_equal_nilearns(tmp_path, values, brain, design, case, noise_model):
    check(tmp_path, values, brain, design, noise_model, case)


SECOND_ORDER = ("float32", "mask to the borders", "NaN", "sample mask")


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_effects_and_variances_of_the_second_order_equal_nilearns(
    tmp_path, values, brain, design, name
):
    """From the same numbers and the same voxels.

    k-means finds other clusters if a coefficient differs in its sixth digit or a voxel is added,
    and then every voxel differs a little. So nilearn is given double precision, and only those
    voxels that the engine takes.
    """
    check(tmp_path, values, brain, design, "ar2", CASES[name], in_double=True)


def clusters(fit: RunFit) -> tuple[np.ndarray, np.ndarray]:
    """Cluster coefficients as nilearn does: the cluster of each voxel, the centres."""
    found = KMeans(100, n_init=10, random_state=0).fit(fit.diagnostics.noise_coefficients.T)
    return found.labels_, found.cluster_centers_


@pytest.mark.parametrize("name", ["float32, 5 mm", "oblique and anisotropic", "NaN, 5 mm"])
def test_given_the_same_clusters_smoothed_data_of_the_second_order_equal_nilearns(
    tmp_path, values, brain, design, name
):
    case = CASES[name]
    bold = save(tmp_path, spoiled(values) if case.nan else values, case.dtype, case.affine)
    mask = write_image(tmp_path / "mask.nii", brain, case.affine)
    fit, usable = engine_fit(bold, mask, design, "ar2", case)
    masker = NiftiMasker(mask_img=str(mask), smoothing_fwhm=case.fwhm, standardize=None)
    series, _ = mean_scaling(masker.fit().transform(str(bold))[:, usable[brain]])
    groups, centres = clusters(fit)
    weights = (design.columns == "face") * 1.0 - (design.columns == "house")
    estimate = fit.estimates["difference"]
    effect, variance = np.empty((2, len(groups)))
    for group, centre in enumerate(centres):
        result = ARModel(design.to_numpy(), centre).fit(series[:, groups == group])
        contrast = result.Tcontrast(weights)
        effect[groups == group] = contrast.effect
        variance[groups == group] = contrast.sd**2
    assert differences(estimate.effect, effect).max() < 1e-4
    assert differences(estimate.variance, variance).max() < 1e-4


@pytest.mark.parametrize("noise_model", ["ols", "ar1", "ar2"])
def test_runs_of_several_blocks_equal_nilearns(tmp_path, design, noise_model):
    shape = (17, 17, 16)
    bold = save(tmp_path, make_values(shape, seed=13), "float32", affine_of())
    mask = write_image(tmp_path / "mask.nii", np.ones(shape, bool), affine_of())
    case = Case(fwhm=0.0 if noise_model == "ar2" else 5.0)
    resources = Resources(n_threads=2, memory_bytes=1)
    assert len(run_blocks(bold, mask, resources=resources)) == 2
    fit, usable = engine_fit(bold, mask, design, noise_model, case, resources=resources)
    given = doubled(bold) if noise_model == "ar2" else str(bold)
    model = nilearn_model(given, mask, design, noise_model, case)
    assert_equals_nilearn(fit, model, usable, near_an_edge(fit, noise_model))


@pytest.mark.parametrize("noise_model", ["ols", "ar1"])
def test_the_differences_are_nilearns_single_precision(
    tmp_path, values, brain, design, noise_model
):
    """Given the same numbers in double precision, nilearn agrees in every digit but the last."""
    bold = save(tmp_path, values, "float32", affine_of())
    mask = write_image(tmp_path / "mask.nii", brain, affine_of())
    fit, usable = engine_fit(bold, mask, design, noise_model, Case())
    model = nilearn_model(doubled(bold), mask, design, noise_model, Case())
    for contrast, estimate in fit.estimates.items():
        for name, expected in nilearn_maps(model, CONTRASTS[contrast], usable).items():
            assert differences(getattr(estimate, name), expected).max() < 1e-9


@pytest.mark.parametrize("fwhm", [0.0, 5.0])
def test_the_constant_differs_by_the_mean_that_nilearn_sums_in_single_precision(
    tmp_path, values, brain, design, fwhm
):
    """A mean of n numbers summed in float32 is off by n roundings at most, in percent."""
    bold = save(tmp_path, values, "float32", affine_of())
    mask = write_image(tmp_path / "mask.nii", brain, affine_of())
    case = Case(fwhm=fwhm)
    fit, usable = engine_fit(bold, mask, design, "ols", case, {"constant": "constant"})
    model = nilearn_model(str(bold), mask, design, "ols", case)
    theirs = nilearn_maps(model, "constant", usable)["effect"]
    np.testing.assert_allclose(
        fit.estimates["constant"].effect, theirs, rtol=0, atol=100 * N_ROWS * SINGLE
    )


# --- without full rank --------------------------------------------------------------------------


@pytest.mark.parametrize("noise_model", ["ols", "ar1", "ar2"])
def test_without_full_rank_only_the_divisor_of_the_variance_differs(
    tmp_path, values, brain, design, noise_model
):
    """nilearn divides by rows - columns, the engine by rows - rank."""
    bold = save(tmp_path, values, "float32", affine_of())
    mask = write_image(tmp_path / "mask.nii", brain, affine_of())
    deficient = design.assign(again=design["motion_0"] - design["motion_1"], nothing=0.0)
    contrasts = {**CONTRASTS, "again": "again", "nothing": "nothing"}
    fit, usable = engine_fit(bold, mask, deficient, noise_model, Case(), contrasts)
    assert fit.not_estimable == ("again", "nothing")
    n_rows, n_columns = deficient.shape
    rank = n_columns - 2
    assert fit.dof == n_rows - rank
    model = nilearn_model(doubled(bold), mask, deficient, noise_model, Case())
    excluded = near_an_edge(fit, noise_model)
    for contrast, estimate in fit.estimates.items():
        theirs = nilearn_maps(model, CONTRASTS[contrast], usable)
        found = {
            "effect": differences(estimate.effect, theirs["effect"]),
            "variance": differences(
                estimate.variance * (n_rows - rank), theirs["variance"] * (n_rows - n_columns)
            ),
        }
        for name, difference in found.items():
            where = f"{name} of {contrast}; {excluded.sum()} voxels are excluded"
            assert (difference < 1e-4).mean() >= 0.999, where
            assert difference[~excluded].max() < 1e-3, where
    assert excluded.sum() <= FEW * len(excluded)


# --- differences on purpose ---------------------------------------------------------------------


@pytest.fixture
def with_constant_voxel(tmp_path, values, brain):
    def make(value: float) -> tuple[Path, Path]:
        changed = values.copy()
        changed[CONSTANT] = value
        bold = save(tmp_path, changed, "float32", affine_of())
        return bold, write_image(tmp_path / "mask.nii", brain, affine_of())

    return make


@pytest.mark.parametrize("noise_model", ["ols", "ar1", "ar2"])
@pytest.mark.parametrize("value", [0.0, 1000.0, 777.7])
def test_the_engine_leaves_out_voxels_in_which_nothing_changes(
    with_constant_voxel, brain, design, noise_model, value
):
    bold, mask = with_constant_voxel(value)
    fit, usable = engine_fit(bold, mask, design, noise_model, Case())
    assert np.argwhere(usable != brain).tolist() == [list(CONSTANT)]
    for estimate in fit.estimates.values():
        assert np.isfinite(estimate.effect).all()
        assert (estimate.variance > 0).all()


@pytest.mark.parametrize("noise_model", ["ols", "ar1"])
def test_nilearn_divides_by_zero_where_nothing_changes(with_constant_voxel, design, noise_model):
    bold, mask = with_constant_voxel(1000.0)
    model = nilearn_model(str(bold), mask, design, noise_model, Case())
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        maps = model.compute_contrast("face", stat_type="t", output_type="all")
    found = {name: float(maps[name].get_fdata()[CONSTANT]) for name in (*MAPS.values(), "stat")}
    assert found == {"effect_size": 0.0, "effect_variance": 0.0, "stat": 0.0}


@pytest.mark.parametrize("noise_model", ["ar1", "ar2"])
def test_nilearn_fails_where_all_residuals_are_zero(tmp_path, brain, design, noise_model):
    """Beside other voxels their mean, which is zero but for rounding, may hide that."""
    still = np.full((*SHAPE, N_ROWS), 1000.0)
    bold = save(tmp_path, still, "float32", affine_of())
    mask = write_image(tmp_path / "mask.nii", brain, affine_of())
    with pytest.raises(LinAlgError, match="Singular matrix"):
        nilearn_model(str(bold), mask, design, noise_model, Case())
    fit, usable = engine_fit(bold, mask, design, noise_model, Case())
    assert not usable.any()
    assert fit.estimates["face"].effect.shape == (0,)


@pytest.mark.filterwarnings("ignore:.*Mean values of 0 observed.*:UserWarning")
def test_nilearn_makes_statistics_of_rounding_where_all_values_are_zero(
    with_constant_voxel, design
):
    bold, mask = with_constant_voxel(0.0)
    model = nilearn_model(str(bold), mask, design, "ols", Case())
    maps = model.compute_contrast("face", stat_type="t", output_type="all")
    assert 0 < maps["effect_variance"].get_fdata()[CONSTANT] < 1e-20
    assert maps["stat"].get_fdata()[CONSTANT] != 0


def test_the_other_voxels_equal_nilearns_beside_a_constant_one(with_constant_voxel, design):
    bold, mask = with_constant_voxel(1000.0)
    fit, usable = engine_fit(bold, mask, design, "ar1", Case())
    model = nilearn_model(str(bold), mask, design, "ar1", Case())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "divide by zero", RuntimeWarning)
        assert_equals_nilearn(fit, model, usable, near_an_edge(fit, "ar1"))


@pytest.fixture
def alike(tmp_path):
    """Voxels whose noise is nearly the same, so that their coefficients lie close together."""
    rng = np.random.default_rng(14)
    shape = (9, 9, 8)
    noise = rng.normal(size=N_ROWS) + 0.1 * rng.normal(size=(*shape, N_ROWS))
    for row in range(1, N_ROWS):
        noise[..., row] += 0.4 * noise[..., row - 1]
    bold = save(tmp_path, 5000 * (1 + noise / 80), "float32", affine_of())
    return bold, write_image(tmp_path / "mask.nii", np.ones(shape, bool), affine_of())


def general_least_squares(
    series: np.ndarray, design: pd.DataFrame, coefficients: np.ndarray
) -> tuple[float, float]:
    """Effect and variance of "face", whitened with a matrix."""
    whitening = np.eye(N_ROWS)
    for k, coefficient in enumerate(coefficients, start=1):
        whitening -= coefficient * np.eye(N_ROWS, k=-k)
    X, y = whitening @ design.to_numpy(), whitening @ series
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    mean_square = ((y - X @ beta) ** 2).sum() / (N_ROWS - X.shape[1])
    return float(beta[0]), float(np.linalg.inv(X.T @ X)[0, 0] * mean_square)


def test_nilearn_takes_clusters_of_the_same_rounded_name_for_one(alike, design):
    """It whitens all of their voxels with the centre of the first; the engine with their own."""
    bold, mask = alike
    fit, usable = engine_fit(bold, mask, design, "ar2", Case())
    groups, centres = clusters(fit)
    names = ["_".join(map(str, np.round(centre, 2))) for centre in centres]
    model = nilearn_model(doubled(bold), mask, design, "ar2", Case())
    label = model.labels_[0]
    np.testing.assert_array_equal(label, np.array(names)[groups])
    merged = np.array([names.count(names[group]) > 1 for group in groups])
    assert len(set(names)) < len(names)
    assert 0 < merged.sum() < len(merged), f"{merged.sum()} of {len(merged)} voxels are merged"
    theirs = nilearn_maps(model, "face", usable)
    series = percent_signal_change(nib.load(bold).get_fdata()[usable].T)
    n_different = 0
    for name in MAPS:
        found = differences(getattr(fit.estimates["face"], name), theirs[name])
        assert found[~merged].max() < 1e-4
        n_different = max(n_different, int((found > 1e-4).sum()))
    assert 0 < n_different < merged.sum(), "the first cluster of every name keeps its centre"
    for voxel in np.flatnonzero(merged):
        first = groups[np.flatnonzero(label == label[voxel])[0]]
        for centre, estimate in (
            (centres[first], {name: theirs[name][voxel] for name in MAPS}),
            (
                centres[groups[voxel]],
                {name: getattr(fit.estimates["face"], name)[voxel] for name in MAPS},
            ),
        ):
            effect, variance = general_least_squares(series[:, voxel], design, centre)
            scale = np.sqrt(variance)
            np.testing.assert_allclose(estimate["effect"], effect, rtol=0, atol=1e-4 * scale)
            np.testing.assert_allclose(estimate["variance"], variance, rtol=1e-4, atol=0)


def test_without_a_constant_nilearn_subtracts_the_mean_of_all_residuals(tmp_path, brain, design):
    """The mean over all voxels and volumes is no part of any voxel's noise.

    It is 0 where the design holds a constant. Where it does not, residuals have a mean, and what
    nilearn takes for a voxel's coefficient depends on the other voxels of the mask.
    """
    rng = np.random.default_rng(15)
    activity = design["face"].to_numpy() * rng.uniform(0.02, 0.04, (*SHAPE, 1))
    values = 4000 * (1 + activity + rng.normal(size=(*SHAPE, N_ROWS)) / 80)
    bold = save(tmp_path, values, "float32", affine_of())
    mask = write_image(tmp_path / "mask.nii", brain, affine_of())
    without = design[["face", "house"]]
    fit, usable = engine_fit(bold, mask, without, "ar1", Case(), {"face": "face"})
    model = nilearn_model(str(bold), mask, without, "ar1", Case())
    X = without.to_numpy()
    series = percent_signal_change(nib.load(bold).get_fdata()[usable].T)
    residuals = series - X @ np.linalg.lstsq(X, series, rcond=None)[0]
    expected = {}
    for name, centred in (("engine", residuals), ("nilearn", residuals - residuals.mean())):
        products = np.array([(centred**2).sum(0), (centred[1:] * centred[:-1]).sum(0)])
        expected[name] = yule_walker(products, N_ROWS)
    ours = fit.diagnostics.noise_coefficients
    np.testing.assert_allclose(ours, expected["engine"], rtol=0, atol=1e-9)
    labels = model.labels_[0].astype(float)
    in_bins = truncated(expected["nilearn"])[0] / 100
    edges = np.abs(expected["nilearn"][0] - np.round(expected["nilearn"][0], 2)) < EDGE
    assert edges.mean() <= FEW, f"{edges.sum()} of {len(edges)} voxels are at an edge"
    np.testing.assert_allclose(labels[~edges], in_bins[~edges], rtol=0, atol=1e-9)
    shift = ours[0] - expected["nilearn"][0]
    assert abs(residuals.mean()) > 0.1
    assert np.median(shift) > 0.01, "a mean that is left in looks like autocorrelation"
    theirs = nilearn_maps(model, "face", usable)
    assert np.median(differences(fit.estimates["face"].variance, theirs["variance"])) > 1e-3


def test_with_a_constant_the_mean_of_all_residuals_is_zero(tmp_path, values, brain, design):
    bold = save(tmp_path, values, "float32", affine_of())
    mask = write_image(tmp_path / "mask.nii", brain, affine_of())
    fit, usable = engine_fit(bold, mask, design, "ar1", Case())
    model = nilearn_model(str(bold), mask, design, "ar1", Case())
    in_bins = truncated(fit.diagnostics.noise_coefficients)[0] / 100
    edges = near_an_edge(fit, "ar1")
    assert edges.mean() <= FEW, f"{edges.sum()} of {len(edges)} voxels are at an edge"
    labels = model.labels_[0].astype(float)
    np.testing.assert_allclose(labels[~edges], in_bins[~edges], rtol=0, atol=1e-9)
    assert usable.sum() == len(labels)
