from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from annexed import git
from hypothesis import given, settings
from hypothesis import strategies as st
from model_parts import stage_at

from twolevel.bids.entities import Entities
from twolevel.derivatives.exclusions import (
    EXCLUSION_COLUMNS,
    Exclusion,
    read_exclusions,
    write_exclusions,
)
from twolevel.derivatives.maps import (
    model_record,
    spatial_record,
    write_mask,
    write_statmap,
)
from twolevel.derivatives.publish import linked_datasets, write_dataset_files
from twolevel.model.read import presets, read_model
from twolevel.space.grid import Grid
from twolevel.space.mask import Mask

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
SOURCES = ["bids::sub-01/func/a.nii.gz"]
ENTITIES = Entities({"sub": "01", "task": "x", "space": "MNI", "res": "2"})
words = st.text("abcXYZ 019.,:-", min_size=1).map(str.strip).filter(lambda w: w not in {"", "n/a"})
maybe = st.one_of(st.just(""), words)
exclusions = st.lists(
    st.builds(
        Exclusion,
        kind=st.sampled_from(["volume", "event", "voxel", "contrast", "run", "subject"]),
        reason=words,
        subject=maybe,
        session=maybe,
        run=maybe,
        other=maybe,
        contrast=maybe,
        item=maybe,
        count=st.integers(0, 10**9),
    ),
    max_size=5,
)


@pytest.fixture(scope="module")
def table_path(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("excluded") / "excluded.tsv"
    return path


@settings(deadline=None)
@given(exclusions)
def test_exclusions_are_read_back_as_they_were_written(table_path, rows):
    assert read_exclusions(write_exclusions(table_path, rows)) == rows


def test_labels_of_exclusions_keep_their_zeros(tmp_path):
    row = Exclusion("run", "no cash", subject="01", session="002", run="1", item="3 4")
    (back,) = read_exclusions(write_exclusions(tmp_path / "e.tsv", [row]))
    assert (back.subject, back.session, back.run, back.item) == ("01", "002", "1", "3 4")


def test_what_tells_a_run_apart_beside_its_number_has_a_column(tmp_path):
    run = Entities({"sub": "01", "dir": "AP", "acq": "mb", "task": "x", "run": "01"})
    (back,) = read_exclusions(
        write_exclusions(tmp_path / "e.tsv", [Exclusion.in_run(run, "r", "why")])
    )
    assert (back.run, back.other, back.item) == ("1", "acq-mb dir-AP", "")


def test_a_table_without_exclusions_has_its_header(tmp_path):
    path = write_exclusions(tmp_path / "e.tsv", [])
    assert path.read_text() == "\t".join(EXCLUSION_COLUMNS) + "\n"


def test_what_is_empty_is_written_as_n_a(tmp_path):
    path = write_exclusions(tmp_path / "e.tsv", [Exclusion("voxel", "flat", count=3)])
    assert (
        path.read_text().splitlines()[1]
        == "n/a\tn/a\tn/a\tn/a\tn/a\tn/a\tn/a\tvoxel\tn/a\t3\tflat"
    )


@pytest.mark.parametrize(
    ("entities", "record"),
    [
        ({"task": "x"}, {}),
        ({"res": "2"}, {"Resolution": "voxels of 2 x 2 x 3 mm"}),
        ({"space": "MNI152NLin6Asym"}, {}),
        ({"space": "T1w"}, {"SpatialReference": "bids::a.nii.gz"}),
    ],
)
def test_grid_and_space_are_described_where_the_standard_asks_for_it(entities, record):
    assert (
        spatial_record(
            Entities(entities), Grid((4, 5, 6), AFFINE), ["bids::a.nii.gz", "bids::b.nii.gz"]
        )
        == record
    )


@pytest.fixture
def mask() -> Mask:
    return Mask(Grid((4, 5, 6), AFFINE), np.random.default_rng(0).random((4, 5, 6)) > 0.4)


def test_a_map_holds_its_values_inside_and_nan_outside_the_mask(tmp_path, mask):
    values = np.random.default_rng(1).standard_normal(mask.n_points)
    values[0] = 0
    names = ENTITIES.with_(contrast="cash", stat="t")
    path = write_statmap(tmp_path, names, values, mask, {"Units": "1", "Sources": SOURCES})
    assert path == (
        tmp_path / "sub-01/func/sub-01_task-x_space-MNI_res-2_contrast-cash_stat-t_statmap.nii.gz"
    )
    volume = np.asarray(nib.load(path).dataobj)
    assert volume.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(volume), ~mask.inside)
    np.testing.assert_array_equal(volume[mask.inside], values.astype(np.float32))


def test_the_sidecar_of_a_map_says_what_it_is(tmp_path, mask):
    names = {"task": "x", "res": "2", "contrast": "cash", "stat": "logp", "desc": "tfceFWE"}
    path = write_statmap(
        tmp_path,
        Entities(names),
        np.zeros(mask.n_points),
        mask,
        {"Units": "1", "Sources": SOURCES},
    )
    assert path.parent.name == "group"
    assert path.name == "task-x_res-2_contrast-cash_stat-logp_desc-tfceFWE_statmap.nii.gz"
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert sidecar["StatisticalMap"] == "logp"
    assert sidecar["Description"].startswith("-log10 of the corrected p-value")
    assert sidecar["Resolution"] == "voxels of 2 x 2 x 3 mm"
    assert sidecar["Units"] == "1"


def test_a_mask_and_its_sidecar_agree(tmp_path, mask):
    path = write_mask(
        tmp_path,
        ENTITIES.with_(contrast="cash"),
        mask,
        {"Node": "run", "Sources": SOURCES},
    )
    assert path.name == "sub-01_task-x_space-MNI_res-2_contrast-cash_desc-analysis_mask.nii.gz"
    np.testing.assert_array_equal(np.asarray(nib.load(path).dataobj), mask.inside)
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert sidecar["Type"] == "ROI"
    assert sidecar["NumberOfVoxels"] == mask.n_points
    assert sidecar["Node"] == "run"


def test_the_record_of_a_model_holds_its_node_and_overrides():
    model = read_model(presets()["balloon"])
    record = model_record(stage_at(model, "subject"))
    assert record["Software"]["Name"] == "twolevel"
    assert record["Model"]["Level"] == "subject"
    assert record["Model"]["Overrides"] == {}
    assert record["Model"]["Digest"] != model_record(stage_at(model, "run"))["Model"]["Digest"]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Describe two datasets and an output folder beside them."""
    raw, prepared = tmp_path / "data", tmp_path / "data" / "derivatives" / "fmriprep"
    prepared.mkdir(parents=True)
    (raw / "dataset_description.json").write_text(
        '{"DatasetDOI": "doi:10.1/abc", "DatasetType": "raw", '
        '"GeneratedBy": [{"Name": "dcm2bids"}]}'
    )
    (prepared / "dataset_description.json").write_text(
        '{"DatasetType": "derivative", "GeneratedBy": '
        '[{"Name": "fMRIPrep", "Version": "21.0.1", "CodeURL": "x"}, "by hand"]}'
    )
    git(raw, "init", "--quiet")
    git(raw, "remote", "add", "origin", "https://user:secret@example.org/ds.git")
    git(raw, "commit", "--quiet", "--allow-empty", "--message", "a version")
    write_dataset_files(tmp_path / "out", {"raw": raw, "fmriprep": prepared})
    return tmp_path / "out"


def test_the_dataset_is_described_as_a_derivative_of_its_sources(published, tmp_path):
    commit = git(tmp_path / "data", "rev-parse", "HEAD").strip()
    description = json.loads((published / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "twolevel"
    assert description["SourceDatasets"] == [
        {"URL": "https://example.org/ds.git", "DOI": "doi:10.1/abc", "Version": commit},
        {
            "URL": "../data/derivatives/fmriprep",
            "GeneratedBy": [{"Name": "fMRIPrep", "Version": "21.0.1"}],
        },
    ]
    assert description["DatasetLinks"] == {
        "raw": "../data",
        "fmriprep": "../data/derivatives/fmriprep",
    }
    assert "**/*_statmap.*" in (published / ".bidsignore").read_text().splitlines()


def test_no_file_of_the_dataset_holds_a_path_of_this_machine(published, tmp_path):
    files = [path for path in published.rglob("*") if path.is_file()]
    assert len(files) == 3
    for path in files:
        assert str(tmp_path) not in path.read_text(), path.name


def describe(out: Path, root: Path, name: str, version: str = "1") -> None:
    (root / name).mkdir(parents=True, exist_ok=True)
    made = {"DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep", "Version": version}]}
    (root / name / "dataset_description.json").write_text(json.dumps(made))
    write_dataset_files(out, linked_datasets(out, root / "raw", [root / name]))


def description_of(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "dataset_description.json").read_text())
    return content


def test_sources_of_an_earlier_call_stay_and_none_is_named_twice(tmp_path):
    out = tmp_path / "out"
    (tmp_path / "raw").mkdir()
    for name in ("a", "b", "a"):
        describe(out, tmp_path, name)
    assert [s["URL"] for s in description_of(out)["SourceDatasets"]] == ["../b", "../raw", "../a"]
    links = {"raw": "../raw", "a": "../a", "b": "../b"}
    assert description_of(out)["DatasetLinks"] == links


def test_a_name_means_one_dataset_unless_that_was_moved_away(tmp_path):
    out = tmp_path / "out"
    (tmp_path / "raw").mkdir()
    describe(out, tmp_path, "one/fmriprep")
    describe(out, tmp_path, "two/fmriprep")
    links = {"raw": "../raw", "fmriprep": "../one/fmriprep", "fmriprep2": "../two/fmriprep"}
    assert description_of(out)["DatasetLinks"] == links
    (tmp_path / "one").rename(tmp_path / "three")
    describe(out, tmp_path, "three/fmriprep")
    assert description_of(out)["DatasetLinks"]["fmriprep"] == "../three/fmriprep"


@pytest.mark.parametrize("name", ["README", "README.md", "readme.txt"])
def test_a_readme_of_the_users_stays(tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    (out / ".bidsignore").write_text("mine/\ngroup")
    write_dataset_files(out, {})
    write_dataset_files(out, {})
    assert (out / name).read_text() == "mine"
    assert (out / "README").exists() == (name == "README")
    lines = (out / ".bidsignore").read_text().splitlines()
    assert lines[:2] == ["mine/", "group"]
    assert len(set(lines)) == len(lines)
    assert "**/*_statmap.*" in lines
