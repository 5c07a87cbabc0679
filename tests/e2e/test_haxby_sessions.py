"""Real runs of one subject as two sessions: kept apart, averaged, contrasted, beside nilearn."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
from command import PLAIN, call
from nilearn.glm.contrasts import compute_contrast, compute_fixed_effects
from nilearn.glm.first_level import run_glm

from twolevel.bids.entities import Entities, entities_of
from twolevel.files.tables import read_tsv

if TYPE_CHECKING:
    from pathlib import Path

FIRST = 6  # runs of the first of two sessions
LABEL = "faceGtHouse"
NAMES = Entities({"sub": "1", "task": "objectviewing", "space": "T1w"})
ONE = {"Type": "meta", "X": [1]}
MODEL: dict[str, Any] = {
    "Name": "haxby",
    "BIDSModelVersion": "1.0.0",
    "Nodes": [
        {
            "Level": "Run",
            "Name": "run",
            "GroupBy": ["run", "subject", "session"],
            "Model": {
                "Type": "glm",
                "X": ["trial_type.*", 1],
                "HRF": {"Variables": ["trial_type.*"], "Model": "spm"},
                "Options": {"HighPassFilterCutoffHz": 0.008},
            },
            "Contrasts": [
                {
                    "Name": "face > house",
                    "ConditionList": ["trial_type.face", "trial_type.house"],
                    "Weights": [1, -1],
                    "Test": "t",
                }
            ],
        },
        {
            "Level": "Session", "Name": "session", "GroupBy": ["session", "subject", "contrast"],
            "Model": ONE, "DummyContrasts": {"Test": "t"},
        },
        {
            "Level": "Subject", "Name": "both", "GroupBy": ["subject", "contrast"],
            "Model": {"Type": "meta", "X": ["session"]},
            "Contrasts": [
                {"Name": "change", "ConditionList": ["session.b", "session.a"],
                 "Weights": [1, -1], "Test": "t"},
                {"Name": "mean", "ConditionList": ["session.a", "session.b"],
                 "Weights": ["1/2", "1/2"], "Test": "t"},
            ],
        },
    ],
}  # fmt: skip


def as_two_sessions(source: Path, target: Path) -> None:
    """Copy the runs under names with a session: ``ses-a`` for the first six, ``ses-b``."""
    for path in source.rglob("*"):
        names = entities_of(path)
        if path.is_file() and "run" in names:
            ses = "a" if int(names["run"]) <= FIRST else "b"
            name = path.name.replace("sub-1_", f"sub-1_ses-{ses}_", 1)
            place = target / path.parent.relative_to(source).parent / f"ses-{ses}" / "func" / name
        elif path.is_file():
            place = target / path.relative_to(source)
        else:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


@pytest.fixture(scope="module")
def output_dir(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The analysis of both sessions."""
    folder = tmp_path_factory.mktemp("haxby")
    as_two_sessions(shared / "haxby-25mm", folder / "data")
    (folder / "m.json").write_text(json.dumps(MODEL))
    call(
        "run", folder / "data", folder / "out", "participant", "-m", folder / "m.json",
        "-w", folder / "work", *PLAIN,
    )  # fmt: skip
    return folder / "out"


def maps_of(output_dir: Path, names: Entities, label: str) -> tuple[Any, Any, Any]:
    """Read effect, variance and t of a contrast."""
    images = [
        nib.load(output_dir / names.with_(contrast=label, stat=stat).path("statmap", ".nii.gz"))
        for stat in ("effect", "variance", "t")
    ]
    return images[0], images[1], images[2]


def by_nilearn(data: Path, design: Path, mask: np.ndarray) -> tuple[Any, Any, float]:
    """Fit a run with nilearn; effect and variance as images, and degrees of freedom."""
    table = read_tsv(design)
    image = nib.load(data)
    series = np.asarray(image.dataobj)[mask].astype(np.float64).T
    series = 100 * (series / series.mean(axis=0) - 1)
    labels, results = run_glm(series, table.to_numpy(), noise_model="ar1")
    weights = {"trial_type.face": 1.0, "trial_type.house": -1.0}
    vector = np.array([weights.get(str(column), 0.0) for column in table])
    contrast = compute_contrast(labels, results, vector)

    def spread(values: np.ndarray) -> Any:
        volume = np.zeros(mask.shape)
        volume[mask] = values
        return nib.Nifti1Image(volume, image.affine)

    return spread(contrast.effect_size()), spread(contrast.effect_variance()), contrast.dof


def test_sessions_of_real_runs_equal_nilearns_fixed_effects(output_dir):
    data = output_dir.parent / "data" / "derivatives" / "fmriprep"
    inside = np.isfinite(np.asarray(maps_of(output_dir, NAMES, f"{LABEL}Mean")[0].dataobj))
    by_session: dict[str, tuple[Any, Any]] = {}
    for ses in ("a", "b"):
        fitted = []
        designs = sorted(output_dir.glob(f"sub-1/ses-{ses}/func/*_design.tsv"))
        assert len(designs) == FIRST
        for design in designs:
            stem = design.name.replace("_design.tsv", "")
            folder = data / "sub-1" / f"ses-{ses}" / "func"
            bold = next(folder.glob(f"{stem}_desc-preproc_bold.nii.gz"))
            mask = nib.load(next(design.parent.glob(f"{stem}_desc-analysis_mask.nii.gz")))
            fitted.append(by_nilearn(bold, design, np.asarray(mask.dataobj) > 0))
        effects, variances, dofs = zip(*fitted, strict=True)
        mask = nib.Nifti1Image(inside.astype(np.uint8), effects[0].affine)
        effect, variance, t, _ = compute_fixed_effects(
            list(effects), list(variances), mask=mask, dofs=list(dofs)
        )
        ours = maps_of(output_dir, NAMES.with_(ses=ses), LABEL)
        for mine, theirs in zip(ours, (effect, variance, t), strict=True):
            found = np.asarray(mine.dataobj)[inside]
            np.testing.assert_allclose(
                found, np.asarray(theirs.dataobj)[inside], rtol=1e-4, atol=1e-6
            )
        by_session[ses] = effect.get_fdata()[inside], variance.get_fdata()[inside]
    (effect_a, variance_a), (effect_b, variance_b) = by_session["a"], by_session["b"]
    for name, weight in (("Change", 1.0), ("Mean", 0.5)):
        effect, variance, t = maps_of(output_dir, NAMES, f"{LABEL}{name}")
        expected = weight * effect_b + (0.5 if name == "Mean" else -1) * effect_a
        errors = weight**2 * (variance_a + variance_b)
        for mine, theirs in ((effect, expected), (variance, errors), (t, expected / errors**0.5)):
            found = np.asarray(mine.dataobj)[inside]
            np.testing.assert_allclose(found, theirs, rtol=1e-4, atol=1e-5)
    assert (np.abs(np.asarray(t.dataobj)[inside]) > 4).any()  # faces and houses differ
