"""The group model of one contrast, from the subjects' maps to the group's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from fileformats.generic import Directory, File
from numpy.typing import NDArray
from pydra.compose import python

from twolevel.bids.entities import Entities
from twolevel.derivatives.exclusions import Exclusion
from twolevel.derivatives.maps import model_record, write_mask, write_statmap
from twolevel.errors import AnalysisError
from twolevel.files.images import read_mask
from twolevel.files.stack import StackedMaps
from twolevel.model.spec import ContrastName, GroupSettings
from twolevel.numerics.relabeled_statistics import WHOLE
from twolevel.stats.estimates import ContrastEstimate, p_from_t
from twolevel.stats.inference.result import GroupContrast
from twolevel.stats.maps.ols import fit_group
from twolevel.tasks.fit_run import UNITS
from twolevel.tasks.group_data import GroupData, save_group
from twolevel.tasks.handoff import GroupSpec, load_group_mask, save_exclusions
from twolevel.tasks.permuted_data import stack_for_permutations

FEWEST = 2


def group_record(spec: GroupSpec, contrast: ContrastName, subjects: list[str]) -> dict[str, Any]:
    """Describe a contrast of the group for sidecars.

    Parameters
    ----------
    subjects : list of str
        ``sub-...``, those included.
    """
    return {
        "Contrast": {
            "Name": contrast.name,
            "Label": contrast.label,
            "Expression": contrast.expression,
        },
        "Subjects": subjects,
        "NumberOfSubjects": len(subjects),
        "GroupInput": spec.stage.node.group_settings.group_input,
        **model_record(spec.stage),
    }


def fit_group_files(
    spec: GroupSpec,
    contrast: ContrastName,
    files: dict[str, dict[str, Path]],
    design: Path,
    folder: Path,
    data: Path,
) -> tuple[Path, Path]:
    """Fit the group model of a contrast and save effect, variance, t, z and p.

    Parameters
    ----------
    files : dict of str to dict of str to Path
        ``map`` and ``mask`` of each subject that has the contrast.
    design : Path
        What `design_group` wrote; its mask is that of the level.
    folder : Path
        Where the tree is written.
    data : Path
        Where the data for permutations are written: see `stack_for_permutations`.

    Returns
    -------
    Path, Path
        `folder` and `data`.
    """
    subjects = list(files)
    if len(subjects) < FEWEST:
        raise AnalysisError(
            f'contrast "{contrast.name}": {len(subjects)} subject has it, at least 2 are needed; '
            "excluded.tsv says why the others do not"
        )
    (mask_path,) = design.rglob("*_desc-analysis_mask.nii.gz")
    level_mask, affine = read_mask(mask_path)
    mask = _mask_of_contrast([f["mask"] for f in files.values()], design)
    group, n_flat = _fit_where_subjects_vary([f["map"] for f in files.values()], mask, data)
    if not group.n_voxels:
        raise AnalysisError(f'contrast "{contrast.name}": no voxel varies between subjects')
    names = spec.entities.with_(contrast=contrast.label)
    record = {
        "DegreesOfFreedom": group.estimate.dof,
        "SmoothingFWHM": spec.smoothing_fwhm_mm,
        "SmoothingFWHMUnits": "mm",
        **group_record(spec, contrast, subjects),
        "Sources": [f"bids::{subject}/func/{f['map'].name}" for subject, f in files.items()],
    }
    if not np.array_equal(group.mask, level_mask):
        write_mask(folder, names, group.mask, affine, record)
    _write_group_maps(folder, names, group, affine, record, spec.stage.node.group_settings)
    save_group(folder, GroupData(group, affine, record))
    flat = Exclusion(
        "voxel", "no variance between subjects", contrast=contrast.label, count=n_flat
    )
    save_exclusions(folder, [flat] if n_flat else [])
    return folder, data


def _fit_where_subjects_vary(
    paths: list[Path], mask: NDArray[np.bool_], data: Path
) -> tuple[GroupContrast, int]:
    """Fit the group, without voxels in which all subjects are equal: they have no t.

    The maps lie in a file and are fitted block by block, so that memory does not grow with the
    number of subjects.
    """
    maps = stack_for_permutations(data, paths, mask)
    estimate = _fit_in_blocks(maps)
    # Beyond this, t is rounding: permutations could not tell it from an infinite one.
    varies = estimate.dof * estimate.variance > 10 * WHOLE * estimate.effect**2
    n_flat = int(np.count_nonzero(~varies))
    if n_flat:
        smaller = np.zeros_like(mask)
        smaller[mask] = varies
        mask = smaller
        stack_for_permutations(data, paths, mask)
        estimate = ContrastEstimate(
            estimate.effect[varies], estimate.variance[varies], estimate.dof
        )
    return GroupContrast(estimate, mask), n_flat


def _fit_in_blocks(maps: StackedMaps) -> ContrastEstimate:
    fits = [fit_group(block) for block in maps.blocks()]
    return ContrastEstimate(
        np.concatenate([fit.effect for fit in fits]),
        np.concatenate([fit.variance for fit in fits]),
        fits[0].dof,
    )


def _units(settings: GroupSettings) -> str:
    source = settings.group_input
    return UNITS if source == "effect" else f"{source} of the subjects"


def _write_group_maps(
    folder: Path,
    names: Entities,
    group: GroupContrast,
    affine: NDArray[np.float64],
    record: dict[str, Any],
    settings: GroupSettings,
) -> None:
    estimate, units = group.estimate, _units(settings)
    signed = {"Sidedness": "signed: positive where the contrast is"}
    sided = {"Sidedness": "two-sided" if settings.sides == 2 else "one-sided, greater than 0"}
    p = p_from_t(estimate.t, estimate.dof, sides=settings.sides)
    maps: dict[str, tuple[NDArray[np.float64], dict[str, str]]] = {
        "effect": (estimate.effect, {"Units": units}),
        "variance": (estimate.variance, {"Units": f"({units})^2"}),
        "t": (estimate.t, {"Units": "1", **signed}),
        "z": (estimate.z, {"Units": "1", **signed}),
        "p": (p, {"Units": "1", **sided}),
    }
    for stat, (values, own) in maps.items():
        entities = names.with_(stat=stat)
        write_statmap(folder, entities, values, group.mask, affine, {**own, **record})


def _mask_of_contrast(paths: list[Path], design: Path) -> NDArray[np.bool_]:
    """Intersect the subjects' masks; a mask for the group that a user gave counts too."""
    masks = [read_mask(path)[0] for path in paths]
    if (given := load_group_mask(design)) is not None:
        masks.append(given)
    mask: NDArray[np.bool_] = np.logical_and.reduce(masks)
    if not mask.any():
        raise AnalysisError("no voxel is covered by all subjects that have the contrast")
    return mask


@python.define(outputs={"out": Directory, "maps": Directory})
def FitGroup(
    spec: GroupSpec,
    contrast: ContrastName,
    files: dict[str, dict[str, File]],
    design: Directory,
    software: str,
):
    """Fit the group model of one contrast."""
    paths = {s: {k: Path(v) for k, v in kinds.items()} for s, kinds in files.items()}
    here = Path.cwd()
    return fit_group_files(spec, contrast, paths, Path(design), here / "out", here / "maps")
