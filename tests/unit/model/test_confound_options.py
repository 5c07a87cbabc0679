"""Which settings of confounds go together, and what is said where they do not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from twolevel.errors import InputError, ModelError
from twolevel.model.confound_options import unfit_confounds
from twolevel.model.override import override
from twolevel.model.read import presets, read_model
from twolevel.model.settings import GroupSettings, RunSettings

if TYPE_CHECKING:
    from pathlib import Path

FULL: dict[str, Any] = {
    "motion": "basic",
    "wm_csf": "full",
    "global_signal": "basic",
    "scrub": 0,
    "compcor": "temporal",
    "n_compcor": 5,
    "demean": False,
}
TAKEN = {
    "simple": {"motion", "wm_csf", "global_signal", "demean"},
    "scrubbing": {"motion", "wm_csf", "global_signal", "scrub", "demean"},
    "compcor": {"motion", "global_signal", "compcor", "n_compcor", "demean"},
    "ica_aroma": {"wm_csf", "global_signal", "demean"},
    None: set(),
}


@pytest.mark.parametrize("strategy", TAKEN)
@pytest.mark.parametrize("option", FULL)
def test_each_strategy_takes_its_own_options(strategy, option):
    settings = RunSettings(confound_strategy=strategy, **{option: FULL[option]})
    assert (list(unfit_confounds(settings)) == []) is (option in TAKEN[strategy])


@pytest.mark.parametrize("strategy", TAKEN)
def test_thresholds_of_motion_go_with_every_strategy(strategy):
    settings = RunSettings(confound_strategy=strategy, fd_threshold=0.9, dvars_threshold=2)
    assert list(unfit_confounds(settings)) == []


def test_an_option_of_another_strategy_is_refused_with_those_that_take_it():
    settings = RunSettings(confound_strategy="simple", scrub=3, n_compcor=6)
    assert [str(problem).splitlines() for problem in unfit_confounds(settings)] == [
        [
            "settings: NCompcor",
            '  found:    6, with ConfoundStrategy "simple"',
            "  expected: options of that strategy: Motion, WmCsf, GlobalSignal, Demean",
            "  do:       remove it, or choose the ConfoundStrategy compcor",
        ],
        [
            "settings: Scrub",
            '  found:    3, with ConfoundStrategy "simple"',
            "  expected: options of that strategy: Motion, WmCsf, GlobalSignal, Demean",
            "  do:       remove it, or choose the ConfoundStrategy scrubbing",
        ],
    ]


def test_an_option_without_strategy_is_refused():
    (problem,) = unfit_confounds(RunSettings(wm_csf="basic"))
    assert problem.found == "basic, with no ConfoundStrategy"
    assert problem.expected == "a strategy of which it is an option"
    assert problem.remedy == (
        "remove it, or choose the ConfoundStrategy simple or scrubbing or ica_aroma"
    )


@pytest.mark.parametrize(
    ("pattern", "found", "remedy"),
    [
        ("/data/*.tsv", '"/data/*.tsv"', "write it relative to the dataset"),
        ("../tedana/*.tsv", '"../tedana/*.tsv"', "write it relative to the dataset"),
        (" ", '" "', "write it relative to the dataset"),
        ("sub-{subjct}/x.tsv", '"sub-{subjct}/x.tsv": "subjct" is no entity', "Did you mean"),
        ("sub-{}/x.tsv", '"sub-{}/x.tsv": "" is no entity', "Did you mean"),
        ("sub-{subject/x.tsv", '"sub-{subject/x.tsv": a brace alone', "correct the braces"),
    ],
)
def test_a_pattern_that_no_table_can_fit_is_refused(pattern, found, remedy):
    (problem,) = unfit_confounds(RunSettings(confounds=(pattern,)), "here: ")
    assert (problem.where, problem.found) == ("here: Confounds", found)
    assert problem.remedy.startswith(remedy)


def test_patterns_and_other_levels_are_fine():
    patterns = ("sub-{sub}/ses-{session}/func/*_run-{run}_desc-ICA_mixing.tsv", "own/**/*.tsv")
    assert list(unfit_confounds(RunSettings(confounds=patterns))) == []
    assert list(unfit_confounds(GroupSettings())) == []


def test_a_model_file_is_refused_when_it_is_read(tmp_path: Path):
    content = json.loads(presets()["balloon"].read_text(encoding="utf-8"))
    content["Nodes"][0]["Model"]["Software"]["twolevel"] |= {"Scrub": 3, "Confounds": ["/x"]}
    path = tmp_path / "m.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        read_model(path)
    where = f'{path}: node "run": Model.Software.twolevel.'
    assert [p.where for p in caught.value.problems] == [f"{where}Scrub", f"{where}Confounds"]


def test_settings_from_python_are_refused_too():
    model = read_model(presets()["balloon"])
    assert override(model, {"motion": "basic"}).nodes[0].run_settings.motion == "basic"
    with pytest.raises(InputError, match="Scrub"):
        override(model, {"scrub": 3})
    changed = override(model, {"confound_strategy": "scrubbing", "scrub": 3})
    assert changed.nodes[0].run_settings.scrub == 3
