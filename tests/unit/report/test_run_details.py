from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from twolevel.report.pictures import diverging, gray
from twolevel.report.run_details import read_run_details

if TYPE_CHECKING:
    from pathlib import Path

    from command import Analysis

    from twolevel.report.run_details import RunDetails


def pixels(uri: str) -> np.ndarray:
    content = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


@pytest.fixture
def quality(analysed: Analysis) -> Path:
    return next(analysed.output_dir.glob("sub-01/func/*_run-1_*_desc-run_quality.tsv"))


@pytest.fixture
def details(quality: Path) -> RunDetails:
    return read_run_details(quality)


def beside(quality: Path, what: str) -> Path:
    return quality.with_name(quality.name.replace("desc-run_quality.tsv", what))


def test_the_design_is_drawn_cell_by_cell(quality, details):
    design = pd.read_csv(beside(quality, "design.tsv"), sep="\t")
    assert details.columns == list(design)
    shades = pixels(details.design)[..., 0]
    scaled = design / design.abs().max().replace(0, 1)
    np.testing.assert_allclose(shades, 127.5 * (scaled + 1), atol=1)


def test_correlations_are_those_of_numpy(quality, details):
    design = pd.read_csv(beside(quality, "design.tsv"), sep="\t")
    varying = [column for column in design if design[column].std() > 0]
    expected = np.corrcoef(design[varying], rowvar=False)
    places = [list(design).index(column) for column in varying]
    drawn = pixels(details.correlation)[np.ix_(places, places)]
    np.testing.assert_allclose(drawn, diverging(expected, 1.0), atol=1)
    constant = list(design).index("constant")
    assert (
        pixels(details.correlation)[constant] == pixels(details.correlation)[constant, 0]
    ).all()


def test_weights_are_those_of_the_model(details):
    minus = dict(zip(details.columns, details.weights["pumpsMinusControl"], strict=True))
    named = {column: weight for column, weight in minus.items() if weight}
    assert named == {"trial_type.pumps_demean": 1.0, "trial_type.control_pumps_demean": -1.0}
    assert set(details.weights) == {
        "pumpsMinusControl", "controlMinusPumps", "pumps", "cash", "explode",
    }  # fmt: skip
    assert pixels(details.weights_picture).shape == (5, len(details.columns), 3)


def test_inflation_is_listed_for_contrasts_and_for_the_regressors_that_they_name(quality, details):
    table = pd.read_csv(quality, sep="\t").set_index(["measure", "of"])["value"]
    assert len(details.inflation) == 5 + 4
    for row in details.inflation:
        assert row["value"] == table[f"vif_{row['kind']}", row["of"]]


def test_motion_is_a_line_with_gaps_where_a_volume_is_left_out(quality, details):
    assert details.n_volumes == 60
    assert details.left_out == [0]
    volumes = pd.read_csv(beside(quality, "desc-volumes_quality.tsv"), sep="\t", na_values="n/a")
    displacement, dvars = details.motion
    assert displacement.units == "mm"
    assert displacement.top == volumes["framewise_displacement"].max()
    assert dvars.top == volumes["dvars"].max()
    assert displacement.path.startswith("M1 ")
    assert displacement.path.count("M") == 1
    assert dvars.path.startswith("M2 ")  # the first change is from volume 1 to 2
    last = volumes["framewise_displacement"].iloc[-1]
    assert displacement.path.endswith(f"L59 {40 * (1 - last / displacement.top):.1f}")
    assert details.outliers == volumes.loc[volumes["outlier"] == 1, "volume"].tolist()


def test_the_mask_is_outlined_over_the_mean_image_left_on_the_left(details):
    picture = pixels(details.anatomy)
    half = picture.shape[0] // 2
    orange = (picture[..., 0] - picture[..., 2]) > 100
    assert orange[:half].sum() > 500
    assert orange[half:].sum() == 0
    assert details.tsnr_top > 10


def test_a_mirrored_image_is_shown_the_same_way_round(quality, tmp_path, details):
    for path in quality.parent.glob(quality.name.replace("desc-run_quality.tsv", "*")):
        target = tmp_path / path.name
        if path.name.endswith(".nii.gz"):
            image = nib.load(path)
            flipped = image.affine.copy()
            flipped[:3, 3] += flipped[:3, 0] * (image.shape[0] - 1)
            flipped[:3, 0] *= -1
            nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[::-1], flipped), target)
        else:
            target.write_bytes(path.read_bytes())
    assert read_run_details(tmp_path / quality.name).anatomy == details.anatomy


def test_without_images_the_rest_is_there(quality, tmp_path):
    for ending in (
        "desc-run_quality.tsv",
        "design.tsv",
        "design.json",
        "desc-volumes_quality.tsv",
    ):
        path = beside(quality, ending)
        (tmp_path / path.name).write_bytes(path.read_bytes())
    found = read_run_details(tmp_path / quality.name)
    assert found.anatomy is None
    assert len(found.motion) == 2


def test_colours_and_grays_have_their_ends():
    values = np.array([[-2.0, -1, 0, 1, 2]])
    assert diverging(values, 1.0).tolist() == [
        [[5, 48, 97], [5, 48, 97], [247, 247, 247], [103, 0, 31], [103, 0, 31]]
    ]
    assert diverging(values, 0.0).tolist() == [[[247, 247, 247]] * 5]
    shades = gray(np.array([[np.nan, 0, 5, 10, 99]]), 0, 10)[0, :, 0]
    assert shades.tolist() == [0, 0, 127, 255, 255]
