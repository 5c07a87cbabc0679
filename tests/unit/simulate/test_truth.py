from __future__ import annotations

import numpy as np
import pytest

from twolevel.simulate.anatomy import Anatomy, build_anatomy, draw_mask, smooth_field
from twolevel.simulate.truth import CONTRASTS, REGIONS, draw_amplitudes, effect_map


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return build_anatomy(4.0)


def test_every_region_is_a_whole_sphere_within_the_brain_on_the_default_grid(anatomy):
    for label, region in enumerate(REGIONS, start=1):
        n_voxels = np.count_nonzero(anatomy.labels == label)
        sphere = 4 / 3 * np.pi * region.radius_mm**3 / 4.0**3
        assert n_voxels >= 12
        assert n_voxels == pytest.approx(sphere, rel=0.2)
        centre = np.argwhere(anatomy.labels == label).mean(axis=0) * 4.0 + anatomy.affine[:3, 3]
        np.testing.assert_allclose(centre, region.center_mm, atol=2.0)


@pytest.mark.parametrize("voxel_size_mm", [2.0, 3.3, 6.0])
def test_every_region_exists_on_other_grids(voxel_size_mm):
    anatomy = build_anatomy(voxel_size_mm)
    sizes = np.bincount(anatomy.labels.ravel(), minlength=len(REGIONS) + 1)[1:]
    assert len(sizes) == len(REGIONS)
    assert sizes.min() >= 12
    assert anatomy.brain.sum() * voxel_size_mm**3 == pytest.approx(1.88e6, rel=0.03)


def test_tissue_shares_add_up_and_know_white_matter_from_ventricle(anatomy):
    np.testing.assert_allclose(anatomy.tissue.sum(axis=1), 1, rtol=1e-5)
    index = np.zeros(anatomy.support.shape, dtype=int)
    index[anatomy.support] = np.arange(anatomy.support.sum())
    tissue = {}
    for name, mm in {"white": (28, -24, 32), "ventricle": (4, 8, 8)}.items():
        x, y, z = np.rint((np.array(mm) - anatomy.affine[:3, 3]) / 4).astype(int)
        tissue[name] = anatomy.tissue[index[x, y, z]]
    assert tissue["white"].argmax() == 1
    assert tissue["ventricle"].argmax() == 2


def test_masks_differ_at_the_border_and_hold_every_region(anatomy):
    border = smooth_field(np.random.default_rng(0), anatomy)
    masks = [draw_mask(anatomy, border, np.random.default_rng(seed)) for seed in (1, 2)]
    different = masks[0] != masks[1]
    assert 100 < different.sum() < 0.1 * anatomy.brain.sum()
    for mask in masks:
        assert mask[anatomy.labels > 0].all()
        assert not (mask & ~anatomy.support).any()
        assert (mask | ~anatomy.core).all()


def test_contrasts_follow_from_the_amplitudes(anatomy):
    maps = {name: effect_map(anatomy.labels, name) for name in CONTRASTS}
    difference = maps["pumpsMinusControl"]
    np.testing.assert_array_equal(maps["controlMinusPumps"], -difference)
    assert (difference[anatomy.labels == 0] == 0).all()
    for label, region in enumerate(REGIONS, start=1):
        inside = anatomy.labels == label
        pumps, control, cash, explode = region.amplitudes
        assert (difference[inside] == np.float32(pumps - control)).all()
        assert (maps["pumps"][inside] == np.float32(pumps)).all()
        assert (maps["cash"][inside] == np.float32(cash)).all()
        assert (maps["explode"][inside] == np.float32(explode)).all()
    signs = {region.name: np.sign(region.risk) for region in REGIONS}
    assert signs["anterior insula"] == 1
    assert signs["ventromedial prefrontal cortex"] == -1
    assert signs["visual cortex"] == 0


def test_subjects_vary_about_the_truth_and_runs_about_the_subject():
    runs = np.array(
        [
            draw_amplitudes(
                np.random.default_rng([1, s]), [np.random.default_rng([2, s, r]) for r in (0, 1)]
            )
            for s in range(2000)
        ]
    )
    truth = np.array([region.amplitudes for region in REGIONS])
    subjects = runs.mean(axis=1)
    np.testing.assert_allclose(subjects.mean(axis=0), truth, atol=0.15)
    cash = [i for i, region in enumerate(REGIONS) if region.cash]
    np.testing.assert_allclose(subjects[:, cash, 2].std(axis=0) / truth[cash, 2], 0.25, rtol=0.1)
    risk = [i for i, region in enumerate(REGIONS) if region.risk]
    difference = (subjects[..., 0] - subjects[..., 1])[:, risk]
    expected = np.abs(truth[risk, 0] - truth[risk, 1])
    np.testing.assert_allclose(difference.std(axis=0) / expected, 0.15, rtol=0.15)
    ratio = runs[:, 0, cash, 2] / runs[:, 1, cash, 2]
    assert np.median(np.abs(ratio - 1)) == pytest.approx(0.6745 * 0.05 * np.sqrt(2), rel=0.1)
