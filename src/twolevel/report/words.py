"""The report in words: what was found, and a paragraph for a paper's methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from twolevel.report.contrast_view import ContrastView
    from twolevel.report.derivatives import Derivatives
    from twolevel.report.subject_effects import Coverage

__all__ = [
    "UNCORRECTED",
    "foremost_test",
    "format_p",
    "left_out",
    "methods",
    "references",
    "subject_notes",
    "verdict",
]

UNCORRECTED = ("clusterExtent", "fpr")
KINDS = ("subject", "run", "contrast", "volume", "event", "voxel")  # of exclusions
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

NILEARN = "Nilearn contributors. Nilearn. doi:10.5281/zenodo.8397156"
PERMUTATION = (
    "Nichols TE, Holmes AP (2002). Nonparametric permutation tests for functional neuroimaging. "
    "Hum Brain Mapp 15:1-25. doi:10.1002/hbm.1058"
)
OF_TESTS = {
    "fdr": "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate. J R Stat Soc B "
    "57:289-300. doi:10.1111/j.2517-6161.1995.tb02031.x",
    "tfceFWE": "Smith SM, Nichols TE (2009). Threshold-free cluster enhancement. NeuroImage "
    "44:83-98. doi:10.1016/j.neuroimage.2008.03.061",
}
TAIL = (
    "Winkler AM, Ridgway GR, Douaud G, Nichols TE, Smith SM (2016). Faster permutation inference "
    "in brain imaging. NeuroImage 141:502-516. doi:10.1016/j.neuroimage.2016.05.068"
)


def foremost_test(tests: Iterable[str]) -> str | None:
    """Choose the test that is shown where there is room for one: the strictest kind of control.

    Parameters
    ----------
    tests : iterable of str
        Labels of those that were carried out.

    Returns
    -------
    str or None
    """
    there = set(tests)
    return next((test for test in FOREMOST if test in there), None)


def format_p(p: float) -> str:
    """Write a p-value with three digits.

    Parameters
    ----------
    p : float

    Returns
    -------
    str
    """
    return f"{p:.3g}"


def verdict(view: ContrastView) -> str:
    """Say in a sentence or two what survives for a contrast.

    Parameters
    ----------
    view : ContrastView

    Returns
    -------
    str
    """
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
        return f"Nothing survives any test with error control. {strongest}."
    names = ", ".join(
        f"{row['test']} {row['n_voxels']:.0f} voxels in {_count(row['n_clusters'], 'cluster')}"
        for row in found
    )
    without = [row["test"] for row in corrected if not row["n_voxels"]]
    nothing = f" Nothing survives {', '.join(without)}." if without else ""
    return f"Survives: {names}.{nothing} {strongest}."


def left_out(excluded: pd.DataFrame) -> str:
    """Count what was left out, by kind.

    Parameters
    ----------
    excluded : pandas.DataFrame
        Of exclusions.

    Returns
    -------
    str
        A sentence.
    """
    parts = []
    for kind in KINDS:
        rows = excluded[excluded["kind"] == kind]
        if rows.empty:
            continue
        if kind in ("volume", "event", "voxel"):
            n_runs = len(rows[["subject", "session", "run"]].drop_duplicates())
            counted = _count(int(rows["count"].astype(int).sum()), kind)
            parts.append(f"{counted} in {_count(n_runs, 'run')}")
        else:
            parts.append(f"{_count(len(rows), kind)} (of a contrast or of all)")
    return f"Left out: {'; '.join(parts)}." if parts else "Nothing was left out."


def subject_notes(views: Sequence[ContrastView], coverage: Coverage | None) -> list[str]:
    """Name the subjects that do not go with the others.

    Parameters
    ----------
    views : sequence of ContrastView
    coverage : Coverage or None

    Returns
    -------
    list of str
        Sentences; empty where there is nothing to say.
    """
    far: dict[str, list[str]] = {}
    for view in views:
        if view.effects is not None:
            for subject, is_far in zip(view.effects.subjects, view.effects.far, strict=True):
                if is_far:
                    far.setdefault(subject, []).append(view.result.sidecar["Contrast"]["Name"])
    notes = [f"{s} lies far from the others in {', '.join(names)}." for s, names in far.items()]
    if coverage is not None:
        notes += [
            f"{subject} covers {share:.1%} of the voxels that most subjects cover; "
            f"{_count(int(alone), 'voxel')} less in the group for this subject alone."
            for subject, share, alone, low in zip(
                coverage.subjects, coverage.shares, coverage.alone, coverage.low, strict=True
            )
            if low
        ]
    return notes


def methods(derivatives: Derivatives, atlases: Sequence[str] = ()) -> list[str]:
    """Write what was done, in sentences that can be pasted into a paper.

    Parameters
    ----------
    derivatives : Derivatives
    atlases : sequence of str
        What named the regions.

    Returns
    -------
    list of str
        Paragraphs: runs, subjects, group, tests; those of levels that are there.
    """
    run, group = derivatives.run_design, derivatives.group
    paragraphs = []
    software = (run or group).get("Software", {})
    libraries = ", ".join(f"{name} {v}" for name, v in software.get("Libraries", {}).items())
    opening = f"The analysis was carried out with twolevel {software.get('Version', '')}"
    opening += f" ({libraries})." if libraries else "."
    if run:
        paragraphs.append(f"{opening} {_run_sentences(derivatives)}")
    elif group:
        paragraphs.append(opening)
    if group:
        paragraphs.append(_group_sentences(group))
        paragraphs += _test_sentences(derivatives)
    if derivatives.contrasts:
        seed = derivatives.contrasts[0].seed
        titles = " and ".join(dict.fromkeys(atlases))
        named = f" Regions at peaks are named by the {titles}." if titles else ""
        paragraphs.append(
            "Effect sizes at peaks are Cohen's d of a one-sample model, t / sqrt(n); peaks are "
            f"chosen for their size, which biases them upwards.{named} Everything random came "
            f"from seed {seed}."
        )
    return paragraphs


def references(derivatives: Derivatives) -> list[str]:
    """List what to cite for what was done.

    Parameters
    ----------
    derivatives : Derivatives

    Returns
    -------
    list of str
    """
    rows = [test.row for contrast in derivatives.contrasts for test in contrast.tests]
    names = {row["test"].replace("permutationFDR", "fdr") for row in rows}
    listed = [NILEARN] + [text for test, text in OF_TESTS.items() if test in names]
    if any(row["n_permutations"] is not None for row in rows):
        listed.append(PERMUTATION)
    if any("tail fitted" in row["controls"] for row in rows):
        listed.append(TAIL)
    return listed


def _run_sentences(derivatives: Derivatives) -> str:
    run, settings = derivatives.run_design, derivatives.run_design["Settings"]
    fwhm = settings["smoothing_fwhm_mm"]
    smoothed = (
        f"smoothed with a Gaussian kernel of {fwhm:g} mm full width at half maximum"
        if fwhm
        else "not smoothed"
    )
    columns = run["Columns"]
    conditions = [name for name, text in columns.items() if text.startswith("condition")]
    confounds = sum(text.startswith("confound") for text in columns.values())
    noise = settings["noise_model"]
    model = (
        "ordinary least squares"
        if noise == "ols"
        else f"generalised least squares with an autoregressive noise model of order {noise[2:]}"
    )
    strategy = settings["confound_strategy"]
    by = f' (strategy "{strategy}" of nilearn)' if strategy else ""
    return (
        f"Data of {len(derivatives.subjects)} subjects and {len(derivatives.runs)} runs "
        f"(repetition time {run['RepetitionTime']:g} s), {_preprocessing(derivatives)}, were "
        f"{smoothed} and expressed as percent signal change. For each run a linear model was "
        f"fitted by {model}, with the regressors {', '.join(conditions)} "
        f"({columns[conditions[0]].partition(', ')[2] if conditions else 'none'}), {confounds} "
        f"confounds{by} and a constant; high-pass: {run['HighPass']}."
        + (
            f" Runs were combined by fixed effects ({_weights(derivatives.subject)})."
            if derivatives.subject.get("FixedEffects")
            else ""
        )
    )


def _preprocessing(derivatives: Derivatives) -> str:
    """Say what preprocessed the data."""
    made_by = {
        " ".join(program.values()): None
        for source in derivatives.description.get("SourceDatasets", [])
        for program in source.get("GeneratedBy", [])
    }
    return f"preprocessed by {' and '.join(made_by)}" if made_by else "preprocessed"


def _weights(subject: dict[str, Any]) -> str:
    equal = subject["FixedEffects"] == "mean"
    return "equal weights" if equal else "weights by inverse variance"


def _group_sentences(group: dict[str, Any]) -> str:
    settings = group["Settings"]
    what = {"effect": "effects", "t": "t values", "z": "z values"}[settings["group_input"]]
    sides = "two-sided" if settings["sides"] == 2 else "one-sided (greater than 0)"
    return (
        f"The subjects' {what} ({group['NumberOfSubjects']} subjects) entered a one-sample model "
        f"by ordinary least squares in the voxels that all subjects cover; all tests are {sides}."
    )


def _test_sentences(derivatives: Derivatives) -> list[str]:
    """Describe each test once, as its rows of all contrasts say."""
    sentences: dict[str, str] = {}
    for contrast in derivatives.contrasts:
        for test in contrast.tests:
            row = test.row
            rate = f" at {row['alpha']:g}" if row["alpha"] is not None else ""
            text = f"{row['test']} controls {row['controls']}{rate}"
            if row["n_permutations"] is not None:
                text += (
                    f", {row['n_permutations']:g} relabelings, "
                    f"smallest attainable p {format_p(row['smallest_attainable_p'])}"
                )
            sentences.setdefault(text, text)
    return [f"Tests: {'; '.join(sentences)}."] if sentences else []


def _count(n: float, noun: str) -> str:
    return f"{n:.0f} {noun}{'s' * (n != 1)}"
