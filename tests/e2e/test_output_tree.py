"""What lies in the output directory."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from command import NOTHING_DRAWN, PLAIN, Analysis, call, contents

MANIFEST = Path(__file__).with_name("manifest.txt")


def test_tree_equals_the_committed_manifest(analysed: Analysis):
    there = sorted(
        path.relative_to(analysed.output_dir).as_posix()
        for path in analysed.output_dir.rglob("*")
        if path.is_file() and path.parent.name != "logs"
    )
    assert there == MANIFEST.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("which", ["results", "data"])
def test_validator_finds_no_error(analysed: Analysis, dataset: Path, which: str):
    validator = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent))
    assert validator, "bids-validator-deno is among the test requirements"
    folder = analysed.output_dir if which == "results" else dataset
    answer = subprocess.run(
        [validator, "--format", "json", str(folder)], capture_output=True, text=True, check=False
    )
    issues = json.loads(answer.stdout)["issues"]["issues"]
    errors = [issue for issue in issues if issue["severity"] == "error"]
    assert errors == []
    assert answer.returncode == 0


def test_every_map_and_table_has_a_sidecar_that_says_what_it_is(analysed: Analysis):
    maps = [
        path
        for path in analysed.output_dir.rglob("*")
        if re.search(
            r"_(statmap|mask|design|quality|clusters|null|tests)\.(nii\.gz|tsv)$", path.name
        )
    ]
    assert len(maps) > 100
    for path in maps:
        sidecar = json.loads(Path(re.sub(r"\.(nii\.gz|tsv)$", ".json", str(path))).read_text())
        assert sidecar["Description"]
        assert sidecar["Software"]["Name"] == "twolevel"
        assert sidecar["Model"]["Name"] == "balloon"
        if path.name.endswith("_statmap.nii.gz"):
            needed = {"Units", "DegreesOfFreedom", "SmoothingFWHM", "Sources"}
            needed |= {"Contrast"} if "_contrast-" in path.name else set()
            assert needed <= set(sidecar), path.name
            assert sidecar["SmoothingFWHM"] == 5.0
            assert all(uri.startswith("bids:") for uri in sidecar["Sources"])


def test_sources_name_files_that_exist(analysed: Analysis, dataset: Path):
    roots = {
        "raw": dataset,
        "fmriprep": dataset / "derivatives" / "fmriprep",
        "": analysed.output_dir,
    }
    checked = 0
    for path in analysed.output_dir.rglob("*_statmap.json"):
        for uri in json.loads(path.read_text())["Sources"]:
            _, name, relative = uri.split(":", 2)
            assert (roots[name] / relative).is_file(), uri
            checked += 1
    assert checked > 100


def test_no_table_or_sidecar_holds_a_path_of_the_machine(analysed: Analysis, dataset: Path):
    for path in analysed.output_dir.rglob("*"):
        if path.suffix in {".json", ".tsv"} and path.parent.name != "logs":
            assert str(dataset.parent) not in path.read_text(encoding="utf-8"), path


def test_maps_are_nan_outside_the_mask_and_finite_inside(analysed: Analysis):
    group = analysed.output_dir / "group"
    (mask_path,) = [
        p for p in group.glob("*_desc-analysis_mask.nii.gz") if "contrast" not in p.name
    ]
    mask = nib.load(mask_path).get_fdata() > 0
    maps = list(group.glob("*_statmap.nii.gz"))
    assert len(maps) == 5 * (5 + 9 + 2)
    for path in maps:
        data = nib.load(path).get_fdata()
        assert np.array_equal(np.isfinite(data), mask), path.name


def test_control_minus_pumps_is_the_negative_of_pumps_minus_control(analysed: Analysis):
    for folder in (analysed.output_dir / "group", analysed.output_dir / "sub-01" / "func"):
        for path in folder.glob("*_contrast-pumpsMinusControl_stat-*_statmap.nii.gz"):
            stat = re.search(r"stat-([a-z]+)", path.name)
            assert stat is not None
            if "_desc-" in path.name or stat[1] in {"p", "variance"}:
                continue
            other = path.with_name(path.name.replace("pumpsMinusControl", "controlMinusPumps"))
            np.testing.assert_allclose(
                nib.load(path).get_fdata(), -nib.load(other).get_fdata(), rtol=1e-5, atol=1e-6
            )


def test_tests_table_has_a_row_for_each_contrast_and_test(analysed: Analysis):
    (path,) = (analysed.output_dir / "group").glob("*_tests.tsv")
    table = pd.read_csv(path, sep="\t", na_values="n/a")
    assert len(table) == 5 * 9
    assert set(table["sides"]) == {2}
    permuted = ("permutationFWE", "clusterSizeFWE", "clusterMassFWE", "tfceFWE")
    permutation = table[table["test"].isin(permuted)]
    assert len(permutation) == 5 * 4
    assert set(permutation["n_permutations"]) == {2**3}
    np.testing.assert_allclose(permutation["smallest_attainable_p"], 2 / 2**3, rtol=1e-12)
    for row in table.itertuples():
        (clusters,) = path.parent.glob(f"*_contrast-{row.contrast}_desc-{row.test}_clusters.tsv")
        found = pd.read_csv(clusters, sep="\t", na_values="n/a")
        assert len(found) == row.n_clusters
        assert found["n_voxels"].sum() == row.n_voxels


def test_the_null_distribution_gives_the_corrected_p(analysed: Analysis):
    group = analysed.output_dir / "group"
    (null,) = group.glob("*_contrast-pumps_desc-permutation_null.tsv")
    table = pd.read_csv(null, sep="\t")
    assert list(table["permutation"]) == list(range(1, 9))
    for column, stat, test in (
        ("largest_t", "t", "permutationFWE"),
        ("largest_tfce", "tfce", "tfceFWE"),
    ):
        (values,) = group.glob(f"*_contrast-pumps_stat-{stat}_statmap.nii.gz")
        (logp,) = group.glob(f"*_contrast-pumps_stat-logp_desc-{test}_statmap.nii.gz")
        observed = np.abs(nib.load(values).get_fdata())
        inside = np.isfinite(observed)
        largest = table[column].to_numpy()
        p = (largest >= observed[inside][:, None] * (1 - 1e-6)).mean(axis=1)
        np.testing.assert_allclose(
            nib.load(logp).get_fdata()[inside], -np.log10(p), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("how", [("--nprocs", "1"), ("--worker", "debug")])
def test_same_bytes_whatever_the_number_of_processes(
    dataset: Path, analysed: Analysis, tmp_path: Path, how: tuple[str, str]
):
    # The links to the source datasets are relative: the outputs must lie equally deep.
    output_dir = analysed.output_dir.with_name(f"results{how[1]}")
    words = ["run", dataset, output_dir, "all", "-m", "balloon", "-w", tmp_path / "work"]
    call(*words, *NOTHING_DRAWN, *how)
    assert contents(output_dir) == contents(analysed.output_dir)


def test_parallel_participant_calls_and_then_group_equal_all(
    dataset: Path, analysed: Analysis, tmp_path: Path
):
    output_dir = analysed.output_dir.with_name("results-apart")
    common = [
        "run",
        str(dataset),
        str(output_dir),
        "participant",
        "-m",
        "balloon",
        *NOTHING_DRAWN,
        "--nprocs",
        "1",
    ]
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "twolevel",
                *common,
                "-w",
                str(tmp_path / f"w{i}"),
                "--participant-label",
                *labels,
            ],
            stdout=subprocess.DEVNULL,
        )
        for i, labels in enumerate((["01"], ["02", "sub-03"]))
    ]
    assert [process.wait() for process in processes] == [0, 0]
    assert not (output_dir / "group").exists()
    words = ["run", dataset, output_dir, "group", "-m", "balloon", "-w", tmp_path / "w0"]
    call(*words, *PLAIN)
    assert contents(output_dir) == contents(analysed.output_dir)
