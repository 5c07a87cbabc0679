"""Options that change numbers, through the command line."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from command import SMALL, Analysis, analyse, call
from nilearn.glm.first_level import FirstLevelModel
from scipy import stats

PUMPS = "contrast-pumps"


def subject_map(folder: Path, stat: str, contrast: str = PUMPS) -> Path:
    (path,) = folder.glob(
        f"sub-01/func/sub-01_task-balloonanalogrisktask_space-*_{contrast}_stat-{stat}_statmap.nii.gz"
    )
    return path


@pytest.fixture(scope="module")
def runner(dataset: Path, tmp_path_factory: pytest.TempPathFactory):
    """Run the participant level of one subject with some options."""
    folder = tmp_path_factory.mktemp("options")

    def run(name: str, *options: str | Path) -> Path:
        analyse(dataset, folder / name, "participant", "--participant-label", "01", *options)
        return folder / name

    return run


def test_all_runs_in_one_model_equal_one_model_per_run(runner, small: Analysis):
    at_once = runner("multi", "--first-level", "multi-run")
    assert list(at_once.glob("sub-01/func/*run-1*_contrast-*_statmap.nii.gz")) == []
    assert len(list(at_once.glob("sub-01/func/*run-*_design.tsv"))) == 2
    for stat in ("effect", "variance", "t", "z"):
        ours = nib.load(subject_map(at_once, stat)).get_fdata()
        per_run = nib.load(subject_map(small.output_dir, stat)).get_fdata()
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(per_run))
        np.testing.assert_allclose(ours, per_run, rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*Generation of a mask has been requested")
def test_fixed_effects_equal_nilearn_with_all_runs_in_one_model(dataset: Path, small: Analysis):
    func = dataset / "derivatives" / "fmriprep" / "sub-01" / "func"
    images = sorted(map(str, func.glob("*_desc-preproc_bold.nii.gz")))
    (mask,) = small.output_dir.glob(
        "sub-01/func/sub-01_task-balloonanalogrisktask_space-*_res-2_desc-analysis_mask.nii.gz"
    )
    tables = sorted(small.output_dir.glob("sub-01/func/*run-*_design.tsv"))
    designs, kept = [], []
    for table in tables:
        sidecar = json.loads(table.with_suffix(".json").read_text())
        rows = sorted(set(range(sidecar["NumberOfVolumes"])) - set(sidecar["VolumesLeftOut"]))
        design = pd.read_csv(table, sep="\t")
        whole = pd.DataFrame(0.0, index=range(sidecar["NumberOfVolumes"]), columns=design.columns)
        whole.iloc[rows] = design.to_numpy()
        designs.append(whole)
        kept.append(np.array(rows))
    model = FirstLevelModel(mask_img=str(mask), smoothing_fwhm=5, minimize_memory=False)
    model.fit(images, design_matrices=designs, sample_masks=kept)
    vector = [(np.array(d.columns) == "trial_type.pumps_demean").astype(float) for d in designs]
    theirs = model.compute_contrast(vector, output_type="all")
    names = {"effect": "effect_size", "variance": "effect_variance", "t": "stat", "z": "z_score"}
    inside = nib.load(mask).get_fdata() > 0
    for stat, name in names.items():
        ours = nib.load(subject_map(small.output_dir, stat)).get_fdata()[inside]
        reference = theirs[name].get_fdata()[inside]
        apart = np.abs(ours - reference) / np.maximum(np.abs(reference), np.median(np.abs(ours)))
        # nilearn scales in single precision; a voxel whose noise coefficient lies on the edge of
        # a bin may fall into the next one.
        assert np.quantile(apart, 0.999) < 1e-4
        assert (apart > 1e-3).sum() <= 2


def test_downsampling_takes_every_second_voxel_and_scales_the_affine(runner, dataset: Path):
    output_dir = runner("down", "--downsample", "2", "--smoothing-fwhm", "0")
    (path,) = output_dir.glob("sub-01/func/*_run-1_*_res-2down2_desc-analysis_mask.nii.gz")
    small = nib.load(path)
    (bold,) = dataset.glob("derivatives/fmriprep/sub-01/func/*run-1*_desc-preproc_bold.nii.gz")
    image = nib.load(bold)
    assert small.shape == tuple(-(-n // 2) for n in image.shape[:3])
    np.testing.assert_allclose(small.affine[:3, :3], 2 * image.affine[:3, :3], rtol=1e-6)
    np.testing.assert_allclose(small.affine[:3, 3], image.affine[:3, 3], rtol=1e-6)


def test_overriding_options_are_recorded(runner):
    output_dir = runner("precise", "--fixed-effects", "precision", "--smoothing-fwhm", "8")
    sidecar = json.loads(
        Path(str(subject_map(output_dir, "effect")).replace(".nii.gz", ".json")).read_text()
    )
    assert sidecar["FixedEffects"] == "precision"
    assert sidecar["SmoothingFWHM"] == 8.0
    assert sidecar["Model"]["Overrides"] == {"fixed_effects": "precision"}
    (of_run,) = output_dir.glob("sub-01/func/*run-1_*_contrast-pumps_stat-effect_statmap.json")
    assert json.loads(of_run.read_text())["Model"]["Overrides"] == {"smoothing_fwhm_mm": 8.0}


def test_group_refuses_maps_made_with_other_settings(copied: tuple[Path, Analysis]):
    data, analysis = copied
    words = ["--participant-label", "02", "--smoothing-fwhm", "7"]
    analyse(data, analysis.output_dir, "participant", *words)
    text = analyse(data, analysis.output_dir, "group", status=3)
    assert "sub-02" in text
    assert "smoothing 7 mm" in text
    assert "sub-01" not in text


def test_a_drawn_sample_is_seeded_and_recorded(dataset: Path, tmp_path: Path):
    drawn = []
    for number, seed in enumerate(("3", "3", "4", "5", "6")):
        output_dir = tmp_path / f"drawn{number}"
        words = ["--n-subjects", "1", "--random-seed", seed, "--run-label", "1"]
        analyse(dataset, output_dir, "participant", *words)
        drawn.append([path.name for path in output_dir.glob("sub-*")])
    assert drawn[0] == drawn[1]
    assert len({name for (name,) in drawn}) > 1


def test_a_group_mask_limits_the_group(copied: tuple[Path, Analysis]):
    data, analysis = copied
    (path,) = analysis.output_dir.glob("group/*res-2_desc-analysis_mask.nii.gz")
    mask = nib.load(path)
    half = mask.get_fdata().copy()
    half[: half.shape[0] // 2] = 0
    limit = analysis.work_dir / "half.nii.gz"
    nib.Nifti1Image(half.astype(np.uint8), mask.affine).to_filename(limit)
    analyse(data, analysis.output_dir, "group", "--group-mask", limit)
    call("report", analysis.output_dir)
    assert np.array_equal(nib.load(path).get_fdata(), half)
    (z,) = analysis.output_dir.glob("group/*_contrast-pumps_stat-z_statmap.nii.gz")
    assert np.array_equal(np.isfinite(nib.load(z).get_fdata()), half > 0)
    assert "in the voxels of half.nii.gz that all subjects cover" in (
        analysis.output_dir / "report.html"
    ).read_text(encoding="utf-8")


def test_nilearns_engine_gives_the_same_maps(runner, small: Analysis):
    theirs = runner("nilearn", "--engine", "nilearn")
    for stat in ("effect", "variance"):
        ours = nib.load(subject_map(small.output_dir, stat)).get_fdata()
        reference = nib.load(subject_map(theirs, stat)).get_fdata()
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(reference))
        inside = np.isfinite(ours)
        apart = np.abs(ours - reference)[inside] / np.median(np.abs(ours[inside]))
        assert np.quantile(apart, 0.999) < 1e-4
    (sidecar,) = theirs.glob("sub-01/func/*run-1_*_contrast-pumps_stat-effect_statmap.json")
    assert json.loads(sidecar.read_text())["Model"]["Overrides"] == {"engine": "nilearn"}
    nilearns, own = (
        pd.read_csv(next(folder.glob("sub-01/func/*run-1_*_desc-run_quality.tsv")), sep="\t")
        for folder in (theirs, small.output_dir)
    )
    pd.testing.assert_frame_equal(nilearns, own, rtol=1e-4, atol=1e-5)


def test_noise_of_second_order_depends_on_the_seed_only(runner, tmp_path: Path):
    model = json.loads(SMALL.read_text())
    model["Nodes"][0]["Model"]["Software"]["twolevel"]["NoiseModel"] = "ar2"
    path = tmp_path / "ar2.json"
    path.write_text(json.dumps(model))
    maps = {}
    for name, words in {
        "one": ("--omp-nthreads", "1"),
        "three": ("--omp-nthreads", "3", "--clean-work-dir"),
        "seed": ("--random-seed", "5"),
    }.items():
        folder = runner(name, "-m", path, "--run-label", "1", *words)
        maps[name] = subject_map(folder, "effect").read_bytes()
        assert len(list(folder.glob("sub-01/func/*run-1_*_stat-ar[12]_statmap.nii.gz"))) == 2
    assert maps["one"] == maps["three"] != maps["seed"]


def test_threads_and_memory_change_no_byte(runner, small: Analysis):
    words = ("--omp-nthreads", "4", "--mem-gb", "0.6", "--clean-work-dir")
    folder = runner("resources", *words)
    for stat in ("effect", "variance", "t", "z"):
        ours = subject_map(folder, stat).read_bytes()
        assert ours == subject_map(small.output_dir, stat).read_bytes()


def test_too_little_memory_for_the_processes_is_refused(dataset: Path, tmp_path: Path):
    words = ["run", dataset, tmp_path / "out", "participant", "-m", "balloon"]
    words += ["-w", tmp_path / "work", "--nprocs", "4", "--mem-gb", "1"]
    text = call(*words, status=3)
    assert "--mem-gb 1" in text
    assert "2 GB or more for so many" in text


def test_another_error_rate_leaves_the_permutations_alone(copied: tuple[Path, Analysis]):
    data, analysis = copied
    analyse(data, analysis.output_dir, "group", "--alpha", "0.3")
    assert jobs_of("PermuteGroup", analysis.output_dir) == {"cached": 2}
    words = ["--alpha", "0.3", "--cluster-forming-p", "0.01", "--connectivity", "26"]
    analyse(data, analysis.output_dir, "group", *words)
    assert jobs_of("PermuteGroup", analysis.output_dir) == {"running": 2, "done": 2}
    (sidecar,) = analysis.output_dir.glob(
        "group/*pumps_stat-logp_desc-clusterSizeFWE_statmap.json"
    )
    record = json.loads(sidecar.read_text())
    assert (record["ClusterFormingP"], record["Connectivity"]) == (0.01, 26)
    assert record["ClusterFormingThreshold"] == pytest.approx(stats.t.isf(0.005, 2), rel=1e-12)


def jobs_of(task: str, output_dir: Path) -> dict[str, int]:
    """Count the events of a task in the latest log, by their status."""
    log = max(output_dir.glob("logs/*.log"), key=lambda path: path.stat().st_mtime_ns)
    found = re.findall(rf"  {task} of \w+: (\w+)", log.read_text())
    return dict(Counter(found))


def test_a_tail_that_cannot_be_fitted_leaves_p_as_they_are(copied: tuple[Path, Analysis]):
    """Eight flips are too few for a tail: the same maps, and nothing says otherwise."""
    data, analysis = copied
    (path,) = analysis.output_dir.glob("group/*-pumps_stat-logp_desc-tfceFWE_statmap.nii.gz")
    before = path.read_bytes()
    analyse(data, analysis.output_dir, "group", "--tail", "gpd")
    assert path.read_bytes() == before
    record = json.loads(Path(str(path).replace(".nii.gz", ".json")).read_text())
    assert record["Tail"] is None
    assert "tail fitted" not in record["Controls"]
    (design,) = analysis.output_dir.glob("group/*_design.json")
    assert json.loads(design.read_text())["Settings"]["tail"] == "gpd"
