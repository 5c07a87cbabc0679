"""Names, sidecars and folders of what is written."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twolevel.bids.atomic import write_bytes
from twolevel.bids.entities import build_name, parse_name
from twolevel.bids.images import write_image
from twolevel.bids.sidecars import read_json, write_json
from twolevel.bids.tables import read_tsv, write_tsv

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from twolevel.model.spec import Stage

__all__ = [
    "EXCLUDED",
    "Exclusion",
    "common_entities",
    "entities_of",
    "folder_of",
    "model_record",
    "publish",
    "read_exclusions",
    "spatial_record",
    "write_dataset_files",
    "write_exclusions",
    "write_mask",
    "write_statmap",
]

EXCLUDED = "excluded.tsv"
PRIVATE = "_"  # what begins so stays in the work directory
EXCLUSION_COLUMNS = ("subject", "session", "run", "contrast", "kind", "item", "count", "reason")
IGNORED = """\
**/*_statmap.*
**/*_design.*
**/*_clusters.*
group
figures
logs
excluded.tsv
report.html
"""
MEANINGS = {
    "effect": "Estimated effect of the contrast",
    "variance": "Sampling variance of the effect",
    "t": "Student's t: effect divided by the square root of its variance",
    "z": "Standard normal value with the one-sided p of t, signed",
    "p": "p-value of t, not corrected for the number of voxels",
    "logp": "-log10 of the p-value corrected for the number of voxels (family-wise error)",
}


@dataclass(frozen=True)
class Exclusion:
    """Something that was left out, and why.

    Attributes
    ----------
    kind : str
        ``volume``, ``event``, ``voxel``, ``contrast``, ``run`` or ``subject``.
    reason : str
    subject, session, run : str
        Labels; empty where it concerns all.
    contrast : str
        Label; empty where it concerns all.
    item : str
        Which: indices of volumes, lines of events.
    count : int
        How many.
    """

    kind: str
    reason: str
    subject: str = ""
    session: str = ""
    run: str = ""
    contrast: str = ""
    item: str = ""
    count: int = 1

    @classmethod
    def in_run(
        cls,
        entities: Mapping[str, str],
        kind: str,
        reason: str,
        *,
        contrast: str = "",
        item: str = "",
        count: int = 1,
    ) -> Exclusion:
        """Describe something left out of a run, named by its entities."""
        return cls(
            kind,
            reason,
            subject=entities["sub"],
            session=entities.get("ses", ""),
            run=entities.get("run", ""),
            contrast=contrast,
            item=item,
            count=count,
        )


def write_exclusions(path: Path, exclusions: Iterable[Exclusion]) -> Path:
    """Write a table of exclusions, also when there are none.

    Parameters
    ----------
    path : Path
    exclusions : iterable of Exclusion

    Returns
    -------
    Path
    """
    rows = [asdict(exclusion) for exclusion in exclusions]
    table = pd.DataFrame(rows, columns=list(EXCLUSION_COLUMNS))
    return write_tsv(path, table.replace("", None))


def read_exclusions(path: Path) -> list[Exclusion]:
    """Read a table of exclusions.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Exclusion
    """
    table = read_tsv(path, dtype=dict.fromkeys(EXCLUSION_COLUMNS, str))
    return [
        Exclusion(**{**{k: str(v) for k, v in row.items()}, "count": int(row["count"])})  # type: ignore[arg-type]
        for row in table.fillna("").to_dict("records")
    ]


def folder_of(entities: Mapping[str, str]) -> str:
    """Return the folder of an output: that of its subject, or ``group``.

    Parameters
    ----------
    entities : mapping of str to str

    Returns
    -------
    str
        Relative to the output directory.
    """
    if "sub" not in entities:
        return "group"
    session = f"/ses-{entities['ses']}" if "ses" in entities else ""
    return f"sub-{entities['sub']}{session}/func"


def model_record(stage: Stage) -> dict[str, Any]:
    """Describe model and software for a sidecar.

    Parameters
    ----------
    stage : Stage

    Returns
    -------
    dict
    """
    return {
        "Software": {
            "Name": "twolevel",
            "Version": version("twolevel"),
            "Libraries": {name: version(name) for name in ("nilearn", "numpy", "scipy")},
        },
        "Model": {
            "Name": stage.model_name,
            "Node": stage.node.name,
            "Level": stage.node.level,
            "Overrides": dict(stage.overrides),
            "Digest": stage.digest,
        },
    }


def spatial_record(
    entities: Mapping[str, str], affine: NDArray[np.float64], sources: Sequence[str]
) -> dict[str, str]:
    """Describe grid and space, as far as the standard asks for it.

    Parameters
    ----------
    entities : mapping of str to str
    affine : ndarray of shape (4, 4)
    sources : sequence of str
        BIDS URIs; the first one is on the same grid.

    Returns
    -------
    dict
        ``Resolution`` for names that hold ``res``, ``SpatialReference`` for spaces that are no
        standard template.
    """
    record = {}
    if "res" in entities:
        size = np.sqrt(np.sum(affine[:3, :3] ** 2, axis=0))
        record["Resolution"] = f"voxels of {' x '.join(f'{v:g}' for v in size.round(3))} mm"
    if "space" in entities and not entities["space"].startswith("MNI"):
        record["SpatialReference"] = sources[0]
    return record


def write_mask(
    folder: Path,
    entities: Mapping[str, str],
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    sidecar: Mapping[str, Any],
) -> Path:
    """Write an analysis mask and its sidecar.

    Parameters
    ----------
    folder : Path
        The tree that is being made.
    entities : mapping of str to str
        Without ``desc``; with ``contrast`` for a mask of one contrast only.
    mask : ndarray of shape (x, y, z), bool
    affine : ndarray of shape (4, 4)
    sidecar : mapping
        What is common to the level; with ``Sources``.

    Returns
    -------
    Path
    """
    path = (
        folder
        / folder_of(entities)
        / build_name({**entities, "desc": "analysis"}, "mask", ".nii.gz")
    )
    content = {
        "Description": "Voxels that were analysed",
        "Type": "ROI",
        **spatial_record(entities, affine, sidecar["Sources"]),
        "NumberOfVoxels": int(mask.sum()),
        **sidecar,
    }
    write_json(path.with_name(path.name.replace(".nii.gz", ".json")), content)
    return write_image(path, mask, affine)


def write_statmap(
    folder: Path,
    entities: Mapping[str, str],
    values: NDArray[np.floating],
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    sidecar: Mapping[str, Any],
) -> Path:
    """Write a statistical map and its sidecar; NaN outside the mask.

    Parameters
    ----------
    folder : Path
        The tree that is being made.
    entities : mapping of str to str
        With ``contrast`` and ``stat``.
    values : ndarray of shape (n_voxels,)
        In the order of ``array[mask]``; stored as float32.
    mask : ndarray of shape (x, y, z), bool
    affine : ndarray of shape (4, 4)
    sidecar : mapping
        Comes after what is the same for every map of that statistic; with ``Sources``.

    Returns
    -------
    Path
    """
    path = folder / folder_of(entities) / build_name(entities, "statmap", ".nii.gz")
    volume = np.full(mask.shape, np.nan, np.float32)
    volume[mask] = values
    content = {
        "Description": MEANINGS[entities["stat"]],
        "StatisticalMap": entities["stat"],
        **spatial_record(entities, affine, sidecar["Sources"]),
        **sidecar,
    }
    write_json(path.with_name(path.name.replace(".nii.gz", ".json")), content)
    return write_image(path, volume, affine, compression=4)


def write_dataset_files(
    output_dir: Path, links: Mapping[str, Path], version_of: Mapping[str, str]
) -> None:
    """Write ``dataset_description.json``, ``.bidsignore`` and a README at the root of the outputs.

    Parameters
    ----------
    output_dir : Path
    links : mapping of str to Path
        Datasets by the names that BIDS URIs use.
    version_of : mapping of str to str
        Commit of those that are in version control.
    """
    relative = {name: _relative_uri(root, output_dir) for name, root in links.items()}
    sources = []
    for name, root in links.items():
        description = root / "dataset_description.json"
        stated = read_json(description) if description.is_file() else {}
        doi = stated.get("DatasetDOI")
        commit = version_of.get(name)
        sources.append(
            {
                "URL": relative[name],
                **({"DOI": doi} if doi else {}),
                **({"Version": commit} if commit else {}),
            }
        )
    write_json(
        output_dir / "dataset_description.json",
        {
            "Name": "twolevel: statistical maps of a task",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "twolevel", "Version": version("twolevel")}],
            "SourceDatasets": sources,
            "DatasetLinks": relative,
        },
    )
    write_bytes(output_dir / ".bidsignore", IGNORED.encode())
    write_bytes(output_dir / "README", README.encode())


README = """\
Statistical maps of a task, made by twolevel.

sub-*/func   one set of maps per run, and one per subject (fixed effects over runs)
group        the group model and the tests
figures      pictures of the group maps
excluded.tsv what was left out, and why

Each map and each table has a JSON file beside it that says what its numbers mean.
Outside the analysis mask a map holds NaN.
"""


def _relative_uri(root: Path, output_dir: Path) -> str:
    # Relative, because no file of the outputs may hold a path of the machine that made it.
    return Path(os.path.relpath(root.resolve(), output_dir.resolve())).as_posix()


def publish(trees: Sequence[Path], output_dir: Path, *, stale: Sequence[str]) -> list[Path]:
    """Copy finished trees to their final place, and drop what an earlier run left there.

    Parameters
    ----------
    trees : sequence of Path
        Folders whose content is laid out as in `output_dir`; names that begin with an underscore
        at their root stay behind.
    output_dir : Path
    stale : sequence of str
        Patterns under `output_dir`: files that match and are in none of the trees are removed.

    Returns
    -------
    list of Path
        The files that are there now.
    """
    published = []
    for tree in trees:
        for path in sorted(p for p in tree.rglob("*") if p.is_file()):
            relative = path.relative_to(tree)
            if relative.parts[0].startswith(PRIVATE):
                continue
            target = output_dir / relative
            if not _same_content(path, target):
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f".{target.name}.part")
                shutil.copyfile(path, partial)
                partial.replace(target)
            published.append(target)
    kept = set(published)
    for pattern in stale:
        for path in output_dir.glob(pattern):
            if path.is_file() and path not in kept:
                path.unlink()
    return published


def _same_content(a: Path, b: Path) -> bool:
    if not b.is_file() or a.stat().st_size != b.stat().st_size:
        return False
    return a.read_bytes() == b.read_bytes()


def common_entities(names: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the entities that all names share.

    Parameters
    ----------
    names : sequence of mapping of str to str

    Returns
    -------
    dict of str to str
    """
    first, *others = names
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}


def entities_of(path: Path) -> dict[str, str]:
    """Return the entities of an output's name.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to str
    """
    name = parse_name(path)
    return dict(name.entities) if name else {}
