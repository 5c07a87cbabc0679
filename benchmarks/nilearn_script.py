"""What a user of nilearn would write for one run: from files to maps, as `twolevel run` does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from nilearn.glm.first_level import FirstLevelModel, make_first_level_design_matrix
from nilearn.interfaces.fmriprep import load_confounds_strategy

CONTRASTS = {
    "pumpsMinusControl": "pumps_demean - control_pumps_demean",
    "controlMinusPumps": "control_pumps_demean - pumps_demean",
    "pumps": "pumps_demean",
    "cash": "cash_demean",
    "explode": "explode_demean",
}
MAPS = {"effect": "effect_size", "variance": "effect_variance", "t": "stat", "z": "z_score"}


def main(dataset: Path, bold: Path, output_dir: Path) -> None:
    """Fit a run and save effect, variance, t and z of five contrasts."""
    sidecar = json.loads(Path(str(bold).replace(".nii.gz", ".json")).read_text())
    confounds, kept = load_confounds_strategy(str(bold), denoise_strategy="simple")
    number = bold.name.split("_run-")[1].split("_")[0]
    (events_path,) = [
        path
        for path in dataset.glob("sub-01/func/*_events.tsv")
        if int(path.name.split("_run-")[1].split("_")[0]) == int(number)
    ]
    events = pd.read_table(events_path)
    times = np.arange(len(confounds)) * sidecar["RepetitionTime"]
    design = make_first_level_design_matrix(
        times,
        events[["onset", "duration", "trial_type"]],
        drift_model=None,
        add_regs=confounds,
    )
    mask = str(bold).replace("desc-preproc_bold", "desc-brain_mask")
    model = FirstLevelModel(
        mask_img=mask, smoothing_fwhm=5, noise_model="ar1", signal_scaling=0
    ).fit(str(bold), design_matrices=design, sample_masks=kept)
    output_dir.mkdir(parents=True, exist_ok=True)
    for name, expression in CONTRASTS.items():
        maps = model.compute_contrast(expression, output_type="all")
        for stat, key in MAPS.items():
            maps[key].to_filename(output_dir / f"contrast-{name}_stat-{stat}.nii.gz")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
