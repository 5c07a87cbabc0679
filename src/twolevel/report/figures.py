"""Pictures of group maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: no window is ever opened

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
from nilearn import plotting
from nilearn.datasets import load_mni152_template

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["plot_group_map"]

MNI_CUTS = (-24, -12, 0, 12, 24, 36, 48, 60)  # mm: the same slices in every figure
N_CUTS = len(MNI_CUTS)
DPI = 110
OUTSIDE = 1e-12  # hides the exact zeros outside the mask, and nothing else


def plot_group_map(
    path: Path,
    volume: NDArray[np.floating],
    affine: NDArray[np.float64],
    *,
    title: str,
    label: str,
    threshold: float | None,
    signed: bool,
    space: str | None,
) -> Path:
    """Draw axial slices of a map.

    Parameters
    ----------
    path : Path
        PNG file; its folder is made.
    volume : ndarray of shape (x, y, z)
        NaN outside the mask.
    affine : ndarray of shape (4, 4)
    title : str
        What is shown, and with which threshold.
    label : str
        Of the colour bar: quantity and unit.
    threshold : float or None
        Smaller absolute values are transparent; None shows every voxel.
    signed : bool
        The colours are symmetric about 0.
    space : str or None
        Template; the MNI brain is the background where it fits.

    Returns
    -------
    Path
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    in_mni = space is not None and space.startswith("MNI")
    finite = np.abs(volume[np.isfinite(volume)])
    largest = float(finite.max(initial=0))
    top = max(largest, (threshold or 0) * 1.1, 1e-6)
    nothing = largest == 0 or (threshold is not None and largest < threshold)
    figure = plt.figure(figsize=(2.0 * N_CUTS, 3.1), dpi=DPI)
    background = load_mni152_template(resolution=2) if in_mni else None
    common = {
        "display_mode": "z",
        "cut_coords": MNI_CUTS if in_mni else N_CUTS,
        "black_bg": False,
        "figure": figure,
        "axes": (0, 0.02, 1, 0.80),
    }
    image = nib.Nifti1Image(np.nan_to_num(volume).astype(np.float32), affine)
    if nothing:
        # The brain alone; without a template, the mask.
        inside = nib.Nifti1Image(np.isfinite(volume).astype(np.float32), affine)
        display = plotting.plot_anat(background or inside, **common)
    else:
        display = plotting.plot_stat_map(
            image,
            bg_img=background,
            threshold=threshold or OUTSIDE,
            cmap="RdBu_r" if signed else "inferno",
            vmin=-top if signed else 0,
            vmax=top,
            symmetric_cbar=signed,
            resampling_interpolation="nearest",
            **common,
        )
    # A letter of the title takes about 0.0061 of the width at size 13, one of the label 0.0052.
    size = min(13.0, 13 * (0.96 - 0.0052 * len(label)) / (0.0061 * len(title)))
    figure.text(0.01, 0.93, title, fontsize=size, va="center")
    figure.text(0.99, 0.93, label, fontsize=11, va="center", ha="right")
    if nothing:
        figure.text(0.5, 0.84, "no voxel survives", fontsize=12, ha="center", va="center")
    # No software version or date in the file: it belongs to the numbers alone.
    figure.savefig(path, metadata={"Software": None})
    display.close()
    plt.close(figure)
    return path
