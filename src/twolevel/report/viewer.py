"""The interactive viewer: NiiVue, taken from the package ipyniivue when a page is made."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import deflate
import nibabel as nib
import numpy as np

from twolevel.errors import AnalysisError
from twolevel.report.regions import labels_on_grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from twolevel.bids.atlas import Atlas

__all__ = ["ViewerData", "niivue_module", "pack_atlas", "pack_background", "pack_map"]

LEVEL = 9
STEP = 0.001  # of z in the viewer
MOST = 2**15 - 1  # that a short integer holds
N_BITS = 16


@dataclass(frozen=True)
class ViewerData:
    """A map as the viewer takes it; everything in base64 of gzip.

    Attributes
    ----------
    image : str
        NIfTI image of short integers, 0 outside the mask.
    survives : str
        A short integer per voxel, in the order of the file: bit k is set where the voxel survives
        test k.
    tests : tuple of str
        In the order of the bits.
    top : float
        End of the colour scale.
    """

    image: str
    survives: str
    tests: tuple[str, ...]
    top: float


def pack_map(
    volume: NDArray[np.floating],
    affine: NDArray[np.float64],
    survives: Mapping[str, NDArray[np.bool_]],
) -> ViewerData:
    """Pack a map and what survives of it under several tests.

    Parameters
    ----------
    volume : ndarray of shape (x, y, z)
        NaN outside the mask.
    affine : ndarray of shape (4, 4)
    survives : mapping of str to ndarray of shape (x, y, z), bool
        At most 16.

    Returns
    -------
    ViewerData
        Values are rounded to a thousandth, or to the 32,767th part of the largest if that is more.
    """
    if len(survives) > N_BITS:
        raise ValueError(f"{len(survives)} tests; a voxel has {N_BITS} bits")
    values = np.nan_to_num(volume)
    top = float(np.abs(values).max(initial=0)) or 1.0
    step = max(STEP, top / MOST)
    image = nib.Nifti1Image(np.rint(values / step).astype(np.int16), affine)
    image.header.set_slope_inter(step, 0)
    bits = np.zeros(volume.shape, np.uint16)
    for bit, test in enumerate(survives.values()):
        bits |= test.astype(np.uint16) << bit
    stream = bits.astype("<u2").tobytes(order="F")
    return ViewerData(_pack(image.to_bytes()), _pack(stream), tuple(survives), top)


def pack_background(
    mask: NDArray[np.bool_], affine: NDArray[np.float64], space: str | None
) -> str:
    """Pack what lies under a map: the MNI brain where it fits, otherwise the mask.

    Parameters
    ----------
    mask : ndarray of shape (x, y, z), bool
    affine : ndarray of shape (4, 4)
    space : str or None

    Returns
    -------
    str
        NIfTI image, base64 of gzip.
    """
    if space is not None and space.startswith("MNI"):
        from nilearn.datasets import load_mni152_template  # noqa: PLC0415  # takes a second

        template = load_mni152_template(resolution=2)
        values = np.asarray(template.dataobj)
        shades = np.clip(255 * values / values.max(), 0, 255)
        return _pack(nib.Nifti1Image(shades.astype(np.uint8), template.affine).to_bytes())
    return _pack(nib.Nifti1Image(mask.astype(np.uint8), affine).to_bytes())


def pack_atlas(
    atlas: Atlas, shape: tuple[int, ...], affine: NDArray[np.float64]
) -> dict[str, Any]:
    """Pack an atlas, sampled on the grid of the maps.

    Parameters
    ----------
    atlas : Atlas
    shape : tuple of 3 int
    affine : ndarray of shape (4, 4)
        Of the grid.

    Returns
    -------
    dict
        ``labels``: numbers from 1 in the order of ``names``, base64 of gzip.
    """
    labels = labels_on_grid(atlas, shape, affine)
    present, numbers = np.unique(labels, return_inverse=True)
    if present[0] != 0:
        present, numbers = np.r_[0, present], numbers + 1
    stream = numbers.reshape(shape).astype("<u2").tobytes(order="F")
    return {"labels": _pack(stream), "names": [atlas.names[int(n)] for n in present[1:]]}


@cache
def niivue_module() -> str:
    """Return NiiVue as a JavaScript module.

    ipyniivue carries it inside its widget, as text, in order to write pages of its own
    (``NiiVue.save_html``).

    Returns
    -------
    str
        Base64 of gzip.

    Raises
    ------
    AnalysisError
        The installed version of ipyniivue carries it in another way.
    """
    spec = find_spec(
        "ipyniivue"
    )  # found without importing: the notebook's machinery is not needed
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "ipyniivue, which brings the viewer, is a dependency of twolevel"
        )
    widget = (Path(spec.origin).parent / "static" / "widget.js").read_text(encoding="utf-8")
    found = re.search(r'"([^"\\]*export%7B[^"\\]*Niivue[^"\\]*)"', widget)
    if found is None:
        raise AnalysisError(
            f"ipyniivue {version('ipyniivue')} holds no NiiVue module; install the version that "
            "twolevel asks for"
        )
    return _pack(unquote(found[1]).encode())


def _pack(content: bytes) -> str:
    return base64.b64encode(bytes(deflate.gzip_compress(content, LEVEL))).decode()
