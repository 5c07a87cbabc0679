"""What each command takes, as an object.

The command line is made of the fields, and Python makes the same objects:
``RunOptions(data, results, "all", model="balloon", settings={"alpha": 0.01})``.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from twolevel.cli.option_groups import (
    JOBS,
    AtlasOptions,
    Count,
    DataOptions,
    DownloadOptions,
    GraphOptions,
    LabelOptions,
    MachineOptions,
    MissingOptions,
    ModelOptions,
    MotionOptions,
    ProcessOptions,
    ShownOptions,
    SimulationOptions,
    Telling,
    WorkOptions,
)
from twolevel.model.declared import place, setting

WHICH_VERSION = "tag, branch or commit (default: the newest; an earlier clone stays as it is)"


@dataclass(frozen=True)
class AnalysisOptions(
    Telling, DataOptions, MotionOptions, ModelOptions, MissingOptions, GraphOptions
):
    """What says which data are analysed, and how.

    `settings` replace what the model file says, by their names in Python: ``{"n_perm": 5000}``.
    """


@dataclass(frozen=True)
class ValidateOptions(AnalysisOptions):
    """What ``twolevel validate`` takes."""

    COMMAND: ClassVar = "validate"
    TITLE: ClassVar = "events"

    _: KW_ONLY
    show_events: str | None = setting(
        None,
        "show the events of this subject, before and after the edits of the model, and what its "
        "variables take of them; with -v, every row",
        metavar="SUB",
    )


@dataclass(frozen=True)
class RunOptions(AnalysisOptions, MachineOptions, WorkOptions, DownloadOptions, ShownOptions):
    """What ``twolevel run`` takes; `settings` replace what the model file says.

    Paths may be relative. ``twolevel run --help`` explains each option; here they have their names
    with underscores, and those that set something in the model are in the mapping `settings`.

    Raises
    ------
    ValueError
        Options that do not go together.
    """

    COMMAND: ClassVar = "run"

    output_dir: Path = field(metadata=place("where results go", metavar="OUTPUT_DIR"))
    level: Literal["participant", "group", "all"] = field(
        metadata=place(
            "participant: runs and subjects; group: the group, from the subjects in OUTPUT_DIR; "
            "all: one after the other",
            "analysis_level",
        )
    )

    @property
    def draws(self) -> bool:
        """Whether figures are made: of the group, and of nothing else."""
        return super().draws and self.level != "participant"

    def __post_init__(self) -> None:
        """Refuse options that do not go together."""
        if self.fetch and self.level == "group":
            raise ValueError(
                "--fetch is for the levels participant and all; group reads no images"
            )
        for option, given in (("--drop", self.drop), ("--jobs", self.jobs is not None)):
            if given and not self.fetch:
                raise ValueError(f"{option} goes with --fetch")
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class FetchLabelOptions(LabelOptions):
    """Which runs are downloaded."""

    TITLE: ClassVar = "selection"

    model: str | None = setting(
        None,
        "take task and labels from a model's Input",
        "-m",
        "--model",
        metavar="FILE|PRESET",
    )


@dataclass(frozen=True)
class FetchOptions(Telling, FetchLabelOptions):
    """What ``twolevel fetch`` takes."""

    COMMAND: ClassVar = "fetch"
    TITLE: ClassVar = "data"

    dataset: str = field(
        metadata=place(
            "accession at OpenNeuro, as ds000001; any name where --raw and --derivatives say "
            "where the data are",
            metavar="DATASET",
        )
    )
    target: Path = field(
        metadata=place(
            "becomes the raw dataset, with the derivatives in derivatives/fmriprep; an earlier "
            "clone is gone on with",
            metavar="TARGET_DIR",
        )
    )
    _: KW_ONLY
    raw: str | None = setting(
        None, "the raw dataset: what DataLad takes, a path too", metavar="URL"
    )
    derivatives: str | None = setting(None, "its fMRIPrep derivatives, likewise", metavar="URL")
    raw_version: str | None = setting(None, WHICH_VERSION, metavar="VERSION")
    derivatives_version: str | None = setting(None, WHICH_VERSION, metavar="VERSION")
    jobs: Count = setting(
        JOBS, "files downloaded at the same time (default: {default})", metavar="N"
    )
    dry_run: bool = setting(
        False,
        "clone without any content, list files and bytes, and download nothing; the last "
        "line is the number of bytes still to be downloaded",
    )


@dataclass(frozen=True)
class ModelCommandOptions(Telling, GraphOptions):
    """What ``twolevel model`` takes.

    Raises
    ------
    ValueError
        Not exactly one of dataset, preset and model is given, or options that do not go together.
    """

    COMMAND: ClassVar = "model"

    bids_dir: Path | None = field(
        default=None,
        metadata=place(
            "the raw BIDS dataset: a model is made that runs on it as it is; what was chosen, and "
            "why, is printed",
            metavar="BIDS_DIR",
        ),
    )
    _: KW_ONLY
    derivatives: tuple[Path, ...] = setting(
        (),
        "fMRIPrep derivatives, repeatable (default: BIDS_DIR/derivatives/fmriprep); only tables "
        "are read",
        "-d",
        "--derivatives",
        metavar="PATH",
        is_repeated=True,
    )
    task_id: str | None = setting(
        None,
        "the task, where several have events: a model is of one",
        "-t",
        "--task-id",
        metavar="TASK",
    )
    with_response_time: bool = setting(
        False,
        "add a regressor of all events that last as long as the response took, if the events "
        "have a column of response times",
    )
    preset: str | None = setting(None, "print a preset instead, as balloon", metavar="NAME")
    strict: Path | None = setting(
        None,
        "print this model as it is understood instead: in the strict form of the standard, "
        "without what is the default",
        metavar="FILE",
        must_exist=True,
    )
    output: Path | None = setting(
        None, "a new file for the model (default: it is printed)", "-o", "--output", metavar="FILE"
    )

    def __post_init__(self) -> None:
        """Refuse options that do not go together."""
        given = (self.bids_dir, self.preset, self.strict)
        if sum(one is not None for one in given) != 1:
            raise ValueError("give one of BIDS_DIR, --preset NAME and --strict FILE")
        for option, is_given in (
            ("--derivatives", bool(self.derivatives)),
            ("--task-id", self.task_id is not None),
            ("--with-response-time", self.with_response_time),
        ):
            if is_given and self.bids_dir is None:
                raise ValueError(f"{option} goes with BIDS_DIR")


@dataclass(frozen=True)
class ReportOptions(Telling, AtlasOptions):
    """What ``twolevel report`` takes."""

    COMMAND: ClassVar = "report"

    output_dir: Path = field(metadata=place("of an earlier `twolevel run`", metavar="OUTPUT_DIR"))


@dataclass(frozen=True)
class SimulateOptions(Telling, SimulationOptions):
    """What ``twolevel simulate`` takes."""

    COMMAND: ClassVar = "simulate"

    output_dir: Path = field(metadata=place("a new folder", metavar="OUTPUT_DIR"))


@dataclass(frozen=True)
class DemoOptions(Telling, SimulationOptions, ProcessOptions, ShownOptions):
    """What ``twolevel demo`` takes."""

    COMMAND: ClassVar = "demo"

    output_dir: Path = field(
        default=Path("demo"),
        metadata=place(
            "a folder for data, work and results (default: ./demo)", metavar="OUTPUT_DIR"
        ),
    )


CommandOptions = (
    RunOptions
    | FetchOptions
    | ValidateOptions
    | ModelCommandOptions
    | ReportOptions
    | SimulateOptions
    | DemoOptions
)
