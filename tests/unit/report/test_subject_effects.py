from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
from scipy import stats

from twolevel.report.group_results import ContrastResult, GroupMaps, Peak
from twolevel.report.subject_effects import half_width, read_coverage, read_subject_effects
from twolevel.space.grid import Grid
from twolevel.stats.maps.design import make_map_design

if TYPE_CHECKING:
    from pathlib import Path

SHAPE, AFFINE, DOF = (6, 5, 4), np.diag([3.0, 3, 3, 1]), 40.0


def write(path: Path, values: np.ndarray, sidecar: dict[str, object] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values.astype(np.float32), AFFINE), path)
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(sidecar or {}))


def make_group(root: Path, effects: np.ndarray, group_input: str = "effect") -> ContrastResult:
    """Write the maps of subjects as the subject level does, and a group of them."""
    sources = []
    for number, effect in enumerate(effects, start=1):
        name = f"sub-{number:02}/func/sub-{number:02}_task-t_contrast-a_stat-{group_input}_statmap"
        write(root / f"{name}.nii.gz", effect, {"DegreesOfFreedom": DOF})
        if group_input == "effect":
            variance = name.replace("stat-effect", "stat-variance")
            write(root / f"{variance}.nii.gz", np.full(SHAPE, float(number)))
        sources.append(f"bids::{name}.nii.gz")
    mean = effects.mean(axis=0)
    sidecar: dict[str, Any] = {
        "Sources": sources,
        "Subjects": [f"sub-{n:02}" for n in range(1, len(effects) + 1)],
        "NumberOfSubjects": len(effects),
        "GroupInput": group_input,
    }
    maps = GroupMaps(mean, mean, mean, mean, Grid(SHAPE, AFFINE), {})
    peak = Peak(0, 0, 0, 0, 0, None, None)
    return ContrastResult(
        "a", "task-t", sidecar, "%", 0, maps, peak, {}, [], make_map_design(sidecar["Subjects"])
    )


@pytest.fixture
def effects() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (7, *SHAPE))


def test_half_width_equals_that_of_scipy():
    low, high = stats.t.interval(0.95, 12, loc=3, scale=2)
    assert half_width(4.0, 12.0) == pytest.approx((high - low) / 2, rel=1e-12)


def test_values_and_intervals_at_peaks_are_those_of_the_maps(tmp_path, effects):
    peaks = [(1, 2, 3), (0, 0, 0), (5, 4, 3)]
    found = read_subject_effects(tmp_path, make_group(tmp_path, effects), peaks)
    assert found is not None
    assert found.subjects == [f"sub-{n:02}" for n in range(1, 8)]
    np.testing.assert_allclose(
        found.at_peaks, [[effect[p] for p in peaks] for effect in effects], rtol=1e-6
    )
    assert found.half_widths is not None
    expected = stats.t.ppf(0.975, DOF) * np.sqrt(np.arange(1, 8))
    np.testing.assert_allclose(found.half_widths, np.tile(expected[:, None], 3), rtol=1e-6)


def test_a_subject_far_from_the_others_is_told_apart(tmp_path, effects):
    effects[4] += 6
    found = read_subject_effects(tmp_path, make_group(tmp_path, effects), [(0, 0, 0)])
    assert found is not None
    assert found.far.tolist() == [False] * 4 + [True] + [False] * 2
    others = np.delete(effects, 4, axis=0).mean(axis=0)
    expected = np.sqrt(((effects[4] - others) ** 2).mean())
    assert found.distances[4] == pytest.approx(expected, rel=1e-5)


def test_maps_of_a_newer_run_are_not_mixed_with_an_older_group(tmp_path, effects):
    group = make_group(tmp_path, effects)
    assert read_subject_effects(tmp_path, group, [(0, 0, 0)]) is not None
    path = next(tmp_path.glob("sub-03/func/*_stat-effect_*.nii.gz"))
    for changed in (effects[2] + 0.01, np.where(effects[2] > 1, np.nan, effects[2])):
        nib.save(nib.Nifti1Image(changed.astype(np.float32), AFFINE), path)
        assert read_subject_effects(tmp_path, group, [(0, 0, 0)]) is None
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), AFFINE), path)
    assert read_subject_effects(tmp_path, group, [(0, 0, 0)]) is None


def test_t_values_that_went_up_have_no_interval(tmp_path, effects):
    found = read_subject_effects(tmp_path, make_group(tmp_path, effects, "t"), [(0, 0, 0)])
    assert found is not None
    assert found.half_widths is None


def test_maps_that_are_gone_are_no_error(tmp_path, effects):
    group = make_group(tmp_path, effects)
    next(tmp_path.glob("sub-03/func/*_stat-variance_*.nii.gz")).unlink()
    assert read_subject_effects(tmp_path, group, [(0, 0, 0)]) is None


def test_coverage_counts_subjects_and_voxels(tmp_path):
    masks = np.ones((4, *SHAPE))
    masks[1, :3] = 0  # half of the voxels, that all others cover
    masks[2, 5, 4, 3] = masks[3, 5, 4, 3] = 0  # covered by half of the subjects
    masks[:, 4, 4, 3] = 0
    for number, mask in enumerate(masks, start=1):
        write(tmp_path / f"sub-{number:02}/func/sub-{number:02}_task-t_mask.nii.gz", mask)
    sources = [f"bids::sub-{n:02}/func/sub-{n:02}_task-t_mask.nii.gz" for n in range(1, 5)]
    found = read_coverage(tmp_path, sources)
    assert found is not None
    assert found.subjects == ["sub-01", "sub-02", "sub-03", "sub-04"]
    np.testing.assert_allclose(found.shares, [1, 59 / 119, 118 / 119, 118 / 119])
    assert found.alone.tolist() == [0, 60, 0, 0]
    assert found.low.tolist() == [False, True, False, False]
    assert read_coverage(tmp_path, []) is None
    assert read_coverage(tmp_path, [*sources, "bids::sub-05/func/sub-05_mask.nii.gz"]) is None
