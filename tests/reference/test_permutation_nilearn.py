"""The same relabelings as nilearn's give the same null distributions as nilearn's."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, Literal, NamedTuple

import nibabel
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from nilearn.mass_univariate._utils import calculate_tfce, null_to_p
from scipy import ndimage

from twolevel.numerics.relabelings import Relabelings
from twolevel.stats.permute.loop import permute_group
from twolevel.stats.permute.model import PermutationModel, make_permutation_model
from twolevel.stats.permute.result import Permuted
from twolevel.stats.permute.settings import PermutationSettings

MASK = np.ones((8, 7, 6), bool)
MASK[0, 0] = MASK[5, 2:4, 3] = False
N_VOXELS = int(MASK.sum())
N_PERM, P_FORMING = 60, 0.05
N_SUBJECTS = 14
Design = Literal["mean", "groups", "slope with nuisance"]
TESTED = {
    "mean": np.ones((N_SUBJECTS, 1)),
    "groups": np.repeat([[1.0], [0.0]], 7, axis=0),
    "slope with nuisance": np.random.default_rng(1).normal(0, 1, (N_SUBJECTS, 1)),
}


def smooth_maps() -> Any:
    rng = np.random.default_rng(8)
    maps = rng.normal(0, 1, (N_SUBJECTS, *MASK.shape))
    maps = ndimage.gaussian_filter(maps, (0, 1, 1, 1)) * 4
    maps[:, 1:3, 1:4, 1:4] += 0.8
    maps[:7, 6:, 4:, 3:] += 1.8
    maps[:7, 3:5, :2, :2] -= 1.2
    maps[:, 3:5, 4:, 3:] += TESTED["slope with nuisance"][:, :, None, None]
    return maps[:, MASK]


MAPS = smooth_maps()
AGE = np.random.default_rng(2).normal(0, 1, (N_SUBJECTS, 1))
CASES: Any = [(design, sides) for design in TESTED for sides in (1, 2)]


def nilearn_relabelings(seed: int, *, flips: bool) -> Relabelings:
    """Draw what nilearn's only job draws; it relabels what it relabeled before."""
    rng = np.random.RandomState(np.random.RandomState(seed).randint(1, 2**31 - 2))
    rows, signs = [np.arange(N_SUBJECTS)], [np.ones(N_SUBJECTS, int)]
    for _ in range(N_PERM):
        if flips:
            signs.append(signs[-1] * (rng.randint(2, size=(N_SUBJECTS, 1)) * 2 - 1)[:, 0])
            rows.append(rows[-1])
        else:
            rows.append(rows[-1][rng.permutation(N_SUBJECTS)])
            signs.append(signs[-1])
    return Relabelings(
        np.array(rows, np.int32), np.array(signs, np.int8), mirrored=False, exhaustive=False
    )


class Both(NamedTuple):
    ours: Permuted
    theirs: Any


@pytest.fixture(scope="module")
def masker() -> Any:
    return NiftiMasker(nibabel.Nifti1Image(MASK.astype(np.int8), np.eye(4))).fit()


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}, {case[1]} sides")
def both(request: pytest.FixtureRequest, masker: Any) -> Both:
    design, sides = request.param
    return run_both(design, sides, masker)


def model_of(design: Design, seed: int) -> PermutationModel:
    tested = TESTED[design]
    columns = [tested] if design == "mean" else [tested, np.ones((N_SUBJECTS, 1))]
    if design == "slope with nuisance":
        columns.append(AGE)
    X = np.hstack(columns)
    model = make_permutation_model(X, np.eye(X.shape[1])[0], n_perm=2)
    relabelings = nilearn_relabelings(seed, flips=design == "mean")
    return dataclasses.replace(model, relabelings=relabelings)


def run_both(design: Design, sides: Any, masker: Any, seed: int = 5) -> Both:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Data array used to create a new image", UserWarning)
        theirs = permuted_ols(
            TESTED[design],
            MAPS,
            confounding_vars=AGE if design == "slope with nuisance" else None,
            model_intercept=design != "mean",
            n_perm=N_PERM,
            two_sided_test=sides == 2,
            random_state=seed,
            masker=masker,
            threshold=P_FORMING,
            tfce=True,
        )
    settings = PermutationSettings(sides=sides, cluster_forming_p=P_FORMING)
    return Both(permute_group(MAPS, MASK, model_of(design, seed), settings), theirs)


def test_the_observed_statistic_is_the_same(both):
    np.testing.assert_allclose(
        both.ours.observed["voxel"], both.theirs["t"][0], rtol=1e-9, atol=1e-9
    )


def test_the_largest_t_of_each_relabeling_is_the_same(both):
    np.testing.assert_allclose(
        both.ours.largest["voxel"][1:], both.theirs["h0_max_t"][0], rtol=1e-9, atol=0
    )


def test_the_largest_cluster_of_each_relabeling_is_the_same(both):
    sizes = both.theirs["h0_max_size"][0]
    np.testing.assert_array_equal(both.ours.largest["clusterSize"][1:], sizes)
    assert len(set(sizes)) > 10


def test_the_largest_cluster_mass_of_each_relabeling_is_the_same(both):
    np.testing.assert_allclose(
        both.ours.largest["clusterMass"][1:], both.theirs["h0_max_mass"][0], rtol=1e-4, atol=1e-5
    )


def test_the_observed_clusters_are_the_same(both):
    sizes = np.abs(both.ours.observed["clusterSize"])
    np.testing.assert_array_equal(sizes, both.theirs["size"][0])
    np.testing.assert_allclose(
        np.abs(both.ours.observed["clusterMass"]), both.theirs["mass"][0], rtol=1e-4, atol=1e-5
    )
    assert len(set(sizes)) > 2


def test_p_of_voxels_is_the_same_since_both_count_the_identity(both):
    """Theirs is (k + 1) / (n + 1) with the identity apart, ours k / n with it among the n."""
    assert both.ours.n_used == N_PERM + 1
    p = both.ours.p_corrected("voxel")
    np.testing.assert_allclose(p, 10.0 ** -both.theirs["logp_max_t"][0], rtol=1e-9, atol=0)
    assert len(set(p)) > 3


@pytest.mark.parametrize("name", ["size", "mass"])
def test_p_of_clusters_is_the_same_once_the_identity_is_counted(both, name):
    """Theirs is k / n without the identity, and never below 1 / n nor above 1 - 1 / n."""
    p = both.ours.p_corrected({"size": "clusterSize", "mass": "clusterMass"}[name])
    n_reached = np.round(p * (N_PERM + 1)) - 1  # without the identity
    in_cluster = both.ours.observed["clusterSize"] != 0
    theirs = 10.0 ** -both.theirs[f"logp_max_{name}"][0]
    expected = np.clip(n_reached / N_PERM, 1 / N_PERM, 1 - 1 / N_PERM)
    np.testing.assert_allclose(theirs[in_cluster], expected[in_cluster], rtol=1e-6, atol=0)
    np.testing.assert_array_equal(p[~in_cluster], 1.0)


def test_their_rule_for_clusters_gives_ours_when_the_identity_joins_the_distribution(both):
    ours = both.ours
    for name in ("clusterSize", "clusterMass"):
        in_cluster = ours.observed["clusterSize"] != 0
        values = np.abs(ours.observed[name])[in_cluster]
        theirs = null_to_p(values * (1 - 1e-6), ours.largest[name], "larger")
        p = ours.p_corrected(name)[in_cluster]
        inside = p < 1 - 1 / (N_PERM + 1)
        np.testing.assert_allclose(theirs[inside], p[inside], rtol=1e-9, atol=0)
        assert inside.any()


def test_their_tfce_times_the_step_is_near_ours(both):
    """Theirs is a sum over about 100 heights without the step, ours the integral."""
    step = np.abs(both.theirs["t"]).max() / 100
    if both.ours.settings.sides == 1:
        step = both.theirs["t"].max() / 100
    ours, theirs = both.ours.observed["tfce"], both.theirs["tfce"][0] * step
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999
    largest = np.abs(theirs).argmax()
    assert 1e-4 < abs(theirs[largest] / ours[largest] - 1) < 0.05


def test_the_largest_tfce_scores_of_relabelings_are_near_theirs(both):
    ours = both.ours.largest["tfce"][1:]
    theirs = both.theirs["h0_max_tfce"][0] * both.theirs["h0_max_t"][0] / 100
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
    np.testing.assert_allclose(theirs, ours, rtol=0.1, atol=0)
    assert np.abs(theirs / ours - 1).max() > 1e-3


def test_their_tfce_tends_to_ours_as_the_step_shrinks():
    """The error of a sum with a step of one side falls with the step, down to rounding."""
    ours = permute_group(MAPS, MASK, model_of("mean", 5)).observed
    t = np.zeros((*MASK.shape, 1))
    t[MASK, 0] = ours["voxel"]
    errors = []
    for n_steps in (100, 300, 900):
        step = np.abs(t).max() / n_steps
        theirs = calculate_tfce(t, ndimage.generate_binary_structure(3, 1), dh=step) * step
        difference = np.abs(theirs[MASK, 0] - ours["tfce"])
        errors.append(difference.max() / np.abs(ours["tfce"]).max())
    assert errors[0] < 0.05
    assert errors[1] < 0.5 * errors[0]
    assert errors[2] < 0.5 * errors[1]


def test_other_relabelings_give_another_distribution(masker):
    """The comparisons above depend on the draw: one that is not nilearn's does not fit."""
    theirs = run_both("mean", 2, masker, seed=6).theirs["h0_max_t"][0]
    ours = permute_group(
        MAPS, MASK, model_of("mean", 5), PermutationSettings(statistics=("voxel",))
    )
    assert np.abs(ours.largest["voxel"][1:] / theirs - 1).max() > 0.05
