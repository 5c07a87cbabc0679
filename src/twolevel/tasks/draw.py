"""The figures of the group, drawn from what the other steps left; no number depends on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from fileformats.generic import Directory, File
from pydra.compose import python

from twolevel.bids.entities import Entities, is_mni152
from twolevel.files.maps import read_map, read_mask
from twolevel.files.sidecars import read_json
from twolevel.model.nodes import ContrastName
from twolevel.model.settings import TestSettings
from twolevel.report.group_results import find_survivors
from twolevel.stats.maps.quality import carpet
from twolevel.tasks.handoff import load_fitted, load_row, load_rows

# Pictures are made with matplotlib, which only those import that draw: the command does not.


def draw_design(entities: Entities, masks: dict[str, Path], folder: Path) -> Path:
    """Draw how many subjects, of whom these are the analysis masks, cover each voxel."""
    from twolevel.report.figures import plot_coverage  # noqa: PLC0415
    from twolevel.report.paper import figure_path  # noqa: PLC0415

    loaded = [read_mask(path) for name, path in masks.items() if name.startswith("sub-")]
    plot_coverage(
        figure_path(folder, entities, "coverage"),
        np.sum([mask.inside for mask in loaded], axis=0),
        loaded[0].space,
        n_subjects=len(loaded),
        space=entities.get("space"),
    )
    return folder


def draw_contrast(
    entities: Entities, contrast: ContrastName, fitted: Path, maps: Path, folder: Path
) -> Path:
    """Draw the group's z without a threshold, and the effects of its subjects."""
    from twolevel.report.carpet import plot_carpet  # noqa: PLC0415
    from twolevel.report.figures import plot_slices  # noqa: PLC0415
    from twolevel.report.paper import figure_path  # noqa: PLC0415

    data = load_fitted(fitted)
    estimate, mask = data.contrast.estimate, data.contrast.mask
    names, subjects = entities.with_(contrast=contrast.label), data.record["Subjects"]
    plot_slices(
        figure_path(folder, names, "unthresholded"),
        mask.spread(estimate.z),
        mask.space,
        top=float(np.abs(estimate.z).max()),
        label="z",
        title=f"{contrast.name}: z, unthresholded (n = {len(subjects)})",
        space=names.get("space"),
    )
    stacked, _, _ = load_rows(maps)
    effect = fitted / names.with_(stat="effect").path("statmap", ".json")
    plot_carpet(
        figure_path(folder, names, "subjects"),
        carpet(stacked.blocks(), estimate.maps().get("effect", estimate.stat)),
        subjects,
        label=read_json(effect)["Units"],
        title=f"{contrast.name}: effect of each subject",
    )
    return folder


def draw_test(
    entities: Entities,
    contrast: ContrastName,
    fitted: Path,
    tested: Path,
    folder: Path,
    *,
    through_the_brain: bool,
) -> Path:
    """Draw z where a test is survived: one scale for all tests, to compare them by eye.

    A glass brain is drawn too if asked for, where the space has one.
    """
    from twolevel.report.figures import plot_glass_brain, plot_slices  # noqa: PLC0415
    from twolevel.report.paper import figure_path  # noqa: PLC0415

    data, row = load_fitted(fitted), load_row(tested)
    names, space = entities.with_(contrast=contrast.label), entities.get("space")
    stat = "z" if row["statistic"] == "z" else "logp"
    of_test = names.with_(stat=stat, desc=row["test"]).path("statmap", ".nii.gz")
    values, _ = read_map(tested / of_test)
    z, mask = data.contrast.estimate.z, data.contrast.mask
    survives = find_survivors(mask.take(values), stat, row["threshold"])
    volume = mask.spread(np.where(survives, z, 0))
    top, title = float(np.abs(z).max()), _title(contrast, row)
    path = figure_path(folder, names, row["test"])
    plot_slices(path, volume, mask.space, top=top, label="z", title=title, space=space)
    if through_the_brain and is_mni152(space):
        path = figure_path(folder, names, "glassbrain")
        plot_glass_brain(path, volume, mask.space, top=top, label="z", title=title)
    return folder


def _title(contrast: ContrastName, row: dict[str, Any]) -> str:
    """Say above a figure which test was carried out, and with which threshold."""
    rate = f" {row['alpha']:g}" if row["alpha"] is not None else ""
    sided = "two-sided" if row["sides"] == 2 else "one-sided"
    words = [f"{contrast.name}: {row['test']}{rate}", sided]
    if row["statistic"] == "z" and row["threshold"] is not None:
        quantity = "|z|" if row["sides"] == 2 else "z"
        words.append(f"{quantity} >= {row['threshold']:.3g}")
    if row["smallest_attainable_p"] is not None:
        words.append(f"smallest attainable p {row['smallest_attainable_p']:.3g}")
    return f"{', '.join(words)}; controls {row['controls']}"


@python.define(outputs={"out": Directory})
def DrawDesign(entities: Entities, masks: dict[str, File], drawing: str):
    """Draw what the subjects cover."""
    return draw_design(entities, {k: Path(v) for k, v in masks.items()}, Path.cwd() / "out")


@python.define(outputs={"out": Directory})
def DrawContrast(
    entities: Entities,
    contrast: ContrastName,
    fitted: Directory,
    maps: Directory,
    drawing: str,
):
    """Draw a contrast without a threshold, and its subjects."""
    return draw_contrast(entities, contrast, Path(fitted), Path(maps), Path.cwd() / "out")


@python.define(outputs={"out": Directory})
def DrawTest(
    entities: Entities,
    contrast: ContrastName,
    test: TestSettings,
    fitted: Directory,
    tested: Directory,
    through_the_brain: bool,
    drawing: str,
):
    """Draw what survives a test."""
    folder, shown = Path.cwd() / "out", through_the_brain
    return draw_test(
        entities, contrast, Path(fitted), Path(tested), folder, through_the_brain=shown
    )
