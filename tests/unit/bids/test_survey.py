from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from tiny import TinyRun, blocks, motion, write_tiny

from twolevel.bids.entities import Entities
from twolevel.bids.survey import survey
from twolevel.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.model.starter.survey import Survey


def run(subject: str, number: int = 1, task: str = "t", n_volumes: int = 80) -> TinyRun:
    entities = Entities({"sub": subject, "task": task, "run": str(number)})
    return TinyRun(entities, blocks("a", "b", n_volumes=n_volumes), motion(0, n_volumes))


def surveyed(data: Path, task: str | None = None) -> Survey:
    return survey(data, [data / "derivatives" / "fmriprep"], task)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    people = pd.DataFrame(
        {"participant_id": ["sub-01", "sub-02", "sub-09"], "code": ["01", "1", "9"]}
    )
    runs = [run("01"), run("01", 2, n_volumes=60), run("02")]
    return write_tiny(tmp_path / "data", runs, {"participants.tsv": people})


def test_what_there_is(data: Path):
    told: list[tuple[int, int]] = []
    found = survey(
        data, [data / "derivatives/fmriprep"], progress=lambda n, total: told.append((n, total))
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert found.task == "t"
    assert found.runs == (("01", ""), ("01", ""), ("02", ""))
    assert found.n_volumes == 60
    assert found.has_images
    assert list(found.participants["code"]) == ["01", "1"]
    assert {"trans_x", "cosine00"} <= {*found.confounds}
    assert "cosine02" not in found.confounds  # the shorter run has fewer
    assert "cosine01" in found.some_confounds
    assert found.events.index.unique(0).tolist() == [0, 1, 2]


def test_columns_that_a_run_lacks_or_that_lack_values_are_not_taken(data: Path):
    first, *_ = sorted(data.glob("sub-*/func/*_events.tsv"))
    pd.read_csv(first, sep="\t").assign(extra=1).to_csv(first, sep="\t", index=False)
    table, *_ = sorted(data.rglob("*_timeseries.tsv"))
    changed = pd.read_csv(table, sep="\t")
    changed.loc[0, "trans_x"] = None  # of the first row: as derivatives have it
    changed.loc[5, "rot_x"] = None
    changed.to_csv(table, sep="\t", index=False, na_rep="n/a")
    found = surveyed(data)
    assert "extra" not in found.events
    assert "trans_x" in found.confounds
    assert "rot_x" in found.some_confounds


def test_confounds_have_the_names_of_today(data: Path):
    for path in data.rglob("*_timeseries.tsv"):
        table = pd.read_csv(path, sep="\t")[["trans_x", "cosine00"]]
        table.columns = pd.Index(["X", "Cosine00"])
        table.to_csv(path, sep="\t", index=False)
    assert surveyed(data).confounds == ("trans_x", "cosine00")


def test_events_at_the_root_are_those_of_every_run(data: Path):
    first, *others = sorted(data.glob("sub-*/func/*_events.tsv"))
    for path in others:
        path.unlink()
    first.rename(data / "task-t_events.tsv")
    assert len(surveyed(data).runs) == 3


def test_runs_without_an_image_are_not_counted_where_others_have_one(data: Path):
    for path in data.rglob("sub-02*desc-preproc_bold.nii.gz"):
        path.unlink()
    assert surveyed(data).runs == (("01", ""), ("01", ""))
    for path in data.rglob("*desc-preproc_bold.nii.gz"):
        path.unlink()
    found = surveyed(data)
    assert len(found.runs) == 3
    assert not found.has_images


def test_two_tasks_are_told_apart(tmp_path: Path):
    data = write_tiny(tmp_path, [run("01"), run("01", task="u")])
    with pytest.raises(InputError) as refused:
        surveyed(data)
    (problem,) = refused.value.problems
    assert str(problem) == (
        "--task-id\n"
        "  found:    2 tasks with events: t, u\n"
        "  expected: one task for one model\n"
        "  do:       write a model for each: twolevel model BIDS_DIR --task-id t "
        "--output t_smdl.json"
    )
    assert surveyed(data, "u").other_tasks == ("t",)


def test_a_task_without_events_is_refused_by_name(data: Path):
    with pytest.raises(InputError, match="no events of this task"):
        surveyed(data, "rest")
