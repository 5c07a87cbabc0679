"""Input that cannot be analysed is refused before anything is computed or written."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pytest

from twolevel.model.read import presets

if TYPE_CHECKING:
    from pathlib import Path


def problems_of(message: str) -> dict[str, tuple[str, str, str]]:
    """Take a message apart: where, then found, expected, do."""
    blocks = message.strip().split("\n\n")[1:]
    result = {}
    for block in blocks:
        where, *lines = block.splitlines()
        found, expected, remedy = (line.split(":", 1)[1].strip() for line in lines)
        result[where] = (found, expected, remedy)
    return result


def test_an_intact_dataset_is_valid(data, command):
    answer = command("validate", data.root, "-m", "balloon")
    assert answer.status == 0
    assert answer.err == ""
    assert 'All checks passed: 2 subjects, 4 runs, model "balloon".' in answer.out


@pytest.mark.parametrize(
    ("kind", "word", "expected"),
    [
        ("bold", "BOLD image", "*_desc-preproc_bold.nii.gz of this run"),
        ("mask", "mask", "*_desc-brain_mask.nii.gz of this run"),
        ("events", "events", "*_events.tsv of this run in the raw dataset"),
        ("confounds", "confounds", "*_desc-confounds_timeseries.tsv of this run"),
    ],
)
def test_a_missing_file_is_named_with_its_run(data, refused_everywhere, kind, word, expected):
    getattr(data, kind)(2, 1).unlink()
    ((where, (found, wanted, remedy)),) = problems_of(refused_everywhere()).items()
    assert re.fullmatch(f"sub-02 task-balloonanalogrisktask run-0?1: {word}", where)
    assert found == "missing"
    assert wanted.startswith(expected)
    assert "--exclude-participant-label" in remedy
    assert "--allow-missing" in remedy


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_gzip_file_cut_short_is_named(data, own_copy, refused_everywhere, share):
    bold = own_copy(data.bold(1, 2))
    content = bold.read_bytes()
    bold.write_bytes(content[: int(len(content) * share)])
    ((where, (found, expected, remedy)),) = problems_of(refused_everywhere()).items()
    assert where == str(bold)
    assert "damaged gzip data" in found
    assert expected == "an intact file"
    assert "fetch or copy the file again" in remedy


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([0.0, 0.3, 0.95], "2 different numbers beside 0, from 0.3 to 0.95"),
        ([0, 2, 41, 251], "3 different numbers beside 0, from 2 to 251"),
        ([0.2, 0.4], "2 different numbers beside 0, from 0.2 to 0.4"),
    ],
    ids=["probabilities", "segmentation", "without 0"],
)
def test_a_brain_mask_of_several_numbers_is_named(data, refused_everywhere, numbers, found):
    mask = data.mask(2, 1)
    image = nib.load(mask)
    mask.unlink()
    content = np.resize(np.array(numbers, np.float32), image.shape)
    nib.save(nib.Nifti1Image(content, image.affine), mask)
    ((where, (said, expected, remedy)),) = problems_of(refused_everywhere()).items()
    assert where == str(mask)
    assert said == f"{found}: probabilities or labels"
    assert expected == "a mask: 0 and one other number"
    assert "choose a threshold" in remedy


GROUP_MASKS = {
    "probabilities": (np.linspace(0, 1, 7), 1, "6 different numbers beside 0, from 0.166667 to 1"),
    "labels": (np.arange(4.0), 1, "3 different numbers beside 0, from 1 to 3"),
    "empty": (np.zeros(1), 1, "no voxel"),
    "another grid": (np.ones(1), 2, "shape "),
}


@pytest.mark.parametrize(
    ("numbers", "step", "found"), list(GROUP_MASKS.values()), ids=list(GROUP_MASKS)
)
def test_a_group_mask_is_checked_before_the_participant_level(
    data, refused, tmp_path, numbers, step, found
):
    image = nib.load(data.mask(1, 1))
    shape = tuple(n // step for n in image.shape)
    path = tmp_path / "group.nii.gz"
    nib.save(nib.Nifti1Image(np.resize(numbers.astype(np.float32), shape), image.affine), path)
    ((where, (said, _, _)),) = problems_of(refused("--group-mask", path)).items()
    assert where in {str(path), f"--group-mask {path}"}
    assert said.startswith(found)


def test_a_group_mask_is_on_the_grid_of_down_sampled_maps(data, refused, tmp_path):
    image = nib.load(data.mask(1, 1))
    path = tmp_path / "group.nii.gz"
    nib.save(nib.Nifti1Image(np.ones(image.shape, np.uint8), image.affine), path)
    words = ("--group-mask", path, "--downsample", 3)
    ((where, (_, expected, _)),) = problems_of(refused(*words)).items()
    assert where == f"--group-mask {path}"
    assert expected.startswith(f"the grid of the maps: {tuple(-(-n // 3) for n in image.shape)}")


def test_a_mask_on_another_grid_is_named_with_both_grids(data, refused_everywhere):
    mask = data.mask(1, 1)
    image = nib.load(mask)
    numbers = np.asarray(image.dataobj)
    mask.unlink()
    nib.save(nib.Nifti1Image(numbers[:-1], image.affine), mask)
    ((where, (found, expected, _)),) = problems_of(refused_everywhere()).items()
    assert where == f"{mask}: grid"
    x, y, z = image.shape
    assert found.startswith(f"{x - 1} x {y} x {z} voxels")
    assert str(data.bold(1, 1)) in expected
    assert f"{x} x {y} x {z} voxels" in expected


def test_a_mask_in_another_place_is_named_with_both_grids(data, refused_everywhere):
    mask = data.mask(1, 1)
    image = nib.load(mask)
    affine = image.affine.copy()
    affine[0, 3] += 1
    numbers = np.asarray(image.dataobj)
    mask.unlink()
    nib.save(nib.Nifti1Image(numbers, affine), mask)
    ((where, (found, expected, _)),) = problems_of(refused_everywhere()).items()
    assert where == f"{mask}: grid"
    assert found.split("affine")[0] == expected.split(": ")[1].split("affine")[0]
    assert found.split("affine")[1] != expected.split("affine")[1]


def test_repetition_times_that_disagree_are_shown_together(data, own_copy, refused_everywhere):
    sidecar = own_copy(data.sidecar(2, 2))
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "RepetitionTime": 2.3}))
    ((where, (found, _, _)),) = problems_of(refused_everywhere()).items()
    assert where == "repetition time of sub-02 task-balloonanalogrisktask run-2"
    assert f"2.3 s in {sidecar}" in found
    assert f"2 s in {data.root / 'task-balloonanalogrisktask_bold.json'}" in found


def test_a_repetition_time_that_nobody_states_is_asked_for(data, own_copy, refused_everywhere):
    for path in (data.root / "task-balloonanalogrisktask_bold.json", data.sidecar(1, 1)):
        content = json.loads(own_copy(path).read_text())
        path.write_text(json.dumps({k: v for k, v in content.items() if k != "RepetitionTime"}))
    ((_, (found, _, remedy)),) = problems_of(refused_everywhere()).items()
    assert found == "no sidecar with RepetitionTime"
    assert remedy == "write it into a *_bold.json at the root of the raw dataset, for example"


def test_n_a_in_the_duration_of_a_row_that_a_regressor_takes_is_refused_with_its_line(
    data, own_copy, refused_everywhere
):
    events = own_copy(data.events(1, 1))
    lines = [line.split("\t") for line in events.read_text().splitlines()]
    assert lines[0][1] == "duration"
    lines[4][1] = "n/a"
    events.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    ((where, (found, _, _)),) = problems_of(refused_everywhere()).items()
    assert where == f"events: {events}"
    assert found == "no duration in lines 5"


def edited(path: Path, cells: dict[tuple[int, int], str]) -> None:
    """Write other text into cells of a table, by line (the header is 1) and column (from 0)."""
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    for (line, column), text in cells.items():
        lines[line - 1][column] = text
    path.write_text("\n".join("\t".join(line) for line in lines) + "\n")


def test_rows_that_no_regressor_can_take_are_notes_and_no_refusal(data, own_copy, command):
    edited(own_copy(data.events(1, 1)), {(4, 2): "n/a", (6, 0): "n/a", (6, 1): "n/a"})
    edited(own_copy(data.events(2, 1)), {(5, 2): "rest", (5, 1): "n/a"})
    answer = command("validate", data.root, "-m", "balloon")
    assert answer.status == 0, answer.err
    said = " ".join(answer.out.split())
    assert "events with n/a in onset or trial_type are left out: 2 of" in said
    assert "lines 4, 6" in said
    assert "events are in no regressor: levels trial_type.rest (1)" in said


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({(4, 2): " cash_demean"}, 'trial_type " cash_demean" in lines 4'),
        ({(4, 2): "Cash_Demean"}, 'trial_type "Cash_Demean" in lines 4'),
        ({(5, 1): "1200"}, "a duration of 1200 s in a scan of 120 s: lines 5"),
        ({(5, 0): "inf"}, 'no number in column onset: line 5 ("inf")'),
        ({(5, 1): "0,772"}, 'no number in column duration: line 5 ("0,772")'),
    ],
)
def test_events_that_would_give_another_number_are_refused(data, own_copy, command, cells, found):
    edited(own_copy(data.events(1, 1)), cells)
    answer = command("validate", data.root, "-m", "balloon")
    assert answer.status == 3
    ((where, (said, _, _)),) = problems_of(answer.err).items()
    assert (where, said) == (f"events: {data.events(1, 1)}", found)


@pytest.mark.parametrize(
    "content", [b"", b"participant_id,age\nsub-01,3\n", b"a\tb\nsub-01\n", b"\xff\xfea\0"]
)
def test_a_table_of_participants_that_cannot_be_read_is_a_note(data, command, content):
    table = data.root / "participants.tsv"
    table.unlink(missing_ok=True)
    table.write_bytes(content)
    answer = command("validate", data.root, "-m", "balloon")
    assert answer.status == 0, answer.err
    assert "participants.tsv cannot be read; no result depends on it" in answer.out


def test_confounds_of_another_run_length_are_refused(data, own_copy, refused_everywhere):
    confounds = own_copy(data.confounds(1, 1))
    confounds.write_text("".join(confounds.read_text().splitlines(keepends=True)[:-3]))
    ((where, (found, expected, _)),) = problems_of(refused_everywhere()).items()
    assert where == f"confounds: {confounds}"
    assert found == "57 rows"
    assert expected == f"60, one per volume of {data.bold(1, 1)}"


def test_confounds_without_the_columns_of_the_strategy_are_refused(
    data, own_copy, refused_everywhere
):
    confounds = own_copy(data.confounds(1, 1))
    confounds.write_text(confounds.read_text().replace("rot_x", "rotx"))
    ((where, (found, expected, _)),) = problems_of(refused_everywhere()).items()
    assert where == f"confounds: {confounds}"
    assert "rot_x" in found
    assert expected == 'the columns that the strategy "simple" takes, as numbers'


@pytest.mark.parametrize("kind", ["bold", "mask", "events", "confounds"])
@pytest.mark.parametrize("form", ["dangling link", "pointer file"])
def test_a_file_that_is_not_fetched_yet_is_not_called_missing(
    data, refused_everywhere, kind, form
):
    path = getattr(data, kind)(1, 1)
    path.unlink()
    if form == "dangling link":
        path.symlink_to("../../.git/annex/objects/Xx/Yy/MD5E-s1--abc/MD5E-s1--abc")
    else:
        path.write_text("/annex/objects/MD5E-s1--abc\n")
    ((where, (found, _, remedy)),) = problems_of(refused_everywhere()).items()
    assert where == str(path)
    assert found == "not fetched yet: a git-annex file without its content"
    space = " --space MNI152NLin2009cAsym:res-2" if kind in {"bold", "mask"} else ""
    assert remedy == (
        f"get it with: twolevel fetch data {data.root} --participant-label 01 "
        f"--task-id balloonanalogrisktask{space}"
    )


def test_files_that_are_not_fetched_yet_are_one_problem_with_one_command(data, refused_everywhere):
    for path in (data.bold(1, 1), data.bold(2, 2), data.mask(2, 2), data.events(1, 2)):
        path.unlink()
        path.symlink_to("../../.git/annex/objects/Xx/Yy/MD5E-s1--abc/MD5E-s1--abc")
    ((where, (found, _, remedy)),) = problems_of(refused_everywhere()).items()
    assert where == f"{data.bold(1, 1)} and 3 more"
    assert found == "not fetched yet: 4 git-annex files without their content"
    assert remedy == (
        f"get it with: twolevel fetch data {data.root} --participant-label 01 02 "
        "--task-id balloonanalogrisktask --space MNI152NLin2009cAsym:res-2"
    )


def with_a_contrast_on(folder: Path, variable: str) -> Path:
    """Copy the preset and let the contrast `cash` be of something else."""
    model = json.loads(presets()["balloon"].read_text())
    run = model["Nodes"][0]
    (contrast,) = [c for c in run["Contrasts"] if c["Name"] == "cash"]
    contrast["ConditionList"] = [variable]
    for names in (run["Model"]["X"], run["Transformations"]["Instructions"][1]["Input"]):
        names[names.index("trial_type.cash_demean")] = variable
    path = folder / "model.json"
    path.write_text(json.dumps(model))
    return path


def test_a_contrast_on_a_column_that_is_not_there_lists_those_that_are(
    data, refused_everywhere, tmp_path
):
    model = with_a_contrast_on(data.root.parent, "trial_type.cash_demeaned")
    ((where, (found, expected, remedy)),) = problems_of(
        refused_everywhere("--model", model)
    ).items()
    assert where == 'contrast "cash"'
    assert 'no regressor "trial_type.cash_demeaned" in any run' in found
    assert "trial_type.pumps_demean" in expected
    assert 'mean "trial_type.cash_demean"' in remedy
    assert not (tmp_path / "out").exists()


def test_a_contrast_on_what_the_model_does_not_name_is_a_problem_of_the_model(
    data, refused_everywhere
):
    path = with_a_contrast_on(data.root.parent, "trial_type.cash_demean")
    model = json.loads(path.read_text())
    model["Nodes"][0]["Contrasts"][3]["ConditionList"] = ["cash"]
    path.write_text(json.dumps(model))
    ((where, (found, expected, _)),) = problems_of(refused_everywhere("--model", path)).items()
    assert 'contrast "cash"' in where
    assert "cash" in found
    assert "trial_type.cash_demean" in expected


@pytest.mark.parametrize("model", ["ballon", "nowhere.json"])
def test_a_model_that_is_not_there_is_refused_with_the_presets(data, refused_everywhere, model):
    assert data.root.is_dir()
    ((where, (found, expected, _)),) = problems_of(refused_everywhere("--model", model)).items()
    assert where == f"--model {model}"
    assert found == "neither a file nor a preset"
    assert "balloon" in expected


@pytest.mark.parametrize("label", ["03", "sub-03", "1"])
def test_an_unknown_participant_is_refused_with_those_that_are_there(
    data, refused_everywhere, label
):
    assert data.root.is_dir()
    problems = problems_of(refused_everywhere("--participant-label", "01", label))
    (found, expected, _) = problems[f"--participant-label {label.removeprefix('sub-')}"]
    assert found == "no such subject"
    assert expected == "one of: 01, 02"


def test_more_subjects_than_there_are_cannot_be_drawn(data, refused_everywhere):
    assert data.root.is_dir()
    ((where, (found, _, _)),) = problems_of(refused_everywhere("--n-subjects", 3)).items()
    assert where == "--n-subjects 3"
    assert found == "2 subjects"


@pytest.mark.parametrize("choice", [("--participant-label", "02"), ("--n_subjects", "1")])
def test_one_subject_is_too_few_for_a_group(data, refused, choice):
    assert data.root.is_dir()
    ((where, (found, expected, _)),) = problems_of(refused(*choice)).items()
    assert (where, found, expected) == ("group", "1 subject", "at least 2")


def test_a_group_without_subject_maps_is_refused(data, refused, tmp_path):
    assert data.root.is_dir()
    ((where, (found, _, remedy)),) = problems_of(refused(level="group")).items()
    assert where == "group"
    assert found == f"0 subjects in {tmp_path / 'out'}"
    assert "participant level" in remedy


def test_a_group_of_subjects_without_maps_names_each(data, refused):
    assert data.root.is_dir()
    message = refused("--participant-label", "sub-01", "02", level="group")
    assert list(problems_of(message)) == ["sub-01", "sub-02"]


def test_a_dataset_that_is_not_there_is_refused(command, tmp_path):
    answer = command("validate", tmp_path / "nowhere", "-m", "balloon")
    assert answer.status == 3
    assert str(tmp_path / "nowhere") in answer.err


def test_a_task_that_is_not_there_is_refused(data, refused_everywhere):
    message = refused_everywhere("--task-id", "rest")
    ((where, (found, _, remedy)),) = problems_of(message).items()
    assert where == str(data.root)
    assert found.startswith("no run for this selection; there are task: balloonanalogrisktask;")
    assert remedy.startswith("check the labels that you selected")


def test_a_space_that_is_not_there_is_refused_with_those_that_are(data, refused_everywhere):
    assert data.root.is_dir()
    ((where, (found, _, _)),) = problems_of(refused_everywhere("--space", "T1w")).items()
    assert where == "--space"
    assert "MNI152NLin2009cAsym:res-2" in found


# --- where the output goes ----------------


@pytest.mark.parametrize("inside", [".", "out", "sub-01/out", "derivatives"])
def test_an_output_inside_the_raw_data_is_refused(data, refused, inside):
    output = (data.root / inside).resolve()
    ((where, (found, _, remedy)),) = problems_of(refused(output=output)).items()
    assert where == f"OUTPUT_DIR {output}"
    assert found == f"inside the input {data.root}"
    assert remedy == "give another OUTPUT_DIR"


def test_an_output_inside_the_derivatives_that_are_read_is_refused(data, refused):
    output = data.prepared / "out"
    ((_, (found, _, _)),) = problems_of(refused(output=output)).items()
    assert found == f"inside the input {data.prepared}"


def test_an_output_of_its_own_under_derivatives_is_accepted(data, refused, tmp_path):
    data.bold(1, 1).unlink()
    message = refused(output=data.root / "derivatives" / "twolevel")
    (where,) = problems_of(message)
    assert where.endswith(": BOLD image")
    assert not (tmp_path / "data" / "derivatives" / "twolevel").exists()


def test_a_work_directory_inside_the_raw_data_is_refused(data, command, tmp_path):
    work = data.root / "work"
    answer = command("run", data.root, tmp_path / "out", "all", "-m", "balloon", "-w", work)
    assert answer.status == 3
    assert list(problems_of(answer.err)) == [f"--work-dir {work}"]
    assert not work.exists()


def test_an_output_under_a_file_is_refused(data, refused, tmp_path):
    assert data.root.is_dir()
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "out"
    ((where, (found, _, _)),) = problems_of(refused(output=output)).items()
    assert where == f"OUTPUT_DIR {output}"
    assert found == f"{tmp_path / 'file'} is a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_in_a_folder_without_permission_is_refused(data, refused, tmp_path):
    assert data.root.is_dir()
    (tmp_path / "locked").mkdir(mode=0o555)
    message = refused(output=tmp_path / "locked" / "out")
    assert f"{tmp_path / 'locked'} is not writable" in message


def test_an_output_that_another_tool_made_is_refused_and_left_alone(data, refused):
    output = data.root.parent / "out"
    shutil.copytree(data.prepared, output)
    before = sorted(path.relative_to(output) for path in output.rglob("*"))
    ((where, (found, expected, _)),) = problems_of(refused(output=output)).items()
    assert where == f"OUTPUT_DIR {output}"
    assert found == "a dataset that twolevel did not make"
    assert "earlier results of twolevel" in expected
    assert sorted(path.relative_to(output) for path in output.rglob("*")) == before


# --- all at once ----------------


def test_problems_of_several_runs_and_of_the_output_are_listed_together(
    data, own_copy, refused, tmp_path
):
    (tmp_path / "file").write_text("")
    data.mask(1, 1).unlink()
    data.events(1, 2).unlink()
    bold = own_copy(data.bold(2, 1))
    bold.write_bytes(bold.read_bytes()[:-100])
    confounds = own_copy(data.confounds(2, 2))
    confounds.write_text("".join(confounds.read_text().splitlines(keepends=True)[:-1]))
    message = refused(output=tmp_path / "file" / "out")
    assert message.startswith("Refused: 5 problems.")
    assert list(problems_of(message)) == [
        f"OUTPUT_DIR {tmp_path / 'file' / 'out'}",
        "sub-01 task-balloonanalogrisktask run-1: mask",
        "sub-01 task-balloonanalogrisktask run-2: events",
        str(bold),
        f"confounds: {confounds}",
    ]


def test_two_problems_of_one_run_are_listed_together(data, own_copy, refused_everywhere):
    sidecar = own_copy(data.sidecar(1, 1))
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "RepetitionTime": 3}))
    events = own_copy(data.events(1, 1))
    events.write_text(events.read_text().replace("trial_type", "condition"))
    assert list(problems_of(refused_everywhere())) == [
        "repetition time of sub-01 task-balloonanalogrisktask run-1",
        f"events: {events}",
    ]


def test_two_missing_files_of_one_run_are_listed_together(data, refused_everywhere):
    data.bold(1, 1).unlink()
    data.mask(1, 1).unlink()
    assert len(problems_of(refused_everywhere())) == 2


def test_a_traceback_is_shown_with_debug_only(data, command):
    data.mask(1, 1).unlink()
    without = command("validate", data.root, "-m", "balloon")
    with_debug = command("validate", data.root, "-m", "balloon", "--debug")
    assert (without.status, with_debug.status) == (3, 3)
    assert "Traceback" not in without.err
    assert "Traceback" in with_debug.err
    assert with_debug.err.endswith(without.err)


def test_what_a_refusal_says_fits_the_screen_of_a_person(data, refused):
    data.mask(1, 1).unlink()
    message = refused()
    assert not re.search(r"Problem\(|PosixPath|0x[0-9a-f]{6}", message)
