"""Figures show what the other steps left, and no step that computes needs what draws them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_parts import stage_at

from twolevel.bids.entities import Entities
from twolevel.bids.units import MapName, Unit
from twolevel.files.nifti import write_image
from twolevel.model.nodes import ContrastName
from twolevel.model.read import presets, read_model
from twolevel.model.settings import TestName, TestSettings
from twolevel.report import carpet, figures
from twolevel.stats.maps.quality import carpet as carpet_of
from twolevel.tasks.apply_test import apply_test, carry_out
from twolevel.tasks.design_maps import design_maps
from twolevel.tasks.draw import draw_contrast, draw_design, draw_test
from twolevel.tasks.fit_maps import fit_map_files
from twolevel.tasks.handoff import (
    load_fitted,
    load_permuted,
    load_row,
    load_rows,
    save_row,
)
from twolevel.tasks.permute_group import BY_PERMUTATION, permutation_spec, permute_group_files

MNI = "MNI152NLin2009cAsym"
ENTITIES = Entities({"task": "t", "space": MNI})
CONTRAST = ContrastName("pumps $1$", "pumps", "1*pumps")
AFFINE = np.diag([8.0, 8, 8, 1]) - np.array([[0.0, 0, 0, 40]] * 3 + [[0, 0, 0, 0]])
SHAPE = (11, 12, 10)
N_SUBJECTS = 9
TESTS: tuple[TestName, ...] = (
    "clusterExtent",
    "fdr",
    "fpr",
    "bonferroni",
    "parametricFWE",
    "permutationFWE",
    "clusterSizeFWE",
    "clusterMassFWE",
    "tfceFWE",
    "permutationFDR",
)


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A group with a strong effect on both sides, computed by the steps of the workflow."""
    folder = tmp_path_factory.mktemp("group")
    rng = np.random.default_rng(5)
    mask = np.zeros(SHAPE, bool)
    mask[1:-1, 1:-1, 1:-1] = True
    effect = np.zeros(SHAPE)
    effect[2:5, 3:7, 3:6], effect[7:9, 5:9, 4:7] = 4, -4
    files, masks = {}, {}
    for number in range(N_SUBJECTS):
        subject, own = f"sub-{number}", mask.copy()
        own[1, 1, 1] = number % 2 == 0
        volume = effect + rng.normal(0, 1, SHAPE)
        path = write_image(folder / f"{subject}.nii.gz", volume.astype(np.float32), AFFINE)
        masks[subject] = write_image(folder / f"{subject}_mask.nii.gz", own, AFFINE)
        files[subject] = {"map": path, "mask": masks[subject]}
    stage = stage_at(read_model(presets()["balloon"]), "dataset")
    names = tuple(MapName(Entities({"sub": s.removeprefix("sub-")}), CONTRAST) for s in masks)
    unit = Unit(stage, ENTITIES, None, names)
    design = design_maps(unit, masks, folder / "design")
    fitted, maps = fit_map_files(unit, CONTRAST, files, design, folder / "fit", folder / "maps")
    relabeled = permutation_spec(unit.node.group_settings, 0)
    permuted = permute_group_files(relabeled, CONTRAST, maps, folder / "permuted", "key")
    for test in TESTS:
        apply_test(unit, CONTRAST, TestSettings(test), fitted, permuted, folder / test)
    return {"unit": unit, "masks": masks, "folder": folder}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, dict[str, Any]]]:
    """What would be drawn: array and options, by the name of the file."""
    calls: dict[str, tuple[Any, dict[str, Any]]] = {}

    def note(path: Path, array: Any, *more: Any, **options: Any) -> Path:
        calls[path.name] = (array, {**options, "more": more})
        return path

    for module, name in (
        (figures, "plot_coverage"),
        (figures, "plot_slices"),
        (figures, "plot_glass_brain"),
        (carpet, "plot_carpet"),
    ):
        monkeypatch.setattr(module, name, note)
    return calls


def name_of(desc: str) -> str:
    return f"task-t_space-{MNI}_contrast-pumps_desc-{desc}_statmap.png"


def test_the_coverage_counts_the_masks_of_the_subjects_alone(group, drawn, tmp_path):
    one = write_image(tmp_path / "one.nii.gz", np.ones(SHAPE, bool), AFFINE)
    masks = {**group["masks"], "group mask": one}
    assert draw_design(ENTITIES, masks, tmp_path) == tmp_path
    counts, options = drawn[f"task-t_space-{MNI}_desc-coverage_statmap.png"]
    assert (counts[1, 1, 1], counts[2, 2, 2], counts[0, 0, 0]) == (5, N_SUBJECTS, 0)
    assert (options["n_subjects"], options["space"]) == (N_SUBJECTS, MNI)
    np.testing.assert_array_equal(options["more"][0].affine, AFFINE)


def test_a_contrast_is_drawn_with_its_z_and_the_effects_of_its_subjects(group, drawn, tmp_path):
    fitted, maps = group["folder"] / "fit", group["folder"] / "maps"
    draw_contrast(ENTITIES, CONTRAST, fitted, maps, tmp_path)
    data = load_fitted(fitted)
    volume, options = drawn[name_of("unthresholded")]
    np.testing.assert_array_equal(data.contrast.mask.take(volume), data.contrast.estimate.z)
    assert np.isnan(volume[~data.contrast.mask.inside]).all()
    assert options["title"] == f"pumps $1$: z, unthresholded (n = {N_SUBJECTS})"
    assert options["top"] == np.abs(data.contrast.estimate.z).max()
    rows, options = drawn[name_of("subjects")]
    stacked, _, _ = load_rows(maps)
    np.testing.assert_array_equal(
        rows, carpet_of([stacked[:, :]], data.contrast.estimate.maps()["effect"])
    )
    assert options["more"][0] == list(group["masks"])
    assert options["label"] == "percent signal change"


@pytest.mark.parametrize("test", TESTS)
def test_the_voxels_drawn_are_those_that_survive_the_test(group, drawn, tmp_path, test):
    folder, unit = group["folder"], group["unit"]
    draw_test(ENTITIES, CONTRAST, folder / "fit", folder / test, tmp_path, through_the_brain=False)
    data = load_fitted(folder / "fit")
    permuted = load_permuted(folder / "permuted") if test in BY_PERMUTATION else None
    settings = unit.node.group_settings
    result = carry_out(data.contrast, TestSettings(test), settings, permuted)
    volume, options = drawn[name_of(test)]
    assert list(drawn) == [name_of(test)]
    z = data.contrast.estimate.z
    expected = np.where(result.surviving, z, 0)
    np.testing.assert_array_equal(data.contrast.mask.take(volume), expected)
    assert result.surviving.any()
    assert options["top"] == np.abs(z).max()  # one scale for all tests
    assert options["title"].startswith(f"pumps $1$: {test}")
    assert options["title"].endswith(f"controls {result.controls}")


@pytest.mark.parametrize(
    ("test", "title"),
    [
        ("fpr", "pumps $1$: fpr 0.001, two-sided, |z| >= 3.29; controls "),
        ("clusterExtent", "pumps $1$: clusterExtent, two-sided, |z| >= 3.29; controls "),
        (
            "permutationFWE",
            "pumps $1$: permutationFWE 0.05, two-sided, smallest attainable p 0.00391; controls ",
        ),
    ],
)
def test_the_title_says_the_test_and_its_threshold(group, drawn, tmp_path, test, title):
    folder = group["folder"]
    draw_test(ENTITIES, CONTRAST, folder / "fit", folder / test, tmp_path, through_the_brain=False)
    assert drawn[name_of(test)][1]["title"].startswith(title)


@pytest.mark.parametrize(
    ("space", "through_the_brain", "expected"),
    [(MNI, True, 2), (MNI, False, 1), ("T1w", True, 1)],
)
def test_a_glass_brain_is_drawn_of_one_test_and_in_its_own_space(
    group, drawn, tmp_path, space, through_the_brain, expected
):
    entities = Entities({"task": "t", "space": space})
    source, tested = group["folder"] / "fpr", tmp_path / "fpr"
    (tested / "group").mkdir(parents=True)
    save_row(tested, load_row(source))
    for path in (source / "group").iterdir():
        (tested / "group" / path.name.replace(MNI, space)).write_bytes(path.read_bytes())
    fitted = group["folder"] / "fit"
    draw_test(entities, CONTRAST, fitted, tested, tmp_path, through_the_brain=through_the_brain)
    assert len(drawn) == expected
    if expected == 2:
        slices, brain = drawn.values()
        np.testing.assert_array_equal(slices[0], brain[0])
        assert slices[1]["top"] == brain[1]["top"]


def test_figures_are_written_in_two_formats_beside_each_other(group, tmp_path):
    folder = group["folder"]
    draw_test(ENTITIES, CONTRAST, folder / "fit", folder / "fdr", tmp_path, through_the_brain=True)
    stems = {name_of("fdr").removesuffix(".png"), name_of("glassbrain").removesuffix(".png")}
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == stems
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".png", ".svg"}


def test_what_is_computed_holds_no_figure(group):
    written = [path for path in group["folder"].rglob("*") if path.suffix in {".png", ".svg"}]
    assert written == []


def test_no_step_that_computes_imports_what_draws():
    code = """
import importlib, pkgutil, sys
import twolevel.tasks
for module in pkgutil.iter_modules(twolevel.tasks.__path__):
    if module.name != "draw":
        importlib.import_module(f"twolevel.tasks.{module.name}")
print([name for name in sys.modules if name.startswith(("matplotlib", "twolevel.report"))])
import twolevel.tasks.draw, twolevel.workflow.group, twolevel.workflow.workers.preloaded
print([name for name in sys.modules if name.startswith("matplotlib")])
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split("\n") == ["[]", "[]", ""]
