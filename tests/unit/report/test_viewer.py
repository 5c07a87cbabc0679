from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from nilearn.datasets import load_mni152_template

from twolevel.errors import AnalysisError, InputError
from twolevel.report import viewer
from twolevel.report.atlas import Atlas
from twolevel.report.view import view
from twolevel.report.viewer import niivue_module, pack_atlas, pack_background, viewer_map
from twolevel.space.grid import Grid
from twolevel.space.mask import Mask

if TYPE_CHECKING:
    from pathlib import Path

AFFINE = np.array([[-3.0, 0, 0, 90], [0, 3, 0, -120], [0, 0, 3.5, -70], [0, 0, 0, 1]])


def unpacked(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text))


def image_of(text: str) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(unpacked(text))


@pytest.mark.parametrize("scale", [1.0, 1e-5, 1e4])
def test_a_map_survives_packing(scale):
    rng = np.random.default_rng(0)
    values = rng.normal(0, 3 * scale, (7, 8, 9))
    values[0] = np.nan
    survives = {f"test{k}": rng.random((7, 8, 9)) < 0.3 for k in range(10)}
    packed = viewer_map(values, Grid(values.shape, AFFINE), survives)
    image = image_of(packed["image"])
    top = np.nanmax(np.abs(values))
    step = top / 8000
    np.testing.assert_allclose(image.get_fdata(), np.nan_to_num(values), atol=0.51 * step)
    np.testing.assert_array_equal(image.affine, AFFINE)
    assert packed["top"] == top
    bits = np.frombuffer(unpacked(packed["survives"]), "<u2").reshape((7, 8, 9), order="F")
    for k, test in enumerate(packed["tests"]):
        np.testing.assert_array_equal((bits >> k) & 1, survives[test])
    np.testing.assert_array_equal((bits >> len(survives)) & 1, np.isfinite(values))
    voxel = packed["toVoxel"] @ [*apply_affine(AFFINE, (3, 4, 5)), 1]
    np.testing.assert_allclose(voxel, (3, 4, 5), atol=1e-9)


def test_more_tests_than_bits_are_refused():
    survives = {str(k): np.zeros((2, 2, 2), bool) for k in range(16)}
    with pytest.raises(ValueError, match="16 tests; a voxel has 15 bits for them"):
        viewer_map(np.ones((2, 2, 2)), Grid((2, 2, 2), AFFINE), survives)


def test_an_atlas_survives_packing():
    labels = np.zeros((7, 8, 9), np.int32)
    labels[:2], labels[5:] = 1000, 4
    grid = Grid(labels.shape, AFFINE)
    packed = pack_atlas(Atlas(labels, grid, {4: "four", 1000: "many"}, ""), grid)
    numbers = np.frombuffer(unpacked(packed["labels"]), "<u2").reshape((7, 8, 9), order="F")
    names = np.array(["", *packed["names"]])[numbers]
    np.testing.assert_array_equal(names == "many", labels == 1000)
    np.testing.assert_array_equal(names == "four", labels == 4)


def test_an_atlas_that_fills_the_grid_survives_packing():
    labels = np.full((3, 3, 3), 5, np.int32)
    grid = Grid(labels.shape, AFFINE)
    packed = pack_atlas(Atlas(labels, grid, {5: "five"}, ""), grid)
    assert set(np.frombuffer(unpacked(packed["labels"]), "<u2")) == {1}
    assert packed["names"] == ["five"]


def test_the_background_is_nilearn_s_template():
    image = image_of(pack_background(Mask.of(np.ones((2, 2, 2), bool)), "MNI152NLin2009cAsym"))
    theirs = load_mni152_template(resolution=1)
    place = np.linalg.inv(theirs.affine) @ image.affine
    np.testing.assert_allclose(place, np.diag([2.0, 2, 2, 1]))
    np.testing.assert_allclose(
        image.get_fdata(), 255 * theirs.get_fdata()[::2, ::2, ::2], atol=1.001
    )


def test_without_a_template_the_background_is_the_mask():
    mask = np.zeros((4, 5, 6), bool)
    mask[1:3] = True
    image = image_of(pack_background(Mask(Grid(mask.shape, AFFINE), mask), "T1w"))
    np.testing.assert_array_equal(image.get_fdata(), mask)
    np.testing.assert_array_equal(image.affine, AFFINE)


def test_niivue_is_a_module_that_has_what_the_script_uses(tmp_path):
    module = tmp_path / "niivue.mjs"
    module.write_bytes(unpacked(niivue_module()))
    text = module.read_text()
    exported = text.rpartition("export{")[2]
    assert "Niivue" in exported
    assert "NVImage" in exported
    for method in ("attachToCanvas", "addColormap", "mm2frac", "createOnLocationChange"):
        assert f"{method}(" in text


def test_another_version_of_ipyniivue_is_refused_in_words(tmp_path, monkeypatch):
    (tmp_path / "widget.js").write_text("export default {}")
    monkeypatch.setattr(viewer, "shipped_file", lambda *_: tmp_path / "widget.js")
    niivue_module.cache_clear()
    with pytest.raises(AnalysisError, match=r"ipyniivue [\d.]+ holds no NiiVue module"):
        niivue_module()
    niivue_module.cache_clear()


def test_view_refuses_what_is_not_there(tmp_path: Path):
    with pytest.raises(InputError, match="no results of twolevel"):
        view(tmp_path)
    path = tmp_path / "map.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.float32), AFFINE), path)
    with pytest.raises(InputError, match="which is no folder"):
        view(path, "pumps")
    with pytest.raises(InputError, match="no such file or folder"):
        view(tmp_path / "nowhere.nii.gz")
    with pytest.raises(InputError, match=r"atlas .*\n.*no such file"):
        view(path, atlas=tmp_path / "nowhere.nii.gz")


def test_a_view_shows_itself_in_the_browser(tmp_path, monkeypatch):
    path = tmp_path / "map.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.float32), AFFINE), path)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    page = view(path)
    assert page._repr_html_().startswith("<iframe srcdoc=")
    shown = page.open()
    assert opened == [shown.as_uri()]
    assert shown.read_text() == page.html
