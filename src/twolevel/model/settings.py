"""The settings of each level: one field is one setting.

A field gives the key in the model file (under ``Model.Software.twolevel``), the bounds, the
default, the option of the command line and its help: see `twolevel.model.declared`. Every value
that is not the default enters the digest of the model (`twolevel.model.stages`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval

from twolevel.model.declared import CONFIG, setting
from twolevel.model.event_edits import EventEdits  # noqa: TC001  # pydantic reads it

ConfoundModel = Literal["basic", "derivatives", "power2", "full"]
CompCor = Literal[
    "anat_combined",
    "anat_separated",
    "temporal",
    "temporal_anat_combined",
    "temporal_anat_separated",
]
Rate = Annotated[float, Interval(gt=0, lt=1)]
TestName = Literal[
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
]
FPR_ALPHA = 0.001


@dataclass(frozen=True)
class RunSettings:
    """What a run node says."""

    __pydantic_config__ = CONFIG

    smoothing_fwhm_mm: Annotated[float, Interval(ge=0, le=100)] = setting(
        0.0,
        "Gaussian smoothing of the runs in mm, 0 for none",
        "--smoothing-fwhm",
        metavar="MM",
        key="SmoothingFWHM",
    )
    confound_strategy: Literal["simple", "scrubbing", "compcor", "ica_aroma"] | None = setting(
        None,
        "a strategy of nilearn's load_confounds_strategy; null where X names the confounds. The "
        "settings up to Demean are its options, null for nilearn's own; ica_aroma takes the "
        "images *_desc-smoothAROMAnonaggr_bold",
        has_option=False,
    )
    motion: ConfoundModel | None = setting(
        None, "of simple, scrubbing and compcor: 6, 12, 12 or 24 parameters", has_option=False
    )
    wm_csf: ConfoundModel | None = setting(
        None,
        "of simple, scrubbing and ica_aroma: signals of white matter and CSF, with derivatives, "
        "squares or both",
        has_option=False,
    )
    global_signal: ConfoundModel | None = setting(
        None, "of every strategy: the global signal, which null leaves out", has_option=False
    )
    scrub: Annotated[int, Interval(ge=0, le=1000)] | None = setting(
        None,
        "of scrubbing: shorter stretches of volumes between those scrubbed go too",
        has_option=False,
    )
    compcor: CompCor | None = setting(None, "of compcor: which components", has_option=False)
    n_compcor: Annotated[int, Interval(ge=1, le=1000)] | None = setting(
        None, "of compcor: how many components of each kind; null for all", has_option=False
    )
    demean: bool = setting(
        True, "of every strategy: subtract the mean of each confound", has_option=False
    )
    fd_threshold: Annotated[float, Interval(gt=0, le=100)] | None = setting(
        None,
        "framewise displacement in mm, above which a volume is a motion outlier: it has a column "
        "motion_outlier* for X, or is scrubbed by scrubbing (null: at nilearn's 0.5)",
        has_option=False,
    )
    dvars_threshold: Annotated[float, Interval(gt=0, le=1000)] | None = setting(
        None, "the same for standardised DVARS (null: nilearn's 1.5)", has_option=False
    )
    confounds: tuple[str, ...] = setting(
        (),
        "further tables with confounds for X, as patterns relative to the derivatives or to "
        "BIDS_DIR: sub-{subject}/func/*_desc-ICA_mixing.tsv; entities of the run are filled in",
        has_option=False,
    )
    noise_model: str = setting(
        "ar1",
        "ols for independent noise, arN for an autoregressive one of order N",
        pattern=r"^(ols|ar[1-9]\d?)$",
        has_option=False,
    )
    events: EventEdits = setting(
        (), "edits of the rows of the events, made in order before anything else", has_option=False
    )
    downsample: Annotated[int, Ge(1)] = setting(
        1, "use every Nth voxel along each axis, for a quick look", metavar="N"
    )
    engine: Literal["twolevel", "nilearn"] = setting(
        "twolevel",
        "what fits the runs: nilearn gives the same numbers, slowly, for comparison",
    )


@dataclass(frozen=True)
class SubjectSettings:
    """What a node over the maps of a participant says."""

    __pydantic_config__ = CONFIG

    first_level: Literal["per-run", "multi-run"] = setting(
        "per-run", "a model per run and then fixed effects, or all runs in one model"
    )
    fixed_effects: Literal["mean", "precision"] = setting(
        "mean", "equal weights for the runs, or weights by inverse variance"
    )
    estimator: Literal["fixed", "ols"] = setting(
        "fixed",
        "fixed effects, from the runs' own errors; or ols, from the spread of the runs",
        has_option=False,
    )


@dataclass(frozen=True)
class TestSettings:
    """A test at the group level."""

    __test__ = False  # not a test case, whatever its name suggests to pytest
    __pydantic_config__ = CONFIG

    test: TestName = field(metadata={"description": "its label, as in file names"})
    alpha: Rate | None = setting(
        None,
        f"its own error rate; null for that of the group, of fpr for {FPR_ALPHA}",
        has_option=False,
    )
    height: Annotated[float, Interval(gt=0)] = setting(
        3.29, "smallest |z| of clusterExtent", has_option=False
    )
    min_voxels: Annotated[int, Ge(1)] = setting(
        11, "smallest cluster of clusterExtent", has_option=False
    )

    def __post_init__(self) -> None:
        """Give fpr its own rate: it is one per voxel."""
        if self.test == "fpr" and self.alpha is None:
            object.__setattr__(self, "alpha", FPR_ALPHA)


ALL_TESTS = (
    TestSettings("clusterExtent"),
    TestSettings("fdr"),
    TestSettings("fpr"),
    TestSettings("bonferroni"),
    TestSettings("parametricFWE"),
    TestSettings("permutationFWE"),
    TestSettings("clusterSizeFWE"),
    TestSettings("clusterMassFWE"),
    TestSettings("tfceFWE"),
)


class EachOnce:
    """Asks for at least one test, and each test once."""

    def __call__(self, tests: tuple[TestSettings, ...]) -> tuple[TestSettings, ...]:
        """Refuse others."""
        names = {test.test for test in tests}
        if not names or len(names) < len(tests):
            raise ValueError("at least one test, and each once: their files have one name")
        return tests

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Have pydantic call it."""
        from pydantic_core import core_schema  # noqa: PLC0415  # the command line starts without it

        return core_schema.no_info_after_validator_function(self, handler(source))


@dataclass(frozen=True)
class GroupSettings:
    """What a dataset node says."""

    __pydantic_config__ = CONFIG

    group_input: Literal["effect", "t", "z"] = setting(
        "effect", "which map of the subjects goes up to the group"
    )
    sides: Literal[1, 2] = setting(2, "of all tests: 2 both signs, 1 greater than 0 only")
    alpha: Rate = setting(
        0.05,
        "error rate of fdr, bonferroni and the family-wise tests (fpr keeps its rate per voxel)",
        metavar="RATE",
    )
    n_perm: Annotated[int, Interval(ge=2, le=1_000_000)] = setting(
        10_000,
        "permutations (default: the model's; {default} where it states none, 100 in the preset); "
        "up to 13 subjects all sign flips are used instead",
        metavar="N",
    )
    tests: Annotated[tuple[TestSettings, ...], EachOnce()] = setting(
        ALL_TESTS, "the tests, each once", has_option=False
    )
    cluster_forming_p: Annotated[float, Interval(gt=0, lt=0.5)] = setting(
        0.001,
        "voxels with a smaller p form the clusters of the permutation tests (default: {default})",
        metavar="P",
    )
    connectivity: Literal[6, 18, 26] = setting(
        6,
        "neighbours of a voxel in these clusters and in TFCE: by faces, edges, corners "
        "(default: {default})",
    )
    tail: Literal["gpd"] | None = setting(
        None, "read small permutation p from a fitted generalised Pareto tail (approximate)"
    )
    tfce_extent_power: Annotated[float, Interval(ge=0, le=10)] = setting(
        0.5, "E of TFCE", has_option=False
    )
    tfce_height_power: Annotated[float, Interval(ge=0, le=10)] = setting(
        2.0, "H of TFCE", has_option=False
    )


Settings = RunSettings | SubjectSettings | GroupSettings
SETTINGS: dict[str, type[RunSettings] | type[SubjectSettings] | type[GroupSettings]] = {
    "run": RunSettings,
    "session": SubjectSettings,
    "subject": SubjectSettings,
    "dataset": GroupSettings,
}
