from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from model_parts import stage_at

from twolevel.bids.entities import Entities
from twolevel.bids.units import MapName
from twolevel.checks.maps import find_subject_maps
from twolevel.derivatives.maps import model_record, write_mask, write_statmap
from twolevel.derivatives.records import Publication, record_failure
from twolevel.errors import InputError
from twolevel.files.nifti import write_image
from twolevel.files.sidecars import write_json
from twolevel.model.nodes import Edge, Scope
from twolevel.model.override import override
from twolevel.model.read import presets, read_model
from twolevel.model.stages import stage_of
from twolevel.space.grid import Grid
from twolevel.space.mask import Mask

if TYPE_CHECKING:
    from twolevel.checks.maps import GroupInputs
    from twolevel.errors import Problem
    from twolevel.model.nodes import Node, StatsModel

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
SHAPE = (3, 4, 5)
LABELS = ("pumpsMinusControl", "controlMinusPumps", "pumps", "cash", "explode")


@pytest.fixture(scope="module")
def model() -> StatsModel:
    return read_model(presets()["balloon"])


class Output:
    """Subject maps as the participant level writes them."""

    def __init__(self, root: Path, model: StatsModel) -> None:
        self.root, self.model = root, model

    def write(
        self,
        subject: str,
        *,
        affine: np.ndarray = AFFINE,
        shape: tuple[int, int, int] = SHAPE,
        model: StatsModel | None = None,
        labels: tuple[str, ...] = LABELS,
        version: str | None = None,
        n_runs: int = 1,
        node: Node | None = None,
        **entities: str,
    ) -> None:
        given = {"sub": subject, "task": "x", "space": "MNI", **entities}
        names = Entities({key: value for key, value in given.items() if value})
        record: dict[str, Any] = {
            "SmoothingFWHM": 5.0,
            "Sources": ["bids::sub-01/func/a.nii.gz"],
            "NumberOfRuns": n_runs,
            **model_record(
                stage_of(self.model, node) if node else stage_at(model or self.model, "subject")
            ),
        }
        if version is not None:
            record["Software"]["Version"] = version
        mask = Mask(Grid(shape, affine), np.ones(shape, bool))
        write_mask(self.root, names, mask, record)
        for label in labels:
            for stat in ("effect", "variance", "t", "z"):
                write_statmap(
                    self.root,
                    names.with_(contrast=label, stat=stat),
                    np.zeros(mask.n_points),
                    mask,
                    record,
                )

    def find(self, **options: Any) -> GroupInputs:
        return find_subject_maps(self.root, self.model, **options)

    def problems(self, **options: Any) -> tuple[Problem, ...]:
        with pytest.raises(InputError) as caught:
            self.find(**options)
        return caught.value.problems


@pytest.fixture
def output(tmp_path: Path, model: StatsModel) -> Output:
    output = Output(tmp_path / "out", model)
    output.write("01")
    output.write("02")
    return output


def maps_of(found: GroupInputs) -> dict[str, dict[MapName, dict[str, Path]]]:
    (part,) = found.parts
    return {
        unit.contrast.label: {name: part.files[name] for name in unit.inputs}
        for unit in part.units
        if unit.contrast is not None
    }


def test_maps_and_masks_of_every_subject_are_found(output):
    found = output.find()
    assert found.subjects == ("01", "02")
    assert found.entities == {"task": "x", "space": "MNI"}
    assert set(maps_of(found)) == set(LABELS)
    for label, maps in maps_of(found).items():
        assert [m.entities["sub"] for m in maps] == ["01", "02"]
        for m, files in maps.items():
            names = m.entities.with_(contrast=label, stat="effect")
            assert files["map"].name == names.path("statmap", ".nii.gz").name
            assert files["mask"] == found.parts[0].masks[m.entities["sub"]]


@pytest.mark.parametrize("stat", ["t", "z"])
def test_the_map_that_goes_up_is_the_one_the_model_asks_for(output, model, stat):
    output.model = override(model, {"group_input": stat})
    maps = maps_of(output.find())["cash"].values()
    assert len(maps) == 2
    assert all(f"_stat-{stat}_" in files["map"].name for files in maps)


def test_maps_of_single_runs_are_not_taken(output):
    output.write("01", run="1")
    output.write("03", run="1")
    found = output.find()
    assert found.subjects == ("01", "02")
    assert all(
        "_run-" not in files["map"].name
        for maps in maps_of(found).values()
        for files in maps.values()
    )


def test_a_subject_without_a_contrast_is_left_out_of_it(output):
    output.write("03", labels=tuple(label for label in LABELS if label != "cash"))
    found = output.find()
    assert found.subjects == ("01", "02", "03")
    assert [m.entities["sub"] for m in maps_of(found)["cash"]] == ["01", "02"]
    assert [m.entities["sub"] for m in maps_of(found)["pumps"]] == ["01", "02", "03"]


def test_a_group_without_a_map_of_any_contrast_is_refused(tmp_path, model):
    output = Output(tmp_path / "out", model)
    for subject in ("01", "02"):
        output.write(subject, labels=())
    (problem,) = output.problems()
    assert problem.found == f"no subject in {output.root} has a map of any contrast of the model"
    assert "excluded.tsv" in problem.remedy


def test_a_contrast_with_a_mask_of_its_own_uses_it(output):
    names = Entities({"sub": "01", "task": "x", "space": "MNI", "contrast": "cash"})
    empty = Mask(Grid(SHAPE, AFFINE), np.zeros(SHAPE, bool))
    own = write_mask(output.root, names, empty, {"Sources": [""]})
    first, second = maps_of(output.find())["cash"].values()
    assert first["mask"] == own
    assert second["mask"] == output.find().parts[0].masks["02"]
    assert all(files["mask"] != own for files in maps_of(output.find())["pumps"].values())


def test_subjects_that_are_named_alone_are_taken(output):
    output.write("03")
    assert output.find(subjects=["01", "03"]).subjects == ("01", "03")


def test_subjects_that_are_not_there_are_all_named(output):
    problems = output.problems(subjects=["01", "02", "07", "08"])
    assert [p.where for p in problems] == ["sub-07", "sub-08"]
    assert str(output.root) in problems[0].found
    assert (
        problems[0].remedy
        == "run the participant level for it, or give --allow-missing to leave it out"
    )


@pytest.mark.parametrize("subjects", [["01"], None])
def test_fewer_than_two_subjects_are_refused(tmp_path, model, subjects):
    output = Output(tmp_path / "out", model)
    output.write("01")
    (problem,) = output.problems(subjects=subjects)
    assert problem.where == "group"
    assert problem.found == f"1 subject in {output.root}"
    assert problem.expected == "at least 2"


def test_an_output_directory_that_is_not_there_has_no_subject(tmp_path, model):
    (problem,) = Output(tmp_path / "nowhere", model).problems()
    assert problem.found == f"0 subjects in {tmp_path / 'nowhere'}"


def test_maps_made_with_other_settings_are_refused_by_name(output, model):
    output.write("02", model=override(model, {"smoothing_fwhm_mm": 8.0}))
    problems = output.problems()
    (problem,) = problems
    assert Path(problem.where).name.startswith("sub-02")
    assert problem.where.endswith(f"(and {len(LABELS)} more)")  # the mask, every map that goes up
    assert 'made with other settings of model "balloon"' in problems[0].found
    assert "smoothing 5 mm" in problems[0].found
    assert stage_at(model, "subject").digest in problems[0].expected
    assert "run the participant level again" in problems[0].remedy


def test_settings_of_the_group_do_not_concern_the_subjects(output, model):
    output.model = override(model, {"n_perm": 50, "alpha": 0.01, "sides": 1})
    assert output.find().subjects == ("01", "02")


def test_subjects_with_other_numbers_of_runs_are_noted(output):
    assert output.find().notes == ()
    output.write("02", n_runs=3)
    (note,) = output.find().notes
    assert note.what.endswith("different numbers of runs")
    assert note.detail == "1: sub-01; 3: sub-02"


def test_maps_of_another_version_are_refused_by_name(output):
    output.write("02", version="0.0.1")
    problems = output.problems()
    assert {Path(p.where).name[:6] for p in problems} == {"sub-02"}
    assert problems[0].found == "made by twolevel 0.0.1"


@pytest.mark.parametrize(
    "grid",
    [{"shape": (3, 4, 6)}, {"affine": np.diag([4.0, 4.0, 3.9, 1.0])}],
    ids=["shape", "affine"],
)
def test_maps_on_another_grid_are_refused_by_name(output, grid):
    output.write("02", **grid)
    problems = output.problems()
    (problem,) = problems
    assert Path(problem.where).name.startswith("sub-02")
    assert problem.where.endswith(f"(and {len(LABELS)} more)")
    assert problems[0].found.startswith("grid (3, 4, ")
    assert problems[0].expected.startswith("that of sub-01_task-x_space-MNI_desc-analysis_mask")


def test_everything_that_does_not_match_is_listed_at_once(output, model):
    output.write("02", version="0.0.1", model=override(model, {"downsample": 2}))
    output.write("03", shape=(9, 9, 9))
    problems = output.problems()
    assert {Path(p.where).name[:6] for p in problems} == {"sub-02", "sub-03"}
    found = " ".join(p.found for p in problems)
    for words in ("made by twolevel 0.0.1", "made with other settings", "grid (9, 9, 9)"):
        assert words in found


def test_two_spaces_are_refused_until_one_is_chosen(output):
    for subject in ("01", "02"):
        output.write(subject, space="MNI2")
    problems = output.problems()
    assert [p.where for p in problems] == ["sub-01", "sub-02"]
    assert "choose with --task-id, --space" in problems[0].remedy
    assert output.find(wanted={"space": "MNI2"}).entities == {"task": "x", "space": "MNI2"}


@pytest.mark.parametrize("space", ["T1w", "individual", "func", "boldref", "fsnative"])
def test_spaces_of_single_heads_are_refused(tmp_path, model, space):
    output = Output(tmp_path / "out", model)
    output.write("01", space=space)
    output.write("02", space=space)
    (problem,) = output.problems(without_space=True)
    assert problem.found == f"maps in the space {space} of single heads"


def test_maps_without_a_space_are_taken_where_they_are_said_to_be_in_a_common_one(tmp_path, model):
    output = Output(tmp_path / "out", model)
    output.write("01", space="")
    output.write("02", space="")
    (problem,) = output.problems()
    assert problem.found == "maps without a space"
    assert "--space none" in problem.remedy
    assert output.find(without_space=True).subjects == ("01", "02")


def fail(
    output: Output,
    subject: str,
    *,
    kind: dict[str, str] | None = None,
    scope: Scope | None = None,
) -> None:
    selection = (scope or output.model.scope).record
    planned = Publication(
        f"sub-{subject}", Entities(kind or {"task": "x", "space": "MNI"}), selection
    )
    record_failure(output.root, planned, "disk full\nmore of it")


def test_a_subject_whose_latest_attempt_failed_is_not_taken_from_an_earlier_one(output):
    output.write("03")
    fail(output, "02")
    (problem,) = output.problems()
    assert problem.where == "sub-02"
    assert problem.found == (
        "its latest attempt at the participant level failed (disk full more of it); "
        "its maps are of an earlier one"
    )
    assert "--allow-missing" in problem.remedy
    found = output.find(allow_missing=True)
    assert found.subjects == ("01", "03")
    assert found.left_out == {"02": "failed at the participant level; the log says why"}


def test_a_failure_of_another_task_does_not_concern_the_group(output):
    fail(output, "02", kind={"task": "y", "space": "MNI"})
    assert output.find(wanted={"task": "x"}).subjects == ("01", "02")


def test_a_failure_of_another_selection_does_not_concern_the_group(output):
    fail(output, "02", scope=Scope('{"run": ["1"]}'))
    assert output.find().subjects == ("01", "02")


@pytest.mark.parametrize("made_by", ["fMRIPrep 1", "fMRIPrep 2"])
def test_a_failure_counts_whatever_the_derivatives_where_these_are_not_known(output, made_by):
    fail(output, "02", scope=Scope("{}", (made_by,)))
    assert [p.where for p in output.problems()] == ["sub-02"]


def test_subjects_are_named_in_order(output):
    for number in range(10, 30):
        fail(output, str(number))
    expected = [f"sub-{number}" for number in range(10, 30)]
    assert [p.where for p in output.problems()] == expected
    assert [f"sub-{s}" for s in output.find(allow_missing=True).left_out] == expected


@pytest.mark.parametrize(
    "content",
    [
        {"Software": {"Veriion": "0"}, "Model": 5},
        {"Software": {"Version": ".0"}, "Model": {"Digest": "x"}},
        {"Software": 5, "Model": {"Digest": ";"}, "Selection": {}},
        {"Software": {"Version": "0"}, "Model": {}, "Selection": {"Asked": 3}},
        {"Software": [], "Model": [], "Selection": []},
    ],
)
def test_a_sidecar_that_is_damaged_is_named(output, content):
    for sidecar in output.root.glob("sub-02/func/*.json"):
        write_json(sidecar, content)
    (problem,) = output.problems()
    assert "sub-02" in problem.where
    assert problem.remedy == "run the participant level again for this subject"


def test_a_subject_that_failed_and_never_had_maps_is_named(output):
    fail(output, "09")
    assert [p.where for p in output.problems()] == ["sub-09"]
    assert output.find(allow_missing=True).left_out.keys() == {"09"}


def test_subjects_without_maps_are_left_out_where_that_is_allowed(output):
    found = output.find(subjects=["01", "02", "07"], allow_missing=True)
    assert found.subjects == ("01", "02")
    assert found.left_out == {"07": "no maps of this subject"}


def scoped(model: StatsModel, asked: dict[str, list[str]], *derivatives: str) -> StatsModel:
    return replace(model, scope=Scope(json.dumps(asked, sort_keys=True), derivatives))


@pytest.mark.parametrize(
    ("made", "wanted", "words"),
    [
        ({"session": ["pre"]}, {}, "made of session pre, all runs (fMRIPrep 23.1.3)"),
        ({}, {"session": ["pre"]}, "made of all sessions, all runs (fMRIPrep 23.1.3)"),
        ({"run": ["1"]}, {"run": ["2"]}, "made of run 1, all sessions (fMRIPrep 23.1.3)"),
        ({"acquisition": ["mb"]}, {}, "made of acquisition mb, all sessions, all runs"),
    ],
)
def test_maps_of_another_selection_are_refused(tmp_path, model, made, wanted, words):
    output = Output(tmp_path / "out", scoped(model, wanted))
    for subject in ("01", "02"):
        output.write(subject, model=scoped(model, made, "fMRIPrep 23.1.3"))
    problems = output.problems()
    assert {Path(p.where.split()[0]).name[:6] for p in problems} == {"sub-01", "sub-02"}
    assert all(words in p.found for p in problems)


def test_the_task_may_be_left_to_the_names(tmp_path, model):
    output = Output(tmp_path / "out", scoped(model, {}))
    for subject in ("01", "02"):
        output.write(subject, model=scoped(model, {"task": ["x"]}, "fMRIPrep 1"))
    found = output.find()
    assert found.subjects == ("01", "02")
    assert found.scope == Scope('{"task": ["x"]}', ("fMRIPrep 1",))  # what the group is made of
    output.model = scoped(model, {"task": ["y"]})
    assert len(output.problems()) == 2


def test_maps_of_another_version_of_the_derivatives_are_refused(tmp_path, model):
    output = Output(tmp_path / "out", model)
    for subject, version in (("01", "23.1.3"), ("02", "23.1.3"), ("03", "24.0.0")):
        output.write(subject, model=scoped(model, {}, f"fMRIPrep {version}"))
    (problem,) = output.problems()
    assert "sub-03" in problem.where
    assert "(fMRIPrep 24.0.0)" in problem.found
    assert "(fMRIPrep 23.1.3)" in problem.expected


def test_maps_that_do_not_say_what_they_are_made_of_are_refused(output):
    for sidecar in output.root.glob("sub-02/func/*.json"):
        content = json.loads(sidecar.read_text())
        del content["Selection"]
        write_json(sidecar, content)
    (problem,) = output.problems()
    assert "without Software, Model and Selection" in problem.found


def test_a_model_without_a_group_is_refused(output, model):
    output.model = replace(model, nodes=model.nodes[:2])
    (problem,) = output.problems()
    assert problem.found == "no Dataset node"


@pytest.mark.parametrize("shape", [(3, 4, 6), (4, 4, 5)])
def test_a_group_mask_on_another_grid_is_refused(output, tmp_path, shape):
    path = write_image(tmp_path / "mask.nii.gz", np.ones(shape, np.uint8), AFFINE)
    (problem,) = output.problems(group_mask=path)
    assert problem.where == f"--group-mask {path}"
    assert problem.remedy == "resample the mask to the grid of the maps"


@pytest.mark.parametrize("numbers", [[0, 0.2, 1], [0, 1, 2, 3], [0.1, 0.9]])
def test_a_group_mask_of_probabilities_or_labels_is_refused(output, tmp_path, numbers):
    data = np.resize(np.array(numbers, np.float32), SHAPE)
    path = write_image(tmp_path / "mask.nii.gz", data, AFFINE)
    (problem,) = output.problems(group_mask=path)
    assert problem.where == str(path)
    assert "different numbers beside 0, from" in problem.found
    assert "choose a threshold and make a mask of it" in problem.remedy


def test_a_group_mask_on_the_same_grid_is_accepted(output, tmp_path):
    path = write_image(tmp_path / "mask.nii.gz", np.ones(SHAPE, np.uint8), AFFINE)
    assert output.find(group_mask=path) == output.find()


def test_the_digest_is_read_from_the_sidecar(output):
    (sidecar,) = output.root.glob("sub-01/func/*_contrast-cash_stat-effect_statmap.json")
    content = json.loads(sidecar.read_text())
    content["Model"]["Digest"] = "0" * 16
    write_json(sidecar, content)
    (problem,) = output.problems()
    assert Path(problem.where).name == sidecar.name.replace(".json", ".nii.gz")
    assert f"(digest {'0' * 16}, smoothing 5 mm)" in problem.found


def test_maps_of_a_sibling_node_do_not_come_to_the_group(tmp_path, model):
    run, subject, group = model.nodes
    session = replace(
        subject, name="session", level="session", group_by=("session", "subject", "contrast")
    )
    by_session = replace(subject, name="by session", group_by=("subject", "session", "contrast"))
    each = replace(group, name="each", group_by=("contrast", "session"))
    edges = (
        Edge("run", "subject"),
        Edge("run", "session", (("contrast", ("cash",)),)),
        Edge("run", "by session", (("contrast", ("pumps", "explode")),)),
        Edge("subject", "group"),
        Edge("session", "each"),
        Edge("by session", "each", (("contrast", ("pumps",)),)),
    )
    whole = replace(model, nodes=(run, subject, session, by_session, group, each), edges=edges)
    output = Output(tmp_path / "out", whole)
    for sub in ("01", "02"):
        output.write(sub, node=subject)
        for ses in ("a", "b"):
            output.write(sub, node=by_session, labels=("pumps", "explode"), ses=ses)
            output.write(sub, node=session, labels=("cash",), ses=ses)
    found = {
        (part.stage.node.name, part.entities.get("ses", "")): sorted(
            unit.contrast.label for unit in part.units if unit.contrast
        )
        for part in output.find().parts
    }
    assert found == {
        ("group", ""): sorted(LABELS),
        ("each", "a"): ["cash", "pumps"],
        ("each", "b"): ["cash", "pumps"],
    }
    for part in output.find().parts:
        assert all(len(unit.inputs) == 2 for unit in part.units)
