"""The model of a dataset node, from the subjects' maps of a contrast to those of the group."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_
from pathlib import Path

import numpy as np
from fileformats.generic import Directory, File
from numpy.typing import NDArray
from pydra.compose import python

from twolevel.bids.units import Unit
from twolevel.derivatives.designs import read_map_design
from twolevel.derivatives.exclusions import Exclusion
from twolevel.derivatives.maps import (
    UNITS,
    map_record,
    model_record,
    uri_of,
    write_estimate,
    write_mask,
)
from twolevel.errors import AnalysisError
from twolevel.files.maps import read_mask
from twolevel.model.nodes import ContrastName
from twolevel.numerics.relabeled_statistics import WHOLE
from twolevel.space.mask import Mask
from twolevel.stats.inference.result import GroupContrast
from twolevel.stats.maps.design import MapDesign
from twolevel.stats.maps.fit import fit_maps
from twolevel.tasks.design_maps import estimator_of, weights_of
from twolevel.tasks.handoff import (
    FittedMaps,
    load_group_mask,
    save_exclusions,
    save_fitted,
    stack_rows,
)

FEWEST = 2


def fit_map_files(
    unit: Unit,
    contrast: ContrastName,
    files: dict[str, dict[str, Path]],
    design: Path,
    folder: Path,
    data: Path,
) -> tuple[Path, Path]:
    """Fit the model of a dataset node to the maps of a contrast and save what it estimates.

    `files` holds ``map`` and ``mask`` of each subject that has the contrast; the data for
    permutations are written to `data`, see `stack_rows`.
    """
    subjects, settings = list(files), unit.node.group_settings
    if len(subjects) < FEWEST:
        raise AnalysisError(
            f'contrast "{contrast.name}": {len(subjects)} subject has it, at least 2 are needed; '
            "excluded.tsv says why the others do not"
        )
    (mask_path,) = design.rglob("*_desc-analysis_mask.nii.gz")
    (table,) = design.rglob("*_design.tsv")
    level_mask = read_mask(mask_path)
    mask = reduce(and_, (read_mask(f["mask"]) for f in files.values()))
    if (limit := load_group_mask(design)) is not None:
        mask = mask.keep(mask.take(limit))
    if not mask.n_points:
        raise AnalysisError("no voxel is covered by all subjects that have the contrast")
    of_rows, estimator = read_map_design(table).keep(subjects), estimator_of(unit.node)
    paths = [f["map"] for f in files.values()]
    if (weights := weights_of(of_rows, contrast)) is None:
        raise AnalysisError(
            f'contrast "{contrast.name}": a design of {len(subjects)} subjects with the columns '
            f"{', '.join(of_rows.columns)} does not determine it"
        )
    group, n_flat = _fit_where_rows_vary(paths, mask, of_rows, weights, estimator, data)
    if not group.n_voxels:
        raise AnalysisError(f'contrast "{contrast.name}": no voxel varies between subjects')
    names = unit.entities.with_(contrast=contrast.label)
    record = {
        **map_record(contrast, float(group.estimate.dof), unit.stage.smoothing_fwhm_mm),
        "Estimator": estimator,
        "Weights": dict(zip(of_rows.columns, weights.T.tolist(), strict=True)),
        "Subjects": subjects,
        "NumberOfSubjects": len(subjects),
        "GroupInput": settings.group_input,
        **model_record(unit.stage),
        "Sources": [uri_of(f["map"]) for f in files.values()],
    }
    if group.mask != level_mask:
        write_mask(folder, names, group.mask, record)
    source = settings.group_input
    units = UNITS if source == "effect" else f"{source} of the subjects"
    write_estimate(folder, names, group.estimate, group.mask, record, units, settings.sides)
    save_fitted(folder, FittedMaps(group, record))
    flat = Exclusion(
        "voxel", "no variance between subjects", contrast=contrast.label, count=n_flat
    )
    save_exclusions(folder, [flat] if n_flat else [])
    return folder, data


def _fit_where_rows_vary(
    paths: Sequence[Path],
    mask: Mask,
    design: MapDesign,
    weights: NDArray[np.float64],
    estimator: str,
    data: Path,
) -> tuple[GroupContrast, int]:
    """Fit the maps, without voxels in which the design leaves no residual: they have no t.

    The maps lie in a file and are fitted block by block, so that memory does not grow with the
    number of rows.
    """
    maps = stack_rows(data, paths, mask, design)
    estimate = fit_maps(maps, design, weights, estimator=estimator)
    # Beyond this, t is rounding: permutations could not tell it from an infinite one.
    varies = estimate.varies(10 * WHOLE)
    n_flat = int(np.count_nonzero(~varies))
    if n_flat:
        mask = mask.keep(varies)
        stack_rows(data, paths, mask, design)
        estimate = estimate.keep(varies)
    return GroupContrast(estimate, mask), n_flat


@python.define(outputs={"out": Directory, "maps": Directory})
def FitMaps(
    unit: Unit,
    contrast: ContrastName,
    files: dict[str, dict[str, File]],
    design: Directory,
    software: str,
):
    """Fit the model of a dataset node to the maps of one contrast."""
    paths = {s: {k: Path(v) for k, v in kinds.items()} for s, kinds in files.items()}
    here = Path.cwd()
    return fit_map_files(unit, contrast, paths, Path(design), here / "out", here / "maps")
