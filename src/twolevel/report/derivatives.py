"""What the report shows, read from the derivatives alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from twolevel.bids.entities import NODE, OTHER_ENTITIES, Entities, entities_of
from twolevel.bids.runs import averaged_sessions
from twolevel.derivatives.calls import read_history
from twolevel.derivatives.exclusions import EXCLUDED, EXCLUSION_COLUMNS
from twolevel.errors import InputError, Problem
from twolevel.files.sidecars import read_json
from twolevel.files.tables import read_tsv
from twolevel.report.group_results import read_contrasts
from twolevel.report.incomplete import Incomplete

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from twolevel.derivatives.calls import History
    from twolevel.report.group_results import ContrastResult

RUN_KEYS = ["subject", "session", "task", "run", "other"]

T = TypeVar("T")


@dataclass(frozen=True)
class GroupLevel:
    """A group: of one task in one space.

    Attributes
    ----------
    stem : str
        What its files begin with, in ``group`` and in ``figures``: the folder of its node, where
        the model has several, and their names.
    sidecar : dict
        Of its design.
    coverage_figure : Path or None
        Of the subjects' masks.
    """

    stem: str
    sidecar: dict[str, Any]
    contrasts: list[ContrastResult]
    coverage_figure: Path | None

    @property
    def has_figures(self) -> bool:
        """Whether any figure of it is there: a run need not draw them."""
        return self.coverage_figure is not None or any(c.figures for c in self.contrasts)


@dataclass(frozen=True)
class Derivatives:
    """An output directory.

    Attributes
    ----------
    description : dict
        ``dataset_description.json``.
    groups : list of GroupLevel
        Empty where there is no group level.
    subjects : list of str
        Labels of the subjects with maps.
    runs : pandas.DataFrame
        One row per run: its entities and its quality.
    run_designs : list of dict
        Sidecars of the runs' designs.
    contrast_labels : frozenset of str
        Contrasts of which there is a map, of a run or a subject.
    subject : dict
        Sidecar of a subject's map; empty where there is none.
    history : History
        Of the calls that made it.
    incomplete : Incomplete
        What could not be read, and is not shown.
    """

    root: Path
    description: dict[str, Any]
    groups: list[GroupLevel]
    subjects: list[str]
    runs: pd.DataFrame
    run_designs: list[dict[str, Any]]
    contrast_labels: frozenset[str]
    subject: dict[str, Any]
    excluded: pd.DataFrame
    history: History
    incomplete: Incomplete = field(default_factory=Incomplete)

    @property
    def contrasts(self) -> list[ContrastResult]:
        """Those of all groups."""
        return [contrast for group in self.groups for contrast in group.contrasts]

    @property
    def n_runs(self) -> int:
        """How many runs there are, however many spaces they were analysed in."""
        return len(self.runs[RUN_KEYS].drop_duplicates()) if len(self.runs) else 0

    @property
    def averaged_sessions(self) -> str:
        """Whether sessions are averaged as if they were runs, in words."""
        if self.runs.empty:
            return ""
        return averaged_sessions(
            [set(runs["session"]) for _, runs in self.runs.groupby(["subject", "task"])]
        )

    @property
    def name(self) -> str:
        """Of the model; that of the folder where nothing has been analysed."""
        sidecars = [*(group.sidecar for group in self.groups), *self.run_designs]
        return str(sidecars[0]["Model"]["Name"]) if sidecars else self.root.name


def check_is_output(root: Path) -> dict[str, Any]:
    """Refuse a folder that no run wrote, or return its ``dataset_description.json``."""
    path = root / "dataset_description.json"
    description = read_json(path) if path.is_file() else {}
    if not any(made.get("Name") == "twolevel" for made in description.get("GeneratedBy", [])):
        raise InputError(
            Problem(
                f"OUTPUT_DIR {root}",
                "no results of twolevel",
                "a folder with dataset_description.json, sub-*/ and group/, as `twolevel run` "
                "writes it",
                "give the OUTPUT_DIR of a run",
            )
        )
    return description


def read_derivatives(root: Path) -> Derivatives:
    """Read an output directory; refuse a folder that is none of this program."""
    description = check_is_output(root)
    incomplete = Incomplete()
    tests = sorted((root / "group").rglob("*_tests.tsv"))
    names = told_apart([path.relative_to(root / "group") for path in tests])
    fixed = sorted(root.glob("sub-*/**/*_contrast-*_stat-effect_statmap.json"), key=_depth)
    return Derivatives(
        root,
        description,
        _present(
            incomplete.attempt(
                f"group {path.name}", partial(_read_group, root, path, name, incomplete)
            )
            for path, name in zip(tests, names, strict=True)
        ),
        sorted(path.name.removeprefix("sub-") for path in root.glob("sub-*") if path.is_dir()),
        _read_runs(root, incomplete),
        _present(
            incomplete.attempt(path.name, partial(read_json, path))
            for path in sorted(root.glob("sub-*/**/*_design.json"))
        ),
        frozenset(entities_of(path)["contrast"] for path in fixed),
        next(iter(_present(incomplete.attempt(p.name, partial(read_json, p)) for p in fixed)), {}),
        _read_excluded(root, incomplete),
        read_history(root),
        incomplete,
    )


def _present(items: Iterable[T | None]) -> list[T]:
    return [item for item in items if item is not None]


def told_apart(paths: Sequence[Path]) -> list[str]:
    """Name groups by what tells each from the others: node, session, task, space.

    Parameters
    ----------
    paths : sequence of Path
        Of a file of each, in ``group``; the folder is that of its node, if any.
    """
    entities = [entities_of(path).with_(**{NODE: path.parent.name}) for path in paths]
    shared = Entities.shared(entities) if entities else Entities()
    return [
        " ".join(
            label.removeprefix(f"{NODE}-") if key == NODE else f"{key}-{label}"
            for key, label in names.without(*shared).items()
        )
        for names in entities
    ]


def _read_group(root: Path, tests: Path, name: str, incomplete: Incomplete) -> GroupLevel:
    stem = tests.relative_to(root / "group").as_posix().removesuffix("_tests.tsv")
    coverage = root / "figures" / f"{stem}_desc-coverage_statmap.png"
    return GroupLevel(
        stem,
        read_json(root / "group" / f"{stem}_design.json"),
        read_contrasts(root, stem, name, incomplete),
        coverage if coverage.is_file() else None,
    )


def _read_excluded(root: Path, incomplete: Incomplete) -> pd.DataFrame:
    """Merge the tables of the subjects and of the group, which repeats those of its subjects."""
    as_text = dict.fromkeys(EXCLUSION_COLUMNS, str)
    paths = sorted(root.glob(f"sub-*/{EXCLUDED}"))

    def read(path: Path) -> pd.DataFrame | None:
        where = str(path.relative_to(root))
        return incomplete.attempt(where, lambda: read_tsv(path, dtype=as_text))

    tables = _present(map(read, paths))
    if (root / EXCLUDED).is_file() and (merged := read(root / EXCLUDED)) is not None:
        told = merged["subject"].isin([path.parent.name.removeprefix("sub-") for path in paths])
        tables.append(merged[~told | (merged["kind"] == "subject")])
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return found.reindex(columns=list(EXCLUSION_COLUMNS))


def _depth(path: Path) -> tuple[int, str]:
    """Sort the maps of subjects before those of runs, which have one entity more."""
    return len(entities_of(path)), path.name


def _read_runs(root: Path, incomplete: Incomplete) -> pd.DataFrame:
    rows = []
    for path in sorted(root.glob("sub-*/**/*_desc-run_quality.tsv")):
        entities = entities_of(path)
        table = incomplete.attempt(path.name, partial(read_tsv, path))
        if table is None:
            continue
        keys = zip(table["measure"], table["of"], strict=True)
        values: dict[tuple[str, str], float] = dict(zip(keys, table["value"], strict=True))
        inflation = table[table["measure"] == "vif_contrast"]["value"]
        rows.append(
            {
                "subject": entities.get("sub", ""),
                "session": entities.get("ses", ""),
                "task": entities.get("task", ""),
                "run": entities.get("run", ""),
                "other": entities.in_words(OTHER_ENTITIES),
                "space": entities.get("space", ""),
                "res": entities.get("res", ""),
                "volumes": values["n_volumes", "fit"],
                "left_out": values["n_volumes", "image"] - values["n_volumes", "fit"],
                "voxels": values["n_voxels", "analysis mask"],
                "dof": values["dof", "fit"],
                "tsnr": values["tsnr", "median"],
                "displacement": values.get(("framewise_displacement", "mean")),
                "dvars": values["dvars", "median"],
                "outlier_volumes": values["n_outliers", "fit"],
                "r_squared": values["r_squared", "median"],
                "autocorrelation": values["residual_autocorrelation", "median"],
                "largest_vif": inflation.max(),
            }
        )
    return pd.DataFrame(rows)
