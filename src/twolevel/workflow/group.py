"""The workflow of the group level."""

from __future__ import annotations

from fileformats.generic import Directory, File
from pydra.compose import workflow

from twolevel.bids.units import Unit
from twolevel.model.nodes import ContrastName
from twolevel.model.settings import TestSettings
from twolevel.report.words import foremost_test
from twolevel.tasks.apply_test import ApplyTest
from twolevel.tasks.compare_tests import CompareTests
from twolevel.tasks.describe_permutations import DescribePermutations
from twolevel.tasks.design_maps import DesignMaps
from twolevel.tasks.draw import DrawContrast, DrawDesign, DrawTest
from twolevel.tasks.fit_maps import FitMaps
from twolevel.tasks.permute_group import PermuteGroup, permutation_spec

# `software` identifies the code that numbers come from, `drawing` that of figures; without figures
# `drawing` is None. No step that computes gets to know it.


@workflow.define(
    outputs={
        "fit": Directory,
        "permutations": Directory,
        "tests": list[Directory],
        "figures": Directory | None,
        "figures_of_tests": list[Directory],
    }
)
def ContrastLevel(
    unit: Unit,
    contrast: ContrastName,
    files: dict[str, dict[str, File]],
    design: Directory,
    tests: list[TestSettings],
    software: str,
    drawing: str | None,
):
    """Fit the group model of one contrast, relabel its subjects, and split over its tests."""
    fit = workflow.add(
        FitMaps(unit=unit, contrast=contrast, files=files, design=design, software=software)
    )
    permuted = workflow.add(
        PermuteGroup(
            spec=permutation_spec(unit.node.group_settings, unit.node.seed),
            contrast=contrast,
            data=fit.maps,
            software=software,
        )
    )
    described = workflow.add(
        DescribePermutations(
            unit=unit,
            contrast=contrast,
            fitted=fit.out,
            permutations=permuted.out,
            software=software,
        )
    )
    tested = workflow.add(
        ApplyTest(
            unit=unit,
            contrast=contrast,
            fitted=fit.out,
            permutations=permuted.out,
            software=software,
        )
        .split("test", test=tests)
        .combine("test")
    )
    if drawing is None:
        return fit.out, described.out, tested.out, None, []
    common = {"entities": unit.entities, "contrast": contrast, "drawing": drawing}
    drawn = workflow.add(DrawContrast(fitted=fit.out, maps=fit.maps, **common))
    foremost = foremost_test(test.test for test in tests)
    drawn_tests = workflow.add(
        DrawTest(fitted=fit.out, **common)
        .split(
            ("test", "tested", "through_the_brain"),
            test=tests,
            tested=tested.out,
            through_the_brain=[test.test == foremost for test in tests],
        )
        .combine("test")
    )
    return fit.out, described.out, tested.out, drawn.out, drawn_tests.out


@workflow.define(
    outputs={
        "design": Directory,
        "fits": list[Directory],
        "permutations": list[Directory],
        "tests": list[list[Directory]],
        "comparison": Directory,
        "figures": Directory | None,
        "figures_of_contrasts": list[Directory | None],
        "figures_of_tests": list[list[Directory]],
    }
)
def GroupLevel(
    unit: Unit,
    masks: dict[str, File],
    contrasts: list[ContrastName],
    files: list[dict[str, dict[str, File]]],
    tests: list[TestSettings],
    left_out: dict[str, dict[str, str]],
    software: str,
    drawing: str | None,
):
    """Split over contrasts, and put the tests side by side."""
    design = workflow.add(DesignMaps(unit=unit, masks=masks, software=software))
    levels = workflow.add(
        ContrastLevel(
            unit=unit, design=design.out, tests=tests, software=software, drawing=drawing
        )
        .split(("contrast", "files"), contrast=contrasts, files=files)
        .combine("contrast")
    )
    comparison = workflow.add(
        CompareTests(
            unit=unit,
            tests=levels.tests,
            fits=levels.fit,
            left_out=left_out,
            software=software,
        )
    )
    figures = None
    if drawing is not None:
        drawn = workflow.add(DrawDesign(entities=unit.entities, masks=masks, drawing=drawing))
        figures = drawn.out
    return (
        design.out,
        levels.fit,
        levels.permutations,
        levels.tests,
        comparison.out,
        figures,
        levels.figures,
        levels.figures_of_tests,
    )
