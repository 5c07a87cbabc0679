"""Known truth is recovered, and real data give what nilearn gives."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from command import PLAIN, analyse, call
from nilearn.glm.contrasts import compute_fixed_effects
from nilearn.glm.first_level import FirstLevelModel, make_first_level_design_matrix


def test_demo_finds_every_planted_region_of_the_pumps_contrast(tmp_path: Path):
    text = call("demo", tmp_path / "demo", *PLAIN)
    assert str(tmp_path / "demo" / "results" / "group") in text
    truth = tmp_path / "demo" / "data" / "derivatives" / "truth" / "group"
    (table,) = truth.glob("*_regions.tsv")
    (labels_path,) = truth.glob("*_dseg.nii.gz")
    (effect_path,) = truth.glob("*_contrast-pumpsMinusControl_desc-truth_statmap.nii.gz")
    labels, effect = nib.load(labels_path).get_fdata(), nib.load(effect_path).get_fdata()
    regions = pd.read_csv(table, sep="\t")
    stem = "*_contrast-pumpsMinusControl"
    group = tmp_path / "demo" / "results" / "group"
    maps = {
        name: nib.load(next(group.glob(f"{stem}_stat-{name}_statmap.nii.gz"))).get_fdata()
        for name in ("logp_desc-permutationFWE", "z_desc-fdr", "z")
    }
    planted = [index for index in regions["index"] if effect[labels == index].any()]
    assert len(planted) >= 6
    for index in planted:
        inside = labels == index
        sign = np.sign(effect[inside][0])
        assert np.nanmax(maps["logp_desc-permutationFWE"][inside]) >= -np.log10(0.05)
        assert np.sign(maps["z_desc-fdr"][inside]).sum() == sign * np.count_nonzero(
            maps["z_desc-fdr"][inside]
        )
        assert np.count_nonzero(maps["z_desc-fdr"][inside]) >= 0.5 * inside.sum()
    # Far from every region, the family-wise test finds nothing: 12 mm is beyond the smoothing.
    far = nib.load(labels_path)
    centres = regions[["x", "y", "z"]].to_numpy()
    places = np.argwhere(np.isfinite(maps["z"]))
    mm = places @ far.affine[:3, :3].T + far.affine[:3, 3]
    distance = np.min(
        np.linalg.norm(mm[:, None] - centres[None], axis=2) - regions["radius"].max(), axis=1
    )
    values = maps["logp_desc-permutationFWE"][tuple(places[distance > 12].T)]
    assert values.size > 5000
    assert values.max() < -np.log10(0.05)


@pytest.mark.filterwarnings("ignore:.*Generation of a mask has been requested")
def test_haxby_house_minus_face_equals_nilearn(shared: Path, tmp_path: Path):
    data = shared / "haxby-25mm"
    model = Path(__file__).parents[1] / "models" / "haxby_smdl.json"
    output_dir = tmp_path / "out"
    analyse(data, output_dir, "participant", model=model)
    func = output_dir / "sub-1" / "func"
    stem = "sub-1_task-objectviewing_space-T1w"
    (mask_path,) = func.glob(f"{stem}_desc-analysis_mask.nii.gz")
    effects, variances, dofs = [], [], []
    for run in range(1, 13):
        prefix = (
            data
            / "derivatives"
            / "fmriprep"
            / "sub-1"
            / "func"
            / f"sub-1_task-objectviewing_run-{run}"
        )
        events = pd.read_csv(
            data / "sub-1" / "func" / f"sub-1_task-objectviewing_run-{run:02d}_events.tsv",
            sep="\t",
        )
        confounds = pd.read_csv(f"{prefix}_desc-confounds_timeseries.tsv", sep="\t")
        frame_times = np.arange(121) * 2.5
        design = make_first_level_design_matrix(
            frame_times,
            events,
            hrf_model="glover",
            drift_model="cosine",
            high_pass=1 / 128,
            add_regs=confounds,
        )
        fitted = FirstLevelModel(mask_img=str(mask_path), minimize_memory=False).fit(
            f"{prefix}_space-T1w_desc-preproc_bold.nii.gz", design_matrices=design
        )
        result = fitted.compute_contrast("house - face", output_type="all")
        effects.append(result["effect_size"])
        variances.append(result["effect_variance"])
        dofs.append(len(frame_times) - design.shape[1])
    reference = compute_fixed_effects(effects, variances, str(mask_path), dofs=dofs)
    inside = nib.load(mask_path).get_fdata() > 0
    for stat, image in zip(("effect", "variance", "t", "z"), reference, strict=True):
        path = func / f"{stem}_contrast-houseMinusFace_stat-{stat}_statmap.nii.gz"
        ours = nib.load(path).get_fdata()[inside]
        theirs = image.get_fdata()[inside]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())
    z = nib.load(func / f"{stem}_contrast-houseMinusFace_stat-z_statmap.nii.gz").get_fdata()
    assert np.nanmax(z) > 6
