"""The report: one self-contained page, made from the derivatives alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from filelock import FileLock

from twolevel.derivatives.exclusions import EXCLUSION_COLUMNS
from twolevel.derivatives.quality import WARNING
from twolevel.derivatives.records import GROUP
from twolevel.files.atomic import write_bytes
from twolevel.numerics.threads import map_ahead
from twolevel.report.contrast_view import make_contrast_view
from twolevel.report.derivatives import check_is_output, read_derivatives
from twolevel.report.graph import description_of
from twolevel.report.methods import methods, references
from twolevel.report.pictures import figure_uri, svg_uri
from twolevel.report.rendering import make_environment, viewer_data
from twolevel.report.run_details import read_run_details
from twolevel.report.subject_effects import ENOUGH, read_coverage
from twolevel.report.words import (
    UNCORRECTED,
    absent_contrasts,
    foremost_test,
    left_out,
    subject_notes,
    verdict,
)

if TYPE_CHECKING:
    from pathlib import Path

    import jinja2
    import pandas as pd

    from twolevel.report.atlas import Atlas
    from twolevel.report.contrast_view import ContrastView
    from twolevel.report.derivatives import Derivatives, GroupLevel
    from twolevel.report.incomplete import Incomplete
    from twolevel.report.run_details import RunDetails
    from twolevel.report.subject_effects import Coverage

REPORT, LOCK = "report.html", "report.lock"
DETAILS = "details"
N_THREADS = 2
INLINE_RUNS = 100  # beyond it each subject has a page of its own: a run takes about 40 kB

CLUSTER_COLUMNS = {
    "sign": "sign",
    "n_voxels": "voxels",
    "volume_mm3": "mm³",
    "peak_x_mm": "x",
    "peak_y_mm": "y",
    "peak_z_mm": "z",
    "region": "region",
    "z_at_peak": "z value",
    "t_at_peak": "t",
    "effect_at_peak": "effect",
    "d": "Cohen's d",
    "p_at_peak": "corrected p",
}
RUN_COLUMNS = {
    "subject": "subject",
    "session": "session",
    "task": "task",
    "run": "run",
    "other": "other entities",
    "space": "space",
    "res": "resolution",
    "volumes": "volumes",
    "left_out": "left out",
    "voxels": "voxels",
    "dof": "dof",
    "tsnr": "tSNR",
    "displacement": "displacement (mm)",
    "dvars": "DVARS",
    "outlier_volumes": "outlier volumes",
    "r_squared": "R²",
    "autocorrelation": "autocorrelation after whitening",
    "largest_vif": "largest variance inflation of a contrast",
}


SAME = ("task", "space", "res")  # not shown where all runs have the same


@dataclass(frozen=True)
class _Level:
    """A group with its contrasts, as the page shows them."""

    group: GroupLevel
    views: list[ContrastView]
    coverage: Coverage | None


@dataclass(frozen=True)
class _Section:
    """A subject's runs: as part of the page, or as a page of its own."""

    subject: str
    html: str
    link: str | None


def write_report(output_dir: Path, atlas: Atlas | None = None) -> Path:
    """Make the report of an output directory.

    Parameters
    ----------
    output_dir : Path
        As `twolevel run` left it: the group level may be missing.
    atlas : Atlas, optional
        Names the regions; default the one that is shipped, for maps in MNI152 space.

    Returns
    -------
    Path
        ``report.html``, which opens from disk and asks for nothing from elsewhere. With many
        subjects, their runs lie in pages of their own in ``figures/``.

    Raises
    ------
    InputError
        The folder is no output directory of this program.
    """
    check_is_output(output_dir)  # before anything is written there
    logs = output_dir / "logs"
    logs.mkdir(exist_ok=True)
    # Calls for different subjects may end at the same time: the last one shows what all left.
    with FileLock(logs / LOCK):
        return _write_report(output_dir, atlas)


def _write_report(output_dir: Path, atlas: Atlas | None) -> Path:
    derivatives = read_derivatives(output_dir)
    incomplete = derivatives.incomplete
    levels = [_read_level(output_dir, group, atlas, incomplete) for group in derivatives.groups]
    views = [view for level in levels for view in level.views]
    environment = make_environment()
    sections = _write_sections(environment, derivatives)
    tests = _test_names(derivatives)
    graph = derivatives.history.graph
    page = environment.get_template("page.html").render(
        d=derivatives,
        levels=levels,
        views=views,
        pictures=_pictures(derivatives),
        sections=sections,
        failed=derivatives.history.failed,
        group_key=GROUP,
        left_out=left_out(derivatives.excluded),
        incomplete=incomplete.found,
        absent_contrasts=absent_contrasts(derivatives),
        subject_notes=subject_notes(views, [level.coverage for level in levels]),
        verdict=verdict,
        graph=svg_uri(graph) if graph else "",
        graph_in_words=description_of(graph),
        methods=methods(derivatives, [view.atlas.title for view in views if view.atlas]),
        references=references(derivatives),
        tests=tests,
        uncorrected=[test for test in tests if test in UNCORRECTED],
        foremost_test=foremost_test,
        enough=ENOUGH,
        inflation_warning=WARNING,
        cluster_columns=CLUSTER_COLUMNS,
        run_columns=_used_columns(derivatives.runs),
        n_runs=derivatives.n_runs,
        exclusion_columns=EXCLUSION_COLUMNS,
        viewer=viewer_data(views) if views else None,
    )
    return write_bytes(output_dir / REPORT, page.encode())


def _read_level(
    root: Path, group: GroupLevel, atlas: Atlas | None, incomplete: Incomplete
) -> _Level:
    views = [
        incomplete.attempt(
            f"contrast {contrast.label}", partial(make_contrast_view, root, contrast, atlas)
        )
        for contrast in group.contrasts
    ]
    return _Level(
        group,
        [view for view in views if view is not None],
        incomplete.attempt("coverage", lambda: read_coverage(root, group.sidecar["Sources"])),
    )


def _pictures(derivatives: Derivatives) -> dict[Path, str]:
    """Read the figures that the page shows, in threads."""
    paths = [path for contrast in derivatives.contrasts for path in contrast.figures.values()]
    paths += [group.coverage_figure for group in derivatives.groups if group.coverage_figure]
    return dict(zip(paths, map_ahead(figure_uri, paths, N_THREADS), strict=True))


def _write_sections(environment: jinja2.Environment, derivatives: Derivatives) -> list[_Section]:
    """Make the section of each subject; write them as pages where they are too many for one."""
    root = derivatives.root
    for path in (root / "figures").glob(f"sub-*_{DETAILS}.html"):
        path.unlink(missing_ok=True)  # another call may be making its report
    # Of a run that another call is publishing, only some files may be there.
    volumes = sorted(root.glob("sub-*/**/*_desc-volumes_quality.tsv"))
    tables = [path.with_name(path.name.replace("desc-volumes", "desc-run")) for path in volumes]
    of_subject: dict[str, list[RunDetails]] = {}

    def read(table: Path) -> RunDetails | None:
        return derivatives.incomplete.attempt(table.name, lambda: read_run_details(table))

    for run in map_ahead(read, tables, N_THREADS):
        if run is not None:
            of_subject.setdefault(run.entities["sub"], []).append(run)
    inline = len(tables) <= INLINE_RUNS
    template = environment.get_template("subject.html" if inline else "subject_page.html")
    sections = []
    for subject, runs in of_subject.items():
        html = template.render(subject=subject, runs=runs, heading="h4" if inline else "h2")
        link = None if inline else f"figures/sub-{subject}_{DETAILS}.html"
        if link is not None:
            write_bytes(root / link, html.encode())
        sections.append(_Section(subject, html if inline else "", link))
    return sections


def _test_names(derivatives: Derivatives) -> list[str]:
    """Return the labels of all tests, each once, in their order."""
    names = (t.row["test"] for contrast in derivatives.contrasts for t in contrast.tests)
    return list(dict.fromkeys(names))


def _used_columns(runs: pd.DataFrame) -> dict[str, str]:
    """Return the columns of the table of runs that tell something: not all data have sessions."""
    return {
        key: title
        for key, title in RUN_COLUMNS.items()
        if key in runs
        and not (runs[key].isna() | (runs[key] == "")).all()
        and not (key in SAME and len(set(runs[key])) == 1)
    }
