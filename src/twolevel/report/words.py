"""The report in words: what was found, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twolevel.report.contrast_view import ContrastView
    from twolevel.report.derivatives import Derivatives
    from twolevel.report.subject_effects import Coverage

UNCORRECTED = ("clusterExtent", "fpr")
KINDS = ("subject", "run", "contrast", "volume", "event", "regressor", "voxel")  # of exclusions
FOREMOST = (
    "permutationFWE",
    "tfceFWE",
    "clusterMassFWE",
    "clusterSizeFWE",
    "parametricFWE",
    "bonferroni",
    "permutationFDR",
    "fdr",
    *UNCORRECTED,
)


def foremost_test(tests: Iterable[str]) -> str | None:
    """Choose the test that is shown where there is room for one: the strictest kind of control."""
    there = set(tests)
    return next((test for test in FOREMOST if test in there), None)


def format_p(p: float) -> str:
    """Write a p-value with three digits."""
    return f"{p:.3g}"


def hopeless_tests(tests: pd.DataFrame) -> list[str]:
    """Name the tests (rows of ``tests.tsv``) that nothing could survive, and what would help.

    A sentence without its full stop for each.
    """
    sentences = []
    for test, rows in tests.groupby("test", sort=False):
        smallest, alpha = rows["smallest_attainable_p"].max(), rows["alpha"].min()
        if not smallest > alpha:  # n/a too
            continue
        worst = rows[rows["smallest_attainable_p"] == smallest].iloc[0]
        remedy = (
            f"all {worst['n_permutations']:.0f} relabelings that there are were used, so that "
            "only more subjects make it smaller"
            if _is_true(worst["all_permutations"])
            else "more subjects or more permutations (--n-perm) make it smaller"
        )
        sentences.append(
            f"nothing can survive {test} at {alpha:g}: the smallest attainable p is "
            f"{format_p(smallest)}; {remedy}"
        )
    return sentences


def _is_true(cell: object) -> bool:
    return str(cell).lower() == "true"


def absent_contrasts(derivatives: Derivatives) -> str:
    """Name the contrasts of the model that no subject has; empty where every contrast has maps."""
    asked = dict.fromkeys(label for d in derivatives.run_designs for label in d["Contrasts"])
    absent = [label for label in asked if label not in derivatives.contrast_labels]
    if not absent:
        return ""
    named = f"the contrast{'s' * (len(absent) > 1)} {', '.join(absent)}"
    return f"No subject has {named}: what is listed under Left out says why."


def verdict(view: ContrastView) -> str:
    """Say in a sentence or two what survives for a contrast."""
    contrast = view.result
    corrected = [t.row for t in contrast.tests if t.row["test"] not in UNCORRECTED]
    found = [row for row in corrected if row["n_voxels"]]
    peak = contrast.peak
    place = f"({peak.x:g}, {peak.y:g}, {peak.z:g}) mm"
    place += f", {view.region}" if view.region else ""
    strongest = f"The strongest peak lies at {place}: z = {peak.z_value:.2f}, t = {peak.t:.2f}"
    if peak.p_corrected is not None:
        strongest += f", corrected p = {format_p(peak.p_corrected)} ({peak.test})"
    if not corrected:
        return f"No test with error control was asked for. {strongest}."
    if not found:
        hopeless = hopeless_tests(pd.DataFrame([t.row for t in contrast.tests]))
        why = "".join(f" {text[0].upper()}{text[1:]}." for text in hopeless)
        return f"Nothing survives any test with error control.{why} {strongest}."
    names = ", ".join(
        f"{row['test']} {row['n_voxels']:.0f} voxels in {count_of(row['n_clusters'], 'cluster')}"
        for row in found
    )
    without = [row["test"] for row in corrected if not row["n_voxels"]]
    nothing = f" Nothing survives {', '.join(without)}." if without else ""
    return f"Survives: {names}.{nothing} {strongest}."


def left_out(excluded: pd.DataFrame) -> str:
    """Count what was left out, by kind, in a sentence."""
    parts = []
    for kind in KINDS:
        rows = excluded[excluded["kind"] == kind]
        of_group = rows["subject"].isna()
        for contrast, of_contrast in rows[of_group].groupby("contrast"):
            counted = count_of(int(of_contrast["count"].astype(int).sum()), kind)
            parts.append(f"{counted} of the group in {contrast}")
        rows = rows[~of_group]
        if rows.empty:
            continue
        runs = rows[["subject", "session", "run", "other"]].drop_duplicates()
        if kind in ("volume", "event", "regressor", "voxel"):
            counted = count_of(int(rows["count"].astype(int).sum()), kind)
            parts.append(f"{counted} in {count_of(len(runs), 'run')}")
        elif rows["contrast"].notna().all():
            parts.append(f"{count_of(len(runs), kind)} from single contrasts")
        else:
            parts.append(count_of(len(runs), kind))
    return f"Left out: {'; '.join(parts)}." if parts else "Nothing was left out."


def subject_notes(
    views: Sequence[ContrastView], coverages: Iterable[Coverage | None]
) -> list[str]:
    """Name the subjects that do not go with the others; empty where there is nothing to say."""
    far: dict[str, list[str]] = {}
    for view in views:
        if view.effects is not None:
            for subject, is_far in zip(view.effects.subjects, view.effects.far, strict=True):
                if is_far:
                    far.setdefault(subject, []).append(view.result.title)
    notes = [f"{s} lies far from the others in {', '.join(names)}." for s, names in far.items()]
    for coverage in coverages:
        if coverage is None:
            continue
        for subject, share, low in zip(
            coverage.subjects, coverage.shares, coverage.low, strict=True
        ):
            if low:
                notes.append(
                    f"{subject} covers {share:.1%} of the voxels that most subjects cover."
                )
    return notes


def count_of(n: float, noun: str) -> str:
    """Write a number of things: ``1 voxel``, ``2 voxels``."""
    return f"{n:.0f} {noun}{'s' * (n != 1)}"
