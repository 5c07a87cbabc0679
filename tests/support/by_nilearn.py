"""An analysis of tiny datasets by hand, with nilearn alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.glm.contrasts import compute_contrast
from nilearn.glm.first_level import make_first_level_design_matrix, run_glm
from nilearn.glm.second_level import SecondLevelModel
from tiny import AFFINE, REPETITION_TIME, SHAPE, TinyRun, bold_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.entities import Entities

BRAIN = np.ones(SHAPE, bool)
BRAIN[0, 0, 0] = False


@dataclass(frozen=True)
class ByHand:
    """Effect, variance and degrees of freedom in the voxels of the brain."""

    effect: np.ndarray
    variance: np.ndarray
    dof: float

    @property
    def t(self) -> np.ndarray:
        """The effect by its standard error."""
        t: np.ndarray = self.effect / np.sqrt(self.variance)
        return t


def design_by_hand(
    run: TinyRun, events: pd.DataFrame, confounds: Sequence[str] = (), **options: Any
) -> pd.DataFrame:
    """Make a design with nilearn: its events, those confounds, a constant."""
    times = np.arange(run.n_volumes) * REPETITION_TIME
    settings = {"hrf_model": "glover", "drift_model": None, **options}
    table = run.confounds[list(confounds)].to_numpy() if confounds else None
    names = list(confounds) or None
    design: pd.DataFrame = make_first_level_design_matrix(
        times, events, add_regs=table, add_reg_names=names, **settings
    )
    return design


def fit_by_hand(
    run: TinyRun,
    design: pd.DataFrame,
    contrasts: Mapping[str, Mapping[str, float]],
    noise_model: str = "ar1",
) -> dict[str, ByHand]:
    """Fit a run with nilearn, in percent of each voxel's mean."""
    series = bold_of(run)[BRAIN].astype(np.float64).T
    series = 100 * (series / series.mean(axis=0) - 1)
    labels, results = run_glm(series, design.to_numpy(), noise_model=noise_model)
    found = {}
    for label, weights in contrasts.items():
        vector = np.array([weights.get(str(column), 0.0) for column in design])
        contrast = compute_contrast(labels, results, vector)
        found[label] = ByHand(
            contrast.effect_size(), contrast.effect_variance(), float(contrast.dof)
        )
    return found


def average(runs: Sequence[ByHand]) -> ByHand:
    """Combine runs by fixed effects with equal weights."""
    return combine(runs, [1 / len(runs)] * len(runs))


def combine(maps: Sequence[ByHand], weights: Sequence[float]) -> ByHand:
    """Weigh independent estimates."""
    w = np.array(weights)[:, np.newaxis]
    effect = (w * np.stack([m.effect for m in maps])).sum(axis=0)
    variance = (w**2 * np.stack([m.variance for m in maps])).sum(axis=0)
    return ByHand(effect, variance, sum(m.dof for m in maps))


def group_by_hand(maps: Sequence[ByHand]) -> tuple[np.ndarray, np.ndarray]:
    """Test the mean over subjects with nilearn; effect and t."""
    images = []
    for one in maps:
        volume = np.zeros(SHAPE)
        volume[BRAIN] = one.effect
        images.append(nib.Nifti1Image(volume, AFFINE))
    mask = nib.Nifti1Image(BRAIN.astype(np.uint8), AFFINE)
    design = pd.DataFrame({"intercept": np.ones(len(images))})
    model = SecondLevelModel(mask_img=mask, minimize_memory=False)
    model.fit(images, design_matrix=design)
    found = model.compute_contrast("intercept", output_type="all")
    take = [np.asarray(found[kind].dataobj)[BRAIN] for kind in ("effect_size", "stat")]
    return take[0], take[1]


def published(output_dir: Path, entities: Entities, contrast: str, stat: str) -> np.ndarray:
    """Read a map of the command, in the voxels of the brain."""
    path = output_dir / entities.with_(contrast=contrast, stat=stat).path("statmap", ".nii.gz")
    return np.asarray(nib.load(path).dataobj)[BRAIN]


def assert_equals(output_dir: Path, entities: Entities, contrast: str, hand: ByHand) -> None:
    """Compare the maps of a contrast with those made by hand."""
    for stat, expected in (("effect", hand.effect), ("variance", hand.variance), ("t", hand.t)):
        found = published(output_dir, entities, contrast, stat)
        np.testing.assert_allclose(
            found, expected, rtol=1e-4, atol=1e-6, err_msg=f"{entities} {contrast} {stat}"
        )
