"""The workflow of the group level."""

from __future__ import annotations

from fileformats.generic import Directory, File
from pydra.compose import workflow

from twolevel.model.spec import Stage, TestSettings
from twolevel.tasks.apply_test import ApplyTest
from twolevel.tasks.compare_tests import CompareTests
from twolevel.tasks.design_group import DesignGroup
from twolevel.tasks.fit_group import FitGroup

__all__ = ["ContrastLevel", "GroupLevel"]


@workflow.define(outputs={"fit": Directory, "tests": list[Directory]})
def ContrastLevel(
    stage: Stage,
    entities: dict[str, str],
    contrast: dict[str, str],
    files: dict[str, dict[str, File]],
    design: Directory,
    tests: list[TestSettings],
    smoothing_fwhm_mm: float,
    seed: int,
    software: str,
):
    """Fit the group model of one contrast and split over its tests."""
    fit = workflow.add(
        FitGroup(
            stage=stage, entities=entities, contrast=contrast, files=files, design=design,
            smoothing_fwhm_mm=smoothing_fwhm_mm, software=software,
        )
    )  # fmt: skip
    tested = workflow.add(
        ApplyTest(
            stage=stage, entities=entities, contrast=contrast, fitted=fit.out,
            seed=seed, software=software,
        )
        .split("test", test=tests)
        .combine("test")
    )  # fmt: skip
    return fit.out, tested.out


@workflow.define(
    outputs={
        "design": Directory,
        "fits": list[Directory],
        "tests": list[list[Directory]],
        "comparison": Directory,
    }
)
def GroupLevel(
    stage: Stage,
    entities: dict[str, str],
    masks: dict[str, File],
    contrasts: list[dict[str, str]],
    files: list[dict[str, dict[str, File]]],
    exclusions: dict[str, File],
    left_out: dict[str, list[str]],
    tests: list[TestSettings],
    smoothing_fwhm_mm: float,
    seed: int,
    software: str,
):
    """Split over contrasts, and put the tests side by side."""
    design = workflow.add(
        DesignGroup(stage=stage, entities=entities, masks=masks, software=software)
    )
    levels = workflow.add(
        ContrastLevel(
            stage=stage, entities=entities, design=design.out, tests=tests,
            smoothing_fwhm_mm=smoothing_fwhm_mm, seed=seed, software=software,
        )
        .split(("contrast", "files"), contrast=contrasts, files=files)
        .combine("contrast")
    )  # fmt: skip
    comparison = workflow.add(
        CompareTests(
            stage=stage, entities=entities, tests=levels.tests, fits=levels.fit,
            subjects=exclusions, left_out=left_out, software=software,
        )
    )  # fmt: skip
    return design.out, levels.fit, levels.tests, comparison.out
