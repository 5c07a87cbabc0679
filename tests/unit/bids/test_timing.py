from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from twolevel.bids.entities import Entities
from twolevel.bids.run_inputs import (
    ASSUMED,
    STATED,
    UNKNOWN,
    RunSpec,
    dataset_links,
    gather,
    read_timing,
    source_uri,
    start_time_source,
)
from twolevel.bids.runs import RunFiles
from twolevel.errors import InputError
from twolevel.files.nifti import write_image
from twolevel.files.sidecars import write_json

if TYPE_CHECKING:
    from pathlib import Path

ENTITIES = Entities({"sub": "01", "task": "x", "run": "1", "space": "MNI", "res": "2"})


@pytest.fixture
def run(tmp_path: Path):
    """Make a run from what raw sidecars, derivative sidecars and the header say."""

    def run(
        raw: list[dict[str, Any]],
        prepared: list[dict[str, Any]],
        in_header: float | None = None,
        units: str = "sec",
    ) -> RunFiles:
        files = RunFiles(
            ENTITIES,
            raw_sidecars=[write_json(tmp_path / f"raw{i}.json", c) for i, c in enumerate(raw)],
            derivative_sidecars=[
                write_json(tmp_path / f"prepared{i}.json", c) for i, c in enumerate(prepared)
            ],
        )
        if in_header is not None:
            files.bold = header_that_says(tmp_path / "bold.nii", in_header, units)
        return files

    return run


def header_that_says(path: Path, repetition_time: float, units: str) -> Path:
    data = np.zeros((2, 2, 2, 3), np.int16)
    write_image(path, data, np.eye(4), repetition_time=repetition_time)
    content = bytearray(path.read_bytes())
    content[123] = 2 | {"sec": 8, "msec": 16, "unknown": 0}[units]  # xyzt_units of NIfTI-1
    path.write_bytes(content)
    return path


def tr(value: float) -> dict[str, Any]:
    return {"RepetitionTime": value}


def refusal(files: RunFiles):
    with pytest.raises(InputError) as caught:
        read_timing(files)
    (problem,) = caught.value.problems
    assert problem.where == "repetition time of sub-01 task-x run-1"
    return problem


@pytest.mark.parametrize(
    ("raw", "prepared"),
    [([tr(2.0)], []), ([], [tr(2.0)]), ([tr(2.0)], [tr(2.0)]), ([tr(2.0004)], [tr(2.0)])],
)
def test_the_repetition_time_is_what_the_sidecars_agree_on(run, raw, prepared):
    repetition_time, start_time = read_timing(run(raw, prepared))
    assert repetition_time == 2.0
    assert start_time == 0.0


def test_the_sidecar_closest_to_the_image_wins(run):
    assert read_timing(run([tr(3.0), tr(2.0)], []))[0] == 2.0
    assert read_timing(run([], [tr(3.0), {"SkullStripped": True}, tr(2.5)]))[0] == 2.5


def test_raw_and_derivative_sidecars_that_disagree_are_refused_with_both(run, tmp_path):
    problem = refusal(run([tr(2.3)], [tr(2.0)]))
    assert problem.found == (
        f"2.3 s in {tmp_path / 'raw0.json'}; 2 s in {tmp_path / 'prepared0.json'}"
    )
    assert problem.expected == "statements that agree within 0.001 s"


@pytest.mark.parametrize(("difference", "accepted"), [(0.0009, True), (0.0012, False)])
def test_sidecars_agree_within_a_millisecond(run, difference, accepted):
    files = run([tr(2.0 + difference)], [tr(2.0)])
    if accepted:
        assert read_timing(files)[0] == 2.0
    else:
        refusal(files)


@pytest.mark.parametrize("in_header", [0.0, 1.0, 2.0, 2.0009])
def test_a_header_of_0_or_1_or_the_same_is_no_contradiction(run, in_header):
    assert read_timing(run([tr(2.0)], [tr(2.0)], in_header))[0] == 2.0


def test_a_header_that_says_something_else_is_refused_with_both(run, tmp_path):
    problem = refusal(run([tr(2.0)], [tr(2.0)], 2.3))
    assert problem.found == (
        f"2 s in {tmp_path / 'raw0.json'}; 2 s in {tmp_path / 'prepared0.json'}; "
        f"2.3 s in the header of {tmp_path / 'bold.nii'}"
    )


def test_a_header_in_milliseconds_is_compared_in_seconds(run):
    assert read_timing(run([tr(2.0)], [], 2000.0, "msec"))[0] == 2.0
    assert "2.3 s in the header" in refusal(run([tr(2.0)], [], 2300.0, "msec")).found


def test_a_repetition_time_that_nobody_states_is_refused(run):
    problem = refusal(run([{"TaskName": "x"}], [{"SkullStripped": True}], 2.0))
    assert problem.found == "no sidecar with RepetitionTime"
    assert "*_bold.json" in problem.expected


@pytest.mark.parametrize("value", [0.0, -2.0])
def test_a_repetition_time_that_is_not_positive_is_refused(run, tmp_path, value):
    problem = refusal(run([], [tr(value)]))
    assert problem.found == f"{value:g} s in {tmp_path / 'prepared0.json'}"
    assert (problem.expected, problem.remedy) == (
        "seconds, more than 0 and less than 100",
        "correct it",
    )


@pytest.mark.parametrize(
    ("raw", "prepared", "found", "seconds"),
    [
        ([tr(2000)], [tr(2.0)], "2000 s in raw0.json", "2"),
        ([], [tr(720.0)], "720 s in prepared0.json", "0.72"),
        ([tr(1490)], [tr(1490)], "1490 s in raw0.json; 1490 s in prepared0.json", "1.49"),
    ],
)
def test_a_repetition_time_in_milliseconds_is_refused(
    run, tmp_path, raw, prepared, found, seconds
):
    problem = refusal(run(raw, prepared))
    assert problem.found.replace(f"{tmp_path}/", "") == found
    assert problem.remedy == f"write {seconds}, if these are milliseconds"


@pytest.mark.parametrize(
    ("raw", "prepared"), [(1.499, 1.5), (1.5, 1.501), (0.8, 0.801), (2.001, 2.0), (0.72, 0.721)]
)
def test_a_millisecond_is_a_millisecond_in_binary_numbers_too(run, raw, prepared):
    assert read_timing(run([tr(raw)], [tr(prepared)]))[0] == prepared
    refusal(run([tr(raw)], [tr(prepared + (prepared - raw) * 0.01)]))


@pytest.mark.parametrize(
    ("in_header", "units", "accepted"),
    [
        (2000.0, "unknown", True),
        (2.0, "unknown", True),
        (1000.0, "unknown", True),  # as 1 s: what converters leave
        (2300.0, "unknown", False),
        (2.3, "unknown", False),
        (2000.0, "sec", False),
    ],
)
def test_a_header_without_a_unit_may_mean_milliseconds(run, in_header, units, accepted):
    files = run([tr(2.0)], [], in_header, units)
    if accepted:
        assert read_timing(files)[0] == 2.0
    else:
        assert "in the header of" in refusal(files).found


@pytest.mark.parametrize(
    ("raw", "prepared", "stating"),
    [
        ([{"VolumeTiming": [0, 10, 20]}], [], ["raw0.json"]),
        ([tr(2.0), {"VolumeTiming": [0, 2, 5]}], [tr(2.0)], ["raw1.json"]),
        (
            [{"VolumeTiming": [0]}],
            [{"VolumeTiming": [0], **tr(2)}],
            ["raw0.json", "prepared0.json"],
        ),
    ],
)
def test_volumes_with_times_of_their_own_are_refused(run, tmp_path, raw, prepared, stating):
    with pytest.raises(InputError) as caught:
        read_timing(run(raw, prepared))
    (problem,) = caught.value.problems
    assert problem.where == "timing of sub-01 task-x run-1"
    listed = ", ".join(str(tmp_path / name) for name in stating)
    assert problem.found == f"VolumeTiming, a time for each volume, in {listed}"
    assert "RepetitionTime" not in str(problem)
    assert problem.remedy == (
        "leave the run out: sparse and irregular acquisitions are not modelled"
    )


@pytest.mark.parametrize(
    ("prepared", "start_time", "source"),
    [
        ([{**tr(3.0), "SliceTimingCorrected": True}], 1.5, ASSUMED),
        ([{"SliceTimingCorrected": True}, tr(0.72)], 0.36, ASSUMED),
        ([{"SliceTimingCorrected": True}, {**tr(2), "SliceTimingCorrected": False}], 0, UNKNOWN),
        ([{**tr(2.0), "SliceTimingCorrected": False}], 0.0, UNKNOWN),
        ([tr(2.0)], 0.0, UNKNOWN),
        ([{**tr(2.0), "SliceTimingCorrected": True, "StartTime": 0.0}], 0.0, STATED),
        ([{"StartTime": 0.95}, {**tr(2.0), "SliceTimingCorrected": True}], 0.95, STATED),
    ],
)
def test_slices_that_were_shifted_stand_for_the_middle_of_the_repetition_time(
    run, prepared, start_time, source
):
    # Raw sidecars say when slices were acquired, not that they were shifted.
    files = run([{"SliceTiming": [0, 1], "SliceTimingCorrected": True}], prepared)
    assert read_timing(files)[1] == pytest.approx(start_time, abs=1e-12)
    assert start_time_source(files) == source


def test_slice_timing_that_is_neither_true_nor_false_is_refused(run, tmp_path):
    with pytest.raises(InputError) as caught:
        read_timing(run([], [{**tr(2.0), "SliceTimingCorrected": "yes"}]))
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path / 'prepared0.json'}: SliceTimingCorrected"
    assert (problem.found, problem.expected) == ("'yes'", "true or false")


def test_the_start_time_of_the_derivatives_is_used(run):
    files = run([{**tr(2.0), "StartTime": 9.0}], [{**tr(2.0), "StartTime": 0.95}])
    assert read_timing(files) == (2.0, 0.95)


def test_the_start_time_of_the_raw_data_is_not_that_of_the_prepared(run):
    assert read_timing(run([{**tr(2.0), "StartTime": 9.0}], [tr(2.0)])) == (2.0, 0.0)


def test_the_start_time_closest_to_the_image_wins(run):
    files = run([], [{**tr(2.0), "StartTime": 0.5}, {"StartTime": 0.25}])
    assert read_timing(files)[1] == 0.25


def test_links_name_each_dataset_once(tmp_path):
    raw, a, b = tmp_path, tmp_path / "derivatives" / "fmriprep-23", tmp_path / "x" / "fmriprep23"
    assert dataset_links(raw, [a, b]) == {"raw": raw, "fmriprep23": a, "fmriprep232": b}
    assert set(dataset_links(raw, [tmp_path / "raw", tmp_path / "---"])) == {
        "raw",
        "raw2",
        "derivatives",
    }


def test_the_uri_of_a_file_is_that_of_the_innermost_dataset(tmp_path):
    links = dataset_links(tmp_path, [tmp_path / "derivatives" / "fmriprep"])
    inside = tmp_path / "derivatives" / "fmriprep" / "sub-01" / "func" / "a_bold.nii.gz"
    assert source_uri(inside, links) == "bids:fmriprep:sub-01/func/a_bold.nii.gz"
    assert source_uri(tmp_path / "task-x_bold.json", links) == "bids:raw:task-x_bold.json"


def test_inputs_of_a_run_point_to_the_content_and_name_their_sources(run, tmp_path):
    files = run([tr(2.0)], [], 2.0)
    content = tmp_path / ".git" / "annex" / "objects" / "MD5E-s1--abc.nii"
    content.parent.mkdir(parents=True)
    files.bold = files.bold.rename(content)
    link = tmp_path / "sub-01" / "func" / "sub-01_bold.nii"
    link.parent.mkdir(parents=True)
    link.symlink_to(content)
    files.bold = files.mask = files.events = files.confounds = link
    inputs = gather(files, 2.0, 0.5, {"raw": tmp_path}, confounds=False, downsample=2)
    assert inputs.files == dict.fromkeys(("bold", "mask", "events"), content.resolve())
    assert inputs.spec.n_volumes == 3
    assert (inputs.spec.repetition_time, inputs.spec.start_time) == (2.0, 0.5)
    assert inputs.spec.entities == {**ENTITIES, "res": "2down2"}
    assert inputs.spec.sources == (
        *["bids:raw:sub-01/func/sub-01_bold.nii"] * 3,
        "bids:raw:raw0.json",
    )
    assert inputs.spec.name == "sub-01 run-1"


@pytest.mark.parametrize(
    ("entities", "name"),
    [
        ({"sub": "01", "ses": "a", "task": "x", "run": "01"}, "sub-01 ses-a run-1"),
        ({"sub": "01", "task": "x", "dir": "AP", "space": "T1w"}, "sub-01 dir-AP"),
        (
            {"sub": "01", "acq": "mb", "dir": "PA", "run": "2", "echo": "1"},
            "sub-01 acq-mb dir-PA run-2 echo-1",
        ),
    ],
)
def test_the_name_of_a_run_holds_what_tells_it_apart(entities, name):
    assert RunSpec(Entities(entities), 2.0, 0.0, 10, ()).name == name
