"""Public models run on datasets made for them, and equal nilearn by hand."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from by_nilearn import (
    assert_equals,
    average,
    design_by_hand,
    fit_by_hand,
    group_by_hand,
    published,
)
from command import PLAIN, call
from from_model import CONFOUND, conditions_by_hand, run_node, runs_for, steps_of
from tiny import SPACE, write_tiny

from twolevel.bids.entities import Entities
from twolevel.files.tables import read_tsv
from twolevel.model.labels import contrast_label

if TYPE_CHECKING:
    from pathlib import Path

    from by_nilearn import ByHand
    from tiny import TinyRun

SHORT: dict[str, dict[str, list[str]]] = {
    "f6ba931984": {},  # response times as durations, values replaced, modulators
    "182f216105": {},  # Rename, Demean
    "c4427a58da": {},  # two tasks, confounds by name
    "00543531f7": {},  # sessions
}
LONG: dict[str, dict[str, list[str]]] = {
    "2196fc8ee6": {},  # response times
    "b820b6a6b9": {},  # Scale without Rescale
    "853d0986c4": {},  # DoubleGamma, levels without a Factor
    "690a7f0c01": {},  # a confound by name, names with & and <
    "ca3bd19780": {},  # Run > Dataset
    "e2b7fb82aa": {},  # Run > Dataset, sessions apart
    "f941f8a39b": {},
    "18afc5bd29": {},
    "a15d6c5bef": {},
    "cb755b88f7": {},  # Replace, sessions
    "6dd60b4258": {},
    "48f46632b9": {},
    "9d6c84b8fb": {},  # derivatives and dispersion
    "57cf816415": {},
    "ccd9329f73": {},  # spm+derivative
    "4d387e376a": {},
    "8b95c6b2b7": {},
    "20fb49ec5b": {},
    "9e5d1770fd": {},
    "e7a3e6357d": {},
    "219390045c": {},
    "7df7878475": {},
    "bd31443e94": {},
    "6c9c42bf88": {},
    "39ac91a6ed": {},
    "11728fb774": {},
    "1c1475e4fc": {},
    "23f13f185b": {},
    "a8e6a4a58e": {},
}
TESTS = {"twolevel": {"NPerm": 8, "Tests": [{"Test": "fdr"}]}}


def content_of(models: Path, number: str) -> dict[str, Any]:
    """Read a model, and ask for one test: there is nothing to be seen in noise."""
    content: dict[str, Any] = json.loads((models / f"{number}_smdl.json").read_text("utf-8-sig"))
    for node in content["Nodes"]:
        if node["Level"].lower() == "dataset":
            node["Model"]["Software"] = TESTS
    return content


def hrf_of(content: dict[str, Any]) -> str:
    """Name the model of the response, as nilearn does."""
    node = run_node(content)
    found = [s for s in steps_of(node) if s["Name"] == "Convolve"]
    hrf = (node["Model"].get("HRF") or {}).get("Model")
    step = found[0] if found else {"Model": hrf or "spm"}
    name = str(step.get("Model", "spm")).lower().replace("doublegamma", "spm")
    parts = [part.strip() for part in name.split("+")]
    parts += ["derivative"] if step.get("Derivative") else []
    parts += ["dispersion"] if step.get("Dispersion") else []
    return " + ".join(parts)


def convolved_by(node: dict[str, Any]) -> list[str]:
    """List what a run node convolves, wildcards as they are."""
    found = [name for s in steps_of(node) if s["Name"] == "Convolve" for name in s["Input"]]
    return [*found, *(node["Model"].get("HRF") or {}).get("Variables", [])]


def run_by_hand(content: dict[str, Any], run: TinyRun) -> tuple[pd.DataFrame, dict[str, ByHand]]:
    """Make design and estimates of a run."""
    node = run_node(content)
    found = conditions_by_hand(node, run.events)
    x = [str(name) for name in node["Model"]["X"] if str(name) != "1"]
    names = [n for n in found if any(fnmatch(n, pattern) for pattern in x)]
    events = pd.concat(
        [found[n].rename(columns={"value": "modulation"}).assign(trial_type=n) for n in names]
    )
    events = events.astype({"modulation": float}).dropna(subset="modulation")
    confounds = [
        str(c)
        for pattern in x
        if CONFOUND.match(pattern)
        for c in run.confounds
        if fnmatch(str(c), pattern)
    ]
    convolved = convolved_by(node)
    is_plain = ~events["trial_type"].map(lambda n: any(fnmatch(n, c) for c in convolved))
    options: dict[str, Any] = {"hrf_model": hrf_of(content)}
    cut_off = (node["Model"].get("Options") or {}).get("HighPassFilterCutoffHz")
    if cut_off is not None and not any(name.startswith("cosine") for name in confounds):
        options |= {"drift_model": "cosine", "high_pass": cut_off}
    chosen = list(dict.fromkeys(confounds))
    design = design_by_hand(run, events[~is_plain], chosen, **options)
    if is_plain.any():
        more = design_by_hand(run, events[is_plain], hrf_model=None).drop(columns="constant")
        design = pd.concat([more, design], axis=1)
    contrasts = {}
    for contrast in node.get("Contrasts") or []:
        if contrast.get("Test", "t") == "t":
            pairs = zip(contrast["ConditionList"], contrast["Weights"], strict=True)
            weights = {str(name): float(weight) for name, weight in pairs}
            if set(weights) <= set(map(str, design)):
                contrasts[contrast_label(contrast["Name"])] = weights
    return design, fit_by_hand(run, design, contrasts)


def compare(folder: Path, models: Path, number: str, given: dict[str, list[str]]) -> None:
    """Run a model, and compare its designs, runs, subjects and group with nilearn's."""
    content = content_of(models, number)
    runs = list(runs_for(content, given))
    space = {**SPACE, **{k: str(v[0]) for k, v in content["Input"].items() if k == "space"}}
    write_tiny(folder / "data", runs, space=space)
    (folder / "m.json").write_text(json.dumps(content))
    levels = [node["Level"].lower() for node in content["Nodes"]]
    level = "all" if "dataset" in levels else "participant"
    out = folder / "out"
    call(
        "run", folder / "data", out, level, "-m", folder / "m.json", "-w", folder / "work", *PLAIN,
    )  # fmt: skip
    by_subject: dict[str, dict[str, list[tuple[Entities, ByHand]]]] = {}
    for run in runs:
        design, found = run_by_hand(content, run)
        names = run.entities.with_(**space)
        ours = read_tsv(out / names.path("design", ".tsv"))
        assert set(ours) == set(design)
        for column in design:
            np.testing.assert_allclose(
                ours[column], design[column], rtol=1e-4, atol=1e-6, err_msg=str(column)
            )
        for label, hand in found.items():
            assert_equals(out, names, label, hand)
            of_subject = by_subject.setdefault(label, {})
            of_subject.setdefault(names["sub"], []).append((names, hand))
    above = [node for node in content["Nodes"] if node["Level"].lower() != "run"]
    by_session = bool(above) and "session" in above[0].get("GroupBy", [])
    assert by_subject
    for label, subjects in by_subject.items():
        sessions = sorted({n.get("ses", "") for s in subjects.values() for n, _ in s})
        for ses in sessions if by_session else [None]:
            if above:
                compare_above(out, levels, label, subjects, ses)


def compare_above(
    out: Path,
    levels: list[str],
    label: str,
    subjects: dict[str, list[tuple[Entities, ByHand]]],
    ses: str | None,
) -> None:
    """Compare the maps of subjects, and of the group, of one session or of all together."""
    together = {}
    for sub, found in subjects.items():
        own = [(names, hand) for names, hand in found if ses in (None, names.get("ses", ""))]
        apart = ("run",) if ses is not None else ("run", "ses")
        names = Entities.shared([names for names, _ in own]).without(*apart)
        together[sub] = names, average([hand for _, hand in own])
        assert_equals(out, names, label, together[sub][1])
    if levels.count("dataset") == 1:
        effect, t = group_by_hand([hand for _, hand in together.values()])
        group = Entities.shared([names for names, _ in together.values()]).without("sub")
        for stat, expected in (("effect", effect), ("t", t)):
            found_map = published(out, group, label, stat)
            np.testing.assert_allclose(found_map, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("number", SHORT)
def test_a_public_model_equals_nilearn_by_hand(tmp_path, shared, number):
    compare(tmp_path, shared / "models", number, SHORT[number])


@pytest.mark.long
@pytest.mark.parametrize("number", LONG)
def test_another_public_model_equals_nilearn_by_hand(tmp_path, shared, number):
    compare(tmp_path, shared / "models", number, LONG[number])
