"""Height and cluster thresholds equal nilearn's; the parametric p equals its formula."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nilearn.glm import threshold_stats_img
from nilearn.image import threshold_img
from scipy import stats
from scipy.ndimage import gaussian_filter

from twolevel.space.mask import Mask
from twolevel.stats.estimates import TEstimate
from twolevel.stats.inference.cluster_extent import cluster_extent
from twolevel.stats.inference.height_control import height_control
from twolevel.stats.inference.parametric_fwe import parametric_fwe
from twolevel.stats.inference.result import GroupContrast
from twolevel.stats.maps.fit import fit_maps

SHAPE = (14, 13, 12)
pytestmark = pytest.mark.filterwarnings("ignore:.*standardize.*:FutureWarning")


def make_group(signal: float, seed: int = 9) -> GroupContrast:
    """Twelve smooth maps with a positive and a negative blob, in a mask that is no box."""
    rng = np.random.default_rng(seed)
    mask = np.linalg.norm(np.indices(SHAPE).T - [6.5, 6, 5.5], axis=-1).T < 6.3
    truth = np.zeros(SHAPE)
    truth[3:6, 4:8, 4:7], truth[8:11, 4:8, 4:8] = signal, -signal
    truth[6, 1:3, 6], truth[6, 10, 4:6] = 2 * signal, -2 * signal  # too small for a cluster
    volumes = [gaussian_filter(rng.normal(size=SHAPE), 0.8) * 3 + truth for _ in range(12)]
    maps = np.stack([volume[mask] for volume in volumes])
    return GroupContrast(fit_maps(maps), Mask.of(mask))


@pytest.fixture(scope="module")
def group():
    return make_group(1.2)


@pytest.fixture(scope="module")
def quiet():
    """Maps in which no voxel has a large z."""
    group = make_group(0.0)
    estimate = group.estimate
    assert isinstance(estimate, TEstimate)
    weak = TEstimate(0.05 * estimate.effect, estimate.variance, estimate.dof)
    return GroupContrast(weak, group.mask)


def volume_of(values: Any, mask: Any) -> Any:
    volume = np.zeros(mask.shape)
    volume[mask] = values
    return nib.Nifti1Image(volume, np.eye(4))


def nilearn_threshold(group: GroupContrast, **options: Any) -> tuple[Any, float]:
    mask_img = nib.Nifti1Image(group.mask.inside.astype(np.uint8), np.eye(4))
    z_img = volume_of(group.estimate.z, group.mask.inside)
    img, threshold = threshold_stats_img(z_img, mask_img=mask_img, cluster_threshold=0, **options)
    return img.get_fdata()[group.mask.inside], threshold


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
@pytest.mark.parametrize("method", ["fdr", "fpr", "bonferroni"])
def test_map_and_threshold_equal_nilearns(group, method, alpha, sides):
    ours = height_control(group, method=method, alpha=alpha, sides=sides)
    values, threshold = nilearn_threshold(
        group, height_control=method, alpha=alpha, two_sided=sides == 2
    )
    assert ours.threshold == pytest.approx(threshold, rel=1e-12)
    np.testing.assert_array_equal(ours.map_values, values)
    np.testing.assert_array_equal(ours.surviving, values != 0)
    assert 0 < ours.surviving.sum() < group.n_voxels
    assert (values < 0).any() == (sides == 2)


@pytest.mark.filterwarnings("ignore:.*[tT]hreshold.*:UserWarning")
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("method", ["fdr", "fpr", "bonferroni"])
def test_where_nothing_survives_nilearns_map_is_empty_too(quiet, method, sides):
    ours = height_control(quiet, method=method, alpha=0.001, sides=sides)
    values, threshold = nilearn_threshold(
        quiet, height_control=method, alpha=0.001, two_sided=sides == 2
    )
    assert not values.any()
    assert not ours.surviving.any()
    assert not ours.map_values.any()
    assert ours.threshold == (None if np.isinf(threshold) else pytest.approx(threshold, rel=1e-12))


def test_without_a_surviving_voxel_the_fdr_has_no_threshold(quiet):
    assert height_control(quiet, method="fdr").threshold is None


def test_fdr_is_the_procedure_of_benjamini_and_hochberg(group):
    p = 2 * stats.norm.sf(np.abs(group.estimate.z))
    adjusted = stats.false_discovery_control(p, method="bh")
    surviving = height_control(group, method="fdr", alpha=0.05).surviving
    np.testing.assert_array_equal(surviving, adjusted <= 0.05)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("height", [2.0, 3.29])
def test_cluster_extent_equals_nilearns_threshold_img(group, height, sides):
    ours = cluster_extent(group, height=height, min_voxels=11, sides=sides)
    theirs = threshold_img(
        volume_of(group.estimate.z, group.mask.inside), height, cluster_threshold=11,
        two_sided=sides == 2, mask_img=None, copy=True,
    ).get_fdata()[group.mask.inside]  # fmt: skip
    np.testing.assert_array_equal(ours.map_values, theirs)
    above = np.abs(group.estimate.z) >= height if sides == 2 else group.estimate.z >= height
    assert 0 < ours.surviving.sum() < above.sum()  # so that both thresholds have done something


def test_the_smallest_cluster_kept_has_what_nilearn_calls_the_cluster_threshold():
    """nilearn drops clusters smaller than `cluster_threshold`: "more than 10" is 11 there."""
    bar = np.zeros((30, 3, 3))
    bar[:10, 0, 0], bar[12:23, 0, 0], bar[:10, 2, 2] = 4.0, 4.0, -4.0
    kept = {}
    for cluster_threshold in (10, 11):
        img = threshold_img(
            nib.Nifti1Image(bar, np.eye(4)), 3.29, cluster_threshold=cluster_threshold,
            two_sided=True, mask_img=None, copy=True,
        )  # fmt: skip
        kept[cluster_threshold] = int((img.get_fdata() != 0).sum())
    assert kept == {10: 31, 11: 11}
    ours = cluster_extent(fixed_z(bar), height=3.29, min_voxels=11)
    assert int(ours.surviving.sum()) == 11


def fixed_z(volume: Any) -> GroupContrast:
    """Build a group whose z is `volume`: t with very many degrees of freedom."""
    estimate = TEstimate(volume.ravel(), np.ones(volume.size), 1e9)
    return GroupContrast(estimate, Mask.of(np.ones(volume.shape, bool)))


def test_clusters_join_by_faces_only_and_never_across_signs():
    volume = np.zeros((6, 6, 6))
    volume[0:2, 0, 0] = 5.0  # two voxels,
    volume[2, 1, 0] = 5.0  # and a third that only shares an edge
    volume[2:4, 0, 0] = -5.0  # beside the first two, of the other sign
    surviving = cluster_extent(fixed_z(volume), min_voxels=2).surviving.reshape(volume.shape)
    assert np.argwhere(surviving).tolist() == [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]
    assert not cluster_extent(fixed_z(volume), min_voxels=3).surviving.any()


@pytest.mark.parametrize("sides", [1, 2])
def test_the_parametric_p_is_that_of_t_times_the_number_of_voxels(group, sides):
    result = parametric_fwe(group, alpha=0.05, sides=sides)
    tail = stats.t.sf(np.abs(group.estimate.stat) if sides == 2 else group.estimate.stat, df=11)
    theirs = sides * tail
    corrected = np.minimum(theirs * group.n_voxels, 1)
    np.testing.assert_allclose(result.map_values, -np.log10(corrected), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(result.surviving, corrected <= 0.05)
    assert 0 < result.surviving.sum() < group.n_voxels
    assert result.threshold == pytest.approx(-np.log10(0.05), rel=1e-12)
    assert not np.signbit(result.map_values).any()
