"""Metadata that is broken, missing or not fetched: refused by name, never an internal error."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from model_parts import stage_at

from twolevel.bids.confounds import read_confounds
from twolevel.bids.events import read_events
from twolevel.cli.main import main
from twolevel.errors import AnalysisError, InputError
from twolevel.files.nifti import check_length, read_header, write_image
from twolevel.files.tables import read_tsv
from twolevel.model.read import presets, read_model
from twolevel.tasks.fitted_run import fit_image

FUNC = "derivatives/fmriprep/sub-01/func"
POINTER = "/annex/objects/MD5E-s100--0123456789abcdef0123456789abcdef.json\n"


@pytest.fixture
def root(data) -> Path:
    """The dataset, to be spoiled."""
    return Path(data.root)


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert main([str(word) for word in words]) == 3
    return capsys.readouterr().err


def detach(path: Path) -> Path:
    """Remove a file that may be a hard link shared with other tests."""
    path.unlink()
    return path


@pytest.mark.parametrize("how", ["link", "pointer"])
@pytest.mark.parametrize(
    "pattern",
    [
        "task-*_bold.json",
        f"{FUNC}/*run-1*_desc-preproc_bold.json",
        f"{FUNC}/*run-1*_desc-confounds_timeseries.json",
        "derivatives/fmriprep/dataset_description.json",
    ],
)
def test_metadata_that_is_not_fetched_is_named_once(root, capsys, pattern, how):
    (path,) = root.glob(pattern)
    detach(path)
    if how == "link":
        path.symlink_to("../.git/annex/objects/xx/yy/key/key")
    else:
        path.write_text(POINTER, encoding="utf-8")
    text = refused(capsys, "validate", root, "-m", "balloon")
    assert "not fetched yet" in text
    assert text.count(f"\n{path}\n") == 1


@pytest.mark.parametrize("value", ["n/a", None, [2.0], True])
def test_a_repetition_time_that_is_no_number_is_named(root, capsys, value):
    (path,) = root.glob("task-*_bold.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    detach(path).write_text(json.dumps({**content, "RepetitionTime": value}), encoding="utf-8")
    text = refused(capsys, "validate", root, "-m", "balloon")
    assert f"{path}: RepetitionTime\n  found:    {value!r}" in text


def test_an_unreadable_image_is_listed_once(root, capsys):
    (path,) = root.glob(f"{FUNC}/*run-1*_desc-preproc_bold.nii.gz")
    content = path.read_bytes()
    detach(path).write_bytes(content[:30])
    text = refused(capsys, "validate", root, "-m", "balloon")
    assert "Refused: 1 problem." in text
    assert f"{path}\n  found:    no readable image: its header is damaged or cut short" in text


def test_problems_of_files_and_of_the_model_are_listed_together(root, capsys, tmp_path):
    preset = json.loads(
        (Path(__file__).parents[2] / "src/twolevel/model/presets/balloon_smdl.json").read_text()
    )
    node = preset["Nodes"][0]
    node["Model"]["X"].append("trial_type.cahs")
    node["Contrasts"][3]["ConditionList"] = ["trial_type.cahs"]
    model = tmp_path / "model.json"
    model.write_text(json.dumps(preset), encoding="utf-8")
    (mask,) = root.glob(f"{FUNC}/*run-1*_desc-brain_mask.nii.gz")
    mask.unlink()
    text = refused(capsys, "validate", root, "-m", model)
    assert "sub-01 task-balloonanalogrisktask run-1: mask\n  found:    missing" in text
    assert 'no regressor "trial_type.cahs" in any run' in text
    assert 'Did you mean "trial_type.cash_demean"?' in text


def test_an_output_folder_of_an_unknown_maker_is_refused(root, capsys, tmp_path):
    output_dir = tmp_path / "out"
    output_dir.mkdir()
    description = output_dir / "dataset_description.json"
    description.write_text(json.dumps({"GeneratedBy": {"Name": "x"}}), encoding="utf-8")
    words = ["run", root, output_dir, "all", "-m", "balloon", "-w", tmp_path / "work"]
    assert "a dataset that twolevel did not make" in refused(capsys, *words)


@pytest.mark.parametrize("missing", [["csf"], ["white_matter"], ["trans_x_derivative1"]])
def test_a_strategy_without_its_columns_is_refused(root, missing):
    (path,) = root.glob(f"{FUNC}/*run-1*_desc-confounds_timeseries.tsv")
    table = pd.read_csv(path, sep="\t").drop(columns=missing)
    table.to_csv(detach(path), sep="\t", index=False, na_rep="n/a")
    with pytest.raises(InputError, match=r'the columns that the strategy "simple" takes'):
        read_confounds(path, strategy="simple")


def test_a_confound_that_is_not_there_is_refused(root):
    (path,) = root.glob(f"{FUNC}/*run-1*_desc-confounds_timeseries.tsv")
    with pytest.raises(InputError, match="no column nope"):
        read_confounds(path, names=["nope", "csf"])


@pytest.mark.parametrize(("place", "value"), [(70, 7), (43, 255), (42, 0), (123, 7), (110, 255)])
def test_a_damaged_header_is_an_input_error(tmp_path, place, value):
    path = write_image(tmp_path / "x.nii", np.zeros((3, 4, 5, 6), np.float32), np.eye(4))
    content = bytearray(path.read_bytes())
    content[place] = value
    path.write_bytes(content)
    with pytest.raises(InputError):
        check_length(path)


def test_a_sound_header_is_read(tmp_path):
    path = write_image(
        tmp_path / "x.nii", np.zeros((3, 4, 5, 6), np.float32), np.eye(4), repetition_time=2.5
    )
    header = read_header(path)
    assert (header.shape, header.repetition_time) == (nib.load(path).shape, 2.5)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("1.0\t2.0\t", "an empty cell in column trial_type: lines 3"),
        ("inf\t2.0\ta", r'no number in column onset: line 3 \("inf"\)'),
        ("1.0\t-inf\ta", r'no number in column duration: line 3 \("-inf"\)'),
    ],
)
def test_events_without_a_usable_value_are_refused(tmp_path, row, found):
    path = tmp_path / "x_events.tsv"
    path.write_text(f"onset\tduration\ttrial_type\n0.5\t1.0\tb\n{row}\n", encoding="utf-8")
    with pytest.raises(InputError, match=found):
        read_events(path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\tb\n1\t2\t\n3\t4\n", "other numbers of fields in lines 2 (3)"),
        ("a\tb\n1\t2\n3\n", "other numbers of fields in lines 3 (1)"),
        ("a,b\n1,2\n", "a header without tabs"),
    ],
)
def test_a_table_whose_columns_would_be_shifted_is_refused(tmp_path, text, found):
    path = tmp_path / "x.tsv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_tsv(path)
    (problem,) = caught.value.problems
    assert problem.found == found


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_of_another_system_is_read(tmp_path, line_end, mark):
    path = tmp_path / "x.tsv"
    path.write_bytes(f"{mark}a\tb{line_end}1\tn/a{line_end}".encode())
    table = read_tsv(path)
    assert list(table) == ["a", "b"]
    assert table["a"].tolist() == [1]
    assert table["b"].isna().tolist() == [True]


@pytest.mark.parametrize(
    ("old", "new"), [("run-01_events.tsv", "run-1_events.tsv"), ("run-1_", "run-01_")]
)
def test_two_files_for_one_run_are_refused(root, capsys, old, new):
    folder = root / "sub-01" / "func" if "events" in old else root / FUNC
    for path in list(folder.glob(f"*{old}*")):
        path.with_name(path.name.replace(old, new)).write_bytes(path.read_bytes())
    text = refused(capsys, "validate", root, "-m", "balloon")
    assert "sub-01 task-balloonanalogrisktask run-1" in text
    assert "two files: " in text


def test_masks_without_a_voxel_in_common_are_refused(root, capsys):
    paths = sorted(root.glob(f"{FUNC}/*_desc-brain_mask.nii.gz"))
    image = nib.load(paths[0])
    for number, path in enumerate(paths):
        mask = np.zeros(image.shape, np.uint8)
        mask[5 * number + 2] = 1
        write_image(detach(path), mask, image.affine)
    text = refused(capsys, "validate", root, "-m", "balloon")
    assert "no voxel that all of them cover" in text


@pytest.mark.parametrize("downsample", [(), ("--downsample", "50")])
def test_a_mask_without_a_voxel_is_refused(root, capsys, downsample):
    if not downsample:
        for path in root.glob(f"{FUNC}/*run-1_*_desc-brain_mask.nii.gz"):
            image = nib.load(path)
            affine = image.affine
            write_image(detach(path), np.zeros(image.shape, np.uint8), affine)
    text = refused(capsys, "validate", root, "-m", "balloon", *downsample)
    assert "found:    no voxel" in text


def test_a_pattern_that_fits_nothing_is_a_note(root, capsys, tmp_path):
    preset = Path(__file__).parents[2] / "src/twolevel/model/presets/balloon_smdl.json"
    content = json.loads(preset.read_text(encoding="utf-8"))
    content["Nodes"][0]["Model"]["X"].append("nope_*")
    model = tmp_path / "model.json"
    model.write_text(json.dumps(content), encoding="utf-8")
    assert main(["validate", str(root), "-m", str(model)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert 'model: X names "nope_*": no run has a variable of that pattern' in said


def test_a_work_directory_inside_the_results_is_refused(root, capsys, tmp_path):
    words = ["run", root, tmp_path / "out", "all", "-m", "balloon", "-w", tmp_path / "out" / "w"]
    assert "inside OUTPUT_DIR" in refused(capsys, *words)
    assert not (tmp_path / "out").exists()


def test_data_without_their_mean_are_refused(tmp_path):
    stage = stage_at(read_model(presets()["balloon"]), "run")
    data = np.random.default_rng(0).normal(size=(1, 2, 2, 20)).astype(np.float32)
    files = {
        "bold": write_image(
            tmp_path / "bold.nii", data - data.mean(axis=3, keepdims=True), np.eye(4)
        ),
        "mask": write_image(tmp_path / "mask.nii", np.ones((1, 2, 2), bool), np.eye(4)),
    }
    design = pd.DataFrame({"constant": np.ones(20)}), np.arange(20)
    with pytest.raises(AnalysisError, match=r"in the median of 4 voxels, .* they look demeaned"):
        fit_image(stage, files, design)
