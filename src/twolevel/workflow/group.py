"""The workflow of the group level."""

from __future__ import annotations

from fileformats.generic import Directory, File
from pydra.compose import workflow

from twolevel.model.spec import ContrastName, TestSettings
from twolevel.report.words import foremost_test
from twolevel.tasks.apply_test import ApplyTest
from twolevel.tasks.compare_tests import CompareTests
from twolevel.tasks.describe_permutations import DescribePermutations
from twolevel.tasks.design_group import DesignGroup
from twolevel.tasks.draw import DrawContrast, DrawDesign, DrawTest
from twolevel.tasks.fit_group import FitGroup
from twolevel.tasks.handoff import GroupSpec
from twolevel.tasks.permute_group import PermuteGroup, permutation_spec

# `software` identifies the code that numbers come from, `drawing` that of figures; without figures
# `drawing` is None. No step that computes gets to know it.


@workflow.define(outputs={"out": Directory, "figures": Directory | None})
def TestLevel(
    spec: GroupSpec,
    contrast: ContrastName,
    test: TestSettings,
    fitted: Directory,
    permutations: Directory,
    software: str,
    drawing: str | None,
):
    """Carry out one test of one contrast, and draw it."""
    tested = workflow.add(
        ApplyTest(
            spec=spec,
            contrast=contrast,
            test=test,
            fitted=fitted,
            permutations=permutations,
            software=software,
        )
    )
    if drawing is None:
        return tested.out, None
    foremost = foremost_test(t.test for t in spec.stage.node.group_settings.tests)
    drawn = workflow.add(
        DrawTest(
            entities=spec.entities,
            contrast=contrast,
            test=test,
            fitted=fitted,
            tested=tested.out,
            through_the_brain=test.test == foremost,
            drawing=drawing,
        )
    )
    return tested.out, drawn.out


@workflow.define(
    outputs={
        "fit": Directory,
        "permutations": Directory,
        "tests": list[Directory],
        "figures": Directory | None,
        "figures_of_tests": list[Directory | None],
    }
)
def ContrastLevel(
    spec: GroupSpec,
    contrast: ContrastName,
    files: dict[str, dict[str, File]],
    design: Directory,
    tests: list[TestSettings],
    software: str,
    drawing: str | None,
):
    """Fit the group model of one contrast, relabel its subjects, and split over its tests."""
    fit = workflow.add(
        FitGroup(spec=spec, contrast=contrast, files=files, design=design, software=software)
    )
    permuted = workflow.add(
        PermuteGroup(
            spec=permutation_spec(spec.stage.node.group_settings, spec.seed),
            contrast=contrast,
            data=fit.maps,
            software=software,
        )
    )
    described = workflow.add(
        DescribePermutations(
            spec=spec,
            contrast=contrast,
            fitted=fit.out,
            permutations=permuted.out,
            software=software,
        )
    )
    levels = workflow.add(
        TestLevel(
            spec=spec,
            contrast=contrast,
            fitted=fit.out,
            permutations=permuted.out,
            software=software,
            drawing=drawing,
        )
        .split("test", test=tests)
        .combine("test")
    )
    figures = None
    if drawing is not None:
        drawn = workflow.add(
            DrawContrast(
                entities=spec.entities,
                contrast=contrast,
                fitted=fit.out,
                maps=fit.maps,
                drawing=drawing,
            )
        )
        figures = drawn.out
    return fit.out, described.out, levels.out, figures, levels.figures


@workflow.define(
    outputs={
        "design": Directory,
        "fits": list[Directory],
        "permutations": list[Directory],
        "tests": list[list[Directory]],
        "comparison": Directory,
        "figures": Directory | None,
        "figures_of_contrasts": list[Directory | None],
        "figures_of_tests": list[list[Directory | None]],
    }
)
def GroupLevel(
    spec: GroupSpec,
    masks: dict[str, File],
    contrasts: list[ContrastName],
    files: list[dict[str, dict[str, File]]],
    tests: list[TestSettings],
    left_out: dict[str, dict[str, str]],
    software: str,
    drawing: str | None,
):
    """Split over contrasts, and put the tests side by side."""
    design = workflow.add(DesignGroup(spec=spec, masks=masks, software=software))
    levels = workflow.add(
        ContrastLevel(
            spec=spec, design=design.out, tests=tests, software=software, drawing=drawing
        )
        .split(("contrast", "files"), contrast=contrasts, files=files)
        .combine("contrast")
    )
    comparison = workflow.add(
        CompareTests(
            spec=spec,
            tests=levels.tests,
            fits=levels.fit,
            left_out=left_out,
            software=software,
        )
    )
    figures = None
    if drawing is not None:
        drawn = workflow.add(DrawDesign(entities=spec.entities, masks=masks, drawing=drawing))
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
