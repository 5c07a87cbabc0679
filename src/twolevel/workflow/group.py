"""The workflow of the group level."""

from __future__ import annotations

from fileformats.generic import Directory, File
from pydra.compose import workflow

from twolevel.model.spec import ContrastName, GroupSpec, TestSettings
from twolevel.tasks.apply_test import ApplyTest
from twolevel.tasks.compare_tests import CompareTests
from twolevel.tasks.describe_permutations import DescribePermutations
from twolevel.tasks.design_group import DesignGroup
from twolevel.tasks.fit_group import FitGroup
from twolevel.tasks.permute_group import PermuteGroup, permutation_spec


@workflow.define(outputs={"fit": Directory, "permutations": Directory, "tests": list[Directory]})
def ContrastLevel(
    spec: GroupSpec,
    contrast: ContrastName,
    files: dict[str, dict[str, File]],
    design: Directory,
    tests: list[TestSettings],
    software: str,
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
    tested = workflow.add(
        ApplyTest(
            spec=spec,
            contrast=contrast,
            fitted=fit.out,
            permutations=permuted.out,
            software=software,
        )
        .split("test", test=tests)
        .combine("test")
    )
    return fit.out, described.out, tested.out


@workflow.define(
    outputs={
        "design": Directory,
        "fits": list[Directory],
        "permutations": list[Directory],
        "tests": list[list[Directory]],
        "comparison": Directory,
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
):
    """Split over contrasts, and put the tests side by side."""
    design = workflow.add(DesignGroup(spec=spec, masks=masks, software=software))
    levels = workflow.add(
        ContrastLevel(spec=spec, design=design.out, tests=tests, software=software)
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
    return design.out, levels.fit, levels.permutations, levels.tests, comparison.out
