"""The confounds table of one run, computed from its data as fMRIPrep does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from nilearn.signal import create_cosine_drift

from twolevel.simulate.bold import FIRST_STEADY_VOLUME
from twolevel.simulate.motion import (
    AXES,
    framewise_displacement,
    root_mean_square_displacement,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twolevel.simulate.anatomy import Anatomy

HIGH_PASS_HZ = 1 / 128
FD_THRESHOLD_MM = 0.5
N_ANATOMICAL = 5  # components of each of the three masks
N_TEMPORAL = 6
TEMPORAL_SHARE = 0.02  # tCompCor: the voxels that vary most
PUREST_SHARE = {"WM": 0.10, "CSF": 0.03}  # of the brain, by the tissue's share in the voxel


def build_confounds(
    bold: NDArray[np.int16],
    mask: NDArray[np.bool_],
    anatomy: Anatomy,
    motion: NDArray[np.float64],
    repetition_time: float,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Compute the confounds table and its sidecar.

    Derivatives are backward differences (n/a in the first row), ``power2`` squares. Cosines and
    components are orthonormal over the steady volumes and 0 in the first one, as in fMRIPrep.
    The cosines are nilearn's, up to and including 1/128 Hz.

    Parameters
    ----------
    bold : ndarray of shape (n_volumes, n_support)
        Signal in scanner units.
    mask : ndarray of shape (n_support,), bool
        The run's brain mask.
    anatomy : Anatomy
        Tissues and planted regions.
    motion : ndarray of shape (n_volumes, 6)
        Translations in mm and rotations in radians.
    repetition_time : float
        Seconds between volumes.

    Returns
    -------
    table : pandas.DataFrame
        One row per volume, columns named as fMRIPrep names them.
    sidecar : dict
        Mask, method and explained variance of each component.
    """
    tissues = _tissue_masks(anatomy, mask)
    displacement = framewise_displacement(motion)
    columns: dict[str, NDArray[np.float64]] = {}
    for name, voxels in (("csf", tissues["CSF"]), ("white_matter", tissues["WM"])):
        columns |= _expand(name, bold[:, voxels].mean(axis=1))
    columns |= _expand("global_signal", bold[:, mask].mean(axis=1))
    columns["std_dvars"], columns["dvars"] = _dvars(bold[:, mask])
    columns["framewise_displacement"] = displacement
    columns["rmsd"] = root_mean_square_displacement(motion)
    cosines = create_cosine_drift(
        HIGH_PASS_HZ, np.arange(len(bold) - FIRST_STEADY_VOLUME) * repetition_time
    )[:, :-1]
    components, sidecar = _component_columns(bold, mask, tissues, cosines)
    columns |= components
    columns |= {f"cosine{k:02d}": _from_steady(c) for k, c in enumerate(cosines.T)}
    columns |= _one_hot("non_steady_state_outlier", np.arange(FIRST_STEADY_VOLUME), len(bold))
    for name, parameter in zip(AXES, motion.T, strict=True):
        columns |= _expand(name, parameter)
    jerks = np.flatnonzero(np.nan_to_num(displacement) > FD_THRESHOLD_MM)
    columns |= _one_hot("motion_outlier", jerks, len(bold))
    return pd.DataFrame(columns), sidecar


def _tissue_masks(anatomy: Anatomy, mask: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return the purest voxels of white matter and CSF, each of shape (n_support,)."""
    # a planted region in a tissue mask would make its confound a regressor of the task
    allowed = anatomy.core[anatomy.support] & (anatomy.labels[anatomy.support] == 0) & mask
    masks = {}
    for name, column in (("WM", 1), ("CSF", 2)):
        share = np.where(allowed, anatomy.tissue[:, column], 0)
        count = int(PUREST_SHARE[name] * anatomy.brain.sum())
        chosen = np.zeros(len(share), dtype=bool)
        chosen[np.argsort(-share, kind="stable")[:count]] = True
        masks[name] = chosen
    masks["combined"] = masks["WM"] | masks["CSF"]
    return masks


def _expand(name: str, series: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    derivative = np.concatenate([[np.nan], np.diff(series)])
    return {
        name: series,
        f"{name}_derivative1": derivative,
        f"{name}_power2": series**2,
        f"{name}_derivative1_power2": derivative**2,
    }


def _one_hot(
    name: str, volumes: NDArray[np.intp], n_volumes: int
) -> dict[str, NDArray[np.float64]]:
    return {
        f"{name}{index:02d}": np.eye(1, n_volumes, volume)[0]
        for index, volume in enumerate(volumes)
    }


def _from_steady(series: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(FIRST_STEADY_VOLUME), series])


def _dvars(
    bold: NDArray[np.int16],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return standardised DVARS and DVARS (Nichols), both with NaN in the first place."""
    series = np.ascontiguousarray(bold.T)
    scale = 1000 / np.median(series)
    ordered = np.sort(series, axis=1)  # of int16 a sort is faster than a partition
    quarter, three_quarters = len(bold) // 4, 3 * len(bold) // 4
    spread = (ordered[:, three_quarters] - ordered[:, quarter]) / 1.349
    centred = series.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    rho = np.einsum("vt,vt->v", centred[:, 1:], centred[:, :-1])
    rho /= np.einsum("vt,vt->v", centred, centred)
    expected = float(np.mean(np.sqrt(2 * (1 - rho)) * spread))
    change = np.diff(centred, axis=1)
    dvars = np.sqrt(np.einsum("vt,vt->t", change, change, dtype=np.float64) / len(change))
    dvars = np.concatenate([[np.nan], dvars])
    return dvars / expected, dvars * scale


def _component_columns(
    bold: NDArray[np.int16],
    mask: NDArray[np.bool_],
    tissues: dict[str, NDArray[np.bool_]],
    cosines: NDArray[np.float64],
) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """Return CompCor columns and their metadata: tCompCor, then aCompCor of each mask."""
    steady = bold[FIRST_STEADY_VOLUME:]
    spread = np.where(mask, steady.std(axis=0), 0)
    varying = np.zeros(len(mask), dtype=bool)
    varying[np.argsort(-spread, kind="stable")[: int(TEMPORAL_SHARE * mask.sum())]] = True
    sources: list[tuple[str, dict[str, Any], NDArray[np.bool_], int]] = [
        ("t_comp_cor", {"Method": "tCompCor"}, varying, N_TEMPORAL)
    ]
    for name in ("combined", "CSF", "WM"):
        metadata = {"Mask": name, "Method": "aCompCor"}
        sources.append(("a_comp_cor", metadata, tissues[name], N_ANATOMICAL))
    columns: dict[str, NDArray[np.float64]] = {}
    sidecar: dict[str, Any] = {}
    for prefix, metadata, voxels, count in sources:
        first = sum(name.startswith(prefix) for name in columns)
        components, values = _compcor(steady[:, voxels], cosines, count)
        for index in range(count):
            name = f"{prefix}_{first + index:02d}"
            columns[name] = _from_steady(components[:, index])
            sidecar[name] = {**metadata, "Retained": True} | {
                key: round(float(value[index]), 10) for key, value in values.items()
            }
    return columns, sidecar


def _compcor(
    data: NDArray[np.int16], cosines: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Return the leading components (n_steady, count) of standardised, high-passed series."""
    series = data - data.mean(axis=0)
    series -= np.einsum("tk,kv->tv", cosines, np.einsum("tk,tv->kv", cosines, series))
    series /= np.maximum(series.std(axis=0), 1e-6)
    eigenvalues, vectors = np.linalg.eigh(np.einsum("tv,sv->ts", series, series))
    eigenvalues = np.clip(eigenvalues[::-1], 0, None)
    vectors = vectors[:, ::-1][:, :count]
    # the sign of an eigenvector is arbitrary: make its largest entry positive
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(count)]
    explained = eigenvalues / eigenvalues.sum()
    values = {
        "SingularValue": np.sqrt(eigenvalues),
        "VarianceExplained": explained,
        "CumulativeVarianceExplained": explained.cumsum(),
    }
    return np.round(vectors * np.sign(largest), 10), values
