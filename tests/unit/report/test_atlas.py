from __future__ import annotations

from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine

from twolevel.errors import InputError
from twolevel.report.atlas import read_atlas, shipped_atlas

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    values = np.zeros((4, 4, 4), np.uint8)
    values[0], values[3] = 7, 9
    path = tmp_path / "parcels.nii.gz"
    nib.save(nib.Nifti1Image(values, np.diag([2.0, 2, 2, 1])), path)
    return path


def beside(path: Path, ending: str, text: str) -> None:
    path.with_name(f"parcels{ending}").write_text(text)


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (".tsv", "index\tname\n7\tseven\n9\tnine\n"),
        (".csv", "id,label,hemisphere\n9,nine,R\n7,seven,L\n"),
        (".csv", "Index,Name\n7,seven\n9,nine\n100,nowhere\n"),
        (".tsv", "name\tcolor\tindex\nseven\t#ff0000\t7\nnine\t#00ff00\t9.0\n"),
    ],
)
def test_an_atlas_is_read_whatever_its_table_looks_like(labels, ending, text):
    beside(labels, ending, text)
    atlas = read_atlas(labels)
    assert atlas.names == {7: "seven", 9: "nine"}
    assert atlas.labels.shape == (4, 4, 4)
    assert atlas.title == "parcels.nii.gz"


def test_a_label_without_a_name_keeps_its_number(labels):
    beside(labels, ".tsv", "index\tname\n7\tseven\n")
    assert read_atlas(labels).names == {7: "seven", 9: "label 9"}


def test_an_atlas_without_a_table_is_refused(labels):
    with pytest.raises(InputError) as caught:
        read_atlas(labels)
    assert "no table of its labels" in str(caught.value)
    assert "parcels.tsv or parcels.csv beside it" in str(caught.value)


@pytest.mark.parametrize(
    ("ending", "text", "found"),
    [
        (".tsv", "number\tname\n7\tseven\n", "the columns number, name"),
        (".csv", "index,title\n7,seven\n", "the columns index, title"),
        (".csv", "index,name\nseven,7\n", "index is not a number in every row"),
        (".csv", "", "no readable table"),
    ],
)
def test_a_table_without_numbers_and_names_is_refused(labels, ending, text, found):
    beside(labels, ending, text)
    with pytest.raises(InputError) as caught:
        read_atlas(labels)
    assert found in str(caught.value)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.full((3, 3, 3), 0.5), "values that are no whole numbers"),
        (np.zeros((3, 3, 3)), "no label other than 0"),
        (np.full((3, 3, 3), -1.0), "labels below 0"),
        (np.ones((3, 3, 3, 2)), "an image of shape (3, 3, 3, 2)"),
    ],
)
def test_an_image_that_holds_no_labels_is_refused(tmp_path, values, found):
    path = tmp_path / "parcels.nii.gz"
    nib.save(nib.Nifti1Image(values.astype(np.float32), np.eye(4)), path)
    with pytest.raises(InputError) as caught:
        read_atlas(path)
    assert found in str(caught.value)


def test_the_shipped_atlas_has_its_regions_where_they_are():
    atlas = shipped_atlas()
    assert len(atlas.names) == 83
    assert set(np.unique(atlas.labels)) == {0, *atlas.names}
    # Left and right by the sign of x, above and below the commissures by that of z.
    for label, name in atlas.names.items():
        x, _, _ = apply_affine(atlas.grid.affine, np.argwhere(atlas.labels == label)).mean(0)
        if name != "brainstem":
            assert (x < 0) == name.endswith(" L"), name
    assert "caudal anterior cingulate L" in atlas.names.values()
    assert "banks of the superior temporal sulcus R" in atlas.names.values()
    assert "pars opercularis L" in atlas.names.values()
    assert "BSD-3-Clause" in atlas.title
