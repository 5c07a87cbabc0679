"""The BOLD series of one run: baseline, task, drift, motion, physiology and noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from nilearn.glm.first_level import compute_regressor
from scipy import ndimage

from twolevel.simulate.anatomy import FWHM_PER_SIGMA, Anatomy, smooth_field
from twolevel.simulate.truth import CONDITIONS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# in the order grey matter, white matter, CSF
BASELINE = (1000.0, 900.0, 1200.0)
NOISE_PERCENT = (1.2, 0.9, 1.8)
WHITE_MATTER_COURSE_PERCENT = (0.15, 0.3, 0.0)
CSF_COURSE_PERCENT = (0.15, 0.0, 0.8)

NOISE_FWHM_MM = 4.0
DRIFT_PERCENT = 0.5
DRIFT_PERIOD_S = 128.0  # nothing faster drifts: the confounds' cosines reach to here
MOTION_PERCENT_PER_MM = 0.8
STEADY_STATE_EXCESS = 1.15  # the first volume is brighter: not yet saturated
FIRST_STEADY_VOLUME = 1


def task_regressors(
    events: pd.DataFrame, n_volumes: int, repetition_time: float
) -> NDArray[np.float64]:
    """Convolve each condition with nilearn's ``glover`` response.

    Parameters
    ----------
    events : pandas.DataFrame
        Columns onset, duration (s) and trial_type; events after the scan are left out.
    n_volumes : int
        Number of volumes; the first one is at 0 s.
    repetition_time : float
        Seconds between volumes.

    Returns
    -------
    ndarray of shape (n_volumes, n_conditions)
        Columns in the order of ``CONDITIONS``.
    """
    frame_times = np.arange(n_volumes) * repetition_time
    events = events[events["onset"] < n_volumes * repetition_time]
    columns = []
    for condition in CONDITIONS:
        rows = events[events["trial_type"] == condition]
        triplet = np.stack([rows["onset"], rows["duration"], np.ones(len(rows))])
        columns.append(compute_regressor(triplet, "glover", frame_times)[0][:, 0])
    return np.stack(columns, axis=1)


def task_signal(
    amplitudes: NDArray[np.float64], regressors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each region's response about its own mean over the steady volumes.

    It is centred so that a voxel's mean is its baseline: percent signal change about the mean
    then has the amplitudes as its regression weights.

    Parameters
    ----------
    amplitudes : ndarray of shape (n_regions, n_conditions)
        Percent signal change per unit of the regressor.
    regressors : ndarray of shape (n_volumes, n_conditions)
        From `task_regressors`.

    Returns
    -------
    ndarray of shape (n_volumes, n_regions)
        Percent signal change.
    """
    # einsum rather than @: no BLAS, hence the same bits with any number of threads
    signal = np.einsum("tc,rc->tr", regressors, amplitudes)
    centred: NDArray[np.float64] = signal - signal[FIRST_STEADY_VOLUME:].mean(axis=0)
    return centred


def simulate_baseline(anatomy: Anatomy, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw a subject's mean image.

    Parameters
    ----------
    anatomy : Anatomy
        The brain.
    rng : numpy.random.Generator
        Stream of the subject.

    Returns
    -------
    ndarray of shape (n_support,), float32
        Scanner units: tissue contrast, a slow receive field, a scale of the subject.
    """
    scale = rng.uniform(0.9, 1.1)
    field = 1 + 0.03 * smooth_field(rng, anatomy)[anatomy.support]
    return scale * field * _by_tissue(anatomy, BASELINE)


def simulate_bold(
    anatomy: Anatomy,
    baseline: NDArray[np.float32],
    task: NDArray[np.float64],
    motion: NDArray[np.float64],
    repetition_time: float,
    rng: np.random.Generator,
) -> NDArray[np.int16]:
    """Add up a run.

    Parameters
    ----------
    anatomy : Anatomy
        The brain.
    baseline : ndarray of shape (n_support,)
        Mean image of the subject.
    task : ndarray of shape (n_volumes, n_regions)
        Percent signal change in each planted region.
    motion : ndarray of shape (n_volumes, 6)
        Translations in mm and rotations in radians.
    repetition_time : float
        Seconds between volumes.
    rng : numpy.random.Generator
        Stream of the run.

    Returns
    -------
    ndarray of shape (n_volumes, n_support), int16
        Signal in scanner units.
    """
    labels = anatomy.labels[anatomy.support]
    courses, maps = _nuisance(anatomy, motion, repetition_time, rng)
    rho = np.clip(0.35 + 0.03 * smooth_field(rng, anatomy)[anatomy.support], 0.25, 0.45)
    innovation = np.sqrt(1 - rho**2)
    noise_sd = _by_tissue(anatomy, NOISE_PERCENT)
    noise = _smooth_noise(anatomy, rng)
    planted = np.concatenate([np.zeros((len(task), 1)), task], axis=1).astype(np.float32)
    bold = np.empty((len(task), len(labels)), dtype=np.int16)
    for volume in range(len(task)):
        percent = planted[volume][labels] + noise_sd * noise
        percent += np.einsum("k,kv->v", courses[volume], maps)
        excess = STEADY_STATE_EXCESS if volume < FIRST_STEADY_VOLUME else 1.0
        bold[volume] = np.rint(excess * baseline * (1 + percent / 100))
        noise = rho * noise + innovation * _smooth_noise(anatomy, rng)
    return bold


def _nuisance(
    anatomy: Anatomy,
    motion: NDArray[np.float64],
    repetition_time: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return courses (n_volumes, k) and maps (k, n_support) of drift, motion and physiology."""
    n_volumes = len(motion)
    phase = (np.arange(n_volumes) + 0.5) * np.pi / n_volumes
    drifts = np.stack([np.cos(order * phase) for order in (1, 2)], axis=1)
    slow = 2 * n_volumes * repetition_time / np.arange(1, 3) >= DRIFT_PERIOD_S
    drifts *= slow
    change = np.diff(motion, axis=0, prepend=motion[:1])
    change[:, 3:] *= 50.0  # mm on a sphere of 50 mm
    courses = np.concatenate([drifts, change, _slow_courses(rng, n_volumes)], axis=1)
    fields = [smooth_field(rng, anatomy)[anatomy.support] for _ in range(8)]
    maps = [DRIFT_PERCENT * field for field in fields[:2]]
    maps += [MOTION_PERCENT_PER_MM * field for field in fields[2:]]
    maps += [
        _by_tissue(anatomy, WHITE_MATTER_COURSE_PERCENT),
        _by_tissue(anatomy, CSF_COURSE_PERCENT),
    ]
    return courses.astype(np.float32), np.stack(maps)


def _slow_courses(rng: np.random.Generator, n_volumes: int) -> NDArray[np.float64]:
    """Return two AR(1) courses of unit variance, shape (n_volumes, 2)."""
    rho = 0.6
    courses = rng.standard_normal((n_volumes, 2))
    for volume in range(1, n_volumes):
        courses[volume] = rho * courses[volume - 1] + np.sqrt(1 - rho**2) * courses[volume]
    return courses


def _smooth_noise(anatomy: Anatomy, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return slightly smooth noise of unit variance, shape (n_support,)."""
    sigma = NOISE_FWHM_MM / FWHM_PER_SIGMA / anatomy.voxel_size_mm
    impulse = np.zeros(2 * int(4 * sigma + 0.5) + 1)
    impulse[len(impulse) // 2] = 1
    # the variance that the separable kernel leaves
    remaining = np.sum(ndimage.gaussian_filter1d(impulse, sigma, mode="constant") ** 2) ** 1.5
    white = rng.standard_normal(anatomy.support.shape, dtype=np.float32)
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(white, sigma, mode="wrap")
    return smooth[anatomy.support] / np.float32(remaining)


def _by_tissue(anatomy: Anatomy, values: tuple[float, float, float]) -> NDArray[np.float32]:
    """Mix the values of grey matter, white matter and CSF by their shares in each voxel."""
    mixed: NDArray[np.float32] = np.einsum(
        "vk,k->v", anatomy.tissue, np.array(values, dtype=np.float32)
    )
    return mixed
