"""Sessions kept apart, averaged and contrasted, each as nilearn has it by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from by_nilearn import (
    assert_equals,
    average,
    combine,
    design_by_hand,
    fit_by_hand,
    group_by_hand,
    published,
)
from command import PLAIN, call
from nilearn.glm.first_level import compute_regressor
from tiny import N_VOLUMES, REPETITION_TIME, SPACE, TinyRun, blocks, motion, write_tiny

from twolevel.bids.entities import Entities

if TYPE_CHECKING:
    from pathlib import Path

    from by_nilearn import ByHand

SUBJECTS, SESSIONS = ("01", "02", "03", "04"), ("pre", "post")
CONDITIONS = ("trial_type.face", "trial_type.house")
FACE_HOUSE = dict(zip(CONDITIONS, (1.0, -1.0), strict=True))
LABEL = "faceMinusHouse"
SHARED = {"task": "t", **SPACE}
ONE = {"Type": "meta", "X": [1]}
TESTS = {"twolevel": {"NPerm": 16, "Tests": [{"Test": "fdr"}, {"Test": "permutationFWE"}]}}
DUMMY = {"Test": "t"}


def a_run(sub: str, ses: str, run: str) -> TinyRun:
    """A run in which faces have opposite effects in the two sessions."""
    seed = [SUBJECTS.index(sub), SESSIONS.index(ses), int(run)]
    number = 100 * seed[0] + 10 * seed[1] + seed[2]
    events = blocks("face", "house", seed=number)
    face = events[events["trial_type"] == "face"]
    condition = np.array([face["onset"], face["duration"], np.ones(len(face))])
    times = np.arange(N_VOLUMES) * REPETITION_TIME
    signal = compute_regressor(condition, "glover", times)[0][:, 0]
    names = Entities({"sub": sub, "ses": ses, "task": "t", "run": run})
    return TinyRun(names, events, motion(number), (6, -6)[seed[1]] * signal, number)


RUNS = {(s, e, r): a_run(s, e, r) for s in SUBJECTS for e in SESSIONS for r in ("1", "2")}


def node(
    level: str, name: str, by: list[str], model: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {"Level": level, "Name": name, "GroupBy": by, "Model": model, **more}


MODEL = {
    "Name": "sessions",
    "BIDSModelVersion": "1.0.0",
    "Nodes": [
        node(
            "Run", "run", ["run", "subject", "session"],
            {"Type": "glm", "X": [*CONDITIONS, "trans_*", "rot_*", "cosine*", 1]},
            Transformations={
                "Transformer": "pybids-transforms-v1",
                "Instructions": [
                    {"Name": "Factor", "Input": ["trial_type"]},
                    {"Name": "Convolve", "Input": list(CONDITIONS), "Model": "glover"},
                ],
            },
            Contrasts=[{
                "Name": "face - house", "ConditionList": list(CONDITIONS), "Weights": [1, -1],
                "Test": "t",
            }],
        ),
        node("Session", "session", ["session", "subject", "contrast"], ONE, DummyContrasts=DUMMY),
        node(
            "Subject", "compare", ["subject", "contrast"], {"Type": "meta", "X": ["session"]},
            Contrasts=[
                {"Name": "post_vs_pre", "ConditionList": ["session.post", "session.pre"],
                 "Weights": [1, -1], "Test": "t"},
                {"Name": "any", "ConditionList": ["ses-post", "pre"],
                 "Weights": [[1, 0], [0, 1]], "Test": "F"},
            ],
        ),
        node("Subject", "subject", ["subject", "contrast"], ONE, DummyContrasts=DUMMY),
        node(
            "Dataset", "each session", ["contrast", "session"],
            {"Type": "glm", "X": [1], "Software": TESTS}, DummyContrasts=DUMMY,
        ),
        node(
            "Dataset", "both", ["contrast"], {"Type": "glm", "X": [1], "Software": TESTS},
            DummyContrasts=DUMMY,
        ),
    ],
    "Edges": [
        {"Source": "run", "Destination": "session"},
        {"Source": "session", "Destination": "compare"},
        {"Source": "run", "Destination": "subject"},
        {"Source": "session", "Destination": "each session"},
        {"Source": "compare", "Destination": "both"},
        {"Source": "subject", "Destination": "both"},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def output_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The analysis of all nodes."""
    folder = tmp_path_factory.mktemp("sessions")
    write_tiny(folder / "data", RUNS.values())
    (folder / "m.json").write_text(json.dumps(MODEL))
    call(
        "run", folder / "data", folder / "out", "all", "-m", folder / "m.json",
        "-w", folder / "work", *PLAIN,
    )  # fmt: skip
    return folder / "out"


@pytest.fixture(scope="module")
def runs() -> dict[tuple[str, str, str], ByHand]:
    """The runs, by hand."""
    found = {}
    for key, run in RUNS.items():
        events = run.events.assign(trial_type="trial_type." + run.events["trial_type"])
        confounds = [str(c) for c in run.confounds if c != "framewise_displacement"]
        design = design_by_hand(run, events, confounds)
        found[key] = fit_by_hand(run, design, {LABEL: FACE_HOUSE})[LABEL]
    return found


def sessions_of(runs: Any, sub: str) -> dict[str, ByHand]:
    return {ses: average([runs[sub, ses, "1"], runs[sub, ses, "2"]]) for ses in SESSIONS}


@pytest.mark.parametrize("sub", SUBJECTS)
def test_runs_sessions_and_subjects(output_dir, runs, sub):
    for (of, ses, run), hand in runs.items():
        if of == sub:
            names = Entities({"sub": sub, "ses": ses, "run": run, **SHARED})
            assert_equals(output_dir, names, LABEL, hand)
    by_session = sessions_of(runs, sub)
    for ses, hand in by_session.items():
        assert_equals(output_dir, Entities({"sub": sub, "ses": ses, **SHARED}), LABEL, hand)
    names = Entities({"sub": sub, **SHARED})
    of_all = [hand for (of, *_), hand in runs.items() if of == sub]
    assert_equals(output_dir, names, LABEL, average(of_all))
    difference = combine([by_session["post"], by_session["pre"]], [1, -1])
    assert_equals(output_dir, names, f"{LABEL}PostVsPre", difference)


def test_f_over_sessions_is_the_mean_of_the_squares_of_t(output_dir, runs):
    # Sessions are independent, so that F of both is (t1^2 + t2^2) / 2.
    for sub in SUBJECTS:
        t = [hand.t for hand in sessions_of(runs, sub).values()]
        found = published(output_dir, Entities({"sub": sub, **SHARED}), f"{LABEL}Any", "F")
        np.testing.assert_allclose(found, (t[0] ** 2 + t[1] ** 2) / 2, rtol=1e-4)


@pytest.mark.parametrize("ses", SESSIONS)
def test_the_group_of_each_session(output_dir, runs, ses):
    effect, t = group_by_hand([sessions_of(runs, sub)[ses] for sub in SUBJECTS])
    names = Entities({"node": "eachSession", "ses": ses, **SHARED})
    np.testing.assert_allclose(published(output_dir, names, LABEL, "effect"), effect, rtol=1e-4)
    np.testing.assert_allclose(published(output_dir, names, LABEL, "t"), t, rtol=1e-4)
    # Half of the brain responds, in one direction before and in the other after.
    assert np.sign(effect[-20:]).sum() == {"pre": 20, "post": -20}[ses]


def test_the_group_of_differences_and_of_averages(output_dir, runs):
    names = Entities({"node": "both", **SHARED})
    both = {sub: sessions_of(runs, sub) for sub in SUBJECTS}
    by_label = {
        f"{LABEL}PostVsPre": [combine([s["post"], s["pre"]], [1, -1]) for s in both.values()],
        LABEL: [average(list(s.values())) for s in both.values()],
    }
    for label, maps in by_label.items():
        effect, t = group_by_hand(maps)
        found = published(output_dir, names, label, "effect")
        np.testing.assert_allclose(found, effect, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(published(output_dir, names, label, "t"), t, rtol=1e-4)


def test_sidecars_say_which_sessions_a_map_holds(output_dir):
    def sidecar(name: str) -> Any:
        return json.loads(next(output_dir.rglob(name)).read_text())

    averaged = sidecar(f"sub-01_task-*_contrast-{LABEL}_stat-t_statmap.json")
    assert averaged["NumberOfRuns"] == 4
    assert "sessions per subject are averaged" in averaged["SessionsAveraged"]
    compared = sidecar(f"sub-01_task-*_contrast-{LABEL}PostVsPre_stat-t_statmap.json")
    assert "SessionsAveraged" not in compared
    assert compared["Rows"] == ["ses-post task-t", "ses-pre task-t"]
    assert compared["Weights"] == {"session.post": 1.0, "session.pre": -1.0}
    of_one = sidecar(f"sub-01_ses-pre_task-t_space-*_contrast-{LABEL}_stat-t_statmap.json")
    assert of_one["Runs"] == ["ses-pre task-t run-1", "ses-pre task-t run-2"]
