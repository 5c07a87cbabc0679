"""Tiny datasets of any shape: raw BIDS, and derivatives as fMRIPrep lays them out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pandas as pd

from twolevel.bids.entities import Entities

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SHAPE = (5, 6, 4)
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = -10, -12, -8
REPETITION_TIME = 2.0
N_VOLUMES = 80
SPACE = {"space": "MNI152NLin2009cAsym", "res": "2"}


@dataclass
class TinyRun:
    """A run: its names, its tables, and the time course that all voxels share in some measure.

    Attributes
    ----------
    signal : ndarray of shape (n_volumes,), optional
        Is added to the noise, in percent of the mean, times a number from 0 to 1 that grows
        along the first axis.
    """

    entities: Entities
    events: pd.DataFrame
    confounds: pd.DataFrame = field(default_factory=lambda: motion(0))
    signal: np.ndarray | None = None
    seed: int = 0

    @property
    def n_volumes(self) -> int:
        """As many as rows of confounds."""
        return len(self.confounds)


def motion(seed: int, n_volumes: int = N_VOLUMES) -> pd.DataFrame:
    """Make the columns of head motion, and cosines of 1/128 Hz."""
    rng = np.random.default_rng(seed)
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    walk = np.cumsum(rng.normal(0, 0.02, (n_volumes, 6)), axis=0)
    table = pd.DataFrame(walk, columns=names)
    k = np.arange(1, int(2 * n_volumes * REPETITION_TIME / 128) + 1)
    cosines = np.cos(np.pi / n_volumes * np.outer(np.arange(n_volumes) + 0.5, k))
    for number, column in enumerate(cosines.T):
        table[f"cosine{number:02d}"] = column * np.sqrt(2 / n_volumes)
    table["framewise_displacement"] = np.abs(np.diff(walk, axis=0, prepend=walk[:1])).sum(axis=1)
    return table


def bold_of(run: TinyRun) -> np.ndarray:
    """Make the image of a run: noise about a mean of 1000, with its signal; (x, y, z, volumes)."""
    rng = np.random.default_rng(run.seed)
    noise = rng.normal(0, 8, (*SHAPE, run.n_volumes))
    signal = np.zeros(run.n_volumes) if run.signal is None else run.signal
    share = np.linspace(0, 1, SHAPE[0])[:, np.newaxis, np.newaxis, np.newaxis]
    return (1000 + noise + 10 * share * signal).astype(np.float32)


def write_tiny(
    root: Path,
    runs: Iterable[TinyRun],
    tables: dict[str, pd.DataFrame] | None = None,
    space: Mapping[str, str] = SPACE,
) -> Path:
    """Write a dataset; `tables` are further files at its root, by name."""
    derivatives = root / "derivatives" / "fmriprep"
    for folder, name in ((root, "tiny"), (derivatives, "fmriprep")):
        folder.mkdir(parents=True, exist_ok=True)
        content: dict[str, Any] = {"Name": name, "BIDSVersion": "1.9.0"}
        if folder is derivatives:
            content |= {"DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep"}]}
        (folder / "dataset_description.json").write_text(json.dumps(content))
    for name, table in (tables or {}).items():
        table.to_csv(root / name, sep="\t", index=False, na_rep="n/a")
    mask = np.ones(SHAPE, np.uint8)
    mask[0, 0, 0] = 0
    for run in runs:
        raw, names = run.entities, run.entities.with_(**space)
        sidecar = {"RepetitionTime": REPETITION_TIME, "TaskName": raw["task"]}
        place = root / raw.path("bold", ".json")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(sidecar))
        run.events.to_csv(root / raw.path("events", ".tsv"), sep="\t", index=False, na_rep="n/a")
        preprocessed = derivatives / names.with_(desc="preproc").path("bold", ".nii.gz")
        preprocessed.parent.mkdir(parents=True, exist_ok=True)
        image = nib.Nifti1Image(bold_of(run), AFFINE)
        image.header.set_zooms((4, 4, 4, REPETITION_TIME))
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, preprocessed)
        (preprocessed.parent / preprocessed.name.replace(".nii.gz", ".json")).write_text(
            json.dumps(sidecar)
        )
        nib.save(
            nib.Nifti1Image(mask, AFFINE),
            derivatives / names.with_(desc="brain").path("mask", ".nii.gz"),
        )
        confounds = derivatives / raw.with_(desc="confounds").path("timeseries", ".tsv")
        run.confounds.to_csv(confounds, sep="\t", index=False, na_rep="n/a")
    return root


def blocks(
    *conditions: str, seed: int = 0, n_volumes: int = N_VOLUMES, **columns: Any
) -> pd.DataFrame:
    """Make events of some conditions, in turn, 6 to 9 s apart; each of 2 s."""
    rng = np.random.default_rng(seed)
    end = n_volumes * REPETITION_TIME - 12
    onsets = np.cumsum(rng.uniform(6, 9, int(end / 7.5)))
    onsets = onsets[onsets < end]
    types = [conditions[n % len(conditions)] for n in range(len(onsets))]
    table = pd.DataFrame({"onset": onsets.round(2), "duration": 2.0, "trial_type": types})
    for name, values in columns.items():
        table[name] = values(rng, len(table)) if callable(values) else values
    return table
