"""Names, sidecars and texts of the files of the simulated data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twolevel.files.atomic import write_bytes
from twolevel.files.nifti import write_image
from twolevel.files.sidecars import write_json
from twolevel.files.tables import write_tsv
from twolevel.simulate.events import EVENTS_SIDECAR
from twolevel.simulate.truth import CONDITIONS, CONTRASTS, REGIONS, effect_map

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.simulate.anatomy import Anatomy

TASK = "balloonanalogrisktask"
TASK_NAME = "balloon analog risk task"
SPACE = "space-MNI152NLin2009cAsym_res-2"
FMRIPREP = "derivatives/fmriprep"
TRUTH = "derivatives/truth"
BIDS_VERSION = "1.10.0"
GENERATED_BY = {
    "Name": "twolevel simulate",
    "Description": "Made of random numbers and a known truth; no person was scanned.",
}

README = """# Simulated balloon analog risk task

Every file here was made by `twolevel simulate`. No person was scanned.

The events follow those of OpenNeuro ds000001. `derivatives/fmriprep` holds BOLD series, masks and
confounds in the layout that fMRIPrep writes (it was not made by fMRIPrep; the raw BOLD images are
placeholders of 2 x 2 x 2 voxels). `derivatives/truth` holds what was planted and where.
"""

FMRIPREP_README = """# Simulated data in the layout of fMRIPrep

Made by `twolevel simulate`, not by fMRIPrep. The images are synthetic, in the space of nilearn's
MNI152 template. Confounds are computed from the images and from the simulated head motion.
"""

TRUTH_README = """# What was planted

Under `group/`:

* `*_contrast-<label>_desc-truth_statmap.nii.gz`: the effect of a contrast in the population from
  which the subjects were drawn, in percent signal change per unit of the regressor (boxcar
  convolved with nilearn's `glover` response); 0 outside the planted regions. It is the mean of
  the population, not that of the subjects drawn, and it is not smoothed.
* `*_desc-truth_dseg.nii.gz`: the planted regions, numbered as in the table.
* `*_desc-truth_regions.tsv`: one row per region, with the amplitude of each condition.
"""


def write_descriptions(root: Path, repetition_time: float) -> None:
    """Write descriptions, readmes and the sidecars at the root."""
    common = {"BIDSVersion": BIDS_VERSION, "License": "CC0"}
    title = "Simulated balloon analog risk task"
    write_json(
        root / "dataset_description.json",
        {"Name": title, **common, "DatasetType": "raw", "GeneratedBy": [GENERATED_BY]},
    )
    derivative = {
        **common,
        "DatasetType": "derivative",
        "GeneratedBy": [GENERATED_BY],
        "SourceDatasets": [{"URL": "../.."}],
        "DatasetLinks": {"raw": "../.."},
    }
    for folder, name in ((FMRIPREP, "in fMRIPrep layout"), (TRUTH, "the truth")):
        write_json(
            root / folder / "dataset_description.json", {"Name": f"{title}, {name}", **derivative}
        )
    write_bytes(root / "README", README.encode())
    write_bytes(root / FMRIPREP / "README", FMRIPREP_README.encode())
    write_bytes(root / TRUTH / "README", TRUTH_README.encode())
    # fMRIPrep does the same: the confounds are no part of the standard yet
    write_bytes(root / FMRIPREP / ".bidsignore", b"*_timeseries.*\n")
    write_bytes(root / TRUTH / ".bidsignore", b"group\n")
    write_json(
        root / f"task-{TASK}_bold.json",
        {"RepetitionTime": repetition_time, "TaskName": TASK_NAME},
    )
    write_json(root / f"task-{TASK}_events.json", EVENTS_SIDECAR)


def write_participants(root: Path, participants: list[dict[str, Any]]) -> None:
    """Write participants.tsv (participant_id, sex, age in years) and its sidecar."""
    write_tsv(root / "participants.tsv", pd.DataFrame(participants))
    write_json(
        root / "participants.json",
        {
            "participant_id": {"Description": "Label of the (simulated) participant"},
            "sex": {"Description": "Drawn at random", "Levels": {"F": "female", "M": "male"}},
            "age": {"Description": "Drawn at random", "Units": "year"},
        },
    )


def resolution_text(voxel_size_mm: float) -> str:
    """Say what ``res-2`` stands for here, for the ``Resolution`` of sidecars."""
    return f"Simulated on a grid of {voxel_size_mm:g} mm isotropic voxels, whatever the res- label"


def write_truth(root: Path, anatomy: Anatomy) -> None:
    """Write the true group effects, the planted regions and their table."""
    stem = root / TRUTH / "group" / f"task-{TASK}"
    resolution = resolution_text(anatomy.voxel_size_mm)
    for contrast, weights in CONTRASTS.items():
        name = f"{stem}_{SPACE}_contrast-{contrast}_desc-truth_statmap"
        write_image(f"{name}.nii.gz", effect_map(anatomy.labels, contrast), anatomy.affine)
        write_json(
            f"{name}.json",
            {
                "Description": "True mean effect of the population, 0 outside planted regions",
                "Units": "percent signal change per unit of the regressor",
                "Weights": dict(zip(CONDITIONS, weights, strict=True)),
                "Resolution": resolution,
            },
        )
    write_image(f"{stem}_{SPACE}_desc-truth_dseg.nii.gz", anatomy.labels, anatomy.affine)
    write_json(
        f"{stem}_{SPACE}_desc-truth_dseg.json",
        {"Description": "Planted regions, index as in the table", "Resolution": resolution},
    )
    write_tsv(f"{stem}_desc-truth_regions.tsv", regions_table(anatomy.labels))
    write_json(f"{stem}_desc-truth_regions.json", REGIONS_SIDECAR)


REGIONS_SIDECAR = {
    "index": {"Description": "Value in the image of the regions"},
    "hemisphere": {"Levels": {"L": "left", "R": "right", "both": "on the midline"}},
    "x": {"Description": "Centre, MNI", "Units": "mm"},
    "y": {"Description": "Centre, MNI", "Units": "mm"},
    "z": {"Description": "Centre, MNI", "Units": "mm"},
    "radius": {"Description": "Radius of the sphere", "Units": "mm"},
    "n_voxels": {"Description": "Voxels of the region on this grid"},
} | {
    condition: {
        "Description": f"Mean amplitude of {condition} in the population",
        "Units": "percent signal change per unit of the regressor",
    }
    for condition in CONDITIONS
}


def regions_table(labels: NDArray[np.int16]) -> pd.DataFrame:
    """List the planted regions, labelled by 1 + their place in ``REGIONS``.

    Index, name, hemisphere, centre and radius (mm), size (voxels), amplitude per condition.
    """
    rows = []
    for index, region in enumerate(REGIONS, start=1):
        x, y, z = (float(c) for c in region.center_mm)
        row = {"index": index, "name": region.name, "hemisphere": region.hemisphere}
        row |= {"x": x, "y": y, "z": z, "radius": float(region.radius_mm)}
        row |= {"n_voxels": int(np.count_nonzero(labels == index))}
        rows.append(row | dict(zip(CONDITIONS, region.amplitudes, strict=True)))
    return pd.DataFrame(rows)
