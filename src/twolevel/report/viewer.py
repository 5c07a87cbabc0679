"""The interactive viewer: NiiVue, taken from the package ipyniivue when a page is made."""

from __future__ import annotations

import base64
import re
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import deflate
import nibabel as nib
import numpy as np

from twolevel.bids.entities import is_mni152
from twolevel.errors import AnalysisError
from twolevel.files.maps import read_map
from twolevel.report.regions import labels_on_grid
from twolevel.report.shipped import shipped_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from twolevel.report.atlas import Atlas
    from twolevel.space.grid import Grid
    from twolevel.space.mask import Mask

LEVEL = 9
STEPS = 8000  # from 0 to the largest value: fine enough for eyes, and well compressed
N_BITS = 16
MNI_TEMPLATE = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"


def viewer_map(
    volume: NDArray[np.floating],
    grid: Grid,
    survives: Mapping[str, NDArray[np.bool_]],
) -> dict[str, Any]:
    """Pack a map and what survives of it under several tests.

    Parameters
    ----------
    volume : ndarray of the shape of the grid
        NaN outside the mask.
    survives : mapping of str to ndarray of shape (x, y, z), bool
        At most 15.

    Returns
    -------
    dict
        ``image``: NIfTI of short integers, 0 outside the mask, rounded to the 8,000th part of the
        largest value. ``survives``: a short integer per voxel, in the order of the file, of which
        bit k is set where the voxel survives test k of ``tests``, and the bit after the last test
        where it was analysed. Both in base64 of gzip. ``top``: end of the colour scale. ``shape``
        of the grid, and ``toVoxel``, the upper three rows of its inverse affine.
    """
    planes = [*survives.values(), np.isfinite(volume)]
    if len(planes) > N_BITS:
        raise ValueError(f"{len(survives)} tests; a voxel has {N_BITS - 1} bits for them")
    values = np.nan_to_num(volume)
    top = float(np.abs(values).max(initial=0)) or 1.0
    step = top / STEPS
    image = nib.Nifti1Image(np.rint(values / step).astype(np.int16), grid.affine)
    image.header.set_slope_inter(step, 0)
    bits = np.zeros(volume.shape, np.uint16)
    for bit, plane in enumerate(planes):
        bits |= plane.astype(np.uint16) << bit
    return {
        "image": _pack(image.to_bytes()),
        "survives": _pack(bits.astype("<u2").tobytes(order="F")),
        "tests": list(survives),
        "top": top,
        "shape": list(volume.shape),
        "toVoxel": np.linalg.inv(grid.affine)[:3],
    }


def pack_background(mask: Mask, space: str | None) -> str:
    """Pack what lies under a map, base64 of gzip: the MNI brain where it fits, or the mask."""
    if is_mni152(space):
        # What nilearn's load_mni152_template reads; every second voxel of 1 mm.
        template, grid = read_map(shipped_file("nilearn", "datasets", "data", MNI_TEMPLATE))
        shades = (template[::2, ::2, ::2] * (255 / template.max())).astype(np.uint8)
        return _pack(nib.Nifti1Image(shades, grid.every(2).affine).to_bytes())
    return _pack(nib.Nifti1Image(mask.inside.astype(np.uint8), mask.space.affine).to_bytes())


def pack_atlas(atlas: Atlas, grid: Grid) -> dict[str, Any]:
    """Pack an atlas, sampled on the grid of the maps.

    ``labels`` are numbers from 1 in the order of ``names``, base64 of gzip.
    """
    labels = labels_on_grid(atlas, grid)
    present, numbers = np.unique(labels, return_inverse=True)
    if present[0] != 0:
        present, numbers = np.r_[0, present], numbers + 1
    stream = numbers.reshape(grid.shape).astype("<u2").tobytes(order="F")
    return {"labels": _pack(stream), "names": [atlas.names[int(n)] for n in present[1:]]}


@cache
def niivue_module() -> str:
    """Return NiiVue as a JavaScript module, base64 of gzip.

    ipyniivue carries it inside its widget, as text, in order to write pages of its own
    (``NiiVue.save_html``); a version that carries it in another way is refused.
    """
    script = shipped_file("ipyniivue", "static", "widget.js")
    found = re.search(
        r'"([^"\\]*export%7B[^"\\]*Niivue[^"\\]*)"', script.read_text(encoding="utf-8")
    )
    if found is None:
        raise AnalysisError(
            f"ipyniivue {version('ipyniivue')} holds no NiiVue module; install the version that "
            "twolevel asks for"
        )
    return _pack(unquote(found[1]).encode())


def _pack(content: bytes) -> str:
    return base64.b64encode(bytes(deflate.gzip_compress(content, LEVEL))).decode()
