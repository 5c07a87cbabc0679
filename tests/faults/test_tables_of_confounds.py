"""Tables of confounds that a model names, and that do not fit the run or one another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from twolevel.files.tables import read_tsv, write_tsv
from twolevel.model.read import presets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATTERN = "sub-{subject}/func/*_run-{run}_desc-ICA_mixing.tsv"


@pytest.fixture
def checked(data, command, tmp_path) -> Callable[..., Any]:
    """Validate with the preset, into whose run node more is put."""

    def checked(*words: str, x: tuple[str, ...] = ("ICA_00",), **software: object) -> Any:
        model = json.loads(presets()["balloon"].read_text(encoding="utf-8"))
        model["Nodes"][0]["Model"]["X"] += x
        model["Nodes"][0]["Model"]["Software"]["twolevel"] |= {"Confounds": [PATTERN], **software}
        path = tmp_path / "model.json"
        path.write_text(json.dumps(model), encoding="utf-8")
        return command("validate", data.root, "-m", path, *words)

    return checked


@pytest.fixture
def mixings(data) -> list[Path]:
    """The components of each run."""
    paths = []
    for subject in (1, 2):
        for run in (1, 2):
            confounds = data.confounds(subject, run)
            name = confounds.name.replace("confounds_timeseries", "ICA_mixing")
            table = pd.DataFrame({"ICA_00": np.arange(60.0) ** 2})
            paths.append(write_tsv(confounds.with_name(name), table))
    return paths


def test_tables_that_fit_are_fine(checked, mixings):
    answer = checked()
    assert (answer.status, answer.err) == (0, "")
    assert len(mixings) == 4
    assert "All checks passed: 2 subjects, 4 runs" in answer.out
    answer = checked(x=())
    assert "the model names no column of a table of Confounds" in answer.out


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("ICA_00\n" + "1\n" * 59, "59 rows"),
        ("ICA_00\n", "0 rows"),
        ("", "no readable table (nothing)"),
        ("ICA_00\tcsf\n" + "1\t2\n" * 60, "column csf, which "),
        ("ICA_00\n" + "1\n" * 7 + "n/a\n" + "1\n" * 52, "no number in column ICA_00: line 9"),
        ("ICA_00\n" + "x\n" * 60, 'no finite number in column ICA_00, line 2 ("x")'),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_name(checked, mixings, content, found):
    mixings[2].write_text(content, encoding="utf-8")
    answer = checked()
    assert answer.status == 3
    assert answer.err.startswith("Refused: 1 problem")
    assert str(mixings[2]) in answer.err
    assert found in answer.err


def test_a_run_without_its_table_is_refused_or_left_out(checked, mixings):
    mixings[3].unlink()
    answer = checked()
    assert answer.status == 3
    where = "sub-02 task-balloonanalogrisktask run-2: confounds"
    assert f'{where}\n  found:    no table that fits "{PATTERN}"' in answer.err
    answer = checked("--allow-missing", "-v")
    assert answer.status == 0
    assert "run-2: left out, because it lacks a file or fails its checks: confounds: no table" in (
        answer.out
    )


def test_a_column_that_only_other_runs_have_is_noted(checked, mixings):
    write_tsv(mixings[0], pd.DataFrame({"ICA_01": np.arange(60.0)}))
    answer = checked()
    assert answer.status == 0
    assert "no ICA_00: the design goes without it" in answer.out


@pytest.mark.parametrize("words", [("--max-mean-fd", "1"), ("--max-censored", "0.9")])
def test_confounds_without_displacement_are_refused_where_motion_matters(
    checked, mixings, data, own_copy, words
):
    path = own_copy(data.confounds(1, 2))
    write_tsv(path, read_tsv(path).drop(columns="framewise_displacement"))
    assert len(mixings) == 4
    assert checked().status == 0
    answer = checked(*words)
    assert answer.status == 3
    assert f"confounds: {path}\n  found:    no column framewise_displacement" in answer.err
    assert words[0] in answer.err.rpartition("do:")[2]
    answer = checked(*words, "--allow-missing")
    assert answer.status == 0
    assert "2 subjects, 3 runs" in answer.out


def test_images_that_ica_aroma_cleaned_are_looked_for(checked, data):
    answer = checked(ConfoundStrategy="ica_aroma", Confounds=[], x=())
    assert answer.status == 3
    assert "found:    preprocessed images, none of them cleaned by ICA-AROMA" in answer.err
    for subject in (1, 2):
        for run in (1, 2):
            bold = data.bold(subject, run)
            for path in (bold, data.sidecar(subject, run)):
                name = path.name.replace("desc-preproc", "desc-smoothAROMAnonaggr")
                path.rename(path.with_name(name))
    answer = checked(ConfoundStrategy="ica_aroma", Confounds=[], x=())
    assert answer.status == 0, answer.err
    assert "ICA-AROMA has smoothed the images already" in answer.out
