"""Finding the tables of confounds that a model names, and what they are called in the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twolevel.bids.confound_names import NEW_NAMES, new_name, other_name
from twolevel.bids.confound_tables import attach_confounds
from twolevel.bids.entities import Entities
from twolevel.bids.runs import RunFiles
from twolevel.fetch.needed import tables_of
from twolevel.model.nodes import Node, StatsModel
from twolevel.model.settings import RunSettings

if TYPE_CHECKING:
    from pathlib import Path

FUNC = "sub-01/func"


def model(*patterns: str) -> StatsModel:
    settings = RunSettings(confounds=patterns)
    return StatsModel("m", (Node("run", "run", (), ("1",), settings),), ())


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(root: Path, pattern: str, *roots: Path, **entities: str) -> list[str]:
    run = RunFiles(Entities({"sub": "01", "task": "x", **entities}))
    attach_confounds([run], model(pattern), roots or (root,))
    (paths,) = run.more_confounds.values()
    return [path.relative_to(root).as_posix() for path in paths]


def test_entities_of_the_run_are_filled_in(tmp_path):
    wanted = f"{FUNC}/sub-01_task-x_run-1_desc-ICA_mixing.tsv"
    touch(tmp_path, wanted, f"{FUNC}/sub-01_task-x_run-2_desc-ICA_mixing.tsv")
    pattern = "sub-{subject}/func/*_run-{run}_desc-ICA_mixing.tsv"
    assert found(tmp_path, pattern, run="1") == [wanted]
    assert found(tmp_path, pattern.replace("{subject}", "{sub}"), run="01") == [wanted]
    assert found(tmp_path, pattern, run="3") == []


def test_tables_of_other_runs_and_tasks_are_not_taken(tmp_path):
    names = [f"{FUNC}/sub-01_task-{t}_run-{r}_desc-ICA_mixing.tsv" for t in "xy" for r in "12"]
    touch(tmp_path, *names, "sub-02/func/sub-02_task-x_run-1_desc-ICA_mixing.tsv")
    assert found(tmp_path, "sub-*/func/*_mixing.tsv", run="01") == names[:1]
    # A table for all runs of a task applies to each of them.
    touch(tmp_path, f"{FUNC}/sub-01_task-x_desc-own_mixing.tsv")
    assert found(tmp_path, "sub-*/func/*own_mixing.tsv", run="2") == [
        f"{FUNC}/sub-01_task-x_desc-own_mixing.tsv"
    ]


@pytest.mark.parametrize(("label", "written"), [("1", "01"), ("01", "1"), ("010", "10")])
def test_a_number_is_found_with_and_without_zeros(tmp_path, label, written):
    touch(tmp_path, f"own/physio_{written}.tsv")
    assert found(tmp_path, "own/physio_{run}.tsv", run=label) == [f"own/physio_{written}.tsv"]


def test_an_entity_that_the_run_has_not_finds_nothing(tmp_path):
    touch(tmp_path, "own/1.tsv", "own/.tsv", "own/{session}.tsv")
    assert found(tmp_path, "own/{session}.tsv") == []


def test_every_dataset_is_searched_and_folders_are_no_tables(tmp_path):
    prepared = tmp_path / "derivatives" / "tedana"
    name = f"{FUNC}/sub-01_task-x_mixing.tsv"
    touch(tmp_path, name, "own/a.tsv/file")
    touch(prepared, name)
    assert found(tmp_path, name, prepared, tmp_path) == [f"derivatives/tedana/{name}", name]
    assert found(tmp_path, "own/*", tmp_path) == []


def test_content_that_is_not_fetched_is_found_and_needed(tmp_path):
    link = tmp_path / FUNC / "sub-01_task-x_mixing.tsv"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../.git/annex/objects/gone")
    run = RunFiles(Entities({"sub": "01", "task": "x"}))
    patterns = ("sub-{subject}/func/sub-{subject}_task-{task}_mixing.tsv", "sub-*/func/*no.tsv")
    attach_confounds([run], model(*patterns), (tmp_path,))
    assert run.more_confounds == {patterns[0]: [link], patterns[1]: []}
    assert run.confound_files == {"confounds_1": link}
    assert tables_of([run], tmp_path, []) == [link]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X", "trans_x"),
        ("RotZ", "rot_z"),
        ("FramewiseDisplacement", "framewise_displacement"),
        ("stdDVARS", "std_dvars"),
        ("non-stdDVARS", "dvars"),
        ("WhiteMatter", "white_matter"),
        ("CSF", "csf"),
        ("GlobalSignal", "global_signal"),
        ("aCompCor00", "a_comp_cor_00"),
        ("tCompCor05", "t_comp_cor_05"),
        ("Cosine00", "cosine00"),
        ("NonSteadyStateOutlier00", "non_steady_state_outlier00"),
        ("AROMAAggrComp01", "aroma_motion_01"),
    ],
)
def test_old_names_and_new_ones_stand_for_one_another(old, new):
    assert (new_name(old), new_name(new)) == (new, new)
    assert (other_name(old), other_name(new)) == (new, old)


@pytest.mark.parametrize("name", ["trans_x_power2", "vx-wisestdDVARS", "x", "ICA_01", "aCompCor"])
def test_other_names_stay(name):
    assert (new_name(name), other_name(name)) == (name, None)


def test_no_name_is_old_and_new():
    assert not {new_name(old) for old in NEW_NAMES.values()} & set(NEW_NAMES.values())
