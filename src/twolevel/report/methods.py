"""What was done, in sentences for a paper, and what to cite for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twolevel.derivatives.designs import ROWS
from twolevel.report.words import count_of, format_p
from twolevel.stats.maps.design import INTERCEPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twolevel.report.derivatives import Derivatives
    from twolevel.report.group_results import ContrastResult

HIGH_PASS = {
    "cosines": "the cosines among the confounds",
    "drift": "the columns drift_*",
    None: "none",
}
ESTIMATORS = {"ols": "ordinary least squares"}
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


def methods(derivatives: Derivatives, atlases: Sequence[str] = ()) -> list[str]:
    """Write what was done, in sentences that can be pasted into a paper.

    Paragraphs on runs, subjects, group and tests; those of levels that are there.
    """
    designs, groups = derivatives.run_designs, derivatives.groups
    sidecars = [*designs, *(group.sidecar for group in groups)]
    if not sidecars:
        return []
    software = sidecars[0]["Software"]
    libraries = ", ".join(f"{name} {v}" for name, v in software["Libraries"].items())
    opening = f"The analysis was carried out with twolevel {software['Version']} ({libraries})."
    paragraphs = [f"{opening} {_run_sentences(derivatives)}" if designs else opening]
    for group in groups:
        which = f"{group.stem}: " if len(groups) > 1 else ""
        paragraphs += [which + _group_sentences(group.sidecar), _test_sentences(group.contrasts)]
    if derivatives.contrasts:
        seed = derivatives.contrasts[0].seed
        titles = " and ".join(dict.fromkeys(atlases))
        named = f" Regions at peaks are named by the {titles}." if titles else ""
        paragraphs.append(
            f"Effect sizes at peaks are Cohen's d {_effect_size(derivatives)}; peaks are "
            f"chosen for their size, which biases them upwards.{named} Everything random came "
            f"from seed {seed}."
        )
    return paragraphs


def references(derivatives: Derivatives) -> list[str]:
    """List what to cite for what was done."""
    rows = [test.row for contrast in derivatives.contrasts for test in contrast.tests]
    names = {row["test"].replace("permutationFDR", "fdr") for row in rows}
    listed = [NILEARN] + [text for test, text in OF_TESTS.items() if test in names]
    if any(row["n_permutations"] is not None for row in rows):
        listed.append(PERMUTATION)
    if any(test.tail for contrast in derivatives.contrasts for test in contrast.tests):
        listed.append(TAIL)
    return listed


def _run_sentences(derivatives: Derivatives) -> str:
    designs, settings = derivatives.run_designs, derivatives.run_designs[0]["Settings"]
    fwhm = settings["smoothing_fwhm_mm"]
    smoothed = (
        f"smoothed with a Gaussian kernel of {fwhm:g} mm full width at half maximum"
        if fwhm
        else "not smoothed"
    )
    noise = settings["noise_model"]
    model = (
        "ordinary least squares"
        if noise == "ols"
        else f"generalised least squares with an autoregressive noise model of order {noise[2:]}"
    )
    strategy = settings["confound_strategy"]
    by = f' (strategy "{strategy}" of nilearn)' if strategy else ""
    times = " or ".join(f"{t:g}" for t in sorted({d["RepetitionTime"] for d in designs}))
    n_confounds = _range([len(_columns(design, "confound")) for design in designs])
    high_pass = " or ".join(dict.fromkeys(HIGH_PASS[d["HighPass"]] for d in designs))
    low_pass = designs[0].get("LowPassCutoffHz")
    return (
        f"Data of {count_of(len(derivatives.subjects), 'subject')} and "
        f"{count_of(derivatives.n_runs, 'run')} (repetition time {times} s), "
        f"{_preprocessing(derivatives)}, were "
        f"{smoothed} and expressed as percent signal change. For each run a linear model was "
        f"fitted by {model}, with the regressors {_conditions(designs)}, {n_confounds} "
        f"confounds{by} and a constant; high-pass: {high_pass}"
        + (f"; low-pass: regressors of the frequencies above {low_pass:g} Hz" if low_pass else "")
        + "."
        + (
            f" Runs were combined by fixed effects ({_weights(derivatives.subject)})."
            if derivatives.subject.get("FixedEffects")
            else ""
        )
        + (f" {derivatives.averaged_sessions}." if derivatives.averaged_sessions else "")
    )


def _conditions(designs: Sequence[dict[str, Any]]) -> str:
    """List the conditions of all runs, by what they are convolved with."""
    by_hrf: dict[str | None, dict[str, None]] = {}
    for design in designs:
        for name, column in _columns(design, "condition").items():
            by_hrf.setdefault(column["HRF"], {})[name] = None
    listed = [
        f"{', '.join(names)} ({f'convolved with {hrf}' if hrf else 'as it is'})"
        for hrf, names in by_hrf.items()
    ]
    return "; ".join(listed) or "none"


def _columns(design: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the columns of one kind with what the sidecar of a run's design says of them."""
    return {name: c for name, c in design["Columns"].items() if c["Kind"] == kind}


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


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


def _effect_size(derivatives: Derivatives) -> str:
    """Say what the effect sizes of all contrasts are."""
    if all(contrast.design.is_mean for contrast in derivatives.contrasts):
        return "of a one-sample model, t / sqrt(n)"
    return "of the model over subjects, t / sqrt(n) with n = 1 / (c inv(X'X) c') for a contrast c"


def _group_sentences(group: dict[str, Any]) -> str:
    settings = group["Settings"]
    what = {"effect": "effects", "t": "t values", "z": "z values"}[settings["group_input"]]
    sides = "two-sided" if settings["sides"] == 2 else "one-sided (greater than 0)"
    columns = [name for name in group["Columns"] if name != ROWS]
    is_mean = columns == [INTERCEPT]
    model = "one-sample model" if is_mean else f"linear model with {', '.join(columns)}"
    within = f" of {group['GroupMask']}" if "GroupMask" in group else ""
    return (
        f"The subjects' {what} ({count_of(group['NumberOfSubjects'], 'subject')}) entered a "
        f"{model} by {ESTIMATORS[group['Estimator']]} in the voxels{within} that all subjects "
        f"cover; all tests are {sides}."
    )


def _test_sentences(contrasts: Sequence[ContrastResult]) -> str:
    """Describe each test once, as its rows of all contrasts say."""
    sentences = []
    for row in (test.row for contrast in contrasts for test in contrast.tests):
        rate = f" at {row['alpha']:g}" if row["alpha"] is not None else ""
        text = f"{row['test']} controls {row['controls']}{rate}"
        if row["n_permutations"] is not None:
            text += (
                f", {row['n_permutations']:.0f} relabelings, "
                f"smallest attainable p {format_p(row['smallest_attainable_p'])}"
            )
        sentences.append(text)
    return f"Tests: {'; '.join(dict.fromkeys(sentences))}."
