"""Options that commands share, in groups; an option is a field, declared once.

A class stands for a group; functions take the group that they need. See `twolevel.model.declared`
for what a field says, and `twolevel.cli.arguments` for the command line that is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # fields are read while the program runs
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Interval

from twolevel.model.declared import place, setting
from twolevel.workflow.workers.table import WORKERS

JOBS = 4  # downloads at the same time
Count = Annotated[int, Ge(1)]
Seed = Annotated[int, Ge(0)]


@dataclass(frozen=True, kw_only=True)
class Telling:
    """How much is said, in every command."""

    COMMAND: ClassVar[str]

    verbose: bool = setting(False, "name every run in the notes", "-v", "--verbose")
    debug: bool = setting(False, "show tracebacks")


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Which runs are meant, by their labels."""

    TITLE: ClassVar = "selection"

    participant_label: tuple[str, ...] = setting(
        (), "subjects, with or without sub- (default: all)", metavar="LABEL"
    )
    exclude_participant_label: tuple[str, ...] = setting(
        (),
        "subjects that are left out, with or without sub-; recorded in excluded.tsv",
        metavar="LABEL",
    )
    session_label: tuple[str, ...] = setting((), "sessions (default: all)", metavar="LABEL")
    task_id: str | None = setting(
        None,
        "the task, where neither the model nor the dataset leaves one only",
        "-t",
        "--task-id",
        metavar="TASK",
    )
    run_label: tuple[str, ...] = setting(
        (), "runs; 1 and 01 are the same (default: all)", metavar="LABEL"
    )
    bids_filter_file: Path | None = setting(
        None,
        'JSON as fMRIPrep takes it, {"bold": {"session": "1", "acquisition": ["mb"]}}: '
        'labels by pybids\'s names of entities; null for none, "*" for any',
        metavar="FILE",
        must_exist=True,
    )
    space: str | None = setting(
        None,
        "space of the images, as MNI152NLin2009cAsym:res-2; none for images without a space "
        "entity, where that is a space common to all subjects "
        "(default: the only one there, or MNI152NLin2009cAsym)",
        metavar="SPACE[:res-R]",
    )


@dataclass(frozen=True)
class DataOptions(LabelOptions):
    """Which runs are analysed, and where their derivatives are."""

    TITLE: ClassVar = "selection"

    bids_dir: Path = field(metadata=place("the raw BIDS dataset", metavar="BIDS_DIR"))
    _: KW_ONLY
    derivatives: tuple[Path, ...] = setting(
        (),
        "fMRIPrep derivatives, repeatable (default: BIDS_DIR/derivatives/fmriprep)",
        "-d",
        "--derivatives",
        metavar="PATH",
        is_repeated=True,
    )
    n_subjects: Count | None = setting(
        None, "draw N subjects at random (see --random-seed)", metavar="N"
    )


@dataclass(frozen=True, kw_only=True)
class MotionOptions:
    """Which runs are left out because the head moved too much."""

    TITLE: ClassVar = "selection"

    max_mean_fd: Annotated[float, Interval(gt=0)] | None = setting(
        None,
        "leave out runs whose mean framewise displacement is larger, volumes without one aside; "
        "recorded in excluded.tsv",
        metavar="MM",
    )
    max_censored: Annotated[float, Interval(ge=0, lt=1)] | None = setting(
        None,
        "leave out runs of whose volumes a larger share is censored: outside the sample mask of "
        "the confound strategy, or over the model's FdThreshold or DvarsThreshold (0.5 mm or 1.5 "
        "where it states neither); recorded in excluded.tsv",
        metavar="SHARE",
    )


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The model, and what replaces its settings."""

    TITLE: ClassVar = "model"
    ABOUT: ClassVar = (
        "All but --model, --group-mask and --random-seed replace what the model file says."
    )

    model: str | None = setting(
        None,
        "BIDS Stats Model, JSON or YAML, or a preset, as balloon; `twolevel model BIDS_DIR` "
        "writes one to start with (default: the only model under BIDS_DIR/models)",
        "-m",
        "--model",
        metavar="FILE|PRESET",
    )
    settings: Mapping[str, Any] = field(default_factory=dict)
    group_mask: Path | None = setting(
        None, "analyse the group only within this mask", metavar="FILE", must_exist=True
    )
    random_seed: Seed = setting(
        0, "one seed for everything random (default: {default})", metavar="N"
    )


@dataclass(frozen=True, kw_only=True)
class MissingOptions:
    """Whether an analysis goes on without what is missing."""

    TITLE: ClassVar = "running"

    allow_missing: bool = setting(
        False,
        "leave out runs that lack a file or fail their checks, recorded in excluded.tsv, and "
        "go on to the group when subjects failed or are missing",
    )


@dataclass(frozen=True, kw_only=True)
class GraphOptions:
    """Where a picture of the model goes."""

    TITLE: ClassVar = "running"

    write_graph: Path | None = setting(
        None,
        "draw the model as SVG: its nodes, what flows between them, and how many units and inputs "
        "each has",
        metavar="FILE.svg",
    )


if TYPE_CHECKING:
    WorkerName = str
else:
    WorkerName = Literal[tuple(WORKERS)]


@dataclass(frozen=True, kw_only=True)
class ProcessOptions:
    """How many processes work."""

    TITLE: ClassVar = "running"

    nprocs: Count | None = setting(None, "processes (default: one per core)", metavar="N")
    worker: WorkerName = setting(
        "cf",
        "; ".join(f"{name}: {kind.description}" for name, kind in WORKERS.items())
        + " (default: {default})",
    )


@dataclass(frozen=True, kw_only=True)
class MachineOptions(ProcessOptions):
    """Processes and what each of them may use."""

    TITLE: ClassVar = "running"

    omp_nthreads: Count | None = setting(
        None,
        "threads of each process (default: what cores there are, shared by the processes)",
        metavar="N",
    )
    mem_gb: Annotated[float, Ge(0.5)] | None = setting(
        None,
        "memory for all processes together; a run that needs more is read in several passes "
        "(default: three quarters of the machine's)",
        metavar="GB",
    )


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """Where work is kept, and what may be replaced."""

    TITLE: ClassVar = "running"

    work_dir: Path = setting(
        Path("work"),
        "intermediate results, which make a second run short; one directory "
        "per run at a time (default: ./{default})",
        "-w",
        "--work-dir",
        metavar="PATH",
    )
    clean_work_dir: bool = setting(False, "forget all earlier results in the work directory first")
    overwrite: bool = setting(
        False,
        "replace results of another selection (sessions, runs, filters, version of the "
        "derivatives) that lie under the same names in OUTPUT_DIR; they are listed",
    )


@dataclass(frozen=True, kw_only=True)
class DownloadOptions:
    """How `run` downloads."""

    TITLE: ClassVar = "data"

    fetch: bool = setting(
        False,
        "download each subject's images first; needs DataLad clones (see `twolevel fetch`)",
    )
    drop: bool = setting(
        False,
        "with --fetch: drop a subject's images from the disk once its maps are published, "
        "where git-annex finds another copy",
    )
    jobs: Count | None = setting(
        None, f"files downloaded at the same time (default: {JOBS})", metavar="N"
    )


@dataclass(frozen=True, kw_only=True)
class AtlasOptions:
    """How the report is made and shown."""

    TITLE: ClassVar = "report"

    atlas: Path | None = setting(
        None,
        "names the regions at peaks: a 3-D image of labels, with NAME.tsv (columns index and "
        "name) or NAME.csv beside it (default: Desikan - Killiany, for maps in MNI152 space)",
        metavar="FILE",
        must_exist=True,
    )
    open: bool = setting(False, "show the report in the browser")


@dataclass(frozen=True, kw_only=True)
class ShownOptions(AtlasOptions):
    """What is drawn and reported at the end of a run."""

    TITLE: ClassVar = "report"

    no_figures: bool = setting(
        False,
        "draw no figures, which takes most of the time of a small analysis; the same call "
        "without this option adds them",
    )
    no_report: bool = setting(False, "make no report; `twolevel report OUTPUT_DIR` makes it later")

    @property
    def draws(self) -> bool:
        """Whether figures are made."""
        return not self.no_figures

    def __post_init__(self) -> None:
        """Refuse options that do not go together."""
        for option, given in (("--open", self.open), ("--atlas", self.atlas)):
            if given and self.no_report:
                raise ValueError(f"{option} is about the report, which --no-report leaves out")


@dataclass(frozen=True, kw_only=True)
class SimulationOptions:
    """What the simulated dataset is like."""

    TITLE: ClassVar = "simulation"

    n_subjects: Count = setting(8, "subjects (default: {default})", metavar="N")
    n_runs: Count = setting(3, "runs of each (default: {default})", metavar="N")
    n_volumes: Annotated[int, Ge(30)] = setting(
        150, "volumes of each run (default: {default})", metavar="N"
    )
    voxel_size: Annotated[float, Interval(ge=2, le=6)] = setting(
        4.0, "edge of a voxel in mm, 2 to 6 (default: 4)", metavar="N"
    )
    random_seed: Seed = setting(0, "seed (default: {default})", metavar="N")
